#include "gateway/rate_limit.h"

#include <gtest/gtest.h>

#include "gateway/retry_budget.h"

namespace sonde::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(RateLimit, AMinutesWorthAtOnceAndThenASteadyRate) {
  RateLimit limit(60);
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(limit.Allows(1, 0)) << i;
    limit.Take(1, 0);
  }
  EXPECT_FALSE(limit.Allows(1, 0));
  EXPECT_EQ(limit.WaitFor(1, 0), kSecond);
  EXPECT_EQ(limit.UntilFull(0), 60 * kSecond);
  EXPECT_FALSE(limit.Allows(1, kSecond - 1'000'000));
  EXPECT_TRUE(limit.Allows(1, kSecond));
  EXPECT_FALSE(limit.Allows(2, kSecond));
  EXPECT_EQ(limit.left(3600 * kSecond), 60) << "no more than a minute's worth is saved";
}

TEST(RateLimit, WhatIsLargerThanAllPassesWhenItIsFull) {
  RateLimit limit(100);
  EXPECT_TRUE(limit.Allows(1000, 0));
  limit.Take(1000, 0);
  EXPECT_EQ(limit.left(0), 0);
  EXPECT_FALSE(limit.Allows(1, 539 * kSecond)) << "the debt of 900 takes nine minutes";
  EXPECT_TRUE(limit.Allows(1, 541 * kSecond));
  EXPECT_EQ(limit.WaitFor(1000, 541 * kSecond), limit.UntilFull(541 * kSecond));
}

TEST(RateLimit, AClockThatStepsBackGivesNothing) {
  RateLimit limit(60);
  limit.Take(60, 100 * kSecond);
  EXPECT_FALSE(limit.Allows(1, 0));
  EXPECT_FALSE(limit.Allows(1, 100 * kSecond)) << "the step back and forth was no time";
  EXPECT_TRUE(limit.Allows(1, 101 * kSecond));
}

TEST(RateLimit, AnotherRateKeepsTheShareThatIsLeft) {
  RateLimit limit(60);
  limit.Take(30, 0);
  limit.SetRate(600, 0);
  EXPECT_EQ(limit.left(0), 300);
  limit.SetRate(0, 0);
  EXPECT_TRUE(limit.Allows(1e9, 0));
  EXPECT_EQ(limit.WaitFor(1e9, 0), 0);
  limit.SetRate(10, 0);
  EXPECT_EQ(limit.left(0), 10);
}

TEST(RateLimit, WaitsAreLongEnough) {
  for (const double rate : {0.7, 3.0, 7.0, 1000.0, 123456.789}) {
    for (const double amount : {0.1, 0.33, 1.0}) {
      RateLimit limit(rate);
      limit.Take(rate, 0);
      EXPECT_TRUE(limit.Allows(amount, limit.WaitFor(amount, 0))) << rate << " " << amount;
    }
  }
}

TEST(RetryBudget, IsAShareOfAllRequests) {
  RetryBudget budget;
  int retries = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.Save(0.2);
    retries += budget.Take() ? 1 : 0;
    retries += budget.Take() ? 1 : 0;
  }
  EXPECT_NEAR(retries, 1000 * 0.2 + RetryOptions::kBurst, 1);
}

}  // namespace
}  // namespace sonde::gateway
