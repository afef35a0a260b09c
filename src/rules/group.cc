#include "rules/group.h"

#include <array>
#include <utility>

#include "base/number.h"
#include "model/sample.h"
#include "promql/printer.h"

namespace sonde::rules {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;

storage::AppendResult AppendSample(storage::Appender& appender, const RuleSample& sample,
                                   Timestamp time, storage::SeriesRef ref) {
  if (sample.histogram != nullptr) {
    return appender.AppendFloatHistogram(sample.labels, time, *sample.histogram);
  }
  if (ref) {
    const auto result = appender.Append(ref, time, sample.v);
    if (result.error != storage::AppendError::kUnknownSeries) return result;
  }
  return appender.Append(sample.labels.view(), time, sample.v);
}

bool SameRule(const RuleOptions& a, const RuleOptions& b) {
  return a.alerting == b.alerting && a.name == b.name && a.labels == b.labels;
}

}  // namespace

Group::Group(GroupOptions options, const RunnerOptions& all, GroupContext context)
    : options_(std::move(options)),
      all_(all),
      context_(std::move(context)),
      interval_(options_.interval > Duration(0) ? options_.interval : all.interval),
      query_offset_(options_.query_offset.value_or(all.query_offset)) {}

Result<std::shared_ptr<Group>> Group::Make(GroupOptions options, const RunnerOptions& all,
                                           GroupContext context, bool restored) {
  std::shared_ptr<Group> group(new Group(std::move(options), all, std::move(context)));
  for (const RuleOptions& rule : group->options_.rules) {
    Entry entry;
    const auto where = [&](Error error) {
      return std::move(error)
          .Wrap("rule " + rule.name)
          .Wrap("group " + group->options_.name)
          .Wrap(group->options_.file);
    };
    if (rule.alerting) {
      auto made = AlertingRule::Make(rule, group->context_.query.parser(), restored);
      if (!made) return where(made.error());
      entry.alerting = made->get();
      entry.rule = *std::move(made);
    } else {
      auto made = RecordingRule::Make(rule, group->context_.query.parser());
      if (!made) return where(made.error());
      entry.rule = *std::move(made);
    }
    entry.query = promql::Print(entry.rule->expr());
    group->entries_.push_back(std::move(entry));
  }
  {
    MutexLock lock(group->mutex_);
    group->views_.resize(group->entries_.size());
  }
  for (std::size_t i = 0; i < group->entries_.size(); ++i)
    group->Publish(i);
  return group;
}

Timestamp Group::SlotAt(Timestamp time) const {
  // The remainder is taken in nanoseconds, as the reference takes it; the slots are then those of
  // the reference, rounded down to milliseconds.
  const std::int64_t interval = interval_.count();
  const std::uint64_t hash = Labels::Of({{"name", options_.name}, {"file", options_.file}}).Hash();
  const auto offset =
      static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(interval * kNanosPerMilli)) /
      kNanosPerMilli;
  const std::int64_t into = (((time.ms - offset) % interval) + interval) % interval;
  return {time.ms - into};
}

void Group::Evaluate(Timestamp time, const std::atomic<bool>* stop) {
  const std::int64_t begin = context_.clock.MonotonicNanos();
  std::size_t samples = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
    samples += EvaluateRule(entries_[i], time);
    Publish(i);
  }
  MarkRemoved(time);
  counts_.last_samples.store(samples, std::memory_order_relaxed);
  MutexLock lock(mutex_);
  evaluation_seconds_ = static_cast<double>(context_.clock.MonotonicNanos() - begin) / 1e9;
  last_evaluation_ = time;
}

std::size_t Group::EvaluateRule(Entry& entry, Timestamp time) {
  const std::int64_t begin = context_.clock.MonotonicNanos();
  counts_.evaluations.fetch_add(1, std::memory_order_relaxed);
  auto samples = entry.rule->Evaluate({.query = context_.query,
                                       .time = time,
                                       .query_offset = query_offset_,
                                       .limit = options_.limit,
                                       .external_labels = all_.external_labels,
                                       .external_url = all_.external_url});
  Status status = OkStatus();
  if (samples) {
    status = Store(entry, *samples, time - query_offset_);
  } else {
    status = samples.error();
  }
  if (samples && entry.alerting != nullptr && context_.alerts) {
    auto due = entry.alerting->TakeDue(time, all_.resend_delay, interval_, all_.external_url);
    if (!due.empty()) context_.alerts(std::move(due));
  }
  entry.health = status ? RuleHealth::kOk : RuleHealth::kBad;
  if (!status) {
    counts_.failures.fetch_add(1, std::memory_order_relaxed);
    // Once for each kind of failure, not at each interval; not for a stop.
    if (entry.last_error != status.error().message() &&
        status.error().kind() != ErrorKind::kCancelled) {
      context_.logger.Warn("a rule failed", {{"file", options_.file},
                                             {"group", options_.name},
                                             {"name", entry.rule->options().name},
                                             {"err", status.error()}});
    }
    entry.last_error = status.error().message();
  } else {
    entry.last_error.clear();
  }
  entry.seconds = static_cast<double>(context_.clock.MonotonicNanos() - begin) / 1e9;
  entry.last_evaluation = time;
  return samples ? samples->size() : 0;
}

Status Group::Store(Entry& entry, std::span<const RuleSample> samples, Timestamp time) {
  const auto appender = context_.store.NewAppender();
  Series series;
  series.reserve(samples.size());
  std::size_t refused = 0;
  storage::AppendError why = storage::AppendError::kNone;
  for (const RuleSample& sample : samples) {
    const auto known = entry.series.find(sample.labels);
    const auto result =
        AppendSample(*appender, sample, time,
                     known == entry.series.end() ? storage::SeriesRef{} : known->second);
    if (result.error != storage::AppendError::kNone) {
      ++refused;
      why = result.error;
    }
    // A series that refused a sample was given all the same: it has not vanished.
    series.emplace(sample.labels, result.ref);
  }
  for (const auto& [labels, ref] : entry.series) {
    if (!series.contains(labels))
      static_cast<void>(AppendSample(*appender, {labels, StaleNan()}, time, ref));
  }
  TRY(appender->Commit());
  entry.series = std::move(series);
  if (refused == 0) return OkStatus();
  return Error(ErrorKind::kInvalid,
               std::to_string(refused) + " of " + std::to_string(samples.size()) +
                   " samples not stored: " + std::string(storage::ToString(why)));
}

void Group::MarkRemoved(Timestamp time) {
  if (removed_.empty()) return;
  const auto appender = context_.store.NewAppender();
  std::unordered_set<Labels> alive;
  AddSeries(alive);
  for (const Labels& labels : removed_) {
    if (!alive.contains(labels))
      static_cast<void>(appender->Append(labels.view(), time - query_offset_, StaleNan()));
  }
  if (const Status status = appender->Commit(); !status) {
    context_.logger.Warn("stale markers were not stored",
                         {{"group", options_.name}, {"err", status.error()}});
  }
  removed_.clear();
}

void Group::MarkStale(Timestamp now, const std::unordered_set<Labels>& alive) {
  for (Entry& entry : entries_) {
    for (const auto& [labels, ref] : entry.series)
      removed_.push_back(labels);
    entry.series.clear();
  }
  std::erase_if(removed_, [&](const Labels& labels) { return alive.contains(labels); });
  MarkRemoved(now);
}

void Group::AddSeries(std::unordered_set<Labels>& all) const {
  for (const Entry& entry : entries_) {
    for (const auto& [labels, ref] : entry.series)
      all.insert(labels);
  }
}

void Group::TakeStateFrom(Group& before) {
  std::vector<bool> taken(before.entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    for (std::size_t j = 0; j < before.entries_.size(); ++j) {
      Entry& old = before.entries_[j];
      if (taken[j] || !SameRule(entry.rule->options(), old.rule->options())) continue;
      taken[j] = true;
      entry.series = std::move(old.series);
      if (entry.alerting != nullptr) entry.alerting->TakeStateFrom(*old.alerting);
      break;
    }
    Publish(i);
  }
  removed_ = std::move(before.removed_);
  for (std::size_t j = 0; j < before.entries_.size(); ++j) {
    if (taken[j]) continue;
    for (const auto& [labels, ref] : before.entries_[j].series)
      removed_.push_back(labels);
  }
}

bool Group::restored() const {
  for (const Entry& entry : entries_) {
    if (entry.alerting != nullptr && !entry.alerting->restored()) return false;
  }
  return true;
}

void Group::RestoreState(Timestamp now) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.alerting == nullptr) continue;
    const Status status = entry.alerting->RestoreState(context_.query.store(), now, all_);
    if (!status) {
      context_.logger.Error("the state of an alerting rule was not restored",
                            {{"group", options_.name},
                             {"name", entry.rule->options().name},
                             {"err", status.error()}});
    }
    Publish(i);
  }
}

void Group::Publish(std::size_t index) {
  const Entry& entry = entries_[index];
  auto view = std::make_shared<RuleView>();
  view->options = entry.rule->options();
  view->query = entry.query;
  view->alerts = entry.rule->Alerts();
  view->health = entry.health;
  view->last_error = entry.last_error;
  view->evaluation_seconds = entry.seconds;
  view->last_evaluation = entry.last_evaluation;
  MutexLock lock(mutex_);
  views_[index] = std::move(view);
}

GroupView Group::view() const {
  GroupView view;
  view.name = options_.name;
  view.file = options_.file;
  view.interval = interval_;
  view.limit = options_.limit;
  MutexLock lock(mutex_);
  view.rules = views_;
  view.evaluation_seconds = evaluation_seconds_;
  view.last_evaluation = last_evaluation_;
  return view;
}

}  // namespace sonde::rules
