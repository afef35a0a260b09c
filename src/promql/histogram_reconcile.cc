#include "promql/histogram_reconcile.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace sonde::promql {

bool CombineHints(ResetHint& hint, ResetHint other) {
  if (hint == other || hint == ResetHint::kGauge) return false;
  if (other == ResetHint::kGauge) {
    hint = ResetHint::kGauge;
    return false;
  }
  const bool collision = hint != ResetHint::kUnknown && other != ResetHint::kUnknown;
  hint = ResetHint::kUnknown;
  return collision;
}

ZeroCount ZeroCountAt(const FloatHistogram& histogram, double threshold) {
  if (!(threshold > histogram.zero_threshold)) return {KahanSum(histogram.zero_count), threshold};
  const BucketList positive = PositiveBuckets(histogram);
  const BucketList negative = NegativeBuckets(histogram);
  for (;;) {
    ZeroCount zero{KahanSum(histogram.zero_count), threshold};
    for (const IndexedCount& counted : positive) {
      const HistogramBucket bucket = PositiveBucket(histogram, counted);
      if (bucket.lower >= zero.threshold) break;
      zero.count.Add(bucket.count);
      if (bucket.upper <= zero.threshold) continue;
      if (bucket.count != 0) zero.threshold = bucket.upper;
      break;
    }
    threshold = zero.threshold;
    for (const IndexedCount& counted : negative) {
      const HistogramBucket bucket = NegativeBucket(histogram, counted);
      if (bucket.upper <= -threshold) break;
      zero.count.Add(bucket.count);
      if (bucket.lower >= -threshold) continue;
      // The positive side has to be counted again up to the new threshold.
      if (bucket.count != 0) threshold = -bucket.lower;
      break;
    }
    if (threshold == zero.threshold) return zero;
  }
}

BucketList OutsideZeroBucket(BucketList buckets, std::int32_t schema, double threshold) {
  const auto outside = std::ranges::find_if(buckets, [&](const IndexedCount& bucket) {
    return ExponentialBound(bucket.index, schema) > threshold;
  });
  buckets.erase(buckets.begin(), outside);
  return buckets;
}

std::vector<double> CommonBounds(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  return common;
}

std::int32_t BucketAmong(const std::vector<double>& to, const std::vector<double>& from,
                         std::int32_t index) {
  const auto at = static_cast<std::size_t>(std::max(index, 0));
  if (at >= from.size()) return static_cast<std::int32_t>(to.size());
  return static_cast<std::int32_t>(std::ranges::lower_bound(to, from[at]) - to.begin());
}

}  // namespace sonde::promql
