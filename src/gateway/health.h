#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "gateway/options.h"

namespace sonde::gateway {

/// Whether an upstream answers, and whether it should get requests; by what requests and probes
/// met. Thread-safe; times are nanoseconds and are passed in.
///
/// Refusing a connection, or some failures in a row, ejects it for a second; twice as long each
/// time that it happens again before a request has gone well, up to a minute. Then a probe decides,
/// and it returns slowly. The numbers are HealthOptions.
class Health {
 public:
  explicit Health(const HealthOptions& options = {}) : options_(options) {}

  /// Nobody took the connection.
  void Unreachable(std::int64_t now, std::string_view why) EXCLUDES(mutex_);
  /// It answered with a server error, or broke off.
  void Failed(std::int64_t now, std::string_view why) EXCLUDES(mutex_);
  /// A probe got an answer, but not a good one ("503: loading model"), or none.
  /// `silent`: it took the connection, and nothing came in time.
  void ProbeFailed(std::int64_t now, std::string_view why, bool silent = false) EXCLUDES(mutex_);
  void ProbeSucceeded(std::int64_t now) EXCLUDES(mutex_);
  void RequestSucceeded(std::int64_t now) EXCLUDES(mutex_);

  bool up() const { return up_.load(std::memory_order_relaxed); }
  /// Its last probe got no answer, although it took the connection, and nothing went well since.
  bool silent() const { return silent_.load(std::memory_order_relaxed); }
  bool ejected() const { return ejected_.load(std::memory_order_relaxed); }
  std::string last_error() const EXCLUDES(mutex_);
  /// Of its weight, how much counts: less than 1 for a while after an ejection, never below 0.1.
  double Share(std::int64_t now) const;
  /// Not ejected: an `interval` (nanoseconds) after the last contact; ejected: when its time is
  /// over.
  bool ProbeIsDue(std::int64_t now, std::int64_t interval) const EXCLUDES(mutex_);

 private:
  static constexpr std::int64_t kNeverReturned = INT64_MIN;

  void Eject(std::int64_t now) REQUIRES(mutex_);
  void Clear(std::int64_t now) REQUIRES(mutex_);

  const HealthOptions options_;
  std::atomic<bool> up_{false};
  std::atomic<bool> ejected_{false};
  std::atomic<bool> silent_{false};
  std::atomic<std::int64_t> returned_{kNeverReturned};
  mutable Mutex mutex_;
  std::string last_error_ GUARDED_BY(mutex_);
  bool contacted_ GUARDED_BY(mutex_) = false;
  std::int64_t last_contact_ GUARDED_BY(mutex_) = 0;
  std::int64_t ejected_until_ GUARDED_BY(mutex_) = 0;
  std::uint32_t streak_ GUARDED_BY(mutex_) = 0;  // Failures in a row.
  int ejections_ GUARDED_BY(mutex_) = 0;         // Since a request last went well.
};

}  // namespace sonde::gateway
