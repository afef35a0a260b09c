#include <algorithm>
#include <utility>

#include "alerting/alertmanager_state.h"

// Groups, their timers, and how notifications leave.

namespace sonde::alerting {
namespace {

constexpr Duration kMinTimeout{10'000};
constexpr Duration kMaxBackoff{60'000};
constexpr Duration kMaxRetryAfter{600'000};

/// {a="b", c="d"}: a label set within a group key.
std::string FormatLabelSet(LabelsView labels) {
  std::string out = "{";
  for (const LabelView label : labels) {
    if (out.size() > 1) out += ", ";
    out += Matcher::Equal(std::string(label.name), std::string(label.value)).ToString();
  }
  return out + "}";
}

}  // namespace

void Alertmanager::Dispatch(const StoredAlertPtr& alert, Entry& entry, Timestamp now) {
  for (const Route* route : entry.routes) {
    Labels labels = route->GroupLabels(alert->alert.labels);
    auto& slot = groups_[route][labels];
    if (slot == nullptr) {
      slot = std::make_unique<Group>();
      slot->id = next_id_++;
      slot->route = route;
      slot->key = route->key + ":" + FormatLabelSet(labels);
      slot->labels = std::move(labels);
      slot->next_flush = now + route->group_wait;
      groups_by_id_[slot->id] = slot.get();
      Schedule(*slot, slot->next_flush);
    }
    slot->alerts.insert_or_assign(alert->fingerprint, alert);
    // It has waited elsewhere: with another replica, or before a restart.
    if (!slot->has_flushed && alert->alert.starts_at + route->group_wait < now) {
      slot->next_flush = now;
      Schedule(*slot, now);
    }
  }
}

void Alertmanager::Schedule(Group& group, Timestamp at) {
  if (group.timer) timers_.erase({*group.timer, group.id});
  group.timer = at;
  timers_.insert({at, group.id});
}

void Alertmanager::ShiftTimers(Duration by) {
  timers_.clear();
  for (const auto& [id, group] : groups_by_id_) {
    group->next_flush += by;
    if (group->flush) {
      group->flush->deadline += by;
      for (Attempt& attempt : group->flush->attempts)
        attempt.next_try += by;
    }
    if (!group->timer) continue;
    *group->timer += by;
    timers_.insert({*group->timer, id});
  }
  next_gc_ += by;
}

Timestamp Alertmanager::Tick() {
  std::vector<Outgoing> outgoing;
  Timestamp next;
  {
    MutexLock lock(mutex_);
    const Timestamp now = context_.clock.Now();
    if (now < last_tick_) ShiftTimers(now - last_tick_);
    last_tick_ = now;
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const std::uint64_t id = timers_.begin()->second;
      timers_.erase(timers_.begin());
      Group& group = *groups_by_id_.at(id);
      group.timer.reset();
      Process(group, now);
    }
    Collect(now);
    outgoing.swap(outgoing_);
  }
  for (Outgoing& out : outgoing) {
    auto done = [shared = shared_, out](SendResult result) {
      Alertmanager* owner = nullptr;
      {
        MutexLock lock(shared->mutex);
        owner = shared->owner;
        if (owner == nullptr) return;
        ++shared->calls;
      }
      owner->Complete(out.group_id, out.flush_id, out.index, out.entry, std::move(result));
      MutexLock lock(shared->mutex);
      if (--shared->calls == 0) shared->idle.NotifyAll();
    };
    context_.send(*out.notification, std::move(done));
  }
  if (auto status = WriteRecords(); !status) {
    context_.logger.Error(
        "the notification log cannot be written; after a restart what was sent "
        "may be sent again",
        {{"err", status.error()}});
  }
  MutexLock lock(mutex_);
  next = next_gc_;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  return next;
}

void Alertmanager::Process(Group& group, Timestamp now) {
  if (!group.flush && group.next_flush <= now) StartFlush(group, now);
  if (group.flush) {
    ContinueFlush(group, now);
    return;
  }
  Schedule(group, group.next_flush);
}

void Alertmanager::StartFlush(Group& group, Timestamp now) {
  group.has_flushed = true;
  group.next_flush = now + group.route->group_interval;
  Flush& flush = group.flush.emplace();
  flush.id = next_id_++;
  flush.deadline = now + std::max(group.route->group_interval, kMinTimeout);
  std::vector<StoredAlertPtr> alerts;
  for (const auto& [fingerprint, alert] : group.alerts) {
    alerts.push_back(alert);
    if (alert->ResolvedAt(now)) flush.resolved.push_back(alert);
  }
  std::sort(alerts.begin(), alerts.end(),
            [](const StoredAlertPtr& a, const StoredAlertPtr& b) { return ComesBefore(*a, *b); });
  PrepareAttempts(group, Unmuted(group, std::move(alerts), now), now);
}

std::vector<std::string> Alertmanager::MutingIntervals(const Route& route, Timestamp now) const {
  std::vector<std::string> names;
  const auto holds = [&](const std::string& name) NO_THREAD_SAFETY_ANALYSIS {
    const auto found = setup_->intervals.find(name);
    return found != setup_->intervals.end() && found->second->Contains(now);
  };
  const auto& active = route.active_time_intervals;
  if (!active.empty() && std::none_of(active.begin(), active.end(), holds)) names = active;
  for (const std::string& name : route.mute_time_intervals) {
    if (holds(name)) names.push_back(name);
  }
  return names;
}

std::vector<StoredAlertPtr> Alertmanager::Unmuted(Group& group, std::vector<StoredAlertPtr> alerts,
                                                  Timestamp now) {
  group.muted_by = MutingIntervals(*group.route, now);
  if (!group.muted_by.empty()) return {};
  std::erase_if(alerts, [&](const StoredAlertPtr& alert) NO_THREAD_SAFETY_ANALYSIS {
    return setup_->inhibitor.MutedBy(alert->alert.labels, now).has_value() ||
           !silences_.Muting(alert->alert.labels, now).empty();
  });
  return alerts;
}

void Alertmanager::PrepareAttempts(Group& group, const std::vector<StoredAlertPtr>& alerts,
                                   Timestamp now) {
  if (alerts.empty()) return;
  std::vector<std::uint64_t> firing, resolved;
  for (const StoredAlertPtr& alert : alerts)
    (alert->ResolvedAt(now) ? resolved : firing).push_back(alert->fingerprint);
  std::sort(firing.begin(), firing.end());
  std::sort(resolved.begin(), resolved.end());
  for (const auto& integration : setup_->integrations[group.route->receiver]) {
    const std::string key = group.route->receiver + "/" + integration->type + "/" +
                            std::to_string(integration->index) + "/" + group.key;
    const NotificationReason reason =
        NeedsNotification(log_.Find(key), firing, resolved, integration->send_resolved,
                          group.route->repeat_interval, now);
    if (reason == NotificationReason::kNone) continue;
    Attempt attempt;
    attempt.entry = {key, now, now + 2 * group.route->repeat_interval, firing, resolved};
    attempt.next_try = now;
    if (!integration->send_resolved && firing.empty()) {
      RecordSent(attempt.entry, now);  // Nothing to tell, but the log is cleared.
      continue;
    }
    if (integration->kind == IntegrationKind::kOther) continue;
    auto notification = std::make_shared<Notification>();
    notification->receiver = group.route->receiver;
    notification->integration = integration;
    notification->group_key = group.key;
    notification->group_labels = group.labels;
    notification->reason = reason;
    notification->time = now;
    notification->deadline = group.flush->deadline;
    for (const StoredAlertPtr& alert : alerts) {
      NotifiedAlert told{alert->alert, alert->ResolvedAt(now)};
      if (!told.resolved) told.alert.ends_at = {};
      if (told.resolved && !integration->send_resolved) continue;
      notification->alerts.push_back(std::move(told));
    }
    attempt.notification = std::move(notification);
    group.flush->attempts.push_back(std::move(attempt));
  }
}

void Alertmanager::ContinueFlush(Group& group, Timestamp now) {
  Flush& flush = *group.flush;
  Timestamp next = flush.deadline;
  bool open = false;
  for (std::size_t i = 0; i < flush.attempts.size(); ++i) {
    Attempt& attempt = flush.attempts[i];
    if (attempt.finished) continue;
    if (now >= flush.deadline) {
      attempt.finished = flush.failed = true;
      ++counts_.notifications_failed;
      context_.logger.Error("a notification was given up: its time is over",
                            {{"receiver", attempt.notification->receiver},
                             {"integration", attempt.notification->integration->type},
                             {"group", group.key}});
      continue;
    }
    open = true;
    if (attempt.in_flight) continue;
    if (attempt.next_try > now) {
      next = std::min(next, attempt.next_try);
      continue;
    }
    attempt.in_flight = true;
    ++counts_.notifications;
    outgoing_.push_back({attempt.notification, group.id, flush.id, i, attempt.entry});
  }
  if (open) {
    Schedule(group, next);
    return;
  }
  FinishFlush(group, now);
}

void Alertmanager::FinishFlush(Group& group, Timestamp now) {
  if (!group.flush->failed) {
    for (const StoredAlertPtr& alert : group.flush->resolved) {
      const auto found = group.alerts.find(alert->fingerprint);
      if (found != group.alerts.end() && found->second == alert) group.alerts.erase(found);
    }
  }
  group.flush.reset();
  if (!group.alerts.empty()) {
    Schedule(group, std::max(group.next_flush, now));
    return;
  }
  if (group.timer) timers_.erase({*group.timer, group.id});
  groups_by_id_.erase(group.id);
  auto& siblings = groups_[group.route];
  siblings.erase(siblings.find(group.labels));
}

void Alertmanager::RecordSent(NotificationEntry entry, Timestamp now) {
  entry.sent_at = now;
  pending_log_.push_back(entry.ToRecord());
  log_.Set(std::move(entry));
}

void Alertmanager::Complete(std::uint64_t group_id, std::uint64_t flush_id, std::size_t index,
                            const NotificationEntry& entry, SendResult result) {
  bool write = false;
  {
    MutexLock lock(mutex_);
    const Timestamp now = context_.clock.Now();
    if (result.ok) {
      RecordSent(entry, now);  // Also when it comes too late: it was sent.
      write = true;
    }
    const auto found = groups_by_id_.find(group_id);
    Group* group = found == groups_by_id_.end() ? nullptr : found->second;
    if (group != nullptr && group->flush && group->flush->id == flush_id &&
        !group->flush->attempts[index].finished) {
      Attempt& attempt = group->flush->attempts[index];
      attempt.in_flight = false;
      attempt.finished = result.ok || !result.retry;
      if (!result.ok) {
        const double jitter = 0.5 + rng_.Uniform();
        const Duration wait(
            static_cast<std::int64_t>(static_cast<double>(attempt.backoff.count()) * jitter));
        attempt.next_try = now + std::max(wait, std::min(result.retry_after, kMaxRetryAfter));
        attempt.backoff = std::min(kMaxBackoff, attempt.backoff * 3 / 2);
        group->flush->failed |= attempt.finished;
        if (attempt.finished) ++counts_.notifications_failed;
        context_.logger.Warn(attempt.finished ? "a notification was refused"
                                              : "a notification failed and will be tried again",
                             {{"receiver", attempt.notification->receiver},
                              {"integration", attempt.notification->integration->type},
                              {"group", group->key},
                              {"err", result.detail}});
      }
      ContinueFlush(*group, now);
    }
  }
  // Before anybody relies on it: a crash now must not send it again.
  if (write) {
    if (auto status = WriteRecords(); !status) {
      context_.logger.Error("the notification log cannot be written", {{"err", status.error()}});
    }
  }
  if (context_.wake) context_.wake();
}

}  // namespace sonde::alerting
