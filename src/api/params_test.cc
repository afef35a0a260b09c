#include "api/params.h"

#include <gtest/gtest.h>

namespace sonde::api {
namespace {

void ExpectTime(std::string_view text, std::int64_t ms) {
  const auto time = ParseTime(text);
  ASSERT_TRUE(time.ok()) << text;
  EXPECT_EQ(time->ms, ms) << text;
}

TEST(ParamsTest, Times) {
  ExpectTime("0", 0);
  ExpectTime("123", 123000);
  ExpectTime("123.123", 123123);
  ExpectTime("1543578564.705", 1543578564705);
  ExpectTime("-1.5", -1500);
  ExpectTime("1e3", 1000000);
  ExpectTime("2015-06-03T13:21:58.555Z", 1433337718555);
  ExpectTime("2015-06-03T14:21:58.555+01:00", 1433337718555);
  ExpectTime("2015-06-03T13:21:58Z", 1433337718000);
  ExpectTime("1969-12-31T23:59:59.9Z", -100);
  ExpectTime("2024-02-29T00:00:00Z", 1709164800000);
  ExpectTime("-292273086-05-16T16:47:06Z", MinTime().ms);
  ExpectTime("292277025-08-18T07:12:54.999999999Z", MaxTime().ms);
  for (const char* bad : {"", "30s", "2015-06-03", "2015-13-03T00:00:00Z", "2023-02-29T00:00:00Z",
                          "2015-06-03T13:21:58", "2015-06-03T13:21:58.Z", "NaN", "Inf", "1e300",
                          "2015-06-03T24:00:00Z"}) {
    EXPECT_FALSE(ParseTime(bad).ok()) << bad;
  }
  EXPECT_EQ(ParseTime("foo").error().message(), "cannot parse \"foo\" to a valid timestamp");
}

TEST(ParamsTest, Durations) {
  const auto expect = [](std::string_view text, std::int64_t ms) {
    const auto duration = ParseDurationParam(text);
    ASSERT_TRUE(duration.ok()) << text;
    EXPECT_EQ(duration->count(), ms) << text;
  };
  expect("123", 123000);
  expect("0.5", 500);
  expect("-1", -1000);
  expect("1h", 3600000);
  expect("5m30s", 330000);
  for (const char* bad : {"", "1.5h", "abc", "1e20", "NaN"}) {
    EXPECT_FALSE(ParseDurationParam(bad).ok()) << bad;
  }
}

TEST(ParamsTest, SelectorsMustSelectSomething) {
  const auto parse = [](std::string_view text) { return MatchParams(*net::Query::Parse(text)); };
  const auto sets = parse("match[]=up&match[]=%7Bjob%3D~%22a.%2A%22%2Czone%3D%22%22%7D");
  ASSERT_TRUE(sets.ok());
  ASSERT_EQ(sets->size(), 2U);
  EXPECT_EQ((*sets)[0].size(), 1U);
  EXPECT_EQ((*sets)[1].size(), 2U);
  EXPECT_FALSE(parse("match[]=%7Bjob%3D~%22.%2A%22%7D").ok());
  EXPECT_FALSE(parse("match[]=").ok());
  EXPECT_TRUE(parse("").ok());
}

TEST(ParamsTest, Limits) {
  const auto limit = [](std::string_view text) { return LimitParam(*net::Query::Parse(text)); };
  EXPECT_EQ(*limit(""), 0U);
  EXPECT_EQ(*limit("limit=7"), 7U);
  EXPECT_EQ(limit("limit=-1").error().message(),
            "invalid parameter \"limit\": limit must be non-negative");
  EXPECT_FALSE(limit("limit=x").ok());
}

}  // namespace
}  // namespace sonde::api
