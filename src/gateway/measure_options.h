#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

// What the gateway is told about judging, pricing and feedback. Plain values with good defaults;
// config/ fills them from `sonde.slo`, `sonde.prices` and `sonde.feedback`.

namespace sonde::gateway {

/// A class of requests by the length of their prompt: the label `input_class`.
struct InputClass {
  std::string name;
  std::int64_t max_prompt_tokens = std::numeric_limits<std::int64_t>::max();  ///< Inclusive.

  bool operator==(const InputClass&) const = default;
};

/// What a request must keep to be good. The first objective that fits a request judges it; a
/// request that none fits is not judged. Patterns are anchored regular expressions; an empty one
/// fits all.
struct SloObjective {
  std::string name = {};  ///< The label `objective`.
  std::string model = {};
  std::string tenant = {};
  std::vector<std::string> input_classes = {};  ///< Empty: all.
  Duration ttft{0};                             ///< 0: not judged.
  Duration tpot{0};
  Duration e2e{0};
  double target = 0.99;  ///< The share of requests that is to be good; between 0 and 1.

  bool operator==(const SloObjective&) const = default;
};

struct SloOptions {
  /// In rising order; the last one has no bound.
  std::vector<InputClass> input_classes = {{"short", 1'024}, {"medium", 8'192}, {"long"}};
  std::vector<SloObjective> objectives = {
      {.name = "default", .ttft = Duration(2'000), .tpot = Duration(100)}};

  static constexpr std::size_t kMaxInputClasses = 10;
  static constexpr std::size_t kMaxObjectives = 100;
};

/// A weekly stretch of time with another price.
struct PriceWindow {
  std::array<bool, 7> days = {true, true, true, true, true, true, true};  ///< From Sunday on.
  int from_minute = 0;       ///< Of the day on which it begins.
  int to_minute = 1'440;     ///< Exclusive; at or before `from_minute`: on the next day.
  double factor = 1;         ///< What the prices are multiplied by.
  bool on_holidays = false;  ///< Applies if it begins on a holiday, too.

  bool operator==(const PriceWindow&) const = default;
};

/// What tokens cost, for some models, in one currency, for some time. Patterns are anchored regular
/// expressions; an empty one fits all.
struct PriceOptions {
  std::string model = {};
  std::string upstream = {};  ///< The upstream's URL.
  std::string currency = "USD";
  Timestamp valid_from = Timestamp::Min();
  Timestamp valid_to = Timestamp::Max();  ///< Exclusive.
  double cache_hit = 0;                   ///< Per million prompt tokens.
  double cache_miss = 0;
  double output = 0;                        ///< Per million generated tokens.
  std::optional<double> reasoning = {};     ///< Nothing: as `output`.
  int utc_offset_minutes = 0;               ///< Of the clock that windows and holidays go by.
  std::vector<PriceWindow> windows = {};    ///< The first that fits counts.
  std::vector<std::int64_t> holidays = {};  ///< Days since 1970-01-01, in that clock's calendar.

  bool operator==(const PriceOptions&) const = default;
};

struct FeedbackOptions {
  std::uint32_t max_requests = 100'000;  ///< How many of the last ones feedback can be given for.
  Duration max_age{86'400'000};
  Duration window{86'400'000};  ///< Of the satisfaction ratio.
  std::vector<std::string> tags = {"accurate",   "helpful",    "incorrect",     "incomplete",
                                   "repetitive", "off_topic",  "unsafe",        "refused",
                                   "slow",       "bad_format", "wrong_language"};

  static constexpr std::size_t kMaxTags = 64;
};

}  // namespace sonde::gateway
