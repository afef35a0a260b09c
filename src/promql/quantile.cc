#include "promql/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include "base/check.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Differences between neighbouring counts below this share of their sum are rounding of the sums
// that made them.
constexpr double kRoundingTolerance = 1e-12;

void SortByBound(std::vector<ClassicBucket>& buckets) {
  std::ranges::stable_sort(buckets, std::less<>(), &ClassicBucket::upper_bound);
}

// Adds up the counts of equal bounds. The buckets are sorted.
void MergeEqualBounds(std::vector<ClassicBucket>& buckets) {
  std::size_t last = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper_bound == buckets[last].upper_bound) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  buckets.resize(last + 1);
}

// A bucket counts what the lower ones count and more; where the data says otherwise the lower count
// is carried up.
MonotonicityRepair MakeMonotonic(std::vector<ClassicBucket>& buckets) {
  MonotonicityRepair repair{.min_bucket = kInfinity, .max_bucket = -kInfinity};
  double previous = buckets.front().count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    ClassicBucket& bucket = buckets[i];
    if (bucket.count == previous) continue;
    if (AlmostEqual(previous, bucket.count, kRoundingTolerance)) {
      bucket.count = previous;
      continue;
    }
    if (bucket.count < previous) {
      repair.forced = true;
      repair.min_bucket = std::min(repair.min_bucket, bucket.upper_bound);
      repair.max_bucket = std::max(repair.max_bucket, bucket.upper_bound);
      repair.max_difference = std::max(repair.max_difference, previous - bucket.count);
      bucket.count = previous;
      continue;
    }
    previous = bucket.count;
  }
  return repair;
}

double InterpolatedQuantile(double phi, const std::vector<ClassicBucket>& buckets) {
  if (buckets.size() < 2) return kNan;
  const double observations = buckets.back().count;
  if (observations == 0) return kNan;
  double rank = phi * observations;
  std::size_t b = 0;
  while (b + 1 < buckets.size() && !(buckets[b].count >= rank)) {
    ++b;
  }
  if (b + 1 == buckets.size()) return buckets[buckets.size() - 2].upper_bound;
  if (b == 0 && buckets[0].upper_bound <= 0) return buckets[0].upper_bound;
  double start = 0;
  double count = buckets[b].count;
  if (b > 0) {
    start = buckets[b - 1].upper_bound;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  return start + (buckets[b].upper_bound - start) * (rank / count);
}

// Observations at or below `bound`: found in the first bucket that reaches or surrounds it, else
// nothing.
std::optional<double> RankWithin(double bound, double lower, const ClassicBucket& bucket,
                                 double below) {
  if (lower >= bound) return below;
  if (!(bucket.upper_bound > bound)) return std::nullopt;
  // A bucket without a lower end cannot be divided: all of it counts.
  if (lower == -kInfinity) return bucket.count;
  return below + (bucket.count - below) * (bound - lower) / (bucket.upper_bound - lower);
}

}  // namespace

ClassicQuantile BucketQuantile(double phi, std::vector<ClassicBucket> buckets) {
  CHECK(!buckets.empty());
  if (std::isnan(phi)) return {.value = kNan};
  if (phi < 0) return {.value = -kInfinity};
  if (phi > 1) return {.value = kInfinity};
  SortByBound(buckets);
  if (buckets.back().upper_bound != kInfinity) return {.value = kNan};
  MergeEqualBounds(buckets);
  ClassicQuantile result;
  result.repair = MakeMonotonic(buckets);
  result.value = InterpolatedQuantile(phi, buckets);
  return result;
}

double BucketFraction(double lower, double upper, std::vector<ClassicBucket> buckets) {
  CHECK(!buckets.empty());
  SortByBound(buckets);
  if (buckets.back().upper_bound != kInfinity) return kNan;
  MergeEqualBounds(buckets);
  const double observations = buckets.back().count;
  if (observations == 0 || std::isnan(lower) || std::isnan(upper)) return kNan;
  if (lower >= upper) return 0;
  std::optional<double> lower_rank;
  std::optional<double> upper_rank;
  double below = 0;
  double bucket_lower = buckets.front().upper_bound > 0 ? 0 : -kInfinity;
  for (const ClassicBucket& bucket : buckets) {
    if (!lower_rank) lower_rank = RankWithin(lower, bucket_lower, bucket, below);
    if (!upper_rank) upper_rank = RankWithin(upper, bucket_lower, bucket, below);
    below = bucket.count;
    bucket_lower = bucket.upper_bound;
  }
  const double low = std::min(lower_rank.value_or(observations), observations);
  const double high = std::min(upper_rank.value_or(observations), observations);
  return (high - low) / observations;
}

}  // namespace sonde::promql
