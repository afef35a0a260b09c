#include "promql/histogram_sum.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "promql/histogram_buckets.h"
#include "promql/histogram_reconcile.h"

namespace sonde::promql {

HistogramSum::HistogramSum(const FloatHistogram& first)
    : shape_(first),
      zero_count_(first.zero_count),
      count_(first.count),
      sum_(first.sum),
      positive_(Start(first.positive_spans, first.positive_counts)),
      negative_(Start(first.negative_spans, first.negative_counts)) {}

HistogramSum::Buckets HistogramSum::Start(const std::vector<HistogramSpan>& spans,
                                          const std::vector<double>& counts) {
  Buckets buckets;
  for (const IndexedCount& bucket : UnpackBuckets(spans, counts)) {
    buckets.try_emplace(bucket.index, bucket.count);
  }
  return buckets;
}

void HistogramSum::Reduce(Buckets& buckets, std::int32_t from, std::int32_t to) {
  if (from == to) return;
  Buckets reduced;
  for (const auto& [index, sum] : buckets) {
    const BucketList target = ReduceResolution({{index, 0}}, from, to);
    const auto [it, inserted] = reduced.try_emplace(target.front().index, sum);
    if (inserted) continue;
    it->second.Add(sum.sum());
    it->second.Add(sum.compensation());
  }
  buckets = std::move(reduced);
}

// As ReconcileZeroBuckets does for a histogram without compensation.
void HistogramSum::AbsorbIntoZeroBucket(double threshold) {
  FloatHistogram plain = Plain();
  const ZeroCount wider = ZeroCountAt(plain, threshold);
  shape_.zero_threshold = wider.threshold;
  plain.zero_threshold = wider.threshold;
  const auto absorb = [&](Buckets& buckets, auto inside) {
    for (auto it = buckets.begin(); it != buckets.end();) {
      if (!inside(IndexedCount{it->first, it->second.sum()})) {
        ++it;
        continue;
      }
      zero_count_.Add(it->second.sum());
      zero_count_.Add(it->second.compensation());
      it = buckets.erase(it);
    }
  };
  absorb(positive_, [&](const IndexedCount& bucket) {
    return PositiveBucket(plain, bucket).lower < wider.threshold;
  });
  absorb(negative_, [&](const IndexedCount& bucket) {
    return NegativeBucket(plain, bucket).upper > -wider.threshold;
  });
}

Combination HistogramSum::Add(const FloatHistogram& other) {
  const bool custom = UsesCustomBuckets(shape_);
  if (custom != UsesCustomBuckets(other)) return {.compatible = false};
  Combination combination{.reset_collision = CombineHints(shape_.reset_hint, other.reset_hint)};
  count_.Add(other.count);
  sum_.Add(other.sum);
  if (custom) {
    combination.bounds_reconciled = shape_.custom_values != other.custom_values;
    AddCustom(other, combination.bounds_reconciled);
    return combination;
  }
  ZeroCount zero{KahanSum(other.zero_count), other.zero_threshold};
  while (zero.threshold > shape_.zero_threshold || shape_.zero_threshold > zero.threshold) {
    if (shape_.zero_threshold > zero.threshold) zero = ZeroCountAt(other, shape_.zero_threshold);
    if (zero.threshold > shape_.zero_threshold) AbsorbIntoZeroBucket(zero.threshold);
  }
  zero_count_.Add(zero.count.sum());
  zero_count_.Add(zero.count.compensation());
  const std::int32_t to = std::min(shape_.schema, other.schema);
  const auto add = [&](Buckets& buckets, const BucketList& added) {
    Reduce(buckets, shape_.schema, to);
    const BucketList reduced = ReduceResolution(added, other.schema, to);
    for (const IndexedCount& bucket : OutsideZeroBucket(reduced, to, shape_.zero_threshold)) {
      const auto [it, inserted] = buckets.try_emplace(bucket.index, bucket.count);
      if (!inserted) it->second.Add(bucket.count);
    }
  };
  add(positive_, PositiveBuckets(other));
  add(negative_, NegativeBuckets(other));
  shape_.schema = to;
  return combination;
}

void HistogramSum::AddCustom(const FloatHistogram& other, bool reconcile) {
  const std::vector<double> common =
      reconcile ? CommonBounds(shape_.custom_values, other.custom_values) : shape_.custom_values;
  if (reconcile) {
    Buckets mapped;
    for (const auto& [index, sum] : positive_) {
      KahanSum& target = mapped[BucketAmong(common, shape_.custom_values, index)];
      target.Add(sum.sum());
      target.Add(sum.compensation());
    }
    positive_ = std::move(mapped);
  }
  for (const IndexedCount& bucket : PositiveBuckets(other)) {
    const std::int32_t index =
        reconcile ? BucketAmong(common, other.custom_values, bucket.index) : bucket.index;
    const auto [it, inserted] = positive_.try_emplace(index, bucket.count);
    if (!inserted) it->second.Add(bucket.count);
  }
  shape_.custom_values = common;
}

bool HistogramSum::HasOverflow() const {
  const auto infinite = [](const auto& bucket) { return std::isinf(bucket.second.sum()); };
  return std::isinf(zero_count_.sum()) || std::isinf(count_.sum()) || std::isinf(sum_.sum()) ||
         std::ranges::any_of(positive_, infinite) || std::ranges::any_of(negative_, infinite);
}

template <class F>
void HistogramSum::ForEach(F f) {
  f(zero_count_);
  f(count_);
  f(sum_);
  for (auto& [index, sum] : positive_) {
    f(sum);
  }
  for (auto& [index, sum] : negative_) {
    f(sum);
  }
}

void HistogramSum::Scale(double factor) {
  ForEach(
      [factor](KahanSum& sum) { sum = KahanSum(sum.sum() * factor, sum.compensation() * factor); });
}

void HistogramSum::Divide(double divisor) {
  ForEach([divisor](KahanSum& sum) {
    sum = KahanSum(sum.sum() / divisor, sum.compensation() / divisor);
  });
}

template <class F>
FloatHistogram HistogramSum::Make(F value) const {
  FloatHistogram result = shape_;
  result.zero_count = value(zero_count_);
  result.count = value(count_);
  result.sum = value(sum_);
  const auto pack = [&](const Buckets& buckets, std::vector<HistogramSpan>& spans,
                        std::vector<double>& counts) {
    BucketList list;
    for (const auto& [index, sum] : buckets) {
      list.push_back({index, value(sum)});
    }
    PackBuckets(list, spans, counts);
  };
  pack(positive_, result.positive_spans, result.positive_counts);
  pack(negative_, result.negative_spans, result.negative_counts);
  return result;
}

FloatHistogram HistogramSum::Plain() const {
  return Make([](const KahanSum& sum) { return sum.sum(); });
}

FloatHistogram HistogramSum::Total() const {
  return Make([](const KahanSum& sum) { return sum.Total(); });
}

// -------------------------------------------------------------------------------- HistogramAverage

Combination HistogramAverage::Add(const FloatHistogram& other) {
  count_ += 1;
  Combination combination;
  if (!incremental_) {
    HistogramSum next = sum_;
    combination = next.Add(other);
    if (!combination.compatible) return combination;
    if (!next.HasOverflow()) {
      sum_ = std::move(next);
      return combination;
    }
    incremental_ = true;
    sum_.Divide(count_ - 1);
  }
  sum_.Scale((count_ - 1) / count_);
  FloatHistogram share = other;
  sonde::promql::Divide(share, count_);
  const Combination added = sum_.Add(share);
  combination.compatible = added.compatible;
  combination.bounds_reconciled = combination.bounds_reconciled || added.bounds_reconciled;
  return combination;
}

FloatHistogram HistogramAverage::Value() const {
  HistogramSum mean = sum_;
  if (!incremental_) mean.Divide(count_);
  return mean.Total();
}

}  // namespace sonde::promql
