#include "promql/promqltest/series_description.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/number.h"
#include "model/sample.h"
#include "promql/histogram_math.h"

namespace sonde::promql {
namespace {

std::string Show(const DescribedValue& value) {
  if (value.omitted) return "_";
  if (value.histogram) return FormatHistogram(*value.histogram);
  return IsStaleNan(value.v) ? "stale" : FormatFloatG(value.v);
}

// "labels: value value …", or the error.
std::string Parsed(std::string_view line) {
  const auto description = ParseSeriesDescription(line);
  if (!description) return description.error().message();
  std::string out = description->labels.ToString() + ":";
  for (const DescribedValue& value : description->values) {
    out += " " + Show(value);
  }
  return out;
}

TEST(SeriesDescriptionTest, Numbers) {
  EXPECT_EQ(Parsed("m 1 -2 +3 4.5 1e3 .5 NaN Inf -Inf"), "m: 1 -2 3 4.5 1000 0.5 NaN +Inf -Inf");
  EXPECT_EQ(Parsed("m _ stale _x3 1"), "m: _ stale _ _ _ 1");
  EXPECT_EQ(Parsed("m 1x2 0+10x3 5-2x2 -1-1x1 1+0.5x2"), "m: 1 1 1 0 10 20 30 5 3 1 -1 -2 1 1.5 2");
  EXPECT_EQ(Parsed("m"), "m:");
  EXPECT_EQ(Parsed("m   1\t 2  "), "m: 1 2");
  EXPECT_EQ(Parsed("{} 1"), "{}: 1");
  EXPECT_EQ(Parsed("m{a=\"x y\", b='} 5'} 7"), "m{a=\"x y\", b=\"} 5\"}: 7");
  EXPECT_EQ(Parsed("{\"m.x\"} 7"), "{\"m.x\"}: 7");
}

TEST(SeriesDescriptionTest, Histograms) {
  EXPECT_EQ(Parsed("h {{}}"), "h: {count:0, sum:0}");
  EXPECT_EQ(Parsed("h {{schema:0 count:4 sum:5 buckets:[1 2 1]}}"),
            "h: {count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}");
  EXPECT_EQ(Parsed("h {{schema:0 count:4 sum:5 offset:1 buckets:[1] n_offset:0 n_buckets:[2] "
                   "z_bucket:1 z_bucket_w:0.1}}"),
            "h: {count:4, sum:5, [-1,-0.5):2, [-0.1,0.1]:1, (1,2]:1}");
  EXPECT_EQ(Parsed("h {{schema:-53 count:3 sum:5 custom_values:[1 2] buckets:[1 1 1]}}"),
            "h: {count:3, sum:5, [-Inf,1]:1, (1,2]:1, (2,+Inf]:1}");
  EXPECT_EQ(
      Parsed("h {{count:1}}x1 {{count:1}}+{{count:2}}x2 {{count:5}}-{{count:2}}x1"),
      "h: {count:1, sum:0} {count:1, sum:0} {count:1, sum:0} {count:3, sum:0} {count:5, sum:0} "
      "{count:5, sum:0} {count:3, sum:0}");
  const auto hinted = ParseSeriesDescription("h {{count:1 counter_reset_hint:gauge}} {{count:1}}");
  ASSERT_TRUE(hinted);
  EXPECT_TRUE(hinted->values[0].has_reset_hint);
  EXPECT_EQ(hinted->values[0].histogram->reset_hint, ResetHint::kGauge);
  EXPECT_FALSE(hinted->values[1].has_reset_hint);
}

TEST(SeriesDescriptionTest, Errors) {
  EXPECT_EQ(Parsed("m 1+2"), "1:6: parse error: unexpected end of input in series values");
  EXPECT_EQ(Parsed("m 1xy"), "1:5: parse error: invalid repetition in series values");
  EXPECT_EQ(Parsed("m 1 x"), "1:5: parse error: unexpected character in series sequence: 'x'");
  EXPECT_EQ(Parsed("m 1..2"), "1:7: parse error: bad number syntax: \"1..2\"");
  EXPECT_EQ(Parsed("m 0x99999999999"), "1:16: parse error: more than 1000000 values");
  EXPECT_EQ(Parsed("m _x999999 _x999999"), "1:20: parse error: more than 1000000 values");
  EXPECT_EQ(Parsed("h {{count:1 count:2}}"),
            "1:19: parse error: duplicate key \"count\" in histogram");
  EXPECT_EQ(Parsed("h {{color:1}}"),
            "1:11: parse error: bad histogram descriptor found: \"color\"");
  EXPECT_EQ(Parsed("h {{count}}"), "1:10: parse error: missing `:` for histogram descriptor");
  EXPECT_EQ(Parsed("h {{buckets:[1 2"),
            "1:17: parse error: unexpected end of input in series values");
  EXPECT_EQ(Parsed("h {{schema:0}}+{{schema:1}}"),
            "1:28: parse error: unexpected end of input in series values");
  EXPECT_EQ(Parsed("h {{schema:1}}+{{schema:0}}x2"),
            "1:28: parse error: error combining histograms: cannot merge from schema 0 to 1");
  EXPECT_EQ(Parsed("m{a=} 1"), "1:5: parse error: unexpected \"}\" in label set, expected string");
}

std::string Offsets(std::string_view items) {
  const auto offsets = ParseStartOffsets(items);
  if (!offsets) return offsets.error().message();
  std::string out;
  for (const auto& offset : *offsets) {
    out += (out.empty() ? "" : " ") + (offset ? std::to_string(offset->count()) : "_");
  }
  return out;
}

TEST(SeriesDescriptionTest, StartOffsets) {
  EXPECT_EQ(Offsets("-1m 0s 30s _ _x2"), "-60000 0 30000 _ _ _");
  EXPECT_EQ(Offsets("-1mx1 0s-15sx2 -30s+10sx1"), "-60000 -60000 0 -15000 -30000 -30000 -20000");
  EXPECT_EQ(Offsets(""), "");
  for (const std::string_view bad : {"5", "x", "-1mx", "-1m+1s", "_x0", "_x", "_y", "1m?"}) {
    EXPECT_EQ(Offsets(bad), "invalid start timestamp \"" + std::string(bad) + "\"");
  }
}

}  // namespace
}  // namespace sonde::promql
