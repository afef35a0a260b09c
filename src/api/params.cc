#include "api/params.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "promql/parser.h"

namespace sonde::api {
namespace {

// Go's time.Unix(math.MinInt64/1000+62135596801, 0) and its counterpart, in milliseconds, and how
// they print.
constexpr std::int64_t kMinMs =
    (std::numeric_limits<std::int64_t>::min() / 1000 + 62135596801) * 1000;
constexpr std::int64_t kMaxMs =
    (std::numeric_limits<std::int64_t>::max() / 1000 - 62135596801) * 1000 + 999;
constexpr std::string_view kMinText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kMaxText = "292277025-08-18T07:12:54.999999999Z";

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (Hinnant, "chrono-compatible
// date algorithms").
std::int64_t DaysFromCivil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

bool IsLeap(unsigned year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

unsigned DaysInMonth(unsigned year, unsigned month) {
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

/// Reads fixed-width numbers and separators.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  unsigned Number(std::size_t width) {
    if (rest_.size() < width) return Fail();
    unsigned value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (c < '0' || c > '9') return Fail();
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(width);
    return value;
  }
  void Expect(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos) {
      Fail();
      return;
    }
    rest_.remove_prefix(1);
  }
  bool TryTake(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view rest() const { return rest_; }
  void Skip() { rest_.remove_prefix(1); }
  bool ok() const { return ok_; }

 private:
  unsigned Fail() {
    ok_ = false;
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

std::optional<Timestamp> ParseRfc3339(std::string_view text) {
  Scanner scan(text);
  const unsigned year = scan.Number(4);
  scan.Expect("-");
  const unsigned month = scan.Number(2);
  scan.Expect("-");
  const unsigned day = scan.Number(2);
  scan.Expect("Tt");
  const unsigned hour = scan.Number(2);
  scan.Expect(":");
  const unsigned minute = scan.Number(2);
  scan.Expect(":");
  const unsigned second = scan.Number(2);
  std::int64_t ms = 0;
  if (scan.ok() && scan.TryTake('.')) {
    std::int64_t unit = 100;
    std::size_t digits = 0;
    while (!scan.rest().empty() && scan.rest()[0] >= '0' && scan.rest()[0] <= '9') {
      ms += (scan.rest()[0] - '0') * unit;
      unit /= 10;
      ++digits;
      scan.Skip();
    }
    if (digits == 0) return std::nullopt;
  }
  std::int64_t offset_minutes = 0;
  if (!scan.TryTake('Z') && !scan.TryTake('z')) {
    const bool east = scan.TryTake('+');
    if (!east) scan.Expect("-");
    const unsigned hours = scan.Number(2);
    scan.Expect(":");
    const unsigned minutes = scan.Number(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset_minutes = static_cast<std::int64_t>(hours) * 60 + minutes;
    if (!east) offset_minutes = -offset_minutes;
  }
  if (!scan.ok() || !scan.rest().empty()) return std::nullopt;
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::int64_t minutes =
      (DaysFromCivil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
  return Timestamp{(minutes * 60 + second) * 1000 + ms};
}

}  // namespace

Timestamp MinTime() {
  return {kMinMs};
}
Timestamp MaxTime() {
  return {kMaxMs};
}

Result<Timestamp> ParseTime(std::string_view text) {
  if (const auto seconds = ParseFloat(text)) {
    const double ms = std::round(*seconds * 1000);
    if (!(std::fabs(ms) < 9.2e18)) {
      return Error(ErrorKind::kInvalid, "cannot parse " + QuoteGo(text) + " to a valid timestamp");
    }
    return Timestamp{static_cast<std::int64_t>(ms)};
  }
  if (const auto t = ParseRfc3339(text)) return *t;
  if (text == kMinText) return MinTime();
  if (text == kMaxText) return MaxTime();
  return Error(ErrorKind::kInvalid, "cannot parse " + QuoteGo(text) + " to a valid timestamp");
}

Result<Duration> ParseDurationParam(std::string_view text) {
  if (const auto seconds = ParseFloat(text)) {
    const double ms = *seconds * 1000;
    // The reference computes in nanoseconds; more than its int64 holds is an overflow.
    if (!(std::fabs(ms) <= 9223372036854.0)) {
      return Error(ErrorKind::kInvalid,
                   "cannot parse " + QuoteGo(text) + " to a valid duration. It overflows int64");
    }
    return Duration(static_cast<std::int64_t>(ms));
  }
  auto duration = ParseDuration(text);
  if (!duration) {
    return Error(ErrorKind::kInvalid, "cannot parse " + QuoteGo(text) + " to a valid duration");
  }
  return duration;
}

Error InvalidParameter(std::string_view name, const Error& error) {
  return Error(ErrorKind::kInvalid, "invalid parameter " + QuoteGo(name) + ": " + error.message());
}

Result<Timestamp> TimeParam(const net::Query& query, std::string_view name, Timestamp fallback) {
  const std::string_view text = query.Get(name);
  if (text.empty()) return fallback;
  auto time = ParseTime(text);
  if (!time) {
    return Error(ErrorKind::kInvalid, "invalid parameter " + QuoteGo(name) +
                                          ": Invalid time value for '" + std::string(name) +
                                          "': " + time.error().message());
  }
  return time;
}

Result<std::size_t> LimitParam(const net::Query& query) {
  const std::string_view text = query.Get("limit");
  if (text.empty()) return std::size_t{0};
  const auto limit = ParseInt(text);
  if (!limit) {
    return InvalidParameter(
        "limit", Error(ErrorKind::kInvalid, "cannot parse " + QuoteGo(text) + " to a number"));
  }
  if (*limit < 0)
    return InvalidParameter("limit", Error(ErrorKind::kInvalid, "limit must be non-negative"));
  return static_cast<std::size_t>(*limit);
}

Result<std::vector<std::vector<Matcher>>> MatchParams(const net::Query& query) {
  std::vector<std::vector<Matcher>> sets;
  for (const std::string_view text : query.GetAll("match[]")) {
    auto matchers = promql::ParseMetricSelector(text);
    if (!matchers) return InvalidParameter("match[]", matchers.error());
    const bool all_empty =
        std::ranges::all_of(*matchers, [](const Matcher& m) { return m.MatchesEmpty(); });
    if (all_empty) {
      return InvalidParameter(
          "match[]",
          Error(ErrorKind::kInvalid, "match[] must contain at least one non-empty matcher"));
    }
    sets.push_back(*std::move(matchers));
  }
  return sets;
}

}  // namespace sonde::api
