#pragma once

#include <bit>
#include <cstdint>

#include "base/time.h"

namespace sonde {

/// The NaN that marks the end of a series. NaN payloads are copied bit by bit everywhere.
inline constexpr std::uint64_t kStaleNanBits = 0x7ff0000000000002ULL;
/// The ordinary NaN, as Go's math.NaN() made by Prometheus.
inline constexpr std::uint64_t kNormalNanBits = 0x7ff8000000000001ULL;

inline double StaleNan() {
  return std::bit_cast<double>(kStaleNanBits);
}
inline bool IsStaleNan(double v) {
  return std::bit_cast<std::uint64_t>(v) == kStaleNanBits;
}

/// One float sample.
struct FloatSample {
  Timestamp t;
  double v = 0;
};

}  // namespace sonde
