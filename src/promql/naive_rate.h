#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "model/sample.h"
#include "promql/annotations.h"
#include "promql/ast.h"
#include "promql/naive_value.h"

// rate() and its family: how much the samples of a window changed.

namespace sonde::promql {

struct RateKind {
  bool counter = false;  ///< A drop is a restart, not a change.
  bool per_second = false;
};

/// rate, increase and delta. Anchored and smoothed windows are measured from edge to edge, others
/// extrapolated towards the range's edges. `at` is for the notes.
std::optional<NaivePoint> RateOf(const NaiveWindow& window, RateKind kind, PositionRange at,
                                 AnnotationSet& notes);

/// irate and idelta: the change between the last two samples.
std::optional<NaivePoint> InstantRateOf(const NaiveWindow& window, bool counter, PositionRange at,
                                        AnnotationSet& notes);

/// The start timestamp of sample `i`; 0 if it is not known.
Timestamp StartAt(const std::vector<Timestamp>& starts, std::size_t i);

/// True if a counter's start lies before the previous sample although it is another start than that
/// sample's.
bool StartOverlaps(Timestamp previous_start, Timestamp previous, Timestamp start);

/// True if the start timestamps say that the counter was restarted between two samples.
bool IsStartReset(Timestamp previous_start, Timestamp previous, Timestamp start, Timestamp t);

/// The floats of an anchored or smoothed window within its range, with one at each edge. Empty if
/// none lies after the left edge.
std::vector<FloatSample> CutToEdges(const NaiveWindow& window);

/// What a smoothed instant selector makes of the samples around `t`, which are all floats or all
/// histograms: the value on the line between the neighbours, or the last one before `t` if none
/// follows. Nothing if none comes before.
std::optional<NaivePoint> SmoothedValue(const NaiveWindow& window, Timestamp t, PositionRange at,
                                        AnnotationSet& notes);

}  // namespace sonde::promql
