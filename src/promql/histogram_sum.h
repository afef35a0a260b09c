#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/histogram.h"
#include "promql/histogram_math.h"
#include "promql/numerics.h"

// Sums and means of many histograms, without losing the small to the large.

namespace sonde::promql {

/// The sum of histograms, each component compensated as KahanSum does, and their mean.
class HistogramSum {
 public:
  explicit HistogramSum(const FloatHistogram& first);

  /// After an incompatible one the sum is as it was.
  Combination Add(const FloatHistogram& other);
  /// The sum without its compensation has an infinite component.
  bool HasOverflow() const;
  void Scale(double factor);
  void Divide(double divisor);
  FloatHistogram Total() const;

 private:
  using Buckets = std::map<std::int32_t, KahanSum>;

  static Buckets Start(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts);
  static void Reduce(Buckets& buckets, std::int32_t from, std::int32_t to);
  void AbsorbIntoZeroBucket(double threshold);
  void AddCustom(const FloatHistogram& other, bool reconcile);
  FloatHistogram Plain() const;
  template <class F>
  void ForEach(F f);
  template <class F>
  FloatHistogram Make(F value) const;

  FloatHistogram shape_;  // All but the counts and the sum.
  KahanSum zero_count_;
  KahanSum count_;
  KahanSum sum_;
  Buckets positive_;
  Buckets negative_;
};

/// The mean of histograms: the sum divided by the count or, from the histogram on whose addition
/// would overflow the sum, a mean that is updated with each. As RunningMean.
class HistogramAverage {
 public:
  explicit HistogramAverage(const FloatHistogram& first) : sum_(first) {}

  /// After an incompatible one the value is of no use.
  Combination Add(const FloatHistogram& other);
  FloatHistogram Value() const;

 private:
  HistogramSum sum_;  // Of the histograms; of the mean once `incremental_`.
  double count_ = 1;
  bool incremental_ = false;
};

/// Which reset hints were among histograms that are taken together.
class HintsSeen {
 public:
  void Add(const FloatHistogram& histogram) {
    reset_ = reset_ || histogram.reset_hint == ResetHint::kReset;
    not_reset_ = not_reset_ || histogram.reset_hint == ResetHint::kNotReset;
  }
  /// One was reset, another was not.
  bool collide() const { return reset_ && not_reset_; }

 private:
  bool reset_ = false;
  bool not_reset_ = false;
};

}  // namespace sonde::promql
