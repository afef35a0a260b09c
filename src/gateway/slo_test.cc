#include "gateway/slo.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

constexpr std::int64_t kMs = 1'000'000;

SloObjective Chat() {
  return {.name = "chat", .ttft = Duration(500), .tpot = Duration(50), .e2e = Duration(10'000)};
}

std::string Say(const SloObjective& objective, const SloFacts& facts) {
  const SloVerdict verdict = Judge(objective, facts);
  if (verdict == SloVerdict::kGood) return "good";
  if (verdict == SloVerdict::kNotCounted) return "not counted";
  return std::string(MissReason(verdict));
}
SloFacts Stream(std::int64_t ttft_ms, double tpot_ms, std::int64_t e2e_ms) {
  return {.streaming = true,
          .ttft = ttft_ms < 0 ? -1 : ttft_ms * kMs,
          .tpot = tpot_ms < 0 ? -1 : tpot_ms * kMs,
          .e2e = e2e_ms * kMs};
}
SloFacts Ended(SloFacts facts, Outcome outcome) {
  facts.outcome = outcome;
  return facts;
}

TEST(Slo, AllLatenciesMustBeKept) {
  EXPECT_EQ(Say(Chat(), Stream(100, 20, 3'000)), "good");
  EXPECT_EQ(Say(Chat(), Stream(500, 50, 10'000)), "good") << "equal to the limit is kept";
  EXPECT_EQ(Say(Chat(), Stream(501, 20, 3'000)), "ttft");
  EXPECT_EQ(Say(Chat(), Stream(100, 50.1, 3'000)), "tpot");
  EXPECT_EQ(Say(Chat(), Stream(100, 20, 10'001)), "e2e");
  EXPECT_EQ(Say(Chat(), Stream(900, 90, 20'000)), "ttft") << "the first one missed";
  EXPECT_EQ(Say(Chat(), Stream(100, 90, 20'000)), "tpot");
}

TEST(Slo, WhatIsNotThereIsNotJudged) {
  EXPECT_EQ(Say(Chat(), Stream(100, -1, 3'000)), "good") << "a single token";
  EXPECT_EQ(Say(Chat(), Stream(-1, -1, 3'000)), "good") << "no content";
  SloFacts whole{.e2e = 9'000 * kMs};
  EXPECT_EQ(Say(Chat(), whole), "good") << "in one piece: no first token";
  whole.e2e = 11'000 * kMs;
  EXPECT_EQ(Say(Chat(), whole), "e2e");
  EXPECT_EQ(Say({.name = "only success"}, Stream(90'000, 900, 900'000)), "good");
}

TEST(Slo, FailuresAreMisses) {
  const SloFacts fast = Stream(100, 20, 3'000);
  EXPECT_EQ(Say(Chat(), Ended(fast, Outcome::kServerError)), "server_error");
  EXPECT_EQ(Say(Chat(), Ended(fast, Outcome::kOverloaded)), "overloaded");
  EXPECT_EQ(Say(Chat(), Ended(fast, Outcome::kTimeout)), "timeout");
  EXPECT_EQ(Say(Chat(), Ended(fast, Outcome::kInsufficientBalance)), "insufficient_balance");
  EXPECT_EQ(Say(Chat(), Ended(fast, Outcome::kClientError)), "not counted");
}

TEST(Slo, AClientThatLeavesCountsIfItHadWaitedTooLong) {
  const auto left = [](SloFacts facts) { return Say(Chat(), Ended(facts, Outcome::kCancelled)); };
  EXPECT_EQ(left(Stream(-1, -1, 400)), "not counted");
  EXPECT_EQ(left(Stream(-1, -1, 600)), "ttft") << "it waited longer than the limit";
  EXPECT_EQ(left(Stream(100, 20, 2'000)), "not counted");
  EXPECT_EQ(left(Stream(100, 80, 2'000)), "tpot");
  EXPECT_EQ(left(Stream(100, 20, 11'000)), "e2e");
  SloFacts whole{.outcome = Outcome::kCancelled, .e2e = 9'000 * kMs};
  EXPECT_EQ(Say(Chat(), whole), "not counted") << "in one piece: there is no first token to miss";
}

/// The q-quantile of `values`: the smallest that at least q of them do not exceed.
template <class T>
T Quantile(std::vector<T> values, double q) {
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(q * static_cast<double>(values.size()) + 0.5);
  return values[rank - 1];
}

// The reason why requests are judged one by one: percentiles of TTFT and of TPOT say nothing about
// whether it is the same requests that are slow.
TEST(Slo, EqualPercentilesAndDifferentGoodput) {
  std::vector<SloFacts> together;  // The same 8 of 100 are slow in both.
  std::vector<SloFacts> apart;     // 8 are slow to begin, 8 others are slow to go on.
  for (int i = 0; i < 100; ++i) {
    together.push_back(Stream(i < 8 ? 900 : 100, i < 8 ? 90 : 20, 3'000));
    apart.push_back(Stream(i < 8 ? 900 : 100, i >= 92 ? 90 : 20, 3'000));
  }
  const auto goodput = [](const std::vector<SloFacts>& traffic) {
    return std::ranges::count_if(
        traffic, [](const SloFacts& facts) { return Judge(Chat(), facts) == SloVerdict::kGood; });
  };
  const auto column = [](const std::vector<SloFacts>& traffic, auto member) {
    std::vector<double> values;
    for (const SloFacts& facts : traffic) {
      values.push_back(static_cast<double>(facts.*member));
    }
    return values;
  };
  for (const double q : {0.5, 0.9, 0.95, 0.99}) {
    EXPECT_EQ(Quantile(column(together, &SloFacts::ttft), q),
              Quantile(column(apart, &SloFacts::ttft), q));
    EXPECT_EQ(Quantile(column(together, &SloFacts::tpot), q),
              Quantile(column(apart, &SloFacts::tpot), q));
  }
  EXPECT_EQ(Quantile(column(apart, &SloFacts::ttft), 0.95), 900.0 * kMs);
  EXPECT_EQ(goodput(together), 92);
  EXPECT_EQ(goodput(apart), 84);
}

TEST(SloTable, FindsTheFirstThatFits) {
  SloOptions options;
  options.objectives = {{.name = "gold", .model = "deepseek-.*", .tenant = "acme|initech"},
                        {.name = "short", .model = "deepseek-.*", .input_classes = {"short"}},
                        {.name = "rest", .model = "deepseek-.*"}};
  const auto table = SloTable::Compile(options);
  ASSERT_TRUE(table) << table.error().message();
  const auto find = [&](const char* model, const char* tenant, std::int64_t tokens) {
    const SloObjective* found = table->Find(model, tenant, table->ClassOf(tokens));
    return found == nullptr ? std::string("none") : found->name;
  };
  EXPECT_EQ(find("deepseek-v3", "acme", 100'000), "gold");
  EXPECT_EQ(find("deepseek-v3", "acme2", 100), "short") << "patterns are anchored";
  EXPECT_EQ(find("deepseek-v3", "", 1'024), "short");
  EXPECT_EQ(find("deepseek-v3", "", 1'025), "rest");
  EXPECT_EQ(find("qwen", "", 1), "none");
}

TEST(SloTable, ClassesByPromptTokens) {
  const auto table = SloTable::Compile({});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->ClassOf(0), "short");
  EXPECT_EQ(table->ClassOf(1'024), "short");
  EXPECT_EQ(table->ClassOf(1'025), "medium");
  EXPECT_EQ(table->ClassOf(8'193), "long");
  EXPECT_EQ(table->ClassOf(INT64_MAX), "long");
  EXPECT_EQ(table->Find("any", "", "short")->name, "default");
}

TEST(SloTable, RefusesWhatMakesNoSense) {
  const auto refuses = [](SloOptions options) { return !SloTable::Compile(options).ok(); };
  EXPECT_TRUE(refuses({.input_classes = {}}));
  EXPECT_TRUE(refuses({.input_classes = {{"a", 10}, {"b", 10}, {"c"}}}));
  EXPECT_TRUE(refuses({.objectives = {{.name = ""}}}));
  EXPECT_TRUE(refuses({.objectives = {{.name = "a"}, {.name = "a"}}}));
  EXPECT_TRUE(refuses({.objectives = {{.name = "a", .model = "("}}}));
  EXPECT_TRUE(refuses({.objectives = {{.name = "a", .input_classes = {"huge"}}}}));
  EXPECT_TRUE(refuses({.objectives = {{.name = "a", .target = 1}}}));
  EXPECT_TRUE(refuses({.objectives = std::vector<SloObjective>(101, {.name = "a"})}));
  EXPECT_FALSE(refuses({.objectives = {}}));
}

}  // namespace
}  // namespace sonde::gateway
