#include "promql/dates.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace sonde::promql {
namespace {

TEST(DatesTest, Epoch) {
  const CivilTime time = CivilFromSeconds(0);
  EXPECT_EQ(time.year, 1970);
  EXPECT_EQ(time.month, 1);
  EXPECT_EQ(time.day, 1);
  EXPECT_EQ(time.weekday, 4);
  EXPECT_EQ(time.day_of_year, 1);
  EXPECT_EQ(time.days_in_month, 31);
}

TEST(DatesTest, LeapDays) {
  const CivilTime leap = CivilFromSeconds(951'782'400);  // 2000-02-29
  EXPECT_EQ(leap.month, 2);
  EXPECT_EQ(leap.day, 29);
  EXPECT_EQ(leap.weekday, 2);
  EXPECT_EQ(leap.day_of_year, 60);
  EXPECT_EQ(leap.days_in_month, 29);
  const CivilTime century =
      CivilFromSeconds(-2'203'891'200);  // 1900-03-01, the day after 28 February.
  EXPECT_EQ(century.year, 1900);
  EXPECT_EQ(century.month, 3);
  EXPECT_EQ(century.day, 1);
  EXPECT_EQ(century.day_of_year, 60);
  const CivilTime last = CivilFromSeconds(1'735'603'200);  // 2024-12-31
  EXPECT_EQ(last.day_of_year, 366);
}

// Day by day through 4,000 years, checked by counting.
TEST(DatesTest, CountsOn) {
  int days_in_month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::int64_t year = 1;
  int month = 1;
  int day = 1;
  int weekday = 1;  // 0001-01-01 was a Monday.
  for (std::int64_t d = -719'162; d < 741'000; ++d) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    days_in_month[1] = leap ? 29 : 28;
    const CivilTime time = CivilFromSeconds(static_cast<double>(d * 86'400 + 86'399));
    ASSERT_EQ(time.year, year) << d;
    ASSERT_EQ(time.month, month) << d;
    ASSERT_EQ(time.day, day) << d;
    ASSERT_EQ(time.weekday, weekday) << d;
    ASSERT_EQ(time.days_in_month, days_in_month[month - 1]) << d;
    weekday = (weekday + 1) % 7;
    if (++day > days_in_month[month - 1]) {
      day = 1;
      if (++month > 12) {
        month = 1;
        ++year;
      }
    }
  }
}

TEST(DatesTest, TimeOfDay) {
  const CivilTime time = CivilFromSeconds(1'136'239'445.9);  // 2006-01-02T22:04:05Z
  EXPECT_EQ(time.hour, 22);
  EXPECT_EQ(time.minute, 4);
  EXPECT_EQ(time.second, 5);
  const CivilTime before = CivilFromSeconds(-1);
  EXPECT_EQ(before.year, 1969);
  EXPECT_EQ(before.day_of_year, 365);
  EXPECT_EQ(before.hour, 23);
  EXPECT_EQ(CivilFromSeconds(-0.5).year, 1970);  // Cut towards zero.
}

TEST(DatesTest, WhatNoClockShows) {
  for (const double v : {std::nan(""), std::numeric_limits<double>::infinity(), 1e30, -1e30}) {
    const CivilTime time = CivilFromSeconds(v);
    EXPECT_EQ(time.year, 292'277'026'596);
    EXPECT_EQ(time.month, 12);
    EXPECT_EQ(time.weekday, 0);
    EXPECT_EQ(time.minute, 30);
  }
  EXPECT_EQ(CivilFromSeconds(-0x1p63).year, -292'277'022'657);
}

TEST(DatesTest, Rfc3339) {
  EXPECT_EQ(FormatRfc3339({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatRfc3339({1'136'239'445'999}), "2006-01-02T22:04:05Z");
}

}  // namespace
}  // namespace sonde::promql
