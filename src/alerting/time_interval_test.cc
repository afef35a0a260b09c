#include "alerting/time_interval.h"

#include <gtest/gtest.h>

namespace sonde::alerting {
namespace {

// 2026-11-24 16:00:00 UTC, a Tuesday.
constexpr Timestamp kTuesday{1'795'536'000'000};
constexpr Duration kHour{3'600'000};
constexpr Duration kDay{86'400'000};

TEST(TimeZone, CivilTime) {
  const CivilTime civil = TimeZone::Utc().ToCivil(kTuesday);
  EXPECT_EQ(civil.year, 2026);
  EXPECT_EQ(civil.month, 11);
  EXPECT_EQ(civil.day, 24);
  EXPECT_EQ(civil.weekday, 2);
  EXPECT_EQ(civil.minute, 16 * 60);
  EXPECT_EQ(civil.days_in_month, 30);
  const CivilTime before = TimeZone::Utc().ToCivil({-1});
  EXPECT_EQ(before.year, 1969);
  EXPECT_EQ(before.minute, 1439);
}

/// A version-2 file without transitions and with this rule for all times.
std::string FileWithRule(const std::string& rule) {
  const std::string header = std::string("TZif2") + std::string(15, '\0') + std::string(16, '\0') +
                             std::string("\0\0\0\1\0\0\0\4", 8);
  const std::string body = std::string(6, '\0') + std::string("UTC\0", 4);
  return header + body + header + body + "\n" + rule + "\n";
}

TEST(TimeZone, RuleForLaterYears) {
  const auto berlin = TimeZone::Parse(FileWithRule("CET-1CEST,M3.5.0,M10.5.0/3"));
  ASSERT_TRUE(berlin) << berlin.error().message();
  EXPECT_EQ(berlin->OffsetSeconds(kTuesday), 3600);
  EXPECT_EQ(berlin->OffsetSeconds({1'782'900'000'000}), 7200);  // 2026-07-01.
  // Summer time began on 2026-03-29 at 01:00 UTC.
  EXPECT_EQ(berlin->OffsetSeconds({1'774'745'999'000}), 3600);
  EXPECT_EQ(berlin->OffsetSeconds({1'774'746'000'000}), 7200);
  const auto sydney = TimeZone::Parse(FileWithRule("AEST-10AEDT,M10.1.0,M4.1.0/3"));
  ASSERT_TRUE(sydney);
  EXPECT_EQ(sydney->OffsetSeconds(kTuesday), 11 * 3600);
  EXPECT_EQ(sydney->OffsetSeconds({1'782'900'000'000}), 10 * 3600);
  const auto shanghai = TimeZone::Parse(FileWithRule("<+08>-8"));
  ASSERT_TRUE(shanghai);
  EXPECT_EQ(shanghai->ToCivil(kTuesday).minute, 0);
  EXPECT_EQ(shanghai->ToCivil(kTuesday).day, 25);
}

TEST(TimeZone, Bad) {
  EXPECT_FALSE(TimeZone::Parse(""));
  EXPECT_FALSE(TimeZone::Parse("TZif2"));
  EXPECT_FALSE(TimeZone::Parse(FileWithRule("X-1")));
  EXPECT_FALSE(TimeZone::Parse(FileWithRule("CET-1CEST,M13.5.0,M10.5.0")));
  PosixEnv env;
  EXPECT_FALSE(TimeZone::Load(env, "../../etc/passwd"));
  EXPECT_FALSE(TimeZone::Load(env, "Nowhere/Land"));
  EXPECT_TRUE(TimeZone::Load(env, "UTC"));
}

TEST(TimeIntervals, Fields) {
  TimeInterval work;
  work.weekdays = {*ParseWeekdays("monday:Friday")};
  work.minutes = {{*ParseTimeOfDay("09:00"), *ParseTimeOfDay("17:00")}};
  EXPECT_TRUE(work.Contains(kTuesday));
  EXPECT_FALSE(work.Contains(kTuesday + kHour));  // 17:00: the end is not part of it.
  EXPECT_FALSE(work.Contains(kTuesday + 4 * kDay));
  TimeInterval last_days;
  last_days.days_of_month = {*ParseDaysOfMonth("-7:-1")};
  EXPECT_TRUE(last_days.Contains(kTuesday));
  EXPECT_FALSE(last_days.Contains(kTuesday - kDay));
  TimeInterval day31;
  day31.days_of_month = {*ParseDaysOfMonth("31")};
  EXPECT_FALSE(day31.Contains(kTuesday + 6 * kDay));
  EXPECT_TRUE(day31.Contains(kTuesday + 37 * kDay));
  TimeInterval month;
  month.months = {*ParseMonths("november:12")};
  month.years = {*ParseYears("2026")};
  EXPECT_TRUE(month.Contains(kTuesday));
  EXPECT_FALSE(month.Contains(kTuesday + 365 * kDay));
}

TEST(TimeIntervals, Bad) {
  for (const char* text : {"24:01", "9:00", "09:60", "-1:00", "0900", ""})
    EXPECT_FALSE(ParseTimeOfDay(text)) << text;
  EXPECT_FALSE(ParseWeekdays("friday:monday"));
  EXPECT_FALSE(ParseWeekdays("noday"));
  EXPECT_FALSE(ParseMonths("13"));
  EXPECT_FALSE(ParseDaysOfMonth("0"));
  EXPECT_FALSE(ParseDaysOfMonth("-1:5"));
  EXPECT_FALSE(ParseDaysOfMonth("32"));
  EXPECT_FALSE(ParseYears("2026:2025"));
  EXPECT_FALSE(ParseYears("soon"));
}

}  // namespace
}  // namespace sonde::alerting
