#include "alerting/time_text.h"

#include <chrono>
#include <cstdio>

namespace sonde::alerting {
namespace {

constexpr std::string_view kZero = "0001-01-01T00:00:00Z";

std::string Format(Timestamp time, bool trim) {
  using std::chrono::days;
  const std::chrono::sys_time<Duration> point{Duration(time.ms)};
  const auto day = std::chrono::floor<days>(point);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Duration> clock{point - day};
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string out = text;
  std::snprintf(text, sizeof text, ".%03d", static_cast<int>(clock.subseconds().count()));
  std::string fraction = text;
  while (trim && (fraction.back() == '0' || fraction.back() == '.')) {
    const bool point_left = fraction.back() == '.';
    fraction.pop_back();
    if (point_left) break;
  }
  return out + fraction + "Z";
}

bool Digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  value = 0;
  if (at + count > text.size()) return false;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

}  // namespace

std::string FormatTime(Timestamp time) {
  return time.ms == 0 ? std::string(kZero) : Format(time, true);
}

std::string FormatTimeMillis(Timestamp time) {
  return time.ms == 0 ? "0001-01-01T00:00:00.000Z" : Format(time, false);
}

Result<Timestamp> ParseTime(std::string_view text) {
  const auto bad = [&] {
    return Error(ErrorKind::kInvalid, "not an RFC 3339 time: " + std::string(text.substr(0, 64)));
  };
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!Digits(text, 0, 4, year) || !Digits(text, 5, 2, month) || !Digits(text, 8, 2, day) ||
      !Digits(text, 11, 2, hour) || !Digits(text, 14, 2, minute) || !Digits(text, 17, 2, second) ||
      text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':')
    return bad();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
  std::size_t at = 19;
  std::int64_t millis = 0;
  if (at < text.size() && text[at] == '.') {
    std::size_t digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (digits++ < 3) millis = millis * 10 + (text[at] - '0');
    }
    if (digits == 0) return bad();
    for (; digits < 3; ++digits)
      millis *= 10;
  }
  std::int64_t offset = 0;
  if (at >= text.size()) return bad();
  if (text[at] == 'Z' || text[at] == 'z') {
    ++at;
  } else {
    int offset_hours = 0, offset_minutes = 0;
    const char sign = text[at];
    if ((sign != '+' && sign != '-') || !Digits(text, at + 1, 2, offset_hours) ||
        at + 3 >= text.size() || text[at + 3] != ':' || !Digits(text, at + 4, 2, offset_minutes) ||
        offset_hours > 23 || offset_minutes > 59)
      return bad();
    offset = (offset_hours * 60 + offset_minutes) * (sign == '-' ? -60 : 60);
    at += 6;
  }
  if (at != text.size()) return bad();
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + hour * 3600 + minute * 60 + second - offset;
  if (year == 1 && month == 1 && day == 1) return Timestamp{0};
  return Timestamp{seconds * 1000 + millis};
}

}  // namespace sonde::alerting
