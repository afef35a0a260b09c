#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace sonde::alerting {

/// What a receiver was told last about a group.
struct NotificationEntry {
  std::string key;  ///< Group and integration.
  Timestamp sent_at;
  Timestamp expires_at;
  std::vector<std::uint64_t> firing;    ///< Fingerprints, sorted.
  std::vector<std::uint64_t> resolved;  ///< Likewise.

  /// One line of JSON (docs/formats/alerting.md), and back. kInvalid if it is not one.
  std::string ToRecord() const;
  static Result<NotificationEntry> FromRecord(std::string_view record);
};

/// Why a notification leaves, or that none is needed.
enum class NotificationReason : unsigned char {
  kNone,
  kFirst,        ///< Nothing was firing before.
  kNewAlerts,    ///< Alerts joined the group.
  kAllResolved,  ///< Nothing is firing any more.
  kResolved,     ///< Some alerts were resolved.
  kRepeat,       ///< Nothing has changed for repeat_interval.
};
std::string_view ToString(NotificationReason reason);

/// Which of these apply when a group has these alerts now. `entry` null: nothing was sent yet.
/// `firing` and `resolved` are sorted.
NotificationReason NeedsNotification(const NotificationEntry* entry,
                                     const std::vector<std::uint64_t>& firing,
                                     const std::vector<std::uint64_t>& resolved, bool send_resolved,
                                     Duration repeat_interval, Timestamp now);

/// The last notification of each group and integration: what keeps a restart from paging again. Not
/// thread-safe; Alertmanager guards it.
class NotificationLog {
 public:
  const NotificationEntry* Find(const std::string& key) const;
  /// Keeps the newer of two.
  void Set(NotificationEntry entry);
  std::size_t Collect(Timestamp now);
  const std::unordered_map<std::string, NotificationEntry>& all() const { return entries_; }

 private:
  std::unordered_map<std::string, NotificationEntry> entries_;
};

}  // namespace sonde::alerting
