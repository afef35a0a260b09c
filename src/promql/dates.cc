#include "promql/dates.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace sonde::promql {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kDaysIn400Years = 146'097;

bool IsLeap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// The calendar repeats every 400 years; inside one such era, years are counted from 1 March so that
// the leap day is the last day of a year.
CivilTime CivilFromDays(std::int64_t days_since_epoch, std::int64_t second_of_day) {
  const std::int64_t days = days_since_epoch + 719'468;  // Since 0000-03-01.
  const std::int64_t era = (days >= 0 ? days : days - (kDaysIn400Years - 1)) / kDaysIn400Years;
  const std::int64_t day_of_era = days - era * kDaysIn400Years;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_from_march =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_from_march + 2) / 153;

  CivilTime time;
  time.day = static_cast<int>(day_from_march - (153 * month_from_march + 2) / 5 + 1);
  time.month =
      static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  time.year = year_of_era + era * 400 + (time.month <= 2 ? 1 : 0);
  time.hour = static_cast<int>(second_of_day / 3600);
  time.minute = static_cast<int>(second_of_day / 60 % 60);
  time.second = static_cast<int>(second_of_day % 60);
  time.weekday =
      static_cast<int>(((days_since_epoch + 4) % 7 + 7) % 7);  // The epoch was a Thursday.
  constexpr std::array<int, 12> kDaysBefore = {0,   31,  59,  90,  120, 151,
                                               181, 212, 243, 273, 304, 334};
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto month_index = static_cast<std::size_t>(time.month - 1);
  const int leap = IsLeap(time.year) ? 1 : 0;
  time.day_of_year = kDaysBefore[month_index] + time.day + (time.month > 2 ? leap : 0);
  time.days_in_month = kDays[month_index] + (time.month == 2 ? leap : 0);
  return time;
}

}  // namespace

CivilTime CivilFromSeconds(double seconds) {
  if (!(seconds >= -0x1p63 && seconds < 0x1p63)) {
    constexpr std::uint64_t kBeyond = std::uint64_t{1} << 63;
    return CivilFromDays(static_cast<std::int64_t>(kBeyond / kDaySeconds),
                         static_cast<std::int64_t>(kBeyond % kDaySeconds));
  }
  const auto whole = static_cast<std::int64_t>(seconds);
  std::int64_t days = whole / kDaySeconds;
  std::int64_t second_of_day = whole % kDaySeconds;
  if (second_of_day < 0) {
    second_of_day += kDaySeconds;
    --days;
  }
  return CivilFromDays(days, second_of_day);
}

std::string FormatRfc3339(Timestamp t) {
  const CivilTime time = CivilFromSeconds(static_cast<double>(t.ms / 1000));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", time.year, time.month, time.day,
                     time.hour, time.minute, time.second);
}

}  // namespace sonde::promql
