#include "config/price_file.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "config/llm_values.h"
#include "config/schema_blocks.h"

namespace sonde::config {
namespace {

constexpr std::uint64_t kMaxPriceBytes = 1U << 20;

gateway::PriceOptions ReadPrice(const BlockView& view) {
  gateway::PriceOptions price;
  price.model = view.Text("model");
  price.upstream = view.Text("upstream");
  price.currency = view.Text("currency");
  price.utc_offset_minutes = ParseUtcOffset(view.Text("utc_offset")).value_or(0);
  if (view.Has("valid_from")) {
    price.valid_from =
        ParseDateTime(view.Text("valid_from"), price.utc_offset_minutes).value_or(price.valid_from);
  }
  if (view.Has("valid_to")) {
    price.valid_to =
        ParseDateTime(view.Text("valid_to"), price.utc_offset_minutes).value_or(price.valid_to);
  }
  const BlockView million = view.Child("per_million_tokens");
  price.cache_miss = million.Float("cache_miss");
  price.cache_hit = million.Has("cache_hit") ? million.Float("cache_hit") : price.cache_miss;
  price.output = million.Float("output");
  if (million.Has("reasoning")) price.reasoning = million.Float("reasoning");
  for (const BlockView& window : view.Children("windows")) {
    gateway::PriceWindow read;
    read.days = ParseDays(window.Strings("days")).value_or(read.days);
    read.from_minute = ParseClock(window.Text("from")).value_or(0);
    read.to_minute = ParseClock(window.Text("to")).value_or(1'440);
    read.factor = window.Float("factor");
    read.on_holidays = window.Bool("on_holidays");
    price.windows.push_back(read);
  }
  for (const std::string& day : view.Strings("holidays")) {
    if (const auto number = ParseDate(day)) price.holidays.push_back(*number);
  }
  return price;
}

}  // namespace

std::vector<gateway::PriceOptions> PriceSourceOptions::WithShipped(
    const std::vector<gateway::PriceOptions>& shipped) const {
  std::vector<gateway::PriceOptions> all = prices;
  if (builtin) all.insert(all.end(), shipped.begin(), shipped.end());
  std::erase_if(all, [this](const gateway::PriceOptions& price) {
    return std::ranges::find(currencies, price.currency) == currencies.end();
  });
  return all;
}

Result<std::vector<gateway::PriceOptions>> ParsePriceFile(std::string_view text,
                                                          std::string_view origin) {
  const YamlDocument document =
      TRY(ParseYaml(text, origin, {.max_bytes = kMaxPriceBytes, .max_nodes = 100'000}));
  Diagnostics diagnostics{std::string(origin)};
  Validate(kPriceFileBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();
  std::vector<gateway::PriceOptions> prices;
  for (const BlockView& price : BlockView(kPriceFileBlock, &document.root).Children("prices")) {
    prices.push_back(ReadPrice(price));
  }
  return prices;
}

gateway::SloOptions FillSlo(const BlockView& view) {
  gateway::SloOptions slo;
  const auto classes = view.Children("input_classes");
  if (!classes.empty()) {
    slo.input_classes.clear();
    for (const BlockView& c : classes) {
      gateway::InputClass read{c.Text("name")};
      if (c.Has("max_prompt_tokens")) {
        read.max_prompt_tokens = static_cast<std::int64_t>(
            std::min<std::uint64_t>(c.Uint("max_prompt_tokens"), std::uint64_t{1} << 53));
      }
      slo.input_classes.push_back(std::move(read));
    }
    slo.input_classes.back().max_prompt_tokens = std::numeric_limits<std::int64_t>::max();
  }
  if (view.Raw("objectives") == nullptr) return slo;
  slo.objectives.clear();
  for (const BlockView& objective : view.Children("objectives")) {
    slo.objectives.push_back({.name = objective.Text("name"),
                              .model = objective.Text("model"),
                              .tenant = objective.Text("tenant"),
                              .input_classes = objective.Strings("input_classes"),
                              .ttft = objective.Time("ttft"),
                              .tpot = objective.Time("tpot"),
                              .e2e = objective.Time("e2e"),
                              .target = objective.Float("target")});
  }
  return slo;
}

gateway::FeedbackOptions FillFeedback(const BlockView& view) {
  gateway::FeedbackOptions feedback;
  feedback.max_requests =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(view.Uint("max_requests"), 10'000'000));
  feedback.max_age = view.Time("max_age");
  feedback.window = view.Time("window");
  if (view.Raw("tags") != nullptr) feedback.tags = view.Strings("tags");
  return feedback;
}

PriceSourceOptions FillPrices(const BlockView& view, const FillContext& context, Env& env,
                              Diagnostics& diagnostics) {
  PriceSourceOptions out;
  out.builtin = view.Bool("builtin");
  const auto currencies = view.Strings("currencies");
  if (!currencies.empty()) out.currencies = currencies;
  for (const BlockView& price : view.Children("table")) {
    out.prices.push_back(ReadPrice(price));
  }
  for (const std::string& name : view.Strings("files")) {
    const std::string path = context.Resolve(name);
    const auto text = env.ReadFile(path, kMaxPriceBytes);
    if (!text) {
      diagnostics.Fail(view.MarkOf("files"), text.error().message());
      continue;
    }
    auto prices = ParsePriceFile(*text, path);
    if (!prices) {
      diagnostics.Fail(view.MarkOf("files"), prices.error().message());
      continue;
    }
    out.prices.insert(out.prices.end(), prices->begin(), prices->end());
  }
  return out;
}

}  // namespace sonde::config
