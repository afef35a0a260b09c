#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Native histograms (facts: Prometheus docs, "Native histograms"). Values only; arithmetic lives in
// promql/.
//
// Schemas -4 to 8 are exponential: bucket i has the upper bound 2^(i * 2^-schema). Schema -53 has
// custom bounds
// (`custom_values`) and no zero or negative buckets. Positive buckets are (lower, upper], negative
// ones mirrored.

namespace sonde {

inline constexpr std::int32_t kCustomBucketsSchema = -53;

struct HistogramSpan {
  std::int32_t offset = 0;   ///< Gap to the previous span; the first span's start.
  std::uint32_t length = 0;  ///< Number of consecutive buckets.
  bool operator==(const HistogramSpan&) const = default;
};

enum class ResetHint : std::uint8_t { kUnknown = 0, kReset = 1, kNotReset = 2, kGauge = 3 };

/// Integer counts, as applications expose them; buckets are deltas to the previous bucket.
struct Histogram {
  ResetHint reset_hint = ResetHint::kUnknown;
  std::int32_t schema = 0;
  double zero_threshold = 0;
  std::uint64_t zero_count = 0;
  std::uint64_t count = 0;
  double sum = 0;
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<std::int64_t> positive_deltas;
  std::vector<std::int64_t> negative_deltas;
  std::vector<double> custom_values;
  bool operator==(const Histogram&) const = default;
};

/// Absolute float counts, as PromQL computes with.
struct FloatHistogram {
  ResetHint reset_hint = ResetHint::kUnknown;
  std::int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<double> positive_counts;
  std::vector<double> negative_counts;
  std::vector<double> custom_values;
  bool operator==(const FloatHistogram&) const = default;
};

}  // namespace sonde
