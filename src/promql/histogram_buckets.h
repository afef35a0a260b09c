#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/histogram.h"

// The buckets of native histograms, one by one. Spans say where buckets are in little space;
// arithmetic is easier on a list of (index, count), sorted by index.

namespace sonde::promql {

inline bool UsesCustomBuckets(const FloatHistogram& histogram) {
  return histogram.schema == kCustomBucketsSchema;
}

/// A bucket's number in its schema, and its count.
struct IndexedCount {
  std::int32_t index = 0;
  double count = 0;
};
using BucketList = std::vector<IndexedCount>;

/// What the spans describe, empty buckets in them included. Stops where a malformed histogram lacks
/// counts.
BucketList UnpackBuckets(std::span<const HistogramSpan> spans, std::span<const double> counts);
/// The inverse; buckets with count 0 are left out.
void PackBuckets(const BucketList& buckets, std::vector<HistogramSpan>& spans,
                 std::vector<double>& counts);

BucketList PositiveBuckets(const FloatHistogram& histogram);
BucketList NegativeBuckets(const FloatHistogram& histogram);

/// Merges exponential buckets into those of a lower resolution. `to` <= `from`.
BucketList ReduceResolution(const BucketList& buckets, std::int32_t from, std::int32_t to);

/// The upper bound of exponential bucket `index`: 2^(index * 2^-schema). The bucket below the one
/// for infinite observations ends at the largest finite number.
double ExponentialBound(std::int32_t index, std::int32_t schema);

/// A bucket with its bounds.
struct HistogramBucket {
  double lower = 0;
  double upper = 0;
  bool lower_inclusive = false;
  bool upper_inclusive = false;
  double count = 0;
};

/// Positive (or negative) bucket `bucket` of `histogram`.
HistogramBucket PositiveBucket(const FloatHistogram& histogram, const IndexedCount& bucket);
HistogramBucket NegativeBucket(const FloatHistogram& histogram, const IndexedCount& bucket);
HistogramBucket ZeroBucket(const FloatHistogram& histogram);

/// All buckets from the lowest to the highest, empty ones in spans included, the zero bucket if it
/// is not empty. A bucket that overlaps with the zero bucket is cut off at the zero threshold.
std::vector<HistogramBucket> AllBuckets(const FloatHistogram& histogram);

/// The share of a bucket's width below `v`, which lies strictly inside its finite bounds: on a
/// linear scale or, as exponential buckets are made, on a logarithmic one.
double FractionBelow(const HistogramBucket& bucket, double v, bool linear);

}  // namespace sonde::promql
