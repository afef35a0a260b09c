#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerting/notification_log.h"
#include "alerting/options.h"
#include "base/time.h"
#include "model/alert.h"

namespace sonde::alerting {

/// One alert as a receiver is told of it. An unresolved one has no end.
struct NotifiedAlert {
  Alert alert;
  bool resolved = false;
};

/// What one integration of a receiver is to be told about one group.
struct Notification {
  std::string receiver;
  std::shared_ptr<const Integration> integration;
  std::string group_key;  ///< `{}/{team="x"}:{alertname="y"}`.
  Labels group_labels;
  std::vector<NotifiedAlert> alerts;  ///< In Alertmanager's order.
  NotificationReason reason = NotificationReason::kFirst;
  Timestamp time;      ///< Of the flush.
  Timestamp deadline;  ///< After it, it is too late.
};

/// What became of one attempt.
struct SendResult {
  bool ok = false;
  bool retry = false;       ///< The same may work later.
  Duration retry_after{0};  ///< As the receiver asked for; 0: it did not.
  std::string detail;       ///< For people: the status and the beginning of the answer.
};

/// Sends one notification, once. Calls `done` exactly once, at once or later, from any thread; it
/// is called without a lock held.
using Sender = std::function<void(const Notification&, std::function<void(SendResult)> done)>;

}  // namespace sonde::alerting
