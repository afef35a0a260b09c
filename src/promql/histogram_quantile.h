#pragma once

#include "model/histogram.h"

// What native histograms tell about the distribution of observations.

namespace sonde::promql {

struct NativeQuantile {
  double value = 0;
  /// The quantile lies among observations of NaN, which no bucket holds.
  bool is_nan_observation = false;
  /// There are such observations, and they count as highest.
  bool skewed_by_nans = false;
};

/// The φ-quantile. Inside a bucket observations are taken to spread evenly: on a logarithmic scale
/// in exponential buckets, on a linear one in custom buckets and the zero bucket.
///
/// φ < 0: -Inf, φ > 1: +Inf, φ NaN or no observations: NaN.
NativeQuantile HistogramQuantile(double phi, const FloatHistogram& histogram);

struct NativeFraction {
  double value = 0;
  bool excludes_nans = false;  ///< There are observations of NaN; they are in no interval.
};

/// The fraction of observations between `lower` and `upper`, estimated in the same way.
NativeFraction HistogramFraction(double lower, double upper, const FloatHistogram& histogram);

/// The variance of the observations, each taken to lie in the middle of its bucket: the geometric
/// mean of the bounds or, of custom buckets, the arithmetic one; zero in the zero bucket.
double HistogramVariance(const FloatHistogram& histogram);

}  // namespace sonde::promql
