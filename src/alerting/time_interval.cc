#include "alerting/time_interval.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

namespace sonde::alerting {
namespace {

constexpr std::string_view kWeekdays[] = {"sunday",   "monday", "tuesday", "wednesday",
                                          "thursday", "friday", "saturday"};
constexpr std::string_view kMonths[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};

std::optional<int> ToInt(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

std::optional<int> ByName(std::string_view text, std::span<const std::string_view> names) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const auto found = std::find(names.begin(), names.end(), lower);
  if (found == names.end()) return {};
  return static_cast<int>(found - names.begin());
}

Error Bad(std::string_view text, std::string_view help) {
  return {ErrorKind::kInvalid, "'" + std::string(text) + "' is not valid: " + std::string(help)};
}

/// "a" or "a:b" with a parser for each end.
template <class F>
Result<NumberRange> ParseRange(std::string_view text, std::string_view help, F parse_end) {
  const std::size_t colon = text.find(':');
  const std::optional<int> begin = parse_end(text.substr(0, colon));
  const std::optional<int> end =
      colon == std::string_view::npos ? begin : parse_end(text.substr(colon + 1));
  if (!begin || !end) return Bad(text, help);
  return NumberRange{*begin, *end};
}

Result<NumberRange> Ordered(Result<NumberRange> range, std::string_view text) {
  if (range && range->begin > range->end) return Bad(text, "start cannot be after end");
  return range;
}

bool Holds(const std::vector<NumberRange>& ranges, int value) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const NumberRange& r) {
           return value >= r.begin && value <= r.end;
         });
}

}  // namespace

Result<int> ParseTimeOfDay(std::string_view text) {
  const auto bad = [&] { return Bad(text, "a time of day is written HH:MM, 00:00 to 24:00"); };
  if (text.size() != 5 || text[2] != ':' || text[0] == '-' || text[3] == '-') return bad();
  const auto hour = ToInt(text.substr(0, 2));
  const auto minute = ToInt(text.substr(3));
  if (!hour || !minute || *hour > 24 || *minute > 59 || (*hour == 24 && *minute != 0)) return bad();
  return *hour * 60 + *minute;
}

Result<NumberRange> ParseWeekdays(std::string_view text) {
  return Ordered(ParseRange(text,
                            "weekdays are sunday to saturday, or a range such as "
                            "monday:friday",
                            [](std::string_view end) { return ByName(end, kWeekdays); }),
                 text);
}

Result<NumberRange> ParseMonths(std::string_view text) {
  return Ordered(ParseRange(text, "months are january to december or 1 to 12, or a range",
                            [](std::string_view end) -> std::optional<int> {
                              if (const auto by_name = ByName(end, kMonths)) return *by_name + 1;
                              const auto number = ToInt(end);
                              if (!number || *number < 1 || *number > 12) return {};
                              return number;
                            }),
                 text);
}

Result<NumberRange> ParseDaysOfMonth(std::string_view text) {
  constexpr std::string_view kHelp =
      "days of the month are 1 to 31, or -31 to -1 from its end, or a range";
  NumberRange range = TRY(ParseRange(text, kHelp, [](std::string_view end) -> std::optional<int> {
    const auto day = ToInt(end);
    if (!day || *day == 0 || *day < -31 || *day > 31) return {};
    return day;
  }));
  if (range.begin < 0 && range.end > 0) {
    return Bad(text, "the end must be negative if the start is");
  }
  // Compared in the longest month: 1:-1 is fine, -1:-3 is not.
  const auto in_long_month = [](int day) { return day < 0 ? 32 + day : day; };
  if (in_long_month(range.begin) > in_long_month(range.end))
    return Bad(text, "start cannot be after end");
  return range;
}

Result<NumberRange> ParseYears(std::string_view text) {
  return Ordered(ParseRange(text, "a year or a range such as 2024:2026",
                            [](std::string_view end) { return ToInt(end); }),
                 text);
}

bool TimeInterval::Contains(Timestamp time) const {
  const CivilTime civil =
      location != nullptr ? location->ToCivil(time) : TimeZone::Utc().ToCivil(time);
  const auto in_minutes = [&] {
    return minutes.empty() ||
           std::any_of(minutes.begin(), minutes.end(), [&](const NumberRange& r) {
             return civil.minute >= r.begin && civil.minute < r.end;
           });
  };
  const auto in_days = [&] {
    if (days_of_month.empty()) return true;
    return std::any_of(days_of_month.begin(), days_of_month.end(), [&](const NumberRange& r) {
      const int length = civil.days_in_month;
      int begin = r.begin < 0 ? length + r.begin + 1 : r.begin;
      int end = r.end < 0 ? length + r.end + 1 : r.end;
      if (begin > length) return false;  // The 31st of a short month.
      begin = std::clamp(begin, 1, length);
      end = std::clamp(end, -length, length);
      return civil.day >= begin && civil.day <= end;
    });
  };
  return in_minutes() && in_days() && Holds(months, civil.month) &&
         Holds(weekdays, civil.weekday) && Holds(years, civil.year);
}

bool NamedTimeInterval::Contains(Timestamp time) const {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const TimeInterval& entry) { return entry.Contains(time); });
}

}  // namespace sonde::alerting
