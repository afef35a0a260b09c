#include "gateway/prices.h"

#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

constexpr int kBeijing = 8 * 60;

/// A time of Beijing's clock.
Timestamp Beijing(int year, int month, int day, int hour, int minute, int second = 0, int ms = 0) {
  const std::int64_t days = DayNumber(year, month, day).value();
  return {(((days * 24 + hour - 8) * 60 + minute) * 60 + second) * 1'000 + ms};
}

/// As the hosted DeepSeek API's: twice the price on weekdays, 9 to 12 and 14 to 18.
PriceOptions Hosted() {
  PriceOptions price;
  price.model = "deepseek-flash";
  price.upstream = "https://api\\.deepseek\\.com.*";
  price.cache_hit = 0.003;
  price.cache_miss = 0.15;
  price.output = 0.6;
  price.valid_from = Beijing(2026, 8, 16, 0, 0);
  price.utc_offset_minutes = kBeijing;
  constexpr std::array<bool, 7> kWeekdays = {false, true, true, true, true, true, false};
  price.windows = {{.days = kWeekdays, .from_minute = 9 * 60, .to_minute = 12 * 60, .factor = 2},
                   {.days = kWeekdays, .from_minute = 14 * 60, .to_minute = 18 * 60, .factor = 2}};
  price.holidays = {DayNumber(2026, 10, 1).value()};
  return price;
}

TEST(Prices, DaysAreCounted) {
  EXPECT_EQ(DayNumber(1970, 1, 1), 0);
  EXPECT_EQ(DayNumber(2000, 3, 1), 11'017);
  EXPECT_EQ(DayNumber(2024, 2, 29), 19'782);
  EXPECT_EQ(DayNumber(2026, 2, 29), std::nullopt);
  EXPECT_EQ(DayNumber(2100, 2, 29), std::nullopt);
  EXPECT_EQ(DayNumber(2026, 13, 1), std::nullopt);
  EXPECT_EQ(DayNumber(2026, 4, 31), std::nullopt);
  EXPECT_EQ(DayNumber(1969, 12, 31), std::nullopt);
}

TEST(Prices, PeakHoursBeginAndEndOnTheMillisecond) {
  const PriceOptions price = Hosted();
  // 2026-09-01 is a Tuesday.
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 8, 59, 59, 999)), 1);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 9, 0)), 2);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 11, 59, 59, 999)), 2);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 12, 0)), 1);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 13, 59, 59, 999)), 1);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 14, 0)), 2);
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 1, 18, 0)), 1);
}

TEST(Prices, WeekendsAndHolidaysOfBeijing) {
  const PriceOptions price = Hosted();
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 5, 10, 0)), 1) << "Saturday";
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 6, 10, 0)), 1) << "Sunday";
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 9, 7, 10, 0)), 2) << "Monday";
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 10, 1, 10, 0)), 1) << "Thursday, and a holiday";
  EXPECT_EQ(PriceFactor(price, Beijing(2026, 10, 2, 10, 0)), 2) << "not in the list";
  // Monday 01:30 UTC is 09:30 in Beijing; there is no summer time to move it.
  const Timestamp winter{(DayNumber(2026, 12, 7).value() * 24 * 60 + 90) * 60'000};
  const Timestamp summer{(DayNumber(2027, 7, 5).value() * 24 * 60 + 90) * 60'000};
  EXPECT_EQ(PriceFactor(price, winter), 2);
  EXPECT_EQ(PriceFactor(price, summer), 2);
}

TEST(Prices, AWindowMayPassMidnight) {
  PriceOptions price;  // A night's discount, 16:30 to 00:30 UTC, from Fridays on.
  price.windows = {{.days = {false, false, false, false, false, true, false},
                    .from_minute = 16 * 60 + 30,
                    .to_minute = 30,
                    .factor = 0.5}};
  const auto utc = [](int day, int hour, int minute) {
    return Timestamp{((DayNumber(2026, 9, day).value() * 24 + hour) * 60 + minute) * 60'000};
  };
  EXPECT_EQ(PriceFactor(price, utc(4, 16, 29)), 1) << "a Friday";
  EXPECT_EQ(PriceFactor(price, utc(4, 16, 30)), 0.5);
  EXPECT_EQ(PriceFactor(price, utc(5, 0, 29)), 0.5) << "Saturday, but it began on Friday";
  EXPECT_EQ(PriceFactor(price, utc(5, 0, 30)), 1);
  EXPECT_EQ(PriceFactor(price, utc(4, 0, 15)), 1) << "it did not begin on Thursday";
  price.holidays = {DayNumber(2026, 9, 4).value()};
  EXPECT_EQ(PriceFactor(price, utc(5, 0, 29)), 1);
  price.windows[0].on_holidays = true;
  EXPECT_EQ(PriceFactor(price, utc(5, 0, 29)), 0.5);
  EXPECT_EQ(PriceFactor(price, Timestamp{-1}), 1) << "before 1970";
}

double Sum(const std::vector<Cost>& costs, std::string_view currency) {
  double sum = 0;
  for (const Cost& cost : costs) {
    if (cost.currency != currency) continue;
    for (const double amount : cost.amounts) {
      sum += amount;
    }
  }
  return sum;
}

constexpr std::string_view kHostedUrl = "https://api.deepseek.com/v1";
constexpr CostTokens kMillions = {1'000'000, 1'000'000, 1'000'000, 1'000'000};

TEST(PriceTable, TokensTimesPrice) {
  const auto table = PriceTable::Compile({Hosted()});
  ASSERT_TRUE(table) << table.error().message();
  const Timestamp cheap = Beijing(2026, 9, 1, 20, 0);
  const auto costs = table->CostOf("deepseek-flash", kHostedUrl, cheap, {1'000, 200, 30, 4});
  ASSERT_EQ(costs.size(), 1U);
  EXPECT_EQ(costs[0].currency, "USD");
  EXPECT_DOUBLE_EQ(costs[0].amounts[0], 1'000 * 0.003 / 1e6);
  EXPECT_DOUBLE_EQ(costs[0].amounts[1], 200 * 0.15 / 1e6);
  EXPECT_DOUBLE_EQ(costs[0].amounts[2], 30 * 0.6 / 1e6) << "reasoning costs what output costs";
  EXPECT_DOUBLE_EQ(costs[0].amounts[3], 4 * 0.6 / 1e6);
  const auto peak =
      table->CostOf("deepseek-flash", kHostedUrl, Beijing(2026, 9, 1, 10, 0), kMillions);
  EXPECT_DOUBLE_EQ(Sum(peak, "USD"), 2 * (0.003 + 0.15 + 0.6 + 0.6));
}

TEST(PriceTable, ModelUpstreamAndTimeMustFit) {
  const auto table = PriceTable::Compile({Hosted()});
  ASSERT_TRUE(table);
  const Timestamp time = Beijing(2026, 9, 1, 20, 0);
  EXPECT_TRUE(table->CostOf("deepseek-v4-pro", kHostedUrl, time, kMillions).empty());
  EXPECT_TRUE(table->CostOf("deepseek-flash", "http://10.0.0.1:8000", time, kMillions).empty())
      << "one's own engine of the same name";
  EXPECT_TRUE(table->CostOf("deepseek-flash", "", time, kMillions).empty());
  EXPECT_TRUE(
      table->CostOf("deepseek-flash", kHostedUrl, Beijing(2026, 8, 15, 23, 59, 59, 999), kMillions)
          .empty());
  EXPECT_FALSE(
      table->CostOf("deepseek-flash", kHostedUrl, Beijing(2026, 8, 16, 0, 0), kMillions).empty());
}

TEST(PriceTable, VersionsFollowEachOther) {
  PriceOptions old;
  old.cache_miss = 1;
  old.valid_to = Beijing(2026, 8, 16, 0, 0);
  PriceOptions now;
  now.cache_miss = 3;
  now.valid_from = old.valid_to;
  const auto table = PriceTable::Compile({old, now});
  ASSERT_TRUE(table);
  const CostTokens million = {0, 1'000'000, 0, 0};
  const auto at = [&](Timestamp time) { return Sum(table->CostOf("m", "", time, million), "USD"); };
  EXPECT_EQ(at(Timestamp{old.valid_to.ms - 1}), 1);
  EXPECT_EQ(at(old.valid_to), 3) << "valid_to is exclusive";
}

TEST(PriceTable, OnePriceInEachCurrency) {
  PriceOptions dollars;
  dollars.output = 1;
  PriceOptions yuan;
  yuan.currency = "CNY";
  yuan.output = 7;
  yuan.reasoning = 3.5;
  PriceOptions later = dollars;
  later.output = 100;
  const auto table = PriceTable::Compile({dollars, yuan, later});
  ASSERT_TRUE(table);
  const auto costs = table->CostOf("m", "", Timestamp{}, {0, 0, 1'000'000, 1'000'000});
  EXPECT_EQ(costs.size(), 2U);
  EXPECT_EQ(Sum(costs, "USD"), 2) << "the first that fits";
  EXPECT_EQ(Sum(costs, "CNY"), 10.5);
}

TEST(PriceTable, RefusesWhatMakesNoSense) {
  const auto refuses = [](PriceOptions price) { return !PriceTable::Compile({price}).ok(); };
  EXPECT_FALSE(refuses({}));
  EXPECT_TRUE(refuses({.model = "("}));
  EXPECT_TRUE(refuses({.upstream = "("}));
  EXPECT_TRUE(refuses({.currency = ""}));
  EXPECT_TRUE(refuses({.valid_from = Timestamp{5}, .valid_to = Timestamp{5}}));
  EXPECT_TRUE(refuses({.output = -1}));
  EXPECT_TRUE(refuses({.reasoning = 1e10}));
  EXPECT_TRUE(refuses({.windows = {{.from_minute = 1'440}}}));
  EXPECT_TRUE(refuses({.windows = {{.factor = -1}}}));
}

}  // namespace
}  // namespace sonde::gateway
