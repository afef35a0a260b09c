#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/matcher.h"

namespace sonde::alerting {

enum class SilenceState : unsigned char { kPending, kActive, kExpired };
std::string_view ToString(SilenceState state);

/// Mutes the alerts that all matchers accept, from starts_at until ends_at.
struct Silence {
  std::string id;  ///< A UUID.
  std::vector<Matcher> matchers;
  Timestamp starts_at;
  Timestamp ends_at;
  Timestamp updated_at;
  std::string created_by;
  std::string comment;

  SilenceState State(Timestamp now) const {
    if (now < starts_at) return SilenceState::kPending;
    return now < ends_at ? SilenceState::kActive : SilenceState::kExpired;
  }

  /// One line of JSON (docs/formats/alerting.md), and back. kInvalid if it is not one.
  std::string ToRecord() const;
  static Result<Silence> FromRecord(std::string_view record);
};

struct SilenceLimits {
  std::size_t max_silences = 100'000;  ///< Expired ones count until they are collected.
  std::size_t max_bytes = 256 << 10;   ///< Of one silence.
};

/// All silences by id. Not thread-safe; Alertmanager guards it.
class Silences {
 public:
  Silences(SilenceLimits limits, std::function<std::string()> new_id)
      : limits_(limits), new_id_(std::move(new_id)) {}

  /// Creates a silence (empty id), or changes one. What has begun keeps its id only if nothing but
  /// its end changes (and not into the past), what is pending if its matchers stay; else the old
  /// one is expired and a new one made. Returns the id. kNotFound for an unknown id, kInvalid for a
  /// silence that cannot be, kLimit.
  Result<std::string> Set(Silence silence, Timestamp now);
  /// kNotFound; kInvalid if it has expired already.
  Status Expire(std::string_view id, Timestamp now);
  /// As it was stored.
  void Load(Silence silence);

  const Silence* Find(std::string_view id) const;
  const std::map<std::string, Silence, std::less<>>& all() const { return silences_; }
  /// The ids of those that are active and match, sorted.
  std::vector<std::string> Muting(LabelsView labels, Timestamp now) const;
  /// Forgets those that ended more than `retention` ago; returns how many.
  std::size_t Collect(Timestamp now, Duration retention);
  /// What has changed since the last call: ids.
  std::vector<std::string> TakeChanges() { return std::exchange(changed_, {}); }

 private:
  Status Validate(const Silence& silence, Timestamp now) const;

  const SilenceLimits limits_;
  const std::function<std::string()> new_id_;
  std::map<std::string, Silence, std::less<>> silences_;
  std::vector<std::string> changed_;
};

}  // namespace sonde::alerting
