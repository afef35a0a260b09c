#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"

namespace sonde::gateway {

/// Notices when an upstream comes back from being absent, and how long it takes to serve its first
/// token (docs/formats/gateway.md, "Cold starts"). An upstream that was there when the gateway
/// began has had no cold start. Thread-safe; times are nanoseconds and are passed in.
class ColdStart {
 public:
  /// Nobody is there: its port refuses, its name or host is unknown.
  void SawAbsence() EXCLUDES(mutex_);
  /// It took a connection, or answered anything at all.
  void SawLife(std::int64_t now) EXCLUDES(mutex_);
  /// It is there, but answers a probe with 503: it is loading its model, or asleep.
  void SawLoading(std::int64_t now) EXCLUDES(mutex_);
  /// It answered a request or a probe well.
  void SawReady(std::int64_t now) EXCLUDES(mutex_);
  /// It served a first token (or a whole answer) to a request that had been received at `received`.
  /// How long the cold start took, if this ended one: from the first sign of life, without the time
  /// in which it was ready and nobody asked.
  std::optional<std::int64_t> SawToken(std::int64_t now, std::int64_t received) EXCLUDES(mutex_);

 private:
  enum class State : unsigned char { kUnknown, kAbsent, kStarting, kWarm };

  Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kUnknown;
  std::int64_t alive_since_ GUARDED_BY(mutex_) = 0;
  std::optional<std::int64_t> ready_since_ GUARDED_BY(mutex_);
};

}  // namespace sonde::gateway
