#include "promql/numerics.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "promql/top_k.h"

namespace sonde::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

double Sum(const std::vector<double>& values) {
  KahanSum sum;
  for (const double v : values) {
    sum.Add(v);
  }
  return sum.Total();
}

double Mean(const std::vector<double>& values) {
  RunningMean mean;
  for (const double v : values) {
    mean.Add(v);
  }
  return mean.Value();
}

std::vector<FloatSample> Samples(const std::vector<double>& values) {
  std::vector<FloatSample> samples;
  for (const double v : values) {
    samples.push_back({{static_cast<std::int64_t>(samples.size()) * 1000}, v});
  }
  return samples;
}

TEST(NumericsTest, SumKeepsWhatASimpleSumLoses) {
  EXPECT_EQ(Sum({1, 1e100, 1, -1e100}), 2);
  EXPECT_EQ(Sum(std::vector<double>(10, 0.1)), 1);
  EXPECT_EQ(Sum({5e-324, 1, -1}), 5e-324);
}

TEST(NumericsTest, SumOfInfinitiesIsInfinite) {
  EXPECT_EQ(Sum({1, kInf, 2}), kInf);
  EXPECT_EQ(Sum({-kInf, 1}), -kInf);
  EXPECT_EQ(Sum({1e308, 1e308, -1e308}), kInf);
  EXPECT_TRUE(std::isnan(Sum({kInf, -kInf})));
  EXPECT_TRUE(std::isnan(Sum({1, kNan})));
}

TEST(NumericsTest, MeanSwitchesToIncrementalBeforeTheSumOverflows) {
  EXPECT_EQ(Mean({1, 2, 3}), 2);
  EXPECT_EQ(Mean({9.988465674311579e+307, 9.988465674311579e+307}), 9.988465674311579e+307);
  EXPECT_EQ(Mean({1.7e308, 1.7e308, 1.7e308}), 1.7e308);
  EXPECT_LT(std::fabs(Mean({-1.7e308, -1.7e308, 1.7e308, 1.7e308})), 1e-16 * 1.7e308);
  EXPECT_EQ(Mean({kInf, 1}), kInf);
  EXPECT_EQ(Mean({-kInf, -kInf, 5}), -kInf);
  EXPECT_TRUE(std::isnan(Mean({kInf, -kInf})));
  EXPECT_EQ(Mean({1, 1e100, 1, -1e100}), 0.5);
}

TEST(NumericsTest, Variance) {
  AggregateVariance variance;
  for (const double v : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) {
    variance.Add(v);
  }
  EXPECT_EQ(variance.Value(), 4);
  EXPECT_EQ(VarianceOf(Samples({2, 4, 4, 4, 5, 5, 7, 9})), 4);
  EXPECT_EQ(VarianceOf(Samples({1.5})), 0);
  // Far from zero, where the difference of two squares would be all rounding.
  EXPECT_NEAR(VarianceOf(Samples({1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16})), 22.5, 1e-9);

  AggregateVariance infinite;
  infinite.Add(kInf);
  EXPECT_TRUE(std::isnan(infinite.Value()));
}

TEST(NumericsTest, Quantile) {
  EXPECT_EQ(Quantile(0.5, {3, 1, 2}), 2);
  EXPECT_EQ(Quantile(0.5, {4, 1, 2, 3}), 2.5);
  EXPECT_EQ(Quantile(0, {3, 1}), 1);
  EXPECT_EQ(Quantile(1, {3, 1}), 3);
  EXPECT_EQ(Quantile(-0.1, {3, 1}), -kInf);
  EXPECT_EQ(Quantile(1.1, {3, 1}), kInf);
  EXPECT_TRUE(std::isnan(Quantile(kNan, {1})));
  EXPECT_TRUE(std::isnan(Quantile(0.5, {})));
  EXPECT_TRUE(std::isnan(Quantile(0, {1, kNan, 2})));  // NaN ranks lowest.
  EXPECT_EQ(Quantile(1, {1, kNan, 2}), 2);
}

TEST(NumericsTest, LinearRegression) {
  const Line line = LinearRegression(Samples({1, 3, 5, 7}), {3000});
  EXPECT_DOUBLE_EQ(line.slope, 2);
  EXPECT_DOUBLE_EQ(line.intercept, 7);
  const Line flat = LinearRegression(Samples({0.1, 0.1, 0.1}), {1'500'000'000'000});
  EXPECT_EQ(flat.slope, 0);
  EXPECT_EQ(flat.intercept, 0.1);
  EXPECT_TRUE(std::isnan(LinearRegression(Samples({kInf, kInf}), {0}).slope));
  EXPECT_TRUE(std::isnan(LinearRegression(Samples({kNan, kNan}), {0}).slope));
}

TEST(NumericsTest, Interpolate) {
  EXPECT_EQ(Interpolate({{0}, 10}, {{1000}, 20}, {250}, false), 12.5);
  EXPECT_EQ(Interpolate({{0}, 10}, {{1000}, 4}, {500}, false), 7);
  EXPECT_EQ(Interpolate({{0}, 10}, {{1000}, 4}, {500}, true), 2);  // The counter restarted from 0.
}

TEST(NumericsTest, MaxAndMinAsGo) {
  EXPECT_EQ(GoMax(1, 2), 2);
  EXPECT_TRUE(std::isnan(GoMax(1, kNan)));
  EXPECT_EQ(GoMax(kInf, kNan), kInf);
  EXPECT_EQ(GoMin(-kInf, kNan), -kInf);
  EXPECT_TRUE(std::isnan(GoMin(kInf, kNan)));
  EXPECT_FALSE(std::signbit(GoMax(-0.0, 0.0)));
  EXPECT_TRUE(std::signbit(GoMin(0.0, -0.0)));
}

TEST(NumericsTest, AlmostEqual) {
  EXPECT_TRUE(AlmostEqual(1, 1 + 1e-9, 1e-6));
  EXPECT_FALSE(AlmostEqual(1, 1 + 1e-5, 1e-6));
  EXPECT_TRUE(AlmostEqual(kNan, -kNan, 1e-6));
  EXPECT_FALSE(AlmostEqual(kNan, StaleNan(), 1e-6));
  EXPECT_TRUE(AlmostEqual(StaleNan(), StaleNan(), 1e-6));
  EXPECT_FALSE(AlmostEqual(0, 1e-300, 1e-6));
  EXPECT_TRUE(AlmostEqual(0, 5e-324, 1));
  EXPECT_TRUE(AlmostEqual(kInf, kInf, 1e-6));
  EXPECT_FALSE(AlmostEqual(kInf, -kInf, 1e-6));
}

std::vector<std::size_t> Select(TopK selection, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    selection.Offer(values[i], i);
  }
  return selection.Take();
}

TEST(TopKTest, Selects) {
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(Select(TopK(2, TopK::Order::kLargest), {3, 9, 4, 7}), (Indices{1, 3}));
  EXPECT_EQ(Select(TopK(2, TopK::Order::kSmallest), {3, 9, 4, 7}), (Indices{0, 2}));
  EXPECT_EQ(Select(TopK(9, TopK::Order::kLargest), {3, 9}), (Indices{1, 0}));
  EXPECT_EQ(Select(TopK(0, TopK::Order::kLargest), {3, 9}), Indices());
  EXPECT_EQ(Select(TopK(3, TopK::Order::kLargest), {kNan, 1, kNan, 2}), (Indices{3, 1, 0}));
  EXPECT_EQ(Select(TopK(2, TopK::Order::kSmallest), {kNan, 1, kInf}), (Indices{1, 2}));
}

// The better value replaces the worst on top of the heap, which of two equals is the one that came
// first.
TEST(TopKTest, TiesFallAsTheHeapHasThem) {
  EXPECT_EQ(Select(TopK(2, TopK::Order::kLargest), {1, 1, 2}), (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(Select(TopK(1, TopK::Order::kLargest), {5, 5}), (std::vector<std::size_t>{0}));
}

}  // namespace
}  // namespace sonde::promql
