#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"
#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/quantile.h"

// The notes that a query gives its user: warnings (the result is likely not what was meant) and
// infos (it may not be). The texts are the reference's, since tests and dashboards compare them;
// facts: prom-compat §2.9.

namespace sonde::promql {

/// What two histograms were combined for.
enum class HistogramOperation : std::uint8_t { kAddition, kSubtraction, kAggregation };

/// Collects notes while a query runs. A text is kept once; notes that carry counts add them up. If
/// several expressions give the same note, its position is that of the one whose evaluation ends
/// last (operands before operators, left before right), so that it does not depend on how an
/// evaluator goes about its work. A value; not thread-safe.
class AnnotationSet {
 public:
  /// Where the expression that gives the following notes stands.
  void set_source(PositionRange source) { source_ = source; }
  PositionRange source() const { return source_; }

  // Warnings.
  void InvalidQuantile(double phi, PositionRange at);
  void InvalidRatio(double ratio, double capped, PositionRange at);
  void BadBucketLabel(std::string_view metric, std::string_view le, PositionRange at);
  void MixedFloatsHistograms(std::string_view metric, PositionRange at);
  void MixedFloatsHistogramsInAggregation(PositionRange at);
  void MixedClassicNativeHistograms(std::string_view metric, PositionRange at);
  void NativeHistogramNotCounter(std::string_view metric, PositionRange at);
  void NativeHistogramNotGauge(std::string_view metric, PositionRange at);
  void MixedExponentialCustomHistograms(std::string_view metric, PositionRange at);
  void IncompatibleBucketLayout(BinaryOp op, PositionRange at);
  void SortInRangeQuery(PositionRange at);
  void CounterResetCollision(HistogramOperation operation, PositionRange at);
  void StartTimeOverlap(std::string_view metric, PositionRange at);
  /// A store's own words, without a position.
  void StorageWarning(std::string_view text);

  // Infos.
  void PossibleNonCounter(std::string_view metric, PositionRange at);
  void PossibleNonCounterLabel(std::string_view metric, std::string_view type, PositionRange at);
  void ForcedMonotonicity(std::string_view metric, const MonotonicityRepair& repair, Timestamp t,
                          PositionRange at);
  /// `lhs` and `rhs` are "float" or "histogram".
  void IncompatibleTypes(std::string_view lhs, BinaryOp op, std::string_view rhs, PositionRange at);
  void HistogramIgnoredInAggregation(std::string_view aggregation, PositionRange at);
  void HistogramIgnoredInMixedRange(std::string_view metric, PositionRange at);
  void QuantileOfNans(std::string_view metric, PositionRange at);
  void QuantileSkewedByNans(std::string_view metric, PositionRange at);
  void FractionExcludesNans(std::string_view metric, PositionRange at);
  void MismatchedCustomBuckets(HistogramOperation operation, PositionRange at);

  /// Adds the notes of `other`.
  void Merge(const AnnotationSet& other);
  bool empty() const { return notes_.empty(); }

  /// The texts with their positions as line:column of `query`; without a query text, as if it were
  /// one line.
  Annotations Render(std::string_view query) const;

 private:
  struct Note {
    bool info = false;
    bool positioned = true;
    PositionRange at{};
    PositionRange source{};
    // Of the two notes that tell how often and how badly.
    int count = 0;
    MonotonicityRepair repair{};
    Timestamp first{};
    Timestamp last{};
  };

  void Warn(std::string text, PositionRange at);
  void Inform(std::string text, PositionRange at);
  void Add(std::string text, Note note);
  void Keep(std::string text, Note note);
  static std::string Text(const std::string& text, const Note& note);

  PositionRange source_;
  std::map<std::string, Note> notes_;  // By text without position and counts.
};

/// "3:14": line and column, both from 1, of byte `offset` in `query`.
std::string FormatPosition(std::string_view query, std::uint32_t offset);

}  // namespace sonde::promql
