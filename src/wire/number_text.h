#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace sonde::wire {

/// Reads a plain decimal at `p` that ends at a blank or at `end`: [-]digits[.digits][e[+-]digits].
/// Returns the end of it; or null if it is another number (or none), which must then be read the
/// long way. Exact: numbers of at most 2^53 times a power of ten that a double holds are one
/// correctly rounded operation.
inline const char* ReadPlainDecimal(const char* p, const char* end, double& value) {
  constexpr std::array<double, 23> kPowers{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr std::uint64_t kMaxExact = std::uint64_t{1} << 53;
  const auto is_digit = [end](const char* at) {
    return at != end && static_cast<unsigned char>(*at - '0') < 10;
  };
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  std::uint64_t mantissa = 0;
  const char* first = p;
  for (; is_digit(p); ++p)
    mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p - '0');
  std::ptrdiff_t digits = p - first;
  int exponent = 0;
  if (p != end && *p == '.') {
    first = ++p;
    for (; is_digit(p); ++p)
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p - '0');
    digits += p - first;
    exponent = -static_cast<int>(p - first < 64 ? p - first : 64);
  }
  if (digits == 0 || digits > 19) return nullptr;
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    const bool negative_exponent = p != end && *p == '-';
    if (p != end && (*p == '-' || *p == '+')) ++p;
    if (!is_digit(p)) return nullptr;
    int written = 0;
    for (; is_digit(p) && written < 1000; ++p)
      written = written * 10 + (*p - '0');
    exponent += negative_exponent ? -written : written;
  }
  if (p != end && *p != ' ' && *p != '\t') return nullptr;
  if (mantissa > kMaxExact || exponent < -22 || exponent > 22) return nullptr;
  auto magnitude = static_cast<double>(mantissa);
  if (exponent < 0) {
    magnitude /= kPowers[static_cast<std::size_t>(-exponent)];
  } else {
    magnitude *= kPowers[static_cast<std::size_t>(exponent)];
  }
  value = negative ? -magnitude : magnitude;
  return p;
}

/// Cut to milliseconds. What does not fit is as far away as can be: the store will find it out of
/// bounds.
inline Timestamp TimestampOfSeconds(double seconds) {
  constexpr double kLimit = 9.2e15;
  if (!(seconds < kLimit)) return Timestamp::Max();
  if (seconds < -kLimit) return Timestamp::Min();
  return {static_cast<std::int64_t>(seconds * 1000)};
}

}  // namespace sonde::wire
