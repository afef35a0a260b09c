#include "promql/quantile.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace sonde::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Buckets = std::vector<ClassicBucket>;

TEST(BucketQuantileTest, InterpolatesInsideABucket) {
  const Buckets buckets = {{10, 10}, {20, 30}, {kInf, 40}};
  EXPECT_DOUBLE_EQ(BucketQuantile(0.125, buckets).value, 5);
  EXPECT_DOUBLE_EQ(BucketQuantile(0.25, buckets).value, 10);
  EXPECT_DOUBLE_EQ(BucketQuantile(0.5, buckets).value, 15);
  EXPECT_DOUBLE_EQ(BucketQuantile(0.9, buckets).value, 20);  // In the bucket without an end.
  EXPECT_DOUBLE_EQ(BucketQuantile(0, buckets).value, 0);
}

TEST(BucketQuantileTest, SpecialCases) {
  const Buckets buckets = {{1, 5}, {kInf, 10}};
  EXPECT_TRUE(std::isnan(BucketQuantile(std::nan(""), buckets).value));
  EXPECT_EQ(BucketQuantile(-0.01, buckets).value, -kInf);
  EXPECT_EQ(BucketQuantile(1.01, buckets).value, kInf);
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {{1, 5}, {2, 10}}).value));  // No +Inf.
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {{kInf, 10}}).value));
  EXPECT_TRUE(std::isnan(BucketQuantile(0.5, {{1, 0}, {kInf, 0}}).value));
  EXPECT_EQ(BucketQuantile(0.1, {{-1, 5}, {kInf, 10}}).value, -1);
}

TEST(BucketQuantileTest, OrderAndEqualBoundsDoNotMatter) {
  const Buckets buckets = {{kInf, 40}, {20, 10}, {10, 10}, {20, 20}};
  EXPECT_DOUBLE_EQ(BucketQuantile(0.5, buckets).value, 15);
  EXPECT_FALSE(BucketQuantile(0.5, buckets).repair.forced);
}

TEST(BucketQuantileTest, RaisesCountsThatFall) {
  const ClassicQuantile quantile =
      BucketQuantile(0.5, {{1, 10}, {2, 7}, {3, 12}, {4, 11}, {kInf, 20}});
  EXPECT_TRUE(quantile.repair.forced);
  EXPECT_EQ(quantile.repair.min_bucket, 2);
  EXPECT_EQ(quantile.repair.max_bucket, 4);
  EXPECT_EQ(quantile.repair.max_difference, 3);
  EXPECT_EQ(quantile.value, 1);
}

TEST(BucketQuantileTest, RoundingIsNoFall) {
  const ClassicQuantile quantile = BucketQuantile(0.5, {{1, 10}, {2, 10 - 1e-12}, {kInf, 20}});
  EXPECT_FALSE(quantile.repair.forced);
  EXPECT_EQ(quantile.value, 1);
}

TEST(BucketFractionTest, Fractions) {
  const Buckets buckets = {{10, 10}, {20, 30}, {kInf, 40}};
  EXPECT_DOUBLE_EQ(BucketFraction(0, 10, buckets), 0.25);
  EXPECT_DOUBLE_EQ(BucketFraction(5, 15, buckets), 0.375);
  EXPECT_DOUBLE_EQ(BucketFraction(-kInf, kInf, buckets), 1);
  EXPECT_DOUBLE_EQ(BucketFraction(20, kInf, buckets), 0.25);
  EXPECT_DOUBLE_EQ(BucketFraction(0, 1000, buckets), 0.75);  // Nothing of the last bucket.
  EXPECT_EQ(BucketFraction(15, 15, buckets), 0);
  EXPECT_EQ(BucketFraction(16, 15, buckets), 0);
  EXPECT_TRUE(std::isnan(BucketFraction(std::nan(""), 15, buckets)));
  EXPECT_TRUE(std::isnan(BucketFraction(0, 15, {{10, 10}})));
  EXPECT_TRUE(std::isnan(BucketFraction(0, 15, {{10, 0}, {kInf, 0}})));
  EXPECT_DOUBLE_EQ(BucketFraction(-5, 0, {{-1, 4}, {1, 8}, {kInf, 8}}), 0.25);
}

}  // namespace
}  // namespace sonde::promql
