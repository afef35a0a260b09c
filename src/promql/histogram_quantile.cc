#include "promql/histogram_quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "promql/histogram_buckets.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool IsZeroBucket(const HistogramBucket& bucket) {
  return bucket.lower <= 0 && bucket.upper >= 0;
}

// With observations on one side only, the zero bucket is taken to reach to zero from that side.
void CutZeroBucket(HistogramBucket& bucket, const FloatHistogram& histogram) {
  const bool positive = !histogram.positive_counts.empty();
  const bool negative = !histogram.negative_counts.empty();
  if (positive && !negative) bucket.lower = 0;
  if (negative && !positive) bucket.upper = 0;
}

double ValueInside(const HistogramBucket& bucket, double fraction, bool linear) {
  if (linear) return bucket.lower + (bucket.upper - bucket.lower) * fraction;
  const double log_lower = std::log2(std::fabs(bucket.lower));
  const double log_upper = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) return std::exp2(log_lower + (log_upper - log_lower) * fraction);
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

// The buckets up to the one that holds the rank, counted from the lower or the upper end.
struct Search {
  HistogramBucket bucket;
  double counted = 0;    // Up to and including `bucket`.
  std::size_t next = 0;  // The bucket after it.
};

Search FindRank(const std::vector<HistogramBucket>& buckets, double rank) {
  Search search;
  while (search.next < buckets.size()) {
    search.bucket = buckets[search.next++];
    if (search.bucket.count == 0) continue;
    search.counted += search.bucket.count;
    if (search.counted >= rank) break;
  }
  return search;
}

}  // namespace

NativeQuantile HistogramQuantile(double phi, const FloatHistogram& histogram) {
  if (phi < 0) return {.value = -kInfinity};
  if (phi > 1) return {.value = kInfinity};
  if (histogram.count == 0 || std::isnan(phi)) return {.value = kNan};
  const bool custom = UsesCustomBuckets(histogram);
  const bool has_nan_sum = std::isnan(histogram.sum);
  // From the nearer end, for precision; but observations of NaN are missing at the upper one.
  const bool upwards = has_nan_sum || phi < 0.5;
  std::vector<HistogramBucket> buckets = AllBuckets(histogram);
  if (!upwards) std::ranges::reverse(buckets);
  const double rank = (upwards ? phi : 1 - phi) * histogram.count;
  Search found = FindRank(buckets, rank);
  HistogramBucket& bucket = found.bucket;
  if (custom) {
    if (bucket.lower == -kInfinity) {
      if (bucket.upper <= 0) return {.value = bucket.upper};
      bucket.lower = 0;
    } else if (bucket.upper == kInfinity) {
      return {.value = bucket.lower};
    }
  } else if (bucket.lower < 0 && bucket.upper > 0) {
    CutZeroBucket(bucket, histogram);
  }
  double counted = std::min(found.counted, histogram.count);
  if (counted < rank) {
    if (has_nan_sum) return {.value = kNan, .is_nan_observation = true};
    return {.value = bucket.upper};
  }
  const double inside = upwards ? rank - (counted - bucket.count) : counted - rank;
  NativeQuantile result;
  if (has_nan_sum) {
    for (std::size_t i = found.next; i < buckets.size(); ++i) {
      counted += buckets[i].count;
    }
    result.skewed_by_nans = counted < histogram.count;
    // The reference goes on from the last bucket that it looked at.
    if (found.next < buckets.size()) bucket = buckets.back();
  }
  result.value = ValueInside(bucket, inside / bucket.count, custom || IsZeroBucket(bucket));
  return result;
}

NativeFraction HistogramFraction(double lower, double upper, const FloatHistogram& histogram) {
  if (histogram.count == 0 || std::isnan(lower) || std::isnan(upper)) return {.value = kNan};
  if (lower >= upper) return {.value = 0};
  const bool custom = UsesCustomBuckets(histogram);
  // Observations up to `bound`, if this bucket tells: it begins behind the bound or surrounds it.
  const auto rank_at = [&](double bound, const HistogramBucket& bucket, bool zero,
                           double below) -> std::optional<double> {
    if (bucket.lower >= bound) return below;
    if (!(bucket.upper > bound)) return std::nullopt;
    const bool linear = custom || zero;
    // A bucket without a lower end cannot be divided: all of it counts.
    if (linear && bucket.lower == -kInfinity) return bucket.count;
    return below + bucket.count * FractionBelow(bucket, bound, linear);
  };
  std::optional<double> lower_rank;
  std::optional<double> upper_rank;
  double below = 0;
  double counted = 0;
  for (HistogramBucket bucket : AllBuckets(histogram)) {
    counted += bucket.count;
    const bool zero = IsZeroBucket(bucket);
    if (zero) CutZeroBucket(bucket, histogram);
    if (!lower_rank) lower_rank = rank_at(lower, bucket, zero, below);
    if (!upper_rank) upper_rank = rank_at(upper, bucket, zero, below);
    below += bucket.count;
  }
  NativeFraction result;
  if (std::isnan(histogram.sum)) {
    result.excludes_nans = counted < histogram.count;
  } else {
    counted = histogram.count;
  }
  const double low = std::min(lower_rank.value_or(counted), counted);
  const double high = std::min(upper_rank.value_or(counted), counted);
  result.value = (high - low) / histogram.count;
  return result;
}

double HistogramVariance(const FloatHistogram& histogram) {
  const double mean = histogram.sum / histogram.count;
  KahanSum squares;
  for (const HistogramBucket& bucket : AllBuckets(histogram)) {
    if (bucket.count == 0) continue;
    double middle = 0;
    if (UsesCustomBuckets(histogram)) {
      middle = (bucket.upper + bucket.lower) / 2;
    } else if (!IsZeroBucket(bucket)) {
      middle = std::sqrt(bucket.upper * bucket.lower);
      if (bucket.upper < 0) middle = -middle;
    }
    const double delta = middle - mean;
    squares.Add(bucket.count * delta * delta);
  }
  return squares.Total() / histogram.count;
}

}  // namespace sonde::promql
