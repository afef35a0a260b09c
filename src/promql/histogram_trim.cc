#include <cmath>

#include "promql/histogram_buckets.h"
#include "promql/histogram_math.h"

namespace sonde::promql {
namespace {

// What is left of a bucket, and the value around which that lies.
struct Remainder {
  double count = 0;
  double middle = 0;
};

double FiniteOrZero(double v) {
  return std::isinf(v) ? 0 : v;
}

// The middle of an interval: on a linear scale, or on the logarithmic one of the positive or
// negative buckets.
double Middle(double lower, double upper, bool linear, bool positive) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double mean = std::sqrt(std::fabs(lower * upper));
  return positive ? mean : -mean;
}

// Of a bucket without a lower end, `at` inside it. With a positive upper bound it is taken to begin
// at zero; else nothing is known about where in it observations lie.
Remainder TrimBottomless(const HistogramBucket& bucket, double at, TrimSide side) {
  const bool divisible = bucket.upper > 0 && !std::isinf(bucket.upper);
  if (side == TrimSide::kKeepLower) {
    if (at > 0 && divisible) return {bucket.count * at / bucket.upper, at / 2};
    if (bucket.upper <= 0) return {bucket.count, at};
    return {0, FiniteOrZero(bucket.upper)};
  }
  if (at >= 0 && divisible) {
    return {bucket.count * (1 - at / bucket.upper), (at + bucket.upper) / 2};
  }
  return {0, FiniteOrZero(bucket.upper)};
}

// Of a bucket that surrounds `at`.
Remainder TrimInside(const HistogramBucket& bucket, double at, TrimSide side, bool linear,
                     bool positive) {
  if (std::isinf(bucket.lower)) return TrimBottomless(bucket, at, side);
  if (std::isinf(bucket.upper)) {
    if (side == TrimSide::kKeepLower) return {0, FiniteOrZero(bucket.lower)};
    return {bucket.count, at};
  }
  const double under = bucket.count * FractionBelow(bucket, at, linear);
  if (side == TrimSide::kKeepLower) return {under, Middle(bucket.lower, at, linear, positive)};
  return {bucket.count - under, Middle(at, bucket.upper, linear, positive)};
}

Remainder TrimBucket(const HistogramBucket& bucket, double at, TrimSide side, bool linear,
                     bool positive) {
  const bool lower = side == TrimSide::kKeepLower;
  const bool all = lower ? bucket.upper <= at : bucket.lower >= at;
  if (all) return {bucket.count, Middle(bucket.lower, bucket.upper, linear, positive)};
  const bool some = lower ? bucket.lower < at : bucket.upper > at;
  return some ? TrimInside(bucket, at, side, linear, positive) : Remainder{};
}

// `bucket` reaches only to zero on a side without observations.
Remainder TrimZeroBucket(const HistogramBucket& bucket, double at, TrimSide side) {
  const double lower = bucket.lower;
  const double upper = bucket.upper;
  const bool keep_lower = side == TrimSide::kKeepLower;
  if (at <= lower) return keep_lower ? Remainder{} : Remainder{bucket.count, (lower + upper) / 2};
  if (at >= upper) return keep_lower ? Remainder{bucket.count, (lower + upper) / 2} : Remainder{};
  if (keep_lower) return {bucket.count * ((at - lower) / (upper - lower)), (lower + at) / 2};
  return {bucket.count * ((upper - at) / (upper - lower)), (at + upper) / 2};
}

}  // namespace

void Trim(FloatHistogram& histogram, double at, TrimSide side) {
  const bool custom = UsesCustomBuckets(histogram);
  double count = 0;
  double sum = 0;
  bool trimmed = false;
  const auto trim_side = [&](BucketList& buckets, bool positive) {
    bool populated = false;
    for (IndexedCount& counted : buckets) {
      if (counted.count == 0) continue;
      populated = true;
      const HistogramBucket bucket =
          positive ? PositiveBucket(histogram, counted) : NegativeBucket(histogram, counted);
      const Remainder left = TrimBucket(bucket, at, side, custom, positive);
      trimmed = trimmed || left.count != counted.count;
      counted.count = left.count;
      count += left.count;
      sum += left.middle * left.count;
    }
    return populated;
  };
  BucketList positive = PositiveBuckets(histogram);
  BucketList negative = NegativeBuckets(histogram);
  const bool has_positive = trim_side(positive, true);
  const bool has_negative = trim_side(negative, false);
  double zero_count = histogram.zero_count;
  if (zero_count > 0) {
    HistogramBucket bucket = ZeroBucket(histogram);
    if (has_negative && !has_positive) bucket.upper = 0;
    if (has_positive && !has_negative) bucket.lower = 0;
    const Remainder left = TrimZeroBucket(bucket, at, side);
    trimmed = trimmed || left.count != zero_count;
    zero_count = left.count;
    count += left.count;
    sum += left.middle * left.count;
  }
  if (!trimmed) return;
  histogram.count = count;
  histogram.sum = sum;
  histogram.zero_count = zero_count;
  PackBuckets(positive, histogram.positive_spans, histogram.positive_counts);
  PackBuckets(negative, histogram.negative_spans, histogram.negative_counts);
}

}  // namespace sonde::promql
