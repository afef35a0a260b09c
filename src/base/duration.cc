#include "base/duration.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/number.h"
#include "base/quote.h"

namespace sonde {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

constexpr std::array<Unit, 7> kUnits{{{"y", 365LL * 24 * 3600 * 1000},
                                      {"w", 7LL * 24 * 3600 * 1000},
                                      {"d", 24LL * 3600 * 1000},
                                      {"h", 3600LL * 1000},
                                      {"m", 60LL * 1000},
                                      {"s", 1000},
                                      {"ms", 1}}};

Error NotADuration(std::string_view text) {
  return Error(ErrorKind::kInvalid, "not a valid duration string: " + QuoteGo(text));
}

}  // namespace

Result<Duration> ParseDuration(std::string_view text) {
  if (text.empty()) return Error(ErrorKind::kInvalid, "empty duration string");
  if (text == "0") return Duration(0);
  // The reference's durations are int64 nanoseconds; keep its limit of about 292 years.
  constexpr std::int64_t kMaxMs = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::size_t digits = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      ++digits;
    }
    std::size_t name_end = digits;
    while (name_end < rest.size() && (rest[name_end] < '0' || rest[name_end] > '9')) {
      ++name_end;
    }
    const std::string_view name = rest.substr(digits, name_end - digits);
    const auto count = ParseInt(rest.substr(0, digits));
    if (digits == 0 || name.empty() || !count) return NotADuration(text);
    const auto* unit = std::ranges::find(kUnits, name, &Unit::name);
    if (unit == kUnits.end()) {
      return Error(ErrorKind::kInvalid,
                   "unknown unit " + QuoteGo(name) + " in duration " + QuoteGo(text));
    }
    const auto index = static_cast<std::size_t>(unit - kUnits.begin());
    if (index < next_unit) return NotADuration(text);
    if (*count > (kMaxMs - total) / unit->ms) {
      return Error(ErrorKind::kInvalid, "duration out of range");
    }
    total += *count * unit->ms;
    next_unit = index + 1;
    rest.remove_prefix(name_end);
  }
  return Duration(total);
}

std::string FormatDuration(Duration duration) {
  std::int64_t ms = duration.count();
  if (ms == 0) return "0s";
  std::string out;
  if (ms < 0) {
    out.push_back('-');
    ms = -ms;
  }
  for (const Unit& unit : kUnits) {
    const bool only_if_exact = unit.name == "y" || unit.name == "w";
    if (ms < unit.ms || (only_if_exact && ms % unit.ms != 0)) continue;
    AppendInt(out, ms / unit.ms);
    out += unit.name;
    ms %= unit.ms;
  }
  return out;
}

}  // namespace sonde
