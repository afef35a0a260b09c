#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

// Points and lengths of time as the store and PromQL know them: milliseconds.

namespace sonde {

/// A length of time. Milliseconds, signed.
using Duration = std::chrono::milliseconds;

/// A point in time: milliseconds since the Unix epoch, UTC, without leap seconds. A plain value of
/// 8 bytes: a column of timestamps is a `std::span<const Timestamp>`.
struct Timestamp {
  std::int64_t ms = 0;

  static constexpr Timestamp Min() { return {std::numeric_limits<std::int64_t>::min()}; }
  static constexpr Timestamp Max() { return {std::numeric_limits<std::int64_t>::max()}; }

  constexpr auto operator<=>(const Timestamp&) const = default;
  constexpr Timestamp operator+(Duration d) const { return {ms + d.count()}; }
  constexpr Timestamp operator-(Duration d) const { return {ms - d.count()}; }
  constexpr Duration operator-(Timestamp other) const { return Duration(ms - other.ms); }
  constexpr Timestamp& operator+=(Duration d) {
    ms += d.count();
    return *this;
  }

  /// Seconds since the epoch, as PromQL's time() gives them.
  constexpr double seconds() const { return static_cast<double>(ms) / 1000.0; }
};

static_assert(sizeof(Timestamp) == 8);

}  // namespace sonde
