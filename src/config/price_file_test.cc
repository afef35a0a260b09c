#include "config/price_file.h"

#include <gtest/gtest.h>

#include "base/env.h"
#include "config/llm_values.h"
#include "gateway/prices.h"
#include "gateway/slo.h"

namespace sonde::config {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto prices = ParsePriceFile(text, "p.yaml");
  return prices ? "none" : prices.error().message();
}

TEST(LlmValues, DatesAndClocks) {
  EXPECT_EQ(ParseDate("1970-01-02"), 1);
  EXPECT_EQ(ParseDate("2026-02-30"), std::nullopt);
  EXPECT_EQ(ParseDate("2026-2-3"), std::nullopt);
  EXPECT_EQ(ParseDateTime("1970-01-01", 0), Timestamp{0});
  EXPECT_EQ(ParseDateTime("1970-01-01T08:30", 8 * 60), Timestamp{30 * 60'000});
  EXPECT_EQ(ParseDateTime("1970-01-01 08:30", 0), std::nullopt);
  EXPECT_EQ(ParseDateTime("1970-01-01T", 0), std::nullopt);
  EXPECT_EQ(ParseClock("09:05"), 545);
  EXPECT_EQ(ParseClock("24:00"), 1'440);
  EXPECT_EQ(ParseClock("24:01"), std::nullopt);
  EXPECT_EQ(ParseClock("9:05"), std::nullopt);
  EXPECT_EQ(ParseClock("09:60"), std::nullopt);
  EXPECT_EQ(ParseUtcOffset("+08:00"), 480);
  EXPECT_EQ(ParseUtcOffset("-05:30"), -330);
  EXPECT_EQ(ParseUtcOffset("Z"), 0);
  EXPECT_EQ(ParseUtcOffset("+19:00"), std::nullopt);
  EXPECT_EQ(ParseUtcOffset("08:00"), std::nullopt);
}

TEST(LlmValues, Days) {
  using Days = std::array<bool, 7>;
  EXPECT_EQ(ParseDays({"mon-fri"}), (Days{false, true, true, true, true, true, false}));
  EXPECT_EQ(ParseDays({"sat-sun"}), (Days{true, false, false, false, false, false, true}));
  EXPECT_EQ(ParseDays({"tue", "thu"}), (Days{false, false, true, false, true, false, false}));
  EXPECT_EQ(ParseDays({}), (Days{true, true, true, true, true, true, true}));
  EXPECT_EQ(ParseDays({"Mon"}), std::nullopt);
  EXPECT_EQ(ParseDays({"mon-"}), std::nullopt);
}

TEST(PriceFile, IsRead) {
  const auto prices = ParsePriceFile(R"(
prices:
  - model: a|b
    upstream: https://.*
    currency: CNY
    valid_from: 2026-08-16
    valid_to: 2026-09-01T12:00
    utc_offset: "+08:00"
    per_million_tokens: {cache_hit: 0.02, cache_miss: 1, output: 4, reasoning: 2}
    windows:
      - {days: [mon-fri], from: "09:00", to: "12:00", factor: 2, on_holidays: true}
    holidays: [1970-01-03]
  - per_million_tokens: {cache_miss: 3}
)",
                                     "p.yaml");
  ASSERT_TRUE(prices) << prices.error().message();
  ASSERT_EQ(prices->size(), 2U);
  const gateway::PriceOptions& price = prices->front();
  EXPECT_EQ(price.model, "a|b");
  EXPECT_EQ(price.upstream, "https://.*");
  EXPECT_EQ(price.currency, "CNY");
  EXPECT_EQ(price.valid_from, ParseDateTime("2026-08-15T16:00", 0));
  EXPECT_EQ(price.valid_to, ParseDateTime("2026-09-01T04:00", 0));
  EXPECT_EQ(price.utc_offset_minutes, 480);
  EXPECT_EQ(price.cache_hit, 0.02);
  EXPECT_EQ(price.cache_miss, 1);
  EXPECT_EQ(price.output, 4);
  EXPECT_EQ(price.reasoning, 2);
  ASSERT_EQ(price.windows.size(), 1U);
  EXPECT_EQ(price.windows[0].from_minute, 540);
  EXPECT_EQ(price.windows[0].to_minute, 720);
  EXPECT_EQ(price.windows[0].factor, 2);
  EXPECT_TRUE(price.windows[0].on_holidays);
  EXPECT_FALSE(price.windows[0].days[0]);
  EXPECT_EQ(price.holidays, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(prices->back().cache_hit, 3) << "as a miss, if nothing is said";
  EXPECT_EQ(prices->back().currency, "USD");
}

TEST(PriceFile, SaysWhatIsWrong) {
  const auto with = [](std::string_view keys) {
    return ErrorOf("prices: [{per_million_tokens: {output: 1}, " + std::string(keys) + "}]");
  };
  EXPECT_NE(ErrorOf("prices: [{model: m}]").find("needs per_million_tokens"), std::string::npos);
  EXPECT_NE(ErrorOf("price: []").find("field price not found"), std::string::npos);
  EXPECT_NE(with("currency: usd").find("not a currency"), std::string::npos);
  EXPECT_NE(with("valid_from: 16.8.2026").find("is not a time"), std::string::npos);
  EXPECT_NE(with("valid_from: 2026-08-16, valid_to: 2026-08-16").find("must be after"),
            std::string::npos);
  EXPECT_NE(with("utc_offset: Beijing").find("not an offset"), std::string::npos);
  EXPECT_NE(with("holidays: [tomorrow]").find("not a date"), std::string::npos);
  EXPECT_NE(with("model: '('").find("p.yaml:1:"), std::string::npos);
  EXPECT_NE(with("windows: [{from: noon}]").find("time of day"), std::string::npos);
  EXPECT_NE(with("windows: [{days: [monday]}]").find("days are mon"), std::string::npos);
  EXPECT_NE(with("windows: [{factor: -1}]").find("factor must"), std::string::npos);
  EXPECT_NE(ErrorOf("prices: [{per_million_tokens: {output: -1}}]").find("between 0 and 1e9"),
            std::string::npos);
}

TEST(PriceFile, WhatShipsIsRight) {
  PosixEnv env;
  const auto text = env.ReadFile("packs/prices/deepseek.yaml", 1 << 20);
  ASSERT_TRUE(text) << "run from the root of the repository";
  const auto prices = ParsePriceFile(*text, "deepseek.yaml");
  ASSERT_TRUE(prices) << prices.error().message();
  PriceSourceOptions sources;
  sources.currencies = {"USD", "CNY"};
  const auto table = gateway::PriceTable::Compile(sources.WithShipped(*prices));
  ASSERT_TRUE(table) << table.error().message();
  const auto cost = [&](const char* model, const char* currency, const char* beijing) {
    const auto time = ParseDateTime(beijing, 480);
    for (const auto& c : table->CostOf(model, "https://api.deepseek.com", time.value(),
                                       {1'000'000, 1'000'000, 0, 1'000'000})) {
      if (c.currency == currency) return c.amounts[0] + c.amounts[1] + c.amounts[3];
    }
    return -1.0;
  };
  // 2026-11-24 is a Tuesday.
  EXPECT_DOUBLE_EQ(cost("deepseek-flash", "USD", "2026-11-24T08:59"), 0.003 + 0.15 + 0.6);
  EXPECT_DOUBLE_EQ(cost("deepseek-flash", "USD", "2026-11-24T09:00"), 2 * (0.003 + 0.15 + 0.6));
  EXPECT_DOUBLE_EQ(cost("deepseek-flash", "CNY", "2026-11-24T13:00"), 0.02 + 1 + 4);
  EXPECT_DOUBLE_EQ(cost("deepseek-v4-pro", "USD", "2026-11-24T14:00"), 2 * (0.022 + 0.66 + 1.98));
  EXPECT_DOUBLE_EQ(cost("deepseek-v4-pro", "CNY", "2026-11-24T18:00"), 0.15 + 4.5 + 13.5);
  EXPECT_DOUBLE_EQ(cost("deepseek-flash", "USD", "2026-10-01T10:00"), 0.003 + 0.15 + 0.6)
      << "a holiday";
  EXPECT_EQ(cost("deepseek-flash", "USD", "2026-08-15T23:59"), -1);
  EXPECT_EQ(cost("deepseek-chat", "USD", "2026-11-24T09:00"), -1);
}

TEST(PriceSources, OrderAndCurrencies) {
  PriceSourceOptions sources;
  sources.prices = {{.model = "mine"}, {.model = "yuan", .currency = "CNY"}};
  const std::vector<gateway::PriceOptions> shipped = {{.model = "shipped"}};
  auto all = sources.WithShipped(shipped);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].model, "mine");
  EXPECT_EQ(all[1].model, "shipped");
  sources.builtin = false;
  sources.currencies = {"CNY"};
  all = sources.WithShipped(shipped);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].model, "yuan");
}

class LlmSections : public ::testing::Test {
 protected:
  Result<std::shared_ptr<const Config>> Read(std::string_view text) {
    return Parse(env_, text, "sonde.yml", {});
  }
  std::string Fault(std::string_view text) {
    const auto config = Read(text);
    return config ? "none" : config.error().message();
  }
  PosixEnv env_;
};

TEST_F(LlmSections, DefaultsAreTheModulesOwn) {
  const auto config = Read("");
  ASSERT_TRUE(config) << config.error().message();
  const gateway::GatewayOptions defaults;
  const gateway::GatewayOptions& read = (*config)->sonde.gateway;
  EXPECT_EQ(read.slo.input_classes, defaults.slo.input_classes);
  EXPECT_EQ(read.slo.objectives, defaults.slo.objectives);
  EXPECT_EQ(read.feedback.max_requests, defaults.feedback.max_requests);
  EXPECT_EQ(read.feedback.max_age, defaults.feedback.max_age);
  EXPECT_EQ(read.feedback.window, defaults.feedback.window);
  EXPECT_EQ(read.feedback.tags, defaults.feedback.tags);
  EXPECT_TRUE((*config)->sonde.prices.builtin);
  EXPECT_EQ((*config)->sonde.prices.currencies, (std::vector<std::string>{"USD"}));
}

TEST_F(LlmSections, AreRead) {
  const auto config = Read(R"(
sonde:
  slo:
    input_classes: [{name: s, max_prompt_tokens: 100}, {name: l}]
    objectives:
      - {name: gold, model: deepseek-.*, tenant: acme, input_classes: [s], ttft: 500ms, tpot: 50ms, e2e: 30s, target: 0.999}
  prices: {builtin: false, currencies: [EUR], table: [{currency: EUR, per_million_tokens: {output: 2}}]}
  feedback: {max_requests: 10, max_age: 1h, window: 30m, tags: [good]}
)");
  ASSERT_TRUE(config) << config.error().message();
  const gateway::GatewayOptions& read = (*config)->sonde.gateway;
  ASSERT_EQ(read.slo.input_classes.size(), 2U);
  EXPECT_EQ(read.slo.input_classes[0], (gateway::InputClass{"s", 100}));
  EXPECT_EQ(read.slo.input_classes[1], (gateway::InputClass{"l"}));
  const gateway::SloObjective gold = {.name = "gold",
                                      .model = "deepseek-.*",
                                      .tenant = "acme",
                                      .input_classes = {"s"},
                                      .ttft = Duration(500),
                                      .tpot = Duration(50),
                                      .e2e = Duration(30'000),
                                      .target = 0.999};
  EXPECT_EQ(read.slo.objectives, (std::vector<gateway::SloObjective>{gold}));
  EXPECT_TRUE(gateway::SloTable::Compile(read.slo));
  EXPECT_EQ((*config)->sonde.prices.WithShipped({}).size(), 1U);
  EXPECT_EQ(read.feedback.max_requests, 10U);
  EXPECT_EQ(read.feedback.max_age, Duration(3'600'000));
  EXPECT_EQ(read.feedback.tags, (std::vector<std::string>{"good"}));
  const auto none = Read("sonde: {slo: {objectives: []}}");
  ASSERT_TRUE(none);
  EXPECT_TRUE((*none)->sonde.gateway.slo.objectives.empty());
}

TEST_F(LlmSections, SayWhatIsWrong) {
  const auto slo = [&](std::string_view text) {
    return Fault("sonde: {slo: {" + std::string(text) + "}}");
  };
  EXPECT_NE(slo("objectives: [{ttft: 1s}]").find("needs a name"), std::string::npos);
  EXPECT_NE(slo("objectives: [{name: a}, {name: a}]").find("two objectives"), std::string::npos);
  EXPECT_NE(slo("objectives: [{name: a, target: 99}]").find("between 0 and 1"), std::string::npos);
  EXPECT_NE(slo("objectives: [{name: a, input_classes: [huge]}]").find("no input class"),
            std::string::npos);
  EXPECT_NE(slo("objectives: [{name: a, model: '('}]").find("sonde.yml:1:"), std::string::npos);
  EXPECT_NE(slo("input_classes: [{name: a, max_prompt_tokens: 5}, {name: b, max_prompt_tokens: 5}, "
                "{name: c}]")
                .find("rising order"),
            std::string::npos);
  EXPECT_NE(slo("input_classes: [{name: a, max_prompt_tokens: 5}, {name: a}]").find("two classes"),
            std::string::npos);
  EXPECT_NE(Fault("sonde: {prices: {currencies: [dollar]}}").find("not a currency"),
            std::string::npos);
  EXPECT_NE(Fault("sonde: {prices: {files: [/nowhere.yaml]}}").find("nowhere.yaml"),
            std::string::npos);
  EXPECT_NE(Fault("sonde: {feedback: {window: 0s}}").find("longer than 0"), std::string::npos);
  EXPECT_NE(Fault("sonde: {feedback: {max_requests: 100000000}}").find("at most"),
            std::string::npos);
}

}  // namespace
}  // namespace sonde::config
