#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/sample.h"

// The arithmetic that PromQL results are made of, shared by both evaluators. Results are specified
// to the last bit: the order of operations is part of the contract, and fused multiply-add is
// switched off for the whole program (cmake/SondeFlags.cmake).

namespace sonde::promql {

/// A sum that carries the rounding errors along (Kahan's summation as improved by Neumaier).
///
/// Once the sum is infinite the compensation stays 0, so that infinities come out as they went in.
class KahanSum {
 public:
  explicit KahanSum(double first = 0) : sum_(first) {}
  KahanSum(double sum, double compensation) : sum_(sum), compensation_(compensation) {}

  void Add(double x);
  double sum() const { return sum_; }
  double compensation() const { return compensation_; }
  double Total() const { return sum_ + compensation_; }

 private:
  double sum_ = 0;
  double compensation_ = 0;
};

/// The mean of what was added, at least one value: the compensated sum divided by the count, or,
/// from the value on whose addition would overflow the sum, an incrementally updated mean.
class RunningMean {
 public:
  void Add(double x);
  double Value() const;

 private:
  double count_ = 0;
  KahanSum sum_;  // Of the values; of the mean once `incremental_`.
  bool incremental_ = false;
};

/// Welford's variance without compensation: what the aggregations stddev and stdvar use. A first
/// value that is not finite makes the result NaN.
class AggregateVariance {
 public:
  void Add(double x);
  double Value() const { return sum_of_squares_ / count_; }

 private:
  double count_ = 0;
  double mean_ = 0;
  double sum_of_squares_ = 0;
};

/// Welford's variance with compensated mean and sum of squares: what stddev_over_time and
/// stdvar_over_time use.
double VarianceOf(std::span<const FloatSample> samples);

/// The φ-quantile by linear interpolation between the ranks: NaN for no values or φ = NaN, -Inf for
/// φ < 0, +Inf for φ > 1. NaN values rank below all others. Takes the values by copy since it sorts
/// them.
double Quantile(double phi, std::vector<double> values);

/// The least-squares line through the samples.
struct Line {
  double slope = 0;      ///< Per second.
  double intercept = 0;  ///< At the time that was asked for.
};
/// `samples` holds at least one. All values equal: slope 0 (NaN if infinite), so that rounding
/// cannot tilt it.
Line LinearRegression(std::span<const FloatSample> samples, Timestamp intercept_time);

/// On the straight line from `a` to `b`, the value at `t`. With `counter`, a `b` below `a` is taken
/// as a restart from 0.
double Interpolate(const FloatSample& a, const FloatSample& b, Timestamp t, bool counter);

/// As Go's math.Max and math.Min, where one infinity wins even over NaN and NaN over everything
/// else.
double GoMax(double a, double b);
double GoMin(double a, double b);

/// Equal within a relative `epsilon` of the sum of magnitudes; near zero, within epsilon times the
/// smallest normal number. All NaN are equal, except that the stale marker equals only itself.
bool AlmostEqual(double a, double b, double epsilon);

}  // namespace sonde::promql
