#include "alerting/alertmanager.h"

#include <algorithm>
#include <utility>

#include "alerting/alertmanager_state.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::alerting {
namespace {

constexpr std::string_view kSilenceFile = "silences.log";
constexpr std::string_view kLogFile = "notifications.log";

/// As it is stored, or why it cannot be.
Result<StoredAlert> Complete(const Alert& alert, Duration resolve_timeout, std::size_t max_bytes,
                             Timestamp now) {
  StoredAlert stored;
  stored.alert = alert;
  stored.updated_at = now;
  Alert& a = stored.alert;
  if (a.starts_at.ms == 0) a.starts_at = a.ends_at.ms == 0 ? now : a.ends_at;
  if (a.ends_at.ms == 0) {
    stored.timed_out = true;
    a.ends_at = now + resolve_timeout;
  }
  const auto invalid = [](std::string message) {
    return Error(ErrorKind::kInvalid, "invalid alert: " + std::move(message));
  };
  if (a.ends_at < a.starts_at) return invalid("start time must be before end time");
  if (a.labels.empty()) return invalid("at least one label pair required");
  std::size_t bytes = a.generator_url.size();
  for (const Labels* set : {&a.labels, &a.annotations}) {
    for (const LabelView label : *set) {
      bytes += label.name.size() + label.value.size();
      if (!IsValidName(label.name))
        return invalid("invalid name \"" + std::string(label.name.substr(0, 64)) + "\"");
      if (!IsValidUtf8(label.value))
        return invalid("the value of " + std::string(label.name.substr(0, 64)) + " is not UTF-8");
    }
  }
  if (bytes > max_bytes) {
    return Error(ErrorKind::kLimit, "invalid alert: labels and annotations of " +
                                        std::to_string(bytes) + " bytes, at most " +
                                        std::to_string(max_bytes));
  }
  stored.fingerprint = FingerprintOf(a.labels);
  return stored;
}

}  // namespace

std::string NewUuid(Rng& rng) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
  for (char& c : id) {
    if (c == 'x') c = kDigits[rng.Below(16)];
    if (c == 'v') c = kDigits[8 + rng.Below(4)];
  }
  return id;
}

Alertmanager::Alertmanager(Options options, AlertmanagerSettings settings, Context context)
    : settings_(std::move(settings)),
      context_(std::move(context)),
      shared_(std::make_shared<Shared>()),
      setup_(std::make_unique<Setup>(std::move(options))),
      silences_(settings_.silences, [this]() NO_THREAD_SAFETY_ANALYSIS { return NewUuid(rng_); }),
      rng_(context_.seed),
      next_gc_(context_.clock.Now() + settings_.gc_interval) {
  MutexLock lock(shared_->mutex);
  shared_->owner = this;
}

Alertmanager::~Alertmanager() {
  MutexLock lock(shared_->mutex);
  shared_->owner = nullptr;
  while (shared_->calls > 0)
    shared_->idle.Wait(shared_->mutex);
}

Result<std::unique_ptr<Alertmanager>> Alertmanager::Open(Options options,
                                                         AlertmanagerSettings settings,
                                                         Context context) {
  std::unique_ptr<Alertmanager> alertmanager(
      new Alertmanager(std::move(options), std::move(settings), std::move(context)));
  TRY(alertmanager->LoadRecords());
  return alertmanager;
}

Status Alertmanager::LoadRecords() {
  if (settings_.data_dir.empty()) return OkStatus();
  auto silences = TRY(RecordLog::Open(context_.env, settings_.data_dir / kSilenceFile));
  auto sent = TRY(RecordLog::Open(context_.env, settings_.data_dir / kLogFile));
  std::size_t damaged = silences.damaged + sent.damaged;
  {
    MutexLock lock(mutex_);
    for (const std::string& record : silences.records) {
      auto silence = Silence::FromRecord(record);
      if (silence) {
        silences_.Load(*std::move(silence));
      } else {
        ++damaged;
      }
    }
    for (const std::string& record : sent.records) {
      auto entry = NotificationEntry::FromRecord(record);
      if (entry) {
        log_.Set(*std::move(entry));
      } else {
        ++damaged;
      }
    }
    counts_.damaged_records = damaged;
  }
  if (damaged > 0) {
    context_.logger.Warn("damaged records of silences or notifications were left out",
                         {{"records", static_cast<std::uint64_t>(damaged)},
                          {"folder", settings_.data_dir.string()}});
  }
  MutexLock io(io_mutex_);
  silence_file_.emplace(std::move(silences.log));
  log_file_.emplace(std::move(sent.log));
  return OkStatus();
}

Status Alertmanager::WriteRecords() {
  MutexLock io(io_mutex_);
  std::vector<std::string> silences, sent, all_silences, all_sent;
  const bool rewrite_silences = silence_file_ && silence_file_->ShouldRewrite();
  const bool rewrite_sent = log_file_ && log_file_->ShouldRewrite();
  {
    MutexLock lock(mutex_);
    silences.swap(pending_silences_);
    sent.swap(pending_log_);
    if (rewrite_silences) {
      for (const auto& [id, silence] : silences_.all())
        all_silences.push_back(silence.ToRecord());
    }
    if (rewrite_sent) {
      for (const auto& [key, entry] : log_.all())
        all_sent.push_back(entry.ToRecord());
    }
  }
  const auto write = [](std::optional<RecordLog>& file, bool rewrite,
                        const std::vector<std::string>& all,
                        const std::vector<std::string>& some) -> Status {
    if (!file) return OkStatus();
    if (rewrite) return file->Rewrite(all);
    for (const std::string& record : some)
      TRY(file->Append(record));
    return OkStatus();
  };
  auto first = write(silence_file_, rewrite_silences, all_silences, silences);
  auto second = write(log_file_, rewrite_sent, all_sent, sent);
  if (!first) return first;
  return second;
}

Status Alertmanager::Put(std::span<const Alert> alerts) {
  Status first_error = OkStatus();
  {
    MutexLock lock(mutex_);
    const Timestamp now = context_.clock.Now();
    for (const Alert& alert : alerts) {
      ++counts_.alerts_received;
      auto status = PutOne(alert, now);
      if (status) continue;
      ++counts_.alerts_invalid;
      if (first_error) first_error = std::move(status);
    }
  }
  if (context_.wake) context_.wake();
  return first_error;
}

Status Alertmanager::PutOne(const Alert& alert, Timestamp now) {
  StoredAlert stored = TRY(sonde::alerting::Complete(alert, setup_->options.resolve_timeout,
                                                     settings_.max_alert_bytes, now));
  const auto found = alerts_.find(stored.fingerprint);
  if (found != alerts_.end()) {
    stored = MergeAlerts(*found->second.alert, std::move(stored), now);
  } else if (alerts_.size() >= settings_.max_alerts) {
    return Error(ErrorKind::kLimit,
                 "too many alerts: " + std::to_string(alerts_.size()) + " are stored already");
  }
  Entry& entry = alerts_[stored.fingerprint];
  entry.alert = std::make_shared<const StoredAlert>(std::move(stored));
  if (entry.routes.empty()) entry.routes = setup_->tree.Match(entry.alert->alert.labels);
  setup_->inhibitor.Update(entry.alert);
  Dispatch(entry.alert, entry, now);
  return OkStatus();
}

void Alertmanager::Reload(Options options) {
  auto setup = std::make_unique<Setup>(std::move(options));
  {
    MutexLock lock(mutex_);
    groups_.clear();
    groups_by_id_.clear();
    timers_.clear();
    outgoing_.clear();
    setup_ = std::move(setup);
    const Timestamp now = context_.clock.Now();
    for (auto& [fingerprint, entry] : alerts_) {
      entry.routes = setup_->tree.Match(entry.alert->alert.labels);
      setup_->inhibitor.Update(entry.alert);
      Dispatch(entry.alert, entry, now);
    }
  }
  if (context_.wake) context_.wake();
}

void Alertmanager::Collect(Timestamp now) {
  if (now < next_gc_) return;
  next_gc_ = now + settings_.gc_interval;
  std::erase_if(alerts_, [&](const auto& item) NO_THREAD_SAFETY_ANALYSIS {
    if (!item.second.alert->ResolvedAt(now)) return false;
    setup_->inhibitor.Remove(*item.second.alert);
    return true;
  });
  silences_.Collect(now, settings_.data_retention);
  log_.Collect(now);
}

Result<std::string> Alertmanager::SetSilence(Silence silence) {
  Result<std::string> id = std::string();
  {
    MutexLock lock(mutex_);
    id = silences_.Set(std::move(silence), context_.clock.Now());
    for (const std::string& changed : silences_.TakeChanges())
      pending_silences_.push_back(silences_.Find(changed)->ToRecord());
  }
  TRY(WriteRecords());
  return id;
}

Status Alertmanager::ExpireSilence(std::string_view id) {
  {
    MutexLock lock(mutex_);
    TRY(silences_.Expire(id, context_.clock.Now()));
    for (const std::string& changed : silences_.TakeChanges())
      pending_silences_.push_back(silences_.Find(changed)->ToRecord());
  }
  return WriteRecords();
}

std::optional<Silence> Alertmanager::FindSilence(std::string_view id) const {
  MutexLock lock(mutex_);
  const Silence* silence = silences_.Find(id);
  return silence == nullptr ? std::nullopt : std::optional<Silence>(*silence);
}

std::vector<Silence> Alertmanager::ListSilences() const {
  MutexLock lock(mutex_);
  std::vector<Silence> out;
  for (const auto& [id, silence] : silences_.all())
    out.push_back(silence);
  return out;
}

AlertView Alertmanager::ViewOf(const StoredAlertPtr& alert, Timestamp now) const {
  AlertView view;
  view.alert = alert;
  view.silenced_by = silences_.Muting(alert->alert.labels, now);
  if (const auto source = setup_->inhibitor.MutedBy(alert->alert.labels, now))
    view.inhibited_by.push_back(FormatFingerprint(*source));
  const auto entry = alerts_.find(alert->fingerprint);
  if (entry == alerts_.end()) return view;
  for (const Route* route : entry->second.routes) {
    view.receivers.push_back(route->receiver);
    const auto groups = groups_.find(route);
    if (groups == groups_.end()) continue;
    const auto group = groups->second.find(route->GroupLabels(alert->alert.labels));
    if (group == groups->second.end()) continue;
    view.processed |= group->second->has_flushed;
    for (const std::string& name : group->second->muted_by)
      view.muted_by.push_back(name);
  }
  return view;
}

std::vector<AlertView> Alertmanager::ListAlerts() const {
  MutexLock lock(mutex_);
  const Timestamp now = context_.clock.Now();
  std::vector<AlertView> out;
  for (const auto& [fingerprint, entry] : alerts_) {
    if (!entry.alert->ResolvedAt(now)) out.push_back(ViewOf(entry.alert, now));
  }
  std::sort(out.begin(), out.end(), [](const AlertView& a, const AlertView& b) {
    return a.alert->fingerprint < b.alert->fingerprint;
  });
  return out;
}

std::vector<GroupView> Alertmanager::ListGroups() const {
  MutexLock lock(mutex_);
  const Timestamp now = context_.clock.Now();
  std::vector<GroupView> out;
  for (const auto& [id, group] : groups_by_id_) {
    GroupView view{group->labels, group->route->receiver, group->route->id, {}};
    for (const auto& [fingerprint, alert] : group->alerts) {
      if (alert->ResolvedAt(now)) continue;
      view.alerts.push_back(ViewOf(alert, now));
      view.alerts.back().muted_by = group->muted_by;
    }
    if (!view.alerts.empty()) out.push_back(std::move(view));
  }
  std::sort(out.begin(), out.end(), [](const GroupView& a, const GroupView& b) {
    return std::tie(a.labels, a.receiver, a.route_id) < std::tie(b.labels, b.receiver, b.route_id);
  });
  return out;
}

std::vector<std::string> Alertmanager::ReceiverNames() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const Receiver& receiver : setup_->options.receivers)
    names.push_back(receiver.name);
  return names;
}

AlertmanagerCounts Alertmanager::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

}  // namespace sonde::alerting
