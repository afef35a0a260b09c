#pragma once

#include <vector>

// Quantiles and fractions of classic histograms: cumulative bucket counts, each a series with a
// `le` label.

namespace sonde::promql {

/// One bucket: `count` observations were at most `upper_bound`.
struct ClassicBucket {
  double upper_bound = 0;
  double count = 0;
};

/// What repairing the buckets of a histogram had to change.
struct MonotonicityRepair {
  bool forced = false;    ///< Some count was lower than the one below it by more than rounding.
  double min_bucket = 0;  ///< Lowest and highest bound whose count was raised.
  double max_bucket = 0;
  double max_difference = 0;
};

struct ClassicQuantile {
  double value = 0;
  MonotonicityRepair repair{};
};

/// The φ-quantile, linear within a bucket. `buckets` holds at least one, in any order.
///
/// φ NaN, no +Inf bucket, fewer than two different bounds or no observations: NaN. φ < 0: -Inf, φ >
/// 1: +Inf. In the highest bucket the answer is the second highest bound; in the lowest bucket,
/// interpolation starts at 0 or, if its bound is not positive, the answer is that bound.
ClassicQuantile BucketQuantile(double phi, std::vector<ClassicBucket> buckets);

/// The fraction of observations between `lower` and `upper`, with the same interpolation. `buckets`
/// holds at least one.
double BucketFraction(double lower, double upper, std::vector<ClassicBucket> buckets);

}  // namespace sonde::promql
