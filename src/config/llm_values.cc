#include "config/llm_values.h"

#include <algorithm>

#include "gateway/prices.h"

namespace sonde::config {
namespace {

/// Exactly `digits` decimal digits.
std::optional<int> Digits(std::string_view text, std::size_t digits) {
  if (text.size() != digits) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<std::size_t> Weekday(std::string_view word) {
  constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed",
                                                     "thu", "fri", "sat"};
  const auto it = std::ranges::find(kDays, word);
  if (it == kDays.end()) return std::nullopt;
  return static_cast<std::size_t>(it - kDays.begin());
}

}  // namespace

std::optional<std::int64_t> ParseDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = Digits(text.substr(0, 4), 4);
  const auto month = Digits(text.substr(5, 2), 2);
  const auto day = Digits(text.substr(8, 2), 2);
  if (!year || !month || !day) return std::nullopt;
  return gateway::DayNumber(*year, *month, *day);
}

std::optional<Timestamp> ParseDateTime(std::string_view text, int offset_minutes) {
  const auto day = ParseDate(text.substr(0, 10));
  if (!day) return std::nullopt;
  std::optional<int> minute = 0;
  if (text.size() > 10) {
    if (text[10] != 'T') return std::nullopt;
    minute = ParseClock(text.substr(11));
  }
  if (!minute) return std::nullopt;
  return Timestamp{(*day * 1'440 + *minute - offset_minutes) * 60'000};
}

std::optional<int> ParseClock(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = Digits(text.substr(0, 2), 2);
  const auto minutes = Digits(text.substr(3, 2), 2);
  if (!hours || !minutes || *minutes > 59) return std::nullopt;
  const int all = *hours * 60 + *minutes;
  return all <= 1'440 ? std::optional(all) : std::nullopt;
}

std::optional<int> ParseUtcOffset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const auto minutes = ParseClock(text.substr(1));
  if (!minutes || *minutes > 18 * 60) return std::nullopt;
  return text[0] == '-' ? -*minutes : *minutes;
}

std::optional<std::array<bool, 7>> ParseDays(const std::vector<std::string>& words) {
  std::array<bool, 7> days = {};
  if (words.empty()) days.fill(true);
  for (const std::string& word : words) {
    const std::size_t dash = word.find('-');
    const auto first = Weekday(std::string_view(word).substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : Weekday(std::string_view(word).substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (std::size_t day = *first;; day = (day + 1) % 7) {
      days[day] = true;
      if (day == *last) break;
    }
  }
  return days;
}

bool IsCurrency(std::string_view text) {
  return text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace sonde::config
