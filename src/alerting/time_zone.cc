#include <algorithm>
#include <cctype>

#include "alerting/time_interval.h"

namespace sonde::alerting {
namespace {

constexpr std::int64_t kDay = 86'400;

/// Days since 1970-01-01 of a date in the Gregorian calendar.
std::int64_t DaysFromCivil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

bool IsLeap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int DaysInMonth(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

int Weekday(std::int64_t days) {
  return static_cast<int>(((days % 7) + 11) % 7);  // 1970-01-01 was a Thursday.
}

std::int64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? ~0ULL : 0;
  for (const char c : bytes)
    value = (value << 8) | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

bool TakeInt(std::string_view& text, int max, int& value) {
  value = 0;
  std::size_t digits = 0;
  while (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0 && digits < 4) {
    value = value * 10 + (text[0] - '0');
    text.remove_prefix(1);
    ++digits;
  }
  return digits > 0 && value <= max;
}

/// [+-]h[h[h]][:mm[:ss]] → seconds.
bool TakeOffset(std::string_view& text, std::int64_t& seconds) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int part = 0;
  if (!TakeInt(text, 167, part)) return false;
  seconds = part * 3600;
  for (const int unit : {60, 1}) {
    if (!text.starts_with(':')) break;
    text.remove_prefix(1);
    if (!TakeInt(text, 59, part)) return false;
    seconds += part * unit;
  }
  if (negative) seconds = -seconds;
  return true;
}

bool TakeName(std::string_view& text) {
  if (text.starts_with('<')) {
    const std::size_t end = text.find('>');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
    return true;
  }
  std::size_t n = 0;
  while (n < text.size() && std::isalpha(static_cast<unsigned char>(text[n])) != 0)
    ++n;
  text.remove_prefix(n);
  return n >= 3;
}

}  // namespace

bool TimeZone::ParseRuleDate(std::string_view& text, RuleDate& date) {
  if (!text.starts_with(',')) return false;
  text.remove_prefix(1);
  date.kind = 'N';
  if (text.starts_with('M') || text.starts_with('J')) {
    date.kind = text[0];
    text.remove_prefix(1);
  }
  if (date.kind == 'M') {
    if (!TakeInt(text, 12, date.month) || date.month < 1 || !text.starts_with('.')) return false;
    text.remove_prefix(1);
    if (!TakeInt(text, 5, date.week) || date.week < 1 || !text.starts_with('.')) return false;
    text.remove_prefix(1);
    if (!TakeInt(text, 6, date.day)) return false;
  } else if (!TakeInt(text, 365, date.day)) {
    return false;
  }
  if (!text.starts_with('/')) return true;
  text.remove_prefix(1);
  return TakeOffset(text, date.seconds);
}

bool TimeZone::ParseRule(std::string_view rule) {
  if (!TakeName(rule) || !TakeOffset(rule, standard_offset_)) return false;
  standard_offset_ = -standard_offset_;
  has_rule_ = true;
  if (rule.empty()) return true;
  if (!TakeName(rule)) return false;
  summer_offset_ = standard_offset_ + 3600;
  if (!rule.empty() && rule[0] != ',') {
    if (!TakeOffset(rule, summer_offset_)) return false;
    summer_offset_ = -summer_offset_;
  }
  has_summer_ = true;
  return ParseRuleDate(rule, summer_begin_) && ParseRuleDate(rule, summer_end_) && rule.empty();
}

/// Seconds since the epoch on the wall's clock.
std::int64_t TimeZone::RuleSecond(const RuleDate& date, int year) {
  if (date.kind != 'M') {
    int day = date.day;
    if (date.kind == 'J') day += (IsLeap(year) && day >= 60 ? 1 : 0) - 1;
    return (DaysFromCivil(year, 1, 1) + day) * kDay + date.seconds;
  }
  const std::int64_t first = DaysFromCivil(year, date.month, 1);
  int day = 1 + (date.day - Weekday(first) + 7) % 7 + (date.week - 1) * 7;
  while (day > DaysInMonth(year, date.month))
    day -= 7;
  return (first + day - 1) * kDay + date.seconds;
}

Result<TimeZone> TimeZone::Parse(std::string_view tzif) {
  const Error bad(ErrorKind::kInvalid, "not a compiled time zone (RFC 8536)");
  TimeZone zone;
  std::size_t time_size = 4;
  for (int block = 0; block < 2; ++block) {
    if (tzif.size() < 44 || !tzif.starts_with("TZif")) return bad;
    const char version = tzif[4];
    std::size_t count[6];  // isut, isstd, leap, time, type, char
    for (std::size_t i = 0; i < 6; ++i) {
      const std::int64_t n = BigEndian(tzif.substr(20 + 4 * i, 4));
      if (n < 0 || n > 100'000) return bad;
      count[i] = static_cast<std::size_t>(n);
    }
    tzif.remove_prefix(44);
    const std::size_t size = count[3] * (time_size + 1) + count[4] * 6 + count[5] +
                             count[2] * (time_size + 4) + count[1] + count[0];
    if (tzif.size() < size || count[4] == 0) return bad;
    if (version != 0 && block == 0) {  // The same again with 64 bits follows.
      tzif.remove_prefix(size);
      time_size = 8;
      continue;
    }
    const std::string_view kinds = tzif.substr(count[3] * time_size, count[3]);
    const std::string_view types = tzif.substr(count[3] * (time_size + 1), count[4] * 6);
    zone.first_offset_ = BigEndian(types.substr(0, 4));
    for (std::size_t i = 0; i < count[3]; ++i) {
      const auto kind = static_cast<unsigned char>(kinds[i]);
      if (kind >= count[4]) return bad;
      zone.transitions_.push_back({BigEndian(tzif.substr(i * time_size, time_size)),
                                   BigEndian(types.substr(kind * 6U, 4))});
    }
    tzif.remove_prefix(size);
    break;
  }
  if (time_size == 8 && tzif.size() >= 2 && tzif.front() == '\n') {
    const std::size_t end = tzif.find('\n', 1);
    if (end == std::string_view::npos) return bad;
    if (end > 1 && !zone.ParseRule(tzif.substr(1, end - 1))) return bad;
  }
  if (!std::is_sorted(zone.transitions_.begin(), zone.transitions_.end(),
                      [](const Transition& a, const Transition& b) { return a.at < b.at; }))
    return bad;
  return zone;
}

Result<TimeZone> TimeZone::Load(Env& env, const std::string& name, const std::string& directory) {
  if (name.empty() || name == "UTC") return Utc();
  if (name.front() == '/' || name.find("..") != std::string::npos ||
      name.find('\\') != std::string::npos || name.find('\0') != std::string::npos)
    return Error(ErrorKind::kInvalid, "unknown time zone " + name);
  const std::string file = name == "Local" ? "/etc/localtime" : directory + "/" + name;
  auto bytes = env.ReadFile(file, 1 << 20);
  if (!bytes) {
    if (name == "Local") return Utc();
    return Error(ErrorKind::kInvalid, "unknown time zone " + name + " (" + bytes.error().message() +
                                          "; the package tzdata has them)");
  }
  auto zone = Parse(*bytes);
  if (!zone) return std::move(zone).error().Wrap("time zone " + name);
  return zone;
}

std::int64_t TimeZone::OffsetSeconds(Timestamp time) const {
  const std::int64_t second = FloorDiv(time.ms, 1000);
  if (has_rule_ && (transitions_.empty() || second >= transitions_.back().at)) {
    if (!has_summer_) return standard_offset_;
    // The year by standard time; both borders are far from New Year where this rule is used.
    const std::int64_t days = FloorDiv(second + standard_offset_, kDay);
    int year = static_cast<int>(1970 + FloorDiv(days * 400, 146'097));
    while (DaysFromCivil(year + 1, 1, 1) <= days)
      ++year;
    while (DaysFromCivil(year, 1, 1) > days)
      --year;
    const std::int64_t begin = RuleSecond(summer_begin_, year) - standard_offset_;
    const std::int64_t end = RuleSecond(summer_end_, year) - summer_offset_;
    const bool summer =
        begin < end ? second >= begin && second < end : second >= begin || second < end;
    return summer ? summer_offset_ : standard_offset_;
  }
  const auto after = std::upper_bound(transitions_.begin(), transitions_.end(), second,
                                      [](std::int64_t s, const Transition& t) { return s < t.at; });
  return after == transitions_.begin() ? first_offset_ : std::prev(after)->offset;
}

CivilTime TimeZone::ToCivil(Timestamp time) const {
  const std::int64_t local = FloorDiv(time.ms, 1000) + OffsetSeconds(time);
  const std::int64_t days = FloorDiv(local, kDay);
  CivilTime civil;
  int year = static_cast<int>(1970 + FloorDiv(days * 400, 146'097));
  while (DaysFromCivil(year + 1, 1, 1) <= days)
    ++year;
  while (DaysFromCivil(year, 1, 1) > days)
    --year;
  int month = 12;
  while (DaysFromCivil(year, month, 1) > days)
    --month;
  civil.year = year;
  civil.month = month;
  civil.day = static_cast<int>(days - DaysFromCivil(year, month, 1)) + 1;
  civil.weekday = Weekday(days);
  civil.minute = static_cast<int>((local - days * kDay) / 60);
  civil.days_in_month = DaysInMonth(year, month);
  return civil;
}

}  // namespace sonde::alerting
