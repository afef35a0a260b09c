#pragma once

#include <chrono>

namespace sonde::demo {

/// A point in simulated time, as the time since the simulation began; or a length of it.
using SimTime = std::chrono::microseconds;

inline double Seconds(SimTime t) {
  return static_cast<double>(t.count()) / 1e6;
}
inline SimTime FromSeconds(double seconds) {
  return SimTime(static_cast<std::int64_t>(seconds * 1e6));
}

}  // namespace sonde::demo
