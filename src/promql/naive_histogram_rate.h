#pragma once

#include <optional>

#include "promql/annotations.h"
#include "promql/ast.h"
#include "promql/naive_value.h"

// The native-histogram side of naive_rate.h.

namespace sonde::promql {

/// What rate, increase and delta measure before extrapolation: the difference between the last and
/// the first of at least two histograms and, of counters, what restarts took away. A compact gauge.
std::optional<FloatHistogram> HistogramGrowth(const NaiveWindow& window, bool counter,
                                              PositionRange at, AnnotationSet& notes);

/// The difference between the edges of an anchored or smoothed window of histograms only, restarts
/// made good.
std::optional<FloatHistogram> ExtendedHistogramGrowth(const NaiveWindow& window, bool counter,
                                                      PositionRange at, AnnotationSet& notes);

/// Of the last two samples, both histograms: the change or, after a restart of a counter, the last
/// one.
struct HistogramPair {
  const FloatHistogram& previous;
  const FloatHistogram& last;
  bool restarted = false;  ///< By the start timestamps.
};
std::optional<FloatHistogram> InstantHistogramChange(const HistogramPair& pair, bool counter,
                                                     std::string_view metric, PositionRange at,
                                                     AnnotationSet& notes);

/// Adds `other`, with notes on what did not fit. False if nothing could be added.
bool AddWithNotes(FloatHistogram& histogram, const FloatHistogram& other, std::string_view metric,
                  PositionRange at, AnnotationSet& notes);

/// What a smoothed instant selector makes of the histograms around `t`.
std::optional<FloatHistogram> SmoothedHistogram(const NaiveWindow& window, Timestamp t,
                                                PositionRange at, AnnotationSet& notes);

}  // namespace sonde::promql
