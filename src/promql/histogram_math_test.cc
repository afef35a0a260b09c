#include "promql/histogram_math.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "promql/histogram_buckets.h"
#include "promql/histogram_quantile.h"
#include "promql/histogram_sum.h"

namespace sonde::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

// Schema 0: positive buckets from index 0 on, (0.5,1], (1,2], (2,4] …
FloatHistogram Exponential(std::vector<double> counts, std::int32_t schema = 0) {
  FloatHistogram histogram;
  histogram.schema = schema;
  for (const double count : counts) {
    histogram.count += count;
  }
  histogram.sum = histogram.count;
  histogram.positive_spans = {{0, static_cast<std::uint32_t>(counts.size())}};
  histogram.positive_counts = std::move(counts);
  return histogram;
}

FloatHistogram Custom(std::vector<double> bounds, std::vector<double> counts) {
  FloatHistogram histogram = Exponential(std::move(counts), kCustomBucketsSchema);
  histogram.custom_values = std::move(bounds);
  return histogram;
}

TEST(HistogramBucketsTest, Bounds) {
  EXPECT_EQ(ExponentialBound(0, 0), 1);
  EXPECT_EQ(ExponentialBound(3, 0), 8);
  EXPECT_EQ(ExponentialBound(-2, 0), 0.25);
  EXPECT_EQ(ExponentialBound(1, -2), 16);
  EXPECT_EQ(ExponentialBound(-1, -4), 0x1p-16);
  EXPECT_EQ(ExponentialBound(1, 1),
            1.414213562373095);  // One less in the last place than the root of 2.
  EXPECT_EQ(ExponentialBound(2, 1), 2);
  EXPECT_EQ(ExponentialBound(-1, 1), 0.7071067811865475);
  EXPECT_EQ(ExponentialBound(1, 3), 1.0905077326652577);
  EXPECT_EQ(ExponentialBound(1024, 0), std::numeric_limits<double>::max());
  EXPECT_EQ(ExponentialBound(1025, 0), kInf);
  EXPECT_EQ(ExponentialBound(2048, 1), std::numeric_limits<double>::max());
  EXPECT_EQ(ExponentialBound(64, -4), std::numeric_limits<double>::max());
  EXPECT_EQ(ExponentialBound(std::numeric_limits<std::int32_t>::max(), -4), kInf);
  EXPECT_EQ(ExponentialBound(std::numeric_limits<std::int32_t>::min(), 0), 0);
}

TEST(HistogramBucketsTest, PackAndUnpack) {
  const std::vector<HistogramSpan> spans = {{-1, 2}, {0, 1}, {3, 2}};
  const BucketList buckets = UnpackBuckets(spans, std::vector<double>{1, 0, 2, 3, 4});
  ASSERT_EQ(buckets.size(), 5U);
  EXPECT_EQ(buckets[0].index, -1);
  EXPECT_EQ(buckets[2].index, 1);
  EXPECT_EQ(buckets[4].index, 6);
  std::vector<HistogramSpan> packed;
  std::vector<double> counts;
  PackBuckets(buckets, packed, counts);
  EXPECT_THAT(packed, ElementsAre(HistogramSpan{-1, 1}, HistogramSpan{1, 1}, HistogramSpan{3, 2}));
  EXPECT_THAT(counts, ElementsAre(1, 2, 3, 4));
}

TEST(HistogramBucketsTest, MalformedSpansDoNoHarm) {
  EXPECT_EQ(
      UnpackBuckets(std::vector<HistogramSpan>{{0, 4'000'000'000U}}, std::vector<double>{1, 2})
          .size(),
      2U);
  const std::vector<HistogramSpan> far = {{std::numeric_limits<std::int32_t>::max(), 1},
                                          {std::numeric_limits<std::int32_t>::max(), 2}};
  EXPECT_EQ(UnpackBuckets(far, std::vector<double>{1, 2, 3}).back().index,
            std::numeric_limits<std::int32_t>::max() - 1);
  EXPECT_THAT(UnpackBuckets({}, std::vector<double>{1}), IsEmpty());
}

TEST(HistogramBucketsTest, AllBucketsInOrderAroundZero) {
  FloatHistogram histogram = Exponential({1, 2});
  histogram.negative_spans = {{0, 1}};
  histogram.negative_counts = {3};
  histogram.zero_count = 4;
  histogram.zero_threshold = 0.75;
  const std::vector<HistogramBucket> all = AllBuckets(histogram);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].lower, -1);
  EXPECT_EQ(all[0].upper, -0.75);  // Cut off at the zero bucket.
  EXPECT_EQ(all[1].count, 4);
  EXPECT_EQ(all[2].lower, 0.75);
  EXPECT_EQ(all[3].upper, 2);
}

TEST(HistogramMathTest, FromIntegers) {
  Histogram histogram;
  histogram.count = 6;
  histogram.positive_spans = {{0, 3}};
  histogram.positive_deltas = {1, 1, 1};
  EXPECT_THAT(ToFloatHistogram(histogram).positive_counts, ElementsAre(1, 2, 3));
}

TEST(HistogramMathTest, AddsBucketByBucket) {
  FloatHistogram sum = Exponential({1, 2, 3});
  FloatHistogram other = Exponential({10, 0, 20});
  other.positive_spans = {{2, 3}};
  EXPECT_TRUE(Add(sum, other).compatible);
  EXPECT_EQ(sum.count, 36);
  EXPECT_EQ(FormatHistogram(sum), "{count:36, sum:36, (0.5,1]:1, (1,2]:2, (2,4]:13, (8,16]:20}");
  EXPECT_TRUE(Subtract(sum, other).compatible);
  EXPECT_EQ(FormatHistogram(sum), "{count:6, sum:6, (0.5,1]:1, (1,2]:2, (2,4]:3}");
}

TEST(HistogramMathTest, MeetsAtTheLowerResolution) {
  FloatHistogram fine = Exponential({1, 2, 3, 4, 5}, 1);
  const FloatHistogram coarse = Exponential({10, 20}, 0);
  EXPECT_TRUE(Add(fine, coarse).compatible);
  EXPECT_EQ(fine.schema, 0);
  EXPECT_EQ(FormatHistogram(fine), "{count:45, sum:45, (0.5,1]:11, (1,2]:25, (2,4]:9}");
  EXPECT_EQ(FormatHistogram(WithSchema(coarse, -1)), "{count:30, sum:30, (0.25,1]:10, (1,4]:20}");
}

TEST(HistogramMathTest, MeetsAtTheLargerZeroBucket) {
  FloatHistogram narrow = Exponential({1, 2, 4});
  narrow.zero_count = 1;
  narrow.zero_threshold = 0.001;
  FloatHistogram wide = Exponential({0, 0, 8});
  wide.zero_count = 5;
  wide.zero_threshold = 1.5;  // Inside (1,2]: all of that bucket goes in.
  FloatHistogram sum = narrow;
  EXPECT_TRUE(Add(sum, wide).compatible);
  EXPECT_EQ(sum.zero_threshold, 2);
  EXPECT_EQ(sum.zero_count, 9);
  EXPECT_EQ(FormatHistogram(sum), "{count:15, sum:15, [-2,2]:9, (2,4]:12}");
  FloatHistogram turned = wide;
  EXPECT_TRUE(Add(turned, narrow).compatible);
  EXPECT_EQ(FormatHistogram(turned), FormatHistogram(sum));
}

TEST(HistogramMathTest, CustomBoundsMeetWhereBothHaveThem) {
  FloatHistogram sum = Custom({1, 2, 4}, {1, 2, 3, 4});
  const Combination combination = Add(sum, Custom({1, 4, 8}, {10, 20, 30, 40}));
  EXPECT_TRUE(combination.compatible);
  EXPECT_TRUE(combination.bounds_reconciled);
  EXPECT_THAT(sum.custom_values, ElementsAre(1, 4));
  EXPECT_EQ(FormatHistogram(sum), "{count:110, sum:110, [-Inf,1]:11, (1,4]:25, (4,+Inf]:74}");
  EXPECT_FALSE(Add(sum, Custom({1, 4}, {1})).bounds_reconciled);
  EXPECT_FALSE(Add(sum, Exponential({1})).compatible);
}

TEST(HistogramMathTest, Hints) {
  const auto hinted = [](ResetHint hint) {
    FloatHistogram histogram = Exponential({1});
    histogram.reset_hint = hint;
    return histogram;
  };
  FloatHistogram sum = hinted(ResetHint::kReset);
  EXPECT_TRUE(Add(sum, hinted(ResetHint::kNotReset)).reset_collision);
  EXPECT_EQ(sum.reset_hint, ResetHint::kUnknown);
  sum = hinted(ResetHint::kReset);
  EXPECT_FALSE(Add(sum, hinted(ResetHint::kGauge)).reset_collision);
  EXPECT_EQ(sum.reset_hint, ResetHint::kGauge);
  Scale(sum, 2);
  EXPECT_EQ(sum.count, 4);
  FloatHistogram negated = hinted(ResetHint::kUnknown);
  Scale(negated, -1);
  EXPECT_EQ(negated.reset_hint, ResetHint::kGauge);
  FloatHistogram nothing = hinted(ResetHint::kUnknown);
  Divide(nothing, 0);
  EXPECT_EQ(nothing.count, kInf);
  EXPECT_THAT(nothing.positive_counts, IsEmpty());
}

TEST(HistogramMathTest, Resets) {
  const FloatHistogram before = Exponential({1, 2, 3});
  EXPECT_FALSE(IsReset(Exponential({1, 2, 3, 4}), before));
  EXPECT_TRUE(IsReset(Exponential({1, 1, 5}), before));  // One bucket fell although the count grew.
  EXPECT_TRUE(IsReset(Exponential({9, 9}), before));     // One is gone.
  EXPECT_TRUE(IsReset(Exponential({1, 2, 3}, 1), before));
  EXPECT_FALSE(IsReset(Exponential({3, 4}, -1), Exponential({3, 0, 4})));
  EXPECT_TRUE(IsReset(Custom({1}, {9, 9}), before));
  FloatHistogram hinted = Exponential({0});
  hinted.reset_hint = ResetHint::kNotReset;
  EXPECT_FALSE(IsReset(hinted, before));
  FloatHistogram same = before;
  same.reset_hint = ResetHint::kReset;
  EXPECT_TRUE(IsReset(same, before));
  FloatHistogram wider = Exponential({0, 2, 3});
  wider.zero_count = 1;
  wider.count = 6;
  wider.zero_threshold = 1;
  EXPECT_FALSE(IsReset(wider, before));  // The first bucket is part of the zero bucket now.
  EXPECT_TRUE(IsReset(before, wider));
  EXPECT_FALSE(IsReset(Custom({1, 4}, {3, 4}), Custom({1, 2, 4}, {3, 2, 2})));
  EXPECT_TRUE(IsReset(Custom({1, 4}, {3, 4, 9}), Custom({1, 2, 4}, {3, 3, 2})));
}

TEST(HistogramMathTest, SameData) {
  FloatHistogram spelled = Exponential({1, 2});
  spelled.positive_spans = {{0, 1}, {0, 1}};
  EXPECT_TRUE(SameData(spelled, Exponential({1, 2})));
  spelled.reset_hint = ResetHint::kGauge;
  EXPECT_TRUE(SameData(spelled, Exponential({1, 2})));
  EXPECT_FALSE(SameData(Exponential({1, 2}), Exponential({1, 3})));
  FloatHistogram nan = Exponential({1});
  nan.sum = kNan;
  EXPECT_TRUE(SameData(nan, nan));
}

TEST(HistogramMathTest, SumIsCompensated) {
  HistogramSum sum(Exponential({1e100, 1}));
  EXPECT_TRUE(sum.Add(Exponential({1, 1})).compatible);
  EXPECT_TRUE(sum.Add(Exponential({-1e100, 1, 7})).compatible);
  const FloatHistogram total = sum.Total();
  EXPECT_THAT(total.positive_counts, ElementsAre(1, 3, 7));
  EXPECT_FALSE(sum.Add(Custom({1}, {1})).compatible);
  EXPECT_THAT(sum.Total().positive_counts, ElementsAre(1, 3, 7));
}

TEST(HistogramMathTest, SumReconcilesLayouts) {
  FloatHistogram wide = Exponential({0, 0, 8});
  wide.zero_count = 5;
  wide.zero_threshold = 2;
  HistogramSum sum(Exponential({1, 2, 4, 8, 16}, 1));
  EXPECT_TRUE(sum.Add(wide).compatible);
  EXPECT_EQ(FormatHistogram(sum.Total()), "{count:39, sum:39, [-2,2]:12, (2,4]:32}");
  HistogramSum custom(Custom({1, 2, 4}, {1, 2, 3, 4}));
  EXPECT_TRUE(custom.Add(Custom({1, 4, 8}, {10, 20, 30, 40})).bounds_reconciled);
  EXPECT_EQ(FormatHistogram(custom.Total()),
            "{count:110, sum:110, [-Inf,1]:11, (1,4]:25, (4,+Inf]:74}");
}

TEST(HistogramMathTest, AverageDoesNotOverflow) {
  const FloatHistogram huge = Exponential({1.5e308});
  HistogramAverage average(huge);
  EXPECT_TRUE(average.Add(huge).compatible);
  EXPECT_TRUE(average.Add(huge).compatible);
  EXPECT_DOUBLE_EQ(average.Value().count, 1.5e308);
  HistogramAverage small(Exponential({1, 2}));
  EXPECT_TRUE(small.Add(Exponential({3, 4})).compatible);
  EXPECT_THAT(small.Value().positive_counts, ElementsAre(2, 3));
}

// Whatever a store hands out, nothing crashes, hangs or reads outside its vectors.
class Hostile {
 public:
  explicit Hostile(std::uint64_t seed) : rng_(seed) {}

  FloatHistogram Next() {
    FloatHistogram histogram;
    histogram.schema = Pick<std::int32_t>(
        {0, 0, 1, 3, 8, -4, kCustomBucketsSchema, kCustomBucketsSchema, 52, -9, 1000,
         std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()});
    histogram.reset_hint = static_cast<ResetHint>(rng_.Next() % 4);
    histogram.zero_threshold = Value();
    histogram.zero_count = Value();
    histogram.count = Value();
    histogram.sum = Value();
    Side(histogram.positive_spans, histogram.positive_counts);
    Side(histogram.negative_spans, histogram.negative_counts);
    for (std::uint64_t i = rng_.Next() % 5; i > 0; --i) {
      histogram.custom_values.push_back(Value());
    }
    if (rng_.Next() % 2 == 0) std::ranges::sort(histogram.custom_values);
    return histogram;
  }

  double Value() {
    return Pick<double>({0, 1, 2.5, 100, -1, 1e-3, 1e308, -1e308, 5e-324, kInf, -kInf, kNan});
  }

 private:
  template <class T>
  T Pick(const std::vector<T>& choices) {
    return choices[rng_.Next() % choices.size()];
  }
  void Side(std::vector<HistogramSpan>& spans, std::vector<double>& counts) {
    for (std::uint64_t i = rng_.Next() % 4; i > 0; --i) {
      spans.push_back(
          {Pick<std::int32_t>({0, 1, -3, 1000, std::numeric_limits<std::int32_t>::min(),
                               std::numeric_limits<std::int32_t>::max()}),
           Pick<std::uint32_t>({0, 1, 2, 5, std::numeric_limits<std::uint32_t>::max()})});
    }
    for (std::uint64_t i = rng_.Next() % 8; i > 0; --i) {
      counts.push_back(Value());
    }
  }

  Rng rng_;
};

TEST(HistogramMathTest, HostileHistograms) {
  Hostile hostile(1);
  std::size_t text = 0;
  for (int i = 0; i < 5'000; ++i) {
    const FloatHistogram a = hostile.Next();
    const FloatHistogram b = hostile.Next();
    FloatHistogram result = a;
    Add(result, b);
    Subtract(result, a);
    Scale(result, hostile.Value());
    Divide(result, hostile.Value());
    Trim(result, hostile.Value(), TrimSide::kKeepLower);
    Trim(result, hostile.Value(), TrimSide::kKeepUpper);
    HistogramSum sum(a);
    sum.Add(b);
    sum.Add(a);
    HistogramAverage average(b);
    average.Add(a);
    text += FormatHistogram(result).size() + FormatHistogram(sum.Total()).size() +
            FormatHistogram(average.Value()).size();
    const double phi = hostile.Value();
    text += IsReset(a, b) + SameData(a, b) + std::isnan(HistogramQuantile(phi, a).value) +
            std::isnan(HistogramFraction(phi, hostile.Value(), b).value) +
            std::isnan(HistogramVariance(a));
  }
  EXPECT_GT(text, 0U);
}

TEST(HistogramTrimTest, ExponentialBuckets) {
  FloatHistogram histogram = Exponential({0, 4, 8});  // (1,2]: 4, (2,4]: 8.
  Trim(histogram, 2, TrimSide::kKeepLower);
  EXPECT_EQ(FormatHistogram(histogram), "{count:4, sum:5.656854249492381, (1,2]:4}");
  histogram = Exponential({0, 4, 8});
  Trim(histogram, std::sqrt(8),
       TrimSide::kKeepUpper);  // The middle of (2,4] on a logarithmic scale.
  ASSERT_EQ(histogram.positive_counts.size(), 1U);
  EXPECT_NEAR(histogram.count, 4, 1e-12);
  histogram = Exponential({0, 4, 8});
  Trim(histogram, 100, TrimSide::kKeepLower);
  EXPECT_EQ(histogram.sum, 12);  // Nothing was cut off: the true sum stays.
}

TEST(HistogramTrimTest, ZeroAndCustomBuckets) {
  FloatHistogram histogram = Exponential({});
  histogram.zero_count = 8;
  histogram.zero_threshold = 1;
  histogram.count = 8;
  Trim(histogram, 0.5, TrimSide::kKeepLower);
  EXPECT_EQ(histogram.zero_count, 6);
  EXPECT_EQ(histogram.sum, 6 * -0.25);
  FloatHistogram custom = Custom({2, 4}, {4, 4, 4});
  Trim(custom, 1, TrimSide::kKeepLower);  // The lowest bucket is taken to begin at 0.
  EXPECT_EQ(FormatHistogram(custom), "{count:2, sum:1, [-Inf,2]:2}");
  custom = Custom({2, 4}, {4, 4, 4});
  Trim(custom, 3, TrimSide::kKeepUpper);
  EXPECT_EQ(FormatHistogram(custom), "{count:6, sum:23, (2,4]:2, (4,+Inf]:4}");
}

TEST(HistogramQuantileTest, Exponential) {
  const FloatHistogram histogram = Exponential({0, 4, 4});  // (1,2]: 4, (2,4]: 4.
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.5, histogram).value, 2);
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.25, histogram).value, std::sqrt(2));
  EXPECT_DOUBLE_EQ(HistogramQuantile(1, histogram).value, 4);
  EXPECT_DOUBLE_EQ(HistogramQuantile(0, histogram).value, 1);
  EXPECT_EQ(HistogramQuantile(-1, histogram).value, -kInf);
  EXPECT_EQ(HistogramQuantile(2, histogram).value, kInf);
  EXPECT_TRUE(std::isnan(HistogramQuantile(kNan, histogram).value));
  EXPECT_TRUE(std::isnan(HistogramQuantile(0.5, FloatHistogram()).value));
}

TEST(HistogramQuantileTest, ZeroAndNegativeBuckets) {
  FloatHistogram histogram = Exponential({0, 4});
  histogram.zero_count = 4;
  histogram.zero_threshold = 0.5;
  histogram.count = 8;
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.25, histogram).value, 0.25);  // No negative buckets: from 0.
  FloatHistogram mirrored;
  mirrored.count = 4;
  mirrored.negative_spans = {{1, 1}};
  mirrored.negative_counts = {4};  // [-2,-1)
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.5, mirrored).value, -std::sqrt(2));
}

TEST(HistogramQuantileTest, CustomBuckets) {
  const FloatHistogram histogram = Custom({2, 4}, {4, 4, 2});
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.2, histogram).value, 1);
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.6, histogram).value, 3);
  EXPECT_DOUBLE_EQ(HistogramQuantile(1, histogram).value, 4);
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.1, Custom({-1, 4}, {4, 4})).value, -1);
}

TEST(HistogramQuantileTest, ObservationsOfNan) {
  FloatHistogram histogram = Exponential({0, 4, 4});
  histogram.count = 10;
  histogram.sum = kNan;
  EXPECT_TRUE(HistogramQuantile(0.95, histogram).is_nan_observation);
  EXPECT_TRUE(std::isnan(HistogramQuantile(0.95, histogram).value));
  const NativeQuantile inside = HistogramQuantile(0.8, histogram);
  EXPECT_TRUE(inside.skewed_by_nans);
  EXPECT_DOUBLE_EQ(inside.value, 4);
  EXPECT_TRUE(HistogramFraction(0, 2, histogram).excludes_nans);
  EXPECT_DOUBLE_EQ(HistogramFraction(0, 2, histogram).value, 0.4);
}

TEST(HistogramFractionTest, Fractions) {
  const FloatHistogram histogram = Exponential({0, 4, 4});
  EXPECT_DOUBLE_EQ(HistogramFraction(1, 2, histogram).value, 0.5);
  EXPECT_DOUBLE_EQ(HistogramFraction(-kInf, std::sqrt(2), histogram).value, 0.25);
  EXPECT_DOUBLE_EQ(HistogramFraction(-kInf, kInf, histogram).value, 1);
  EXPECT_EQ(HistogramFraction(3, 3, histogram).value, 0);
  EXPECT_TRUE(std::isnan(HistogramFraction(kNan, 3, histogram).value));
  EXPECT_TRUE(std::isnan(HistogramFraction(0, 3, FloatHistogram()).value));
  EXPECT_DOUBLE_EQ(HistogramFraction(1, 3, Custom({2, 4}, {4, 4})).value, 0.5);
}

TEST(HistogramVarianceTest, AroundTheMean) {
  FloatHistogram histogram = Custom({1, 3}, {0, 4});  // All in (1,3], as if at 2.
  histogram.sum = 8;
  EXPECT_DOUBLE_EQ(HistogramVariance(histogram), 0);
  histogram.sum = 4;
  EXPECT_DOUBLE_EQ(HistogramVariance(histogram), 1);
  FloatHistogram exponential = Exponential({0, 2, 0});
  exponential.sum = 2 * std::sqrt(2);
  EXPECT_NEAR(HistogramVariance(exponential), 0, 1e-15);
}

}  // namespace
}  // namespace sonde::promql
