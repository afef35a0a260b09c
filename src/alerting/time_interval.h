#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "base/time.h"

// Recurring times, as `time_intervals` of alertmanager.yml describe them, and time zones.

namespace sonde::alerting {

/// What a clock on the wall shows.
struct CivilTime {
  int year = 1970;
  int month = 1;    ///< 1–12.
  int day = 1;      ///< 1–31.
  int weekday = 4;  ///< 0: Sunday.
  int minute = 0;   ///< Of the day, 0–1439.
  int days_in_month = 31;
};

/// A time zone of the IANA database. Immutable, thread-safe.
class TimeZone {
 public:
  static TimeZone Utc() { return {}; }
  /// Reads a compiled file (RFC 8536, versions 1 to 4), including the rule for later years at its
  /// end. kInvalid if the bytes are not one.
  static Result<TimeZone> Parse(std::string_view tzif);
  /// `name`: "UTC", "" (UTC), "Local" (/etc/localtime) or a name below `directory`.
  static Result<TimeZone> Load(Env& env, const std::string& name,
                               const std::string& directory = "/usr/share/zoneinfo");

  std::int64_t OffsetSeconds(Timestamp time) const;
  CivilTime ToCivil(Timestamp time) const;

 private:
  struct Transition {
    std::int64_t at;      ///< Seconds since the epoch.
    std::int64_t offset;  ///< Seconds east of UTC from then on.
  };
  /// "the w-th weekday d of month m at a time", or a day of the year.
  struct RuleDate {
    char kind = 0;  ///< 'M', 'J' (1–365, no leap day) or 'N' (0–365).
    int month = 0, week = 0, day = 0;
    std::int64_t seconds = 7200;
  };
  bool ParseRule(std::string_view rule);
  static bool ParseRuleDate(std::string_view& text, RuleDate& date);
  static std::int64_t RuleSecond(const RuleDate& date, int year);

  std::vector<Transition> transitions_;
  std::int64_t first_offset_ = 0;
  bool has_rule_ = false;
  bool has_summer_ = false;
  std::int64_t standard_offset_ = 0;
  std::int64_t summer_offset_ = 0;
  RuleDate summer_begin_;
  RuleDate summer_end_;
};

/// Inclusive.
struct NumberRange {
  int begin = 0;
  int end = 0;
};

/// One entry of a time interval: every field that is given must hold.
struct TimeInterval {
  std::vector<NumberRange> minutes;  ///< Of the day; the end is exclusive.
  std::vector<NumberRange> weekdays;
  std::vector<NumberRange> days_of_month;  ///< Negative ones count from the month's end.
  std::vector<NumberRange> months;
  std::vector<NumberRange> years;
  std::shared_ptr<const TimeZone> location;  ///< Null: UTC.

  bool Contains(Timestamp time) const;
};

/// A name and its entries: it holds if any entry does.
struct NamedTimeInterval {
  std::string name;
  std::vector<TimeInterval> entries;

  bool Contains(Timestamp time) const;
};

/// Parsers for the fields; kInvalid with what is allowed.
Result<int> ParseTimeOfDay(std::string_view text);         ///< "17:30" → 1050; "24:00" → 1440.
Result<NumberRange> ParseWeekdays(std::string_view text);  ///< "monday:friday".
Result<NumberRange> ParseMonths(std::string_view text);    ///< "january:march", "1:3".
Result<NumberRange> ParseDaysOfMonth(std::string_view text);  ///< "1:5", "-3:-1".
Result<NumberRange> ParseYears(std::string_view text);        ///< "2024:2026".

}  // namespace sonde::alerting
