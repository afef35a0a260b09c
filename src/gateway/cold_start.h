#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/mutex.h"

namespace sonde::gateway {

/// What an upstream came back from.
enum class ColdStartKind : unsigned char {
  kAbsent,   ///< Nobody was there.
  kAsleep,   ///< It had said that it sleeps: its weights were not on the device.
  kRestart,  ///< It was there before, and has begun anew.
};
std::string_view ToString(ColdStartKind kind);

/// A cold start that has ended.
struct ColdStartEnd {
  ColdStartKind kind = ColdStartKind::kAbsent;
  std::int64_t nanos = 0;
};

/// Notices when an upstream comes back from being absent, asleep or restarted, and how long it
/// takes to serve its first token (docs/formats/gateway.md, "Cold starts"). An upstream that was
/// there when the gateway began has had no cold start. Thread-safe; times are nanoseconds of a
/// monotonic clock and are passed in.
class ColdStart {
 public:
  /// Nobody is there: its port refuses, its name or host is unknown.
  void SawAbsence() EXCLUDES(mutex_);
  /// It took a connection, or answered anything at all. Says nothing of one that sleeps.
  void SawLife(std::int64_t now) EXCLUDES(mutex_);
  /// It is there, but answers a probe with 503: it is loading its model.
  void SawLoading(std::int64_t now) EXCLUDES(mutex_);
  /// It says that it sleeps (vLLM: GET /is_sleeping, or the gauge engine_sleep_state).
  void SawSleep() EXCLUDES(mutex_);
  /// It says that it no longer sleeps.
  void SawAwake(std::int64_t now) EXCLUDES(mutex_);
  /// It answered a request or a probe well. Says nothing of one that sleeps.
  void SawReady(std::int64_t now) EXCLUDES(mutex_);
  /// It has begun anew at `began`: its process has another start time, or its counters were reset.
  /// May be told late, and more than once. True: it has served tokens since then, so its cold start
  /// is over and nobody timed it; the caller counts it.
  bool SawRestart(std::int64_t began) EXCLUDES(mutex_);
  /// It served a first token (or a whole answer) to a request that had been received at `received`.
  /// How long the cold start took, if this ended one: from the first sign of life, without the time
  /// in which it was ready and nobody asked. Of one that slept: from the sign that it awoke, or, if
  /// the request woke it, from then.
  std::optional<ColdStartEnd> SawToken(std::int64_t now, std::int64_t received) EXCLUDES(mutex_);

 private:
  enum class State : unsigned char { kUnknown, kAbsent, kAsleep, kStarting, kWarm };

  void Begin(ColdStartKind kind, std::int64_t now) REQUIRES(mutex_);

  Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kUnknown;
  ColdStartKind kind_ GUARDED_BY(mutex_) = ColdStartKind::kAbsent;
  std::int64_t alive_since_ GUARDED_BY(mutex_) = 0;
  std::optional<std::int64_t> ready_since_ GUARDED_BY(mutex_);
  std::optional<std::int64_t> last_token_ GUARDED_BY(mutex_);
  std::optional<std::int64_t> last_start_ GUARDED_BY(mutex_);  // When the last start began.
};

}  // namespace sonde::gateway
