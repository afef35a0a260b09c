#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "base/time.h"
#include "demo/sim_time.h"

namespace sonde::demo {

/// Simulated time as a multiple of real time, from the moment it is made. Thread-safe; `clock` must
/// outlive it.
class SimClock {
 public:
  SimClock(const Clock& clock, double speed)
      : clock_(clock), speed_(speed), begin_nanos_(clock.MonotonicNanos()) {}

  SimTime Now() const {
    return SimTime(static_cast<std::int64_t>(
        static_cast<double>(clock_.MonotonicNanos() - begin_nanos_) / 1e3 * speed_));
  }
  /// How long to wait for `at` in real time: rounded up, so that it has come then; at least 1 ms.
  Duration Until(SimTime at) const {
    const double ms = static_cast<double>((at - Now()).count()) / 1e3 / speed_;
    return Duration(std::max<std::int64_t>(1, static_cast<std::int64_t>(ms) + 1));
  }
  double speed() const { return speed_; }
  /// Real time since 1970, for what answers say about when they were made.
  std::int64_t WallSeconds() const { return clock_.Now().ms / 1000; }

 private:
  const Clock& clock_;
  const double speed_;
  const std::int64_t begin_nanos_;
};

}  // namespace sonde::demo
