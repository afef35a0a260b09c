#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

// The calendar behind hour(), day_of_week() and the like: UTC, proleptic Gregorian.

namespace sonde::promql {

struct CivilTime {
  std::int64_t year = 1970;
  int month = 1;  ///< 1 to 12.
  int day = 1;    ///< Of the month, from 1.
  int hour = 0;
  int minute = 0;
  int second = 0;
  int weekday = 0;      ///< 0 is Sunday.
  int day_of_year = 1;  ///< From 1.
  int days_in_month = 31;
};

/// The calendar time of a sample value in seconds since the epoch, cut to whole seconds towards
/// zero.
///
/// NaN and what no 64-bit integer holds become the instant 2^63, as the reference's conversion
/// makes of it.
CivilTime CivilFromSeconds(double seconds);

/// RFC 3339 without fractions: "1970-01-01T00:00:00Z".
std::string FormatRfc3339(Timestamp t);

}  // namespace sonde::promql
