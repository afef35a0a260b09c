#pragma once

#include <cstdint>
#include <vector>

#include "model/histogram.h"
#include "promql/histogram_buckets.h"
#include "promql/numerics.h"

// How the layouts of two histograms are brought together, for histogram_math.cc and
// histogram_sum.cc.

namespace sonde::promql {

/// Makes `hint` that of a sum or difference with a histogram of hint `other`. True if the two
/// contradict each other.
bool CombineHints(ResetHint& hint, ResetHint other);

struct ZeroCount {
  KahanSum count;
  double threshold = 0;
};

/// What the zero bucket would hold with a larger threshold. If that ends inside a populated bucket,
/// all of that bucket goes in, and the threshold is the bucket's far end.
ZeroCount ZeroCountAt(const FloatHistogram& histogram, double threshold);

/// The exponential buckets that do not lie in a zero bucket of this threshold.
BucketList OutsideZeroBucket(BucketList buckets, std::int32_t schema, double threshold);

/// The custom bounds that both have.
std::vector<double> CommonBounds(const std::vector<double>& a, const std::vector<double>& b);

/// Which bucket between the bounds `to` takes the one that ends at `from[index]`; the last one is
/// open upwards.
std::int32_t BucketAmong(const std::vector<double>& to, const std::vector<double>& from,
                         std::int32_t index);

}  // namespace sonde::promql
