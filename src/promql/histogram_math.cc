#include "promql/histogram_math.h"

#include <algorithm>
#include <bit>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/number.h"
#include "promql/histogram_buckets.h"
#include "promql/histogram_reconcile.h"

namespace sonde::promql {
namespace {

// Each delta counts from the bucket before.
std::vector<double> Absolute(std::span<const std::int64_t> deltas) {
  std::vector<double> counts;
  counts.reserve(deltas.size());
  std::uint64_t count = 0;  // Wraps around, rather than overflows, on what no client makes.
  for (const std::int64_t delta : deltas) {
    count += static_cast<std::uint64_t>(delta);
    counts.push_back(static_cast<double>(static_cast<std::int64_t>(count)));
  }
  return counts;
}

// ------------------------------------------------------------------------------------ zero buckets

// Removes the buckets that a larger zero bucket has taken in.
void RemoveWithinZeroBucket(FloatHistogram& histogram) {
  BucketList positive = PositiveBuckets(histogram);
  std::erase_if(positive, [&](const IndexedCount& bucket) {
    return PositiveBucket(histogram, bucket).lower < histogram.zero_threshold;
  });
  BucketList negative = NegativeBuckets(histogram);
  std::erase_if(negative, [&](const IndexedCount& bucket) {
    return NegativeBucket(histogram, bucket).upper > -histogram.zero_threshold;
  });
  PackBuckets(positive, histogram.positive_spans, histogram.positive_counts);
  PackBuckets(negative, histogram.negative_spans, histogram.negative_counts);
}

// Widens the zero bucket of `histogram` until both histograms can have the same; returns what the
// other's would hold.
double ReconcileZeroBuckets(FloatHistogram& histogram, const FloatHistogram& other) {
  ZeroCount zero{KahanSum(other.zero_count), other.zero_threshold};
  // Not "while they differ": a threshold of NaN would never agree.
  while (zero.threshold > histogram.zero_threshold || histogram.zero_threshold > zero.threshold) {
    if (histogram.zero_threshold > zero.threshold) {
      zero = ZeroCountAt(other, histogram.zero_threshold);
    }
    if (zero.threshold > histogram.zero_threshold) {
      const ZeroCount wider = ZeroCountAt(histogram, zero.threshold);
      histogram.zero_count = wider.count.sum();
      histogram.zero_threshold = wider.threshold;
      RemoveWithinZeroBucket(histogram);
    }
  }
  return zero.count.sum();
}

// ----------------------------------------------------------------------------------- custom bounds

// a + sign * b where the bounds differ, `common` are those that both have. One observation count
// after the other, since the order of additions shows in the last digits.
BucketList MergeAtCommonBounds(const FloatHistogram& a, const FloatHistogram& b,
                               const std::vector<double>& common, double sign) {
  std::map<std::int32_t, double> merged;
  for (const IndexedCount& bucket : PositiveBuckets(a)) {
    merged[BucketAmong(common, a.custom_values, bucket.index)] += bucket.count;
  }
  for (const IndexedCount& bucket : PositiveBuckets(b)) {
    merged[BucketAmong(common, b.custom_values, bucket.index)] += sign * bucket.count;
  }
  BucketList buckets;
  for (const auto& [index, count] : merged) {
    buckets.push_back({index, count});
  }
  return buckets;
}

BucketList MapToBounds(const BucketList& buckets, const std::vector<double>& from,
                       const std::vector<double>& to) {
  BucketList mapped;
  for (const IndexedCount& bucket : buckets) {
    const std::int32_t index = BucketAmong(to, from, bucket.index);
    if (!mapped.empty() && mapped.back().index == index) {
      mapped.back().count += bucket.count;
    } else {
      mapped.push_back({index, bucket.count});
    }
  }
  return mapped;
}

// --------------------------------------------------------------------------------------- combining

// a + sign * b, bucket by bucket.
BucketList Merge(const BucketList& a, const BucketList& b, double sign) {
  BucketList merged;
  merged.reserve(a.size() + b.size());
  auto i = a.begin();
  for (const IndexedCount& bucket : b) {
    for (; i != a.end() && i->index < bucket.index; ++i) {
      merged.push_back(*i);
    }
    if (i != a.end() && i->index == bucket.index) {
      merged.push_back({i->index, i->count + sign * bucket.count});
      ++i;
    } else {
      merged.push_back({bucket.index, sign * bucket.count});
    }
  }
  merged.insert(merged.end(), i, a.end());
  return merged;
}

void CombineCustom(FloatHistogram& histogram, const FloatHistogram& other, double sign,
                   bool same_bounds) {
  BucketList merged;
  if (same_bounds) {
    merged = Merge(PositiveBuckets(histogram), PositiveBuckets(other), sign);
  } else {
    const std::vector<double> common = CommonBounds(histogram.custom_values, other.custom_values);
    merged = MergeAtCommonBounds(histogram, other, common, sign);
    histogram.custom_values = common;
  }
  PackBuckets(merged, histogram.positive_spans, histogram.positive_counts);
}

void CombineExponential(FloatHistogram& histogram, const FloatHistogram& other, double sign) {
  const std::int32_t from = histogram.schema;
  const std::int32_t to = std::min(from, other.schema);
  const auto combine = [&](const BucketList& ours, const BucketList& theirs,
                           std::vector<HistogramSpan>& spans, std::vector<double>& counts) {
    const BucketList added =
        OutsideZeroBucket(ReduceResolution(theirs, other.schema, to), to, histogram.zero_threshold);
    PackBuckets(Merge(ReduceResolution(ours, from, to), added, sign), spans, counts);
  };
  combine(PositiveBuckets(histogram), PositiveBuckets(other), histogram.positive_spans,
          histogram.positive_counts);
  combine(NegativeBuckets(histogram), NegativeBuckets(other), histogram.negative_spans,
          histogram.negative_counts);
  histogram.schema = to;
}

Combination Combine(FloatHistogram& histogram, const FloatHistogram& other, double sign) {
  const bool custom = UsesCustomBuckets(histogram);
  if (custom != UsesCustomBuckets(other)) return {.compatible = false};
  Combination combination{.reset_collision = CombineHints(histogram.reset_hint, other.reset_hint)};
  if (!custom) histogram.zero_count += sign * ReconcileZeroBuckets(histogram, other);
  histogram.count += sign * other.count;
  histogram.sum += sign * other.sum;
  if (custom) {
    combination.bounds_reconciled = histogram.custom_values != other.custom_values;
    CombineCustom(histogram, other, sign, !combination.bounds_reconciled);
  } else {
    CombineExponential(histogram, other, sign);
  }
  return combination;
}

// ------------------------------------------------------------------------------------------ resets

// A populated bucket is missing, or one has a lower count.
bool AnyFell(const BucketList& buckets, const BucketList& previous) {
  auto at = buckets.begin();
  for (const IndexedCount& before : previous) {
    while (at != buckets.end() && at->index < before.index) {
      ++at;
    }
    const bool present = at != buckets.end() && at->index == before.index;
    if (present ? at->count < before.count : before.count != 0) return true;
  }
  return false;
}

bool SameBuckets(const BucketList& a, const BucketList& b) {
  return std::ranges::equal(a, b, [](const IndexedCount& x, const IndexedCount& y) {
    return x.index == y.index &&
           std::bit_cast<std::uint64_t>(x.count) == std::bit_cast<std::uint64_t>(y.count);
  });
}

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

void AppendBucket(std::string& out, const HistogramBucket& bucket) {
  if (bucket.count == 0) return;
  out += bucket.lower_inclusive ? ", [" : ", (";
  AppendFloatG(out, bucket.lower);
  out += ',';
  AppendFloatG(out, bucket.upper);
  out += bucket.upper_inclusive ? "]:" : "):";
  AppendFloatG(out, bucket.count);
}

}  // namespace

FloatHistogram ToFloatHistogram(const Histogram& histogram) {
  FloatHistogram result;
  result.reset_hint = histogram.reset_hint;
  result.schema = histogram.schema;
  result.zero_threshold = histogram.zero_threshold;
  result.zero_count = static_cast<double>(histogram.zero_count);
  result.count = static_cast<double>(histogram.count);
  result.sum = histogram.sum;
  result.positive_spans = histogram.positive_spans;
  result.negative_spans = histogram.negative_spans;
  result.positive_counts = Absolute(histogram.positive_deltas);
  result.negative_counts = Absolute(histogram.negative_deltas);
  result.custom_values = histogram.custom_values;
  return result;
}

std::shared_ptr<const FloatHistogram> WithoutResetHint(
    std::shared_ptr<const FloatHistogram> histogram) {
  const ResetHint hint = histogram->reset_hint;
  if (hint != ResetHint::kReset && hint != ResetHint::kNotReset) return histogram;
  auto copy = std::make_shared<FloatHistogram>(*histogram);
  copy->reset_hint = ResetHint::kUnknown;
  return copy;
}

void Compact(FloatHistogram& histogram) {
  PackBuckets(PositiveBuckets(histogram), histogram.positive_spans, histogram.positive_counts);
  PackBuckets(NegativeBuckets(histogram), histogram.negative_spans, histogram.negative_counts);
}

FloatHistogram WithSchema(const FloatHistogram& histogram, std::int32_t schema) {
  FloatHistogram result = histogram;
  if (schema == histogram.schema) return result;
  result.schema = schema;
  result.reset_hint = ResetHint::kUnknown;
  PackBuckets(ReduceResolution(PositiveBuckets(histogram), histogram.schema, schema),
              result.positive_spans, result.positive_counts);
  PackBuckets(ReduceResolution(NegativeBuckets(histogram), histogram.schema, schema),
              result.negative_spans, result.negative_counts);
  return result;
}

void Scale(FloatHistogram& histogram, double factor) {
  if (!UsesCustomBuckets(histogram)) histogram.zero_count *= factor;
  histogram.count *= factor;
  histogram.sum *= factor;
  for (double& count : histogram.positive_counts) {
    count *= factor;
  }
  for (double& count : histogram.negative_counts) {
    count *= factor;
  }
  if (factor < 0) histogram.reset_hint = ResetHint::kGauge;
}

void Divide(FloatHistogram& histogram, double divisor) {
  if (!UsesCustomBuckets(histogram)) histogram.zero_count /= divisor;
  histogram.count /= divisor;
  histogram.sum /= divisor;
  if (divisor == 0) {
    histogram.positive_spans.clear();
    histogram.negative_spans.clear();
    histogram.positive_counts.clear();
    histogram.negative_counts.clear();
    return;
  }
  for (double& count : histogram.positive_counts) {
    count /= divisor;
  }
  for (double& count : histogram.negative_counts) {
    count /= divisor;
  }
  if (divisor < 0) histogram.reset_hint = ResetHint::kGauge;
}

Combination Add(FloatHistogram& histogram, const FloatHistogram& other) {
  return Combine(histogram, other, 1);
}

Combination Subtract(FloatHistogram& histogram, const FloatHistogram& other) {
  return Combine(histogram, other, -1);
}

bool IsReset(const FloatHistogram& histogram, const FloatHistogram& previous) {
  if (histogram.reset_hint == ResetHint::kReset) return true;
  if (histogram.reset_hint == ResetHint::kNotReset) return false;
  if (histogram.count < previous.count) return true;
  if (UsesCustomBuckets(histogram) != UsesCustomBuckets(previous)) return true;
  if (UsesCustomBuckets(histogram)) {
    const std::vector<double> common =
        CommonBounds(histogram.custom_values, previous.custom_values);
    return AnyFell(MapToBounds(PositiveBuckets(histogram), histogram.custom_values, common),
                   MapToBounds(PositiveBuckets(previous), previous.custom_values, common));
  }
  // Resolution and zero bucket get finer by a restart only.
  if (histogram.schema > previous.schema || histogram.zero_threshold < previous.zero_threshold) {
    return true;
  }
  const ZeroCount zero = ZeroCountAt(previous, histogram.zero_threshold);
  if (zero.threshold != histogram.zero_threshold || histogram.zero_count < zero.count.sum()) {
    return true;
  }
  const auto fell = [&](const BucketList& buckets, const BucketList& before) {
    const auto outside = [&](BucketList list) {
      if (histogram.zero_threshold == 0) return list;
      return OutsideZeroBucket(std::move(list), histogram.schema, histogram.zero_threshold);
    };
    return AnyFell(outside(buckets),
                   outside(ReduceResolution(before, previous.schema, histogram.schema)));
  };
  return fell(PositiveBuckets(histogram), PositiveBuckets(previous)) ||
         fell(NegativeBuckets(histogram), NegativeBuckets(previous));
}

bool SameData(const FloatHistogram& a, const FloatHistogram& b) {
  return a.schema == b.schema && SameBits(a.count, b.count) && SameBits(a.sum, b.sum) &&
         a.custom_values == b.custom_values && a.zero_threshold == b.zero_threshold &&
         SameBits(a.zero_count, b.zero_count) &&
         SameBuckets(PositiveBuckets(a), PositiveBuckets(b)) &&
         SameBuckets(NegativeBuckets(a), NegativeBuckets(b));
}

std::string FormatHistogram(const FloatHistogram& histogram) {
  std::string out = "{count:";
  AppendFloatG(out, histogram.count);
  out += ", sum:";
  AppendFloatG(out, histogram.sum);
  const BucketList negative = NegativeBuckets(histogram);
  for (auto it = negative.rbegin(); it != negative.rend(); ++it) {
    AppendBucket(out, NegativeBucket(histogram, *it));
  }
  AppendBucket(out, ZeroBucket(histogram));
  for (const IndexedCount& bucket : PositiveBuckets(histogram)) {
    AppendBucket(out, PositiveBucket(histogram, bucket));
  }
  out += '}';
  return out;
}

}  // namespace sonde::promql
