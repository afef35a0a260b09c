#pragma once

#include <cstdint>
#include <memory>

#include "base/time.h"
#include "model/alert.h"
#include "model/fingerprint.h"

namespace sonde::alerting {

/// An alert as the pipeline keeps it. Immutable: an update replaces it.
struct StoredAlert {
  Alert alert;
  std::uint64_t fingerprint = 0;
  Timestamp updated_at;
  bool timed_out = false;  ///< The end was not given but follows from resolve_timeout.

  bool ResolvedAt(Timestamp now) const { return alert.ends_at.ms != 0 && alert.ends_at <= now; }
};

using StoredAlertPtr = std::shared_ptr<const StoredAlert>;

/// What is known after `update` came in over `old`, both of the same labels. If their times
/// overlap: the earlier start, and the later end unless it was only a guess. Else the update.
StoredAlert MergeAlerts(const StoredAlert& old, StoredAlert update, Timestamp now);

/// Alertmanager's order: by job, instance, then all labels.
bool ComesBefore(const StoredAlert& a, const StoredAlert& b);

}  // namespace sonde::alerting
