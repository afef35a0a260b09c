#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace sonde::gateway {

/// Whether an upstream answers, and whether it should get requests; by what requests and probes
/// met. Thread-safe; times are nanoseconds and are passed in.
///
/// Refusing a connection, or kMaxStreak failures in a row, ejects it for a second; twice as long
/// each time that it happens again before a request has gone well, up to a minute. Then a probe
/// decides.
class Health {
 public:
  static constexpr int kMaxStreak = 5;

  /// Nobody took the connection.
  void Unreachable(std::int64_t now, std::string_view why) EXCLUDES(mutex_);
  /// It answered with a server error, or broke off.
  void Failed(std::int64_t now, std::string_view why) EXCLUDES(mutex_);
  /// A probe got an answer, but not a good one ("503: loading model"), or none.
  void ProbeFailed(std::int64_t now, std::string_view why) EXCLUDES(mutex_);
  void ProbeSucceeded(std::int64_t now) EXCLUDES(mutex_);
  void RequestSucceeded(std::int64_t now) EXCLUDES(mutex_);

  bool up() const { return up_.load(std::memory_order_relaxed); }
  bool ejected() const { return ejected_.load(std::memory_order_relaxed); }
  std::string last_error() const EXCLUDES(mutex_);
  /// Not ejected: an `interval` (nanoseconds) after the last contact; ejected: when its time is
  /// over.
  bool ProbeIsDue(std::int64_t now, std::int64_t interval) const EXCLUDES(mutex_);

 private:
  void Eject(std::int64_t now) REQUIRES(mutex_);
  void Clear(std::int64_t now) REQUIRES(mutex_);

  std::atomic<bool> up_{false};
  std::atomic<bool> ejected_{false};
  mutable Mutex mutex_;
  std::string last_error_ GUARDED_BY(mutex_);
  bool contacted_ GUARDED_BY(mutex_) = false;
  std::int64_t last_contact_ GUARDED_BY(mutex_) = 0;
  std::int64_t ejected_until_ GUARDED_BY(mutex_) = 0;
  int streak_ GUARDED_BY(mutex_) = 0;     // Failures in a row.
  int ejections_ GUARDED_BY(mutex_) = 0;  // Since a request last went well.
};

}  // namespace sonde::gateway
