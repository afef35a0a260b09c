#pragma once

#include <deque>

#include "alerting/alertmanager.h"

// The parts of Alertmanager that alertmanager.cc (alerts, silences, what the API shows) and
// dispatch.cc (groups and notifications) share.

namespace sonde::alerting {

/// What one configuration says, ready for use.
struct Alertmanager::Setup {
  explicit Setup(Options o)
      : options(std::move(o)), tree(options.route), inhibitor(options.inhibit_rules) {
    for (const Receiver& receiver : options.receivers) {
      auto& list = integrations[receiver.name];
      for (const Integration& integration : receiver.integrations)
        list.push_back(std::make_shared<const Integration>(integration));
    }
    for (const NamedTimeInterval& interval : options.time_intervals)
      intervals[interval.name] = &interval;
  }

  const Options options;
  const RouteTree tree;
  Inhibitor inhibitor;
  std::map<std::string, std::vector<std::shared_ptr<const Integration>>> integrations;
  std::map<std::string, const NamedTimeInterval*> intervals;
};

/// One integration that is being told of one flush.
struct Alertmanager::Attempt {
  std::shared_ptr<const Notification> notification;
  NotificationEntry entry;  ///< What the log will say once it was sent.
  bool in_flight = false;
  bool finished = false;
  Timestamp next_try;
  Duration backoff{500};
};

/// One round of notifications of a group.
struct Alertmanager::Flush {
  std::uint64_t id = 0;
  Timestamp deadline;
  std::vector<Attempt> attempts;
  std::vector<StoredAlertPtr> resolved;  ///< Leave the group if all goes well.
  bool failed = false;
};

/// The alerts that one route puts together.
struct Alertmanager::Group {
  std::uint64_t id = 0;
  const Route* route = nullptr;
  Labels labels;
  std::string key;
  std::map<std::uint64_t, StoredAlertPtr> alerts;
  Timestamp next_flush;
  bool has_flushed = false;
  std::vector<std::string> muted_by;  ///< Time intervals, as of the last flush.
  std::optional<Flush> flush;
  std::optional<Timestamp> timer;  ///< Its place in timers_.
};

/// What a late completion finds instead of a destroyed Alertmanager.
struct Alertmanager::Shared {
  Mutex mutex;
  CondVar idle;
  Alertmanager* owner GUARDED_BY(mutex) = nullptr;
  int calls GUARDED_BY(mutex) = 0;
};

}  // namespace sonde::alerting
