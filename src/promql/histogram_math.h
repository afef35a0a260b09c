#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/histogram.h"

// Arithmetic on native histograms (facts: Prometheus docs/specs/native_histograms.md).
//
// Two exponential histograms meet at the lower resolution of the two and at the larger zero bucket;
// two histograms with custom buckets meet at the bounds that both have; one of each kind do not
// mix. Results are compact: no empty buckets.

namespace sonde::promql {

/// Absolute float counts of integer deltas.
FloatHistogram ToFloatHistogram(const Histogram& histogram);

/// The same histogram for a place where it no longer stands next to the sample before it: what a
/// hint says about resets is forgotten.
std::shared_ptr<const FloatHistogram> WithoutResetHint(
    std::shared_ptr<const FloatHistogram> histogram);

/// Removes empty buckets.
void Compact(FloatHistogram& histogram);

/// A copy with the lower resolution `schema`, which is not larger than the histogram's own.
FloatHistogram WithSchema(const FloatHistogram& histogram, std::int32_t schema);

/// Multiplies counts and sum. A negative factor makes it a gauge.
void Scale(FloatHistogram& histogram, double factor);
/// Divides counts and sum. Division by 0 leaves no buckets; a negative divisor makes it a gauge.
void Divide(FloatHistogram& histogram, double divisor);

/// How two histograms went together.
struct Combination {
  bool compatible = true;  ///< Else one has custom buckets and the other has not: nothing was done.
  bool reset_collision = false;    ///< One says that it was reset, the other that it was not.
  bool bounds_reconciled = false;  ///< Their custom bounds differed.
};

Combination Add(FloatHistogram& histogram, const FloatHistogram& other);
Combination Subtract(FloatHistogram& histogram, const FloatHistogram& other);

/// True if a counter was reset between `previous` and `histogram`: its hint says so or, if that
/// says nothing, a count fell, or the layout changed as only a restart does.
bool IsReset(const FloatHistogram& histogram, const FloatHistogram& previous);

/// The same buckets with the same counts, bit by bit; hints do not matter.
bool SameData(const FloatHistogram& a, const FloatHistogram& b);

/// Keeps the observations below (or above) `at`, estimating inside the bucket that holds it.
enum class TrimSide : std::uint8_t { kKeepLower, kKeepUpper };
void Trim(FloatHistogram& histogram, double at, TrimSide side);

/// `{count:12, sum:18.4, [-0.001,0.001]:2, (0.5,1]:10}`
std::string FormatHistogram(const FloatHistogram& histogram);

}  // namespace sonde::promql
