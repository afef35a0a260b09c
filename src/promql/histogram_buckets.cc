#include "promql/histogram_buckets.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace sonde::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a bucket index can reach: sums of hostile span offsets stop here.
std::int32_t ClampIndex(std::int64_t index) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(index, std::numeric_limits<std::int32_t>::min() + 1,
                               std::numeric_limits<std::int32_t>::max() - 1));
}

// 2^(2^-n), as the reference has it: its square root of two is the next lower number.
double RootOfTwo(int n) {
  return n == 1 ? 0x1.6a09e667f3bccp+0 : std::exp2(std::ldexp(1.0, -n));
}

double CustomBound(std::int32_t index, const std::vector<double>& bounds) {
  if (index < 0) return -kInfinity;
  const auto at = static_cast<std::size_t>(index);
  return at < bounds.size() ? bounds[at] : kInfinity;
}

double Bound(const FloatHistogram& histogram, std::int32_t index) {
  return UsesCustomBuckets(histogram) ? CustomBound(index, histogram.custom_values)
                                      : ExponentialBound(index, histogram.schema);
}

}  // namespace

BucketList UnpackBuckets(std::span<const HistogramSpan> spans, std::span<const double> counts) {
  BucketList buckets;
  buckets.reserve(counts.size());
  std::int64_t index = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length; ++i) {
      if (buckets.size() == counts.size()) return buckets;
      buckets.push_back({ClampIndex(index), counts[buckets.size()]});
      ++index;
    }
  }
  return buckets;
}

void PackBuckets(const BucketList& buckets, std::vector<HistogramSpan>& spans,
                 std::vector<double>& counts) {
  spans.clear();
  counts.clear();
  std::int64_t next = 0;  // The index after the last packed bucket.
  for (const IndexedCount& bucket : buckets) {
    if (bucket.count == 0) continue;
    if (!spans.empty() && bucket.index == next) {
      ++spans.back().length;
    } else {
      spans.push_back({.offset = ClampIndex(bucket.index - next), .length = 1});
    }
    counts.push_back(bucket.count);
    next = static_cast<std::int64_t>(bucket.index) + 1;
  }
}

BucketList PositiveBuckets(const FloatHistogram& histogram) {
  return UnpackBuckets(histogram.positive_spans, histogram.positive_counts);
}

BucketList NegativeBuckets(const FloatHistogram& histogram) {
  return UnpackBuckets(histogram.negative_spans, histogram.negative_counts);
}

BucketList ReduceResolution(const BucketList& buckets, std::int32_t from, std::int32_t to) {
  if (from == to) return buckets;
  const std::int64_t difference = static_cast<std::int64_t>(from) - to;
  const int shift = static_cast<int>(std::clamp<std::int64_t>(difference, 0, 31));
  BucketList reduced;
  for (const IndexedCount& bucket : buckets) {
    const std::int32_t index = ((bucket.index - 1) >> shift) + 1;
    if (!reduced.empty() && reduced.back().index == index) {
      reduced.back().count += bucket.count;
    } else {
      reduced.push_back({index, bucket.count});
    }
  }
  return reduced;
}

double ExponentialBound(std::int32_t index, std::int32_t schema) {
  constexpr int kLastExponent =
      1024;  // 2^1024 is the first power of two beyond the finite numbers.
  schema = std::clamp(schema, -16,
                      52);  // Far wider than what is valid: for histograms that nobody checked.
  if (schema <= 0) {
    const std::int64_t exponent = static_cast<std::int64_t>(index) << -schema;
    if (exponent == kLastExponent) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(std::clamp<std::int64_t>(exponent, -5000, 5000)));
  }
  // One factor per binary digit of the fraction, the largest first. So come the reference's bounds
  // about, whose last digits users see.
  double bound = 1;
  for (int digit = 1; digit <= schema; ++digit) {
    const int shift = schema - digit;
    if (shift < 31 && ((index >> shift) & 1) != 0) bound *= RootOfTwo(digit);
  }
  const std::int32_t exponent = index >> std::min(schema, 31);
  if (bound == 1) return ExponentialBound(exponent, 0);
  return std::ldexp(bound, exponent);
}

HistogramBucket PositiveBucket(const FloatHistogram& histogram, const IndexedCount& bucket) {
  HistogramBucket result{.lower = Bound(histogram, bucket.index - 1),
                         .upper = Bound(histogram, bucket.index),
                         .count = bucket.count};
  result.lower_inclusive = UsesCustomBuckets(histogram) ? bucket.index == 0 : result.lower < 0;
  result.upper_inclusive = UsesCustomBuckets(histogram) || result.upper > 0;
  return result;
}

HistogramBucket NegativeBucket(const FloatHistogram& histogram, const IndexedCount& bucket) {
  HistogramBucket result{.lower = -Bound(histogram, bucket.index),
                         .upper = -Bound(histogram, bucket.index - 1),
                         .count = bucket.count};
  result.lower_inclusive = result.lower < 0;
  result.upper_inclusive = result.upper > 0;
  return result;
}

HistogramBucket ZeroBucket(const FloatHistogram& histogram) {
  return {.lower = -histogram.zero_threshold,
          .upper = histogram.zero_threshold,
          .lower_inclusive = true,
          .upper_inclusive = true,
          .count = histogram.zero_count};
}

std::vector<HistogramBucket> AllBuckets(const FloatHistogram& histogram) {
  const double zero = histogram.zero_threshold;
  std::vector<HistogramBucket> all;
  const BucketList negative = NegativeBuckets(histogram);
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) {
    all.push_back(NegativeBucket(histogram, *it));
    if (all.back().upper < 0 && all.back().upper > -zero) all.back().upper = -zero;
  }
  if (histogram.zero_count > 0) all.push_back(ZeroBucket(histogram));
  for (const IndexedCount& bucket : PositiveBuckets(histogram)) {
    all.push_back(PositiveBucket(histogram, bucket));
    if (all.back().lower > 0 && all.back().lower < zero) all.back().lower = zero;
  }
  return all;
}

double FractionBelow(const HistogramBucket& bucket, double v, bool linear) {
  if (linear) return (v - bucket.lower) / (bucket.upper - bucket.lower);
  const double log_lower = std::log2(std::fabs(bucket.lower));
  const double log_upper = std::log2(std::fabs(bucket.upper));
  const double log_v = std::log2(std::fabs(v));
  if (v > 0) return (log_v - log_lower) / (log_upper - log_lower);
  return 1 - (log_v - log_upper) / (log_lower - log_upper);
}

}  // namespace sonde::promql
