#include <set>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/llm_values.h"
#include "config/price_file.h"
#include "config/schema_blocks.h"
#include "gateway/measure_options.h"

// `sonde.slo`, `sonde.prices` and `sonde.feedback`: what the gateway judges and prices by.

namespace sonde::config {
namespace {

using enum FieldType;
using gateway::FeedbackOptions;
using gateway::SloOptions;

constexpr Field kInputClassFields[] = {
    {"name", kString},
    {"max_prompt_tokens", kUint},
};
void CheckInputClass(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "name", "an input class needs a name: it becomes the label input_class",
          diagnostics);
}
constexpr Block kInputClassBlock = {"input_class", "sonde.input_class", kInputClassFields,
                                    CheckInputClass, true};

constexpr Field kObjectiveFields[] = {
    {"name", kString},   {"model", kRegex},   {"tenant", kRegex}, {"input_classes", kStrings},
    {"ttft", kDuration}, {"tpot", kDuration}, {"e2e", kDuration}, {"target", kFloat, "0.99"},
};
void CheckObjective(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "name", "an objective needs a name: it becomes the label objective", diagnostics);
  const double target = view.Float("target");
  if (!(target > 0 && target < 1)) {
    diagnostics.Fail(view.MarkOf("target"),
                     "target must lie between 0 and 1: 0.99 wants 99 of 100 requests to be good");
  }
}
constexpr Block kObjectiveBlock = {"slo_objective", "sonde.slo_objective", kObjectiveFields,
                                   CheckObjective, true};

constexpr Field kSloFields[] = {
    {"input_classes", kBlocks, nullptr, kNone, &kInputClassBlock,
     "empty or null section in input_classes"},
    {"objectives", kBlocks, nullptr, kNone, &kObjectiveBlock,
     "empty or null section in objectives"},
};

void CheckInputClasses(const BlockView& view, std::set<std::string>& names,
                       Diagnostics& diagnostics) {
  const auto classes = view.Children("input_classes");
  if (classes.size() > SloOptions::kMaxInputClasses) {
    diagnostics.Fail(view.MarkOf("input_classes"),
                     fmt::format("there are {} input classes, at most {} are allowed",
                                 classes.size(), SloOptions::kMaxInputClasses));
  }
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const BlockView& c = classes[i];
    const std::string name = c.Text("name");
    if (!names.insert(name).second)
      diagnostics.Fail(c.MarkOf("name"), fmt::format("two classes are called {}", QuoteGo(name)));
    if (i + 1 == classes.size()) break;  // The last one takes what no other does.
    const std::uint64_t bound = c.Uint("max_prompt_tokens");
    if (bound <= before || bound > (std::uint64_t{1} << 53)) {
      diagnostics.Fail(c.MarkOf("max_prompt_tokens"),
                       fmt::format("max_prompt_tokens of {} must be larger than {}: classes stand "
                                   "in rising order, and the last one needs no bound",
                                   QuoteGo(name), before));
    }
    before = bound;
  }
}

void CheckSlo(const BlockView& view, Diagnostics& diagnostics) {
  std::set<std::string> classes;
  if (view.Has("input_classes")) {
    CheckInputClasses(view, classes, diagnostics);
  }
  if (classes.empty()) {
    for (const auto& c : SloOptions{}.input_classes) {
      classes.insert(c.name);
    }
  }
  const auto objectives = view.Children("objectives");
  if (objectives.size() > SloOptions::kMaxObjectives) {
    diagnostics.Fail(view.MarkOf("objectives"),
                     fmt::format("there are {} objectives, at most {} are allowed",
                                 objectives.size(), SloOptions::kMaxObjectives));
  }
  std::set<std::string> names;
  for (const BlockView& objective : objectives) {
    const std::string name = objective.Text("name");
    if (!names.insert(name).second) {
      diagnostics.Fail(objective.MarkOf("name"),
                       fmt::format("two objectives are called {}", QuoteGo(name)));
    }
    for (const std::string& word : objective.Strings("input_classes")) {
      if (classes.contains(word)) continue;
      diagnostics.Fail(objective.MarkOf("input_classes"),
                       fmt::format("no input class is called {}", QuoteGo(word)));
    }
  }
}

constexpr Field kMillionFields[] = {
    {"cache_hit", kFloat},
    {"cache_miss", kFloat},
    {"output", kFloat},
    {"reasoning", kFloat},
};
void CheckMillion(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* key : {"cache_hit", "cache_miss", "output", "reasoning"}) {
    const double amount = view.Float(key);
    if (!(amount >= 0 && amount <= 1e9)) {
      diagnostics.Fail(view.MarkOf(key),
                       fmt::format("{} must lie between 0 and 1e9 per million tokens", key));
    }
  }
}
constexpr Block kMillionBlock = {"price_per_million_tokens", "sonde.price_per_million_tokens",
                                 kMillionFields, CheckMillion};

constexpr Field kWindowFields[] = {
    {"days", kStrings},      {"from", kString, "00:00"}, {"to", kString, "24:00"},
    {"factor", kFloat, "1"}, {"on_holidays", kBool},
};
void CheckWindow(const BlockView& view, Diagnostics& diagnostics) {
  if (!ParseDays(view.Strings("days"))) {
    diagnostics.Fail(view.MarkOf("days"),
                     "days are mon, tue, wed, thu, fri, sat, sun or ranges of them: mon-fri");
  }
  for (const char* key : {"from", "to"}) {
    const auto minute = ParseClock(view.Text(key));
    if (!minute || (std::string_view(key) == "from" && *minute == 1'440)) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{}: {} is not a time of day: 09:00", key,
                                                     QuoteGo(view.Text(key))));
    }
  }
  const double factor = view.Float("factor");
  if (!(factor >= 0 && factor <= 1'000))
    diagnostics.Fail(view.MarkOf("factor"), "factor must lie between 0 and 1000");
}
constexpr Block kWindowBlock = {"price_window", "sonde.price_window", kWindowFields, CheckWindow};

constexpr Field kPriceFields[] = {
    {"model", kRegex},
    {"upstream", kRegex},
    {"currency", kString, "USD"},
    {"valid_from", kString},
    {"valid_to", kString},
    {"utc_offset", kString, "+00:00"},
    {"per_million_tokens", kBlock, nullptr, kNone, &kMillionBlock},
    {"windows", kBlocks, nullptr, kNone, &kWindowBlock, "empty or null section in windows"},
    {"holidays", kStrings},
};
void CheckPrice(const BlockView& view, Diagnostics& diagnostics) {
  if (!IsCurrency(view.Text("currency"))) {
    diagnostics.Fail(view.MarkOf("currency"),
                     fmt::format("{} is not a currency: three capital letters, as USD",
                                 QuoteGo(view.Text("currency"))));
  }
  const auto offset = ParseUtcOffset(view.Text("utc_offset"));
  if (!offset) {
    diagnostics.Fail(view.MarkOf("utc_offset"), fmt::format("{} is not an offset from UTC: +08:00",
                                                            QuoteGo(view.Text("utc_offset"))));
  }
  for (const char* key : {"valid_from", "valid_to"}) {
    if (view.Has(key) && !ParseDateTime(view.Text(key), 0)) {
      diagnostics.Fail(view.MarkOf(key),
                       fmt::format("{}: {} is not a time: 2026-08-16 or 2026-08-16T09:00, by the "
                                   "clock of utc_offset",
                                   key, QuoteGo(view.Text(key))));
    }
  }
  if (view.Has("valid_from") && view.Has("valid_to") &&
      ParseDateTime(view.Text("valid_from"), 0) >= ParseDateTime(view.Text("valid_to"), 0)) {
    diagnostics.Fail(view.MarkOf("valid_to"), "valid_to must be after valid_from");
  }
  for (const std::string& day : view.Strings("holidays")) {
    if (ParseDate(day)) continue;
    diagnostics.Fail(view.MarkOf("holidays"),
                     fmt::format("{} is not a date: 2026-10-01", QuoteGo(day)));
  }
  if (!view.Has("per_million_tokens")) {
    diagnostics.Fail(view.mark(), "a price needs per_million_tokens");
  }
}

constexpr Field kPricesFields[] = {
    {"builtin", kBool, "true"},
    {"currencies", kStrings},
    {"files", kStrings, nullptr, kFile},
    {"table", kBlocks, nullptr, kNone, &kPriceBlock, "empty or null section in table"},
};
void CheckPrices(const BlockView& view, Diagnostics& diagnostics) {
  for (const std::string& currency : view.Strings("currencies")) {
    if (IsCurrency(currency)) continue;
    diagnostics.Fail(
        view.MarkOf("currencies"),
        fmt::format("{} is not a currency: three capital letters, as USD", QuoteGo(currency)));
  }
}

constexpr Field kFeedbackFields[] = {
    {"max_requests", kUint, "100000"},
    {"max_age", kDuration, "1d"},
    {"window", kDuration, "1d"},
    {"tags", kStrings},
};
void CheckFeedback(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Uint("max_requests") > 10'000'000)
    diagnostics.Fail(view.MarkOf("max_requests"), "max_requests must be at most 10000000");
  for (const char* key : {"max_age", "window"}) {
    if (view.Time(key) <= Duration(0))
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be longer than 0", key));
  }
  if (view.Strings("tags").size() > FeedbackOptions::kMaxTags) {
    diagnostics.Fail(view.MarkOf("tags"),
                     fmt::format("there are {} tags, at most {} are allowed",
                                 view.Strings("tags").size(), FeedbackOptions::kMaxTags));
  }
}

constexpr Field kPriceFileFields[] = {
    {"prices", kBlocks, nullptr, kNone, &kPriceBlock, "empty or null section in prices"},
};

}  // namespace

const Block kSloBlock = {"slo", "sonde.slo", kSloFields, CheckSlo};
const Block kPriceBlock = {"price", "sonde.price", kPriceFields, CheckPrice, true};
const Block kPricesBlock = {"prices", "sonde.prices", kPricesFields, CheckPrices};
const Block kFeedbackBlock = {"feedback", "sonde.feedback", kFeedbackFields, CheckFeedback};
const Block kPriceFileBlock = {"price_file", "prices.file", kPriceFileFields};

}  // namespace sonde::config
