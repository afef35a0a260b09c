#include "promql/naive_histogram_rate.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "promql/histogram_buckets.h"
#include "promql/histogram_math.h"
#include "promql/naive_edges.h"
#include "promql/naive_rate.h"

namespace sonde::promql {
namespace {

bool IsGauge(const FloatHistogram& histogram) {
  return histogram.reset_hint == ResetHint::kGauge;
}

// Subtracts `other`, with notes on what did not fit. False if nothing could be subtracted.
bool SubtractWithNotes(FloatHistogram& histogram, const FloatHistogram& other,
                       std::string_view metric, PositionRange at, AnnotationSet& notes) {
  const Combination combination = Subtract(histogram, other);
  if (!combination.compatible) notes.MixedExponentialCustomHistograms(metric, at);
  if (combination.bounds_reconciled) {
    notes.MismatchedCustomBuckets(HistogramOperation::kSubtraction, at);
  }
  return combination.compatible;
}

// --------------------------------------------------------------------------------- ordinary ranges

bool RestartedAt(const NaiveWindow& window, std::size_t i, const FloatHistogram& previous) {
  const auto& samples = window.histograms;
  return IsStartReset(StartAt(window.histogram_starts, i - 1), samples[i - 1].t,
                      StartAt(window.histogram_starts, i), samples[i].t) ||
         IsReset(*samples[i].histogram, previous);
}

// The lowest resolution in the window; of counters, the samples in between count too, and must be
// of one kind.
std::optional<std::int32_t> LowestSchema(const NaiveWindow& window, const FloatHistogram& first,
                                         bool counter, PositionRange at, AnnotationSet& notes) {
  const auto& samples = window.histograms;
  std::int32_t lowest = std::min(samples.back().histogram->schema, first.schema);
  for (std::size_t i = 1; counter && i + 1 < samples.size(); ++i) {
    const FloatHistogram& histogram = *samples[i].histogram;
    if (IsGauge(histogram)) notes.NativeHistogramNotCounter(window.labels.metric_name(), at);
    lowest = std::min(lowest, histogram.schema);
    if (UsesCustomBuckets(histogram) != UsesCustomBuckets(first)) return std::nullopt;
  }
  return lowest;
}

// Adds what each restart took away.
bool MakeRestartsGood(FloatHistogram& growth, const NaiveWindow& window, FloatHistogram previous,
                      PositionRange at, AnnotationSet& notes) {
  bool overlap = false;
  for (std::size_t i = 1; i < window.histograms.size(); ++i) {
    const Timestamp previous_start = StartAt(window.histogram_starts, i - 1);
    const Timestamp start = StartAt(window.histogram_starts, i);
    if (!overlap && StartOverlaps(previous_start, window.histograms[i - 1].t, start)) {
      notes.StartTimeOverlap(window.labels.metric_name(), at);
      overlap = true;
    }
    if (RestartedAt(window, i, previous)) {
      const Combination combination = Add(growth, previous);
      if (!combination.compatible) return false;
      if (combination.bounds_reconciled) {
        notes.MismatchedCustomBuckets(HistogramOperation::kAddition, at);
      }
    }
    previous = *window.histograms[i].histogram;
  }
  return true;
}

// -------------------------------------------------------------------- anchored and smoothed ranges

// On the straight line from `a` to `b`, the histogram at `t`. With `counter`, a reset between them
// is a restart from 0.
std::optional<FloatHistogram> InterpolateHistograms(const NaiveHistogramSample& a,
                                                    const NaiveHistogramSample& b, Timestamp t,
                                                    bool counter, PositionRange at,
                                                    AnnotationSet& notes) {
  if (t == a.t) return *a.histogram;
  if (t == b.t) return *b.histogram;
  const double fraction =
      static_cast<double>((t - a.t).count()) / static_cast<double>((b.t - a.t).count());
  FloatHistogram result = *b.histogram;
  if (counter && IsReset(*b.histogram, *a.histogram)) {
    Scale(result, fraction);
    return result;
  }
  const Combination subtracted = Subtract(result, *a.histogram);
  if (!subtracted.compatible) return std::nullopt;
  if (subtracted.bounds_reconciled) {
    notes.MismatchedCustomBuckets(HistogramOperation::kSubtraction, at);
  }
  Scale(result, fraction);
  if (Add(result, *a.histogram).bounds_reconciled) {
    notes.MismatchedCustomBuckets(HistogramOperation::kAddition, at);
  }
  return result;
}

std::optional<FloatHistogram> LeftEdge(const NaiveWindow& window, EdgeSamples edges, bool counter,
                                       PositionRange at, AnnotationSet& notes) {
  const NaiveHistogramSample& first = window.histograms[edges.first];
  if (!window.smoothed || first.t >= window.start) return *first.histogram;
  return InterpolateHistograms(first, window.histograms[edges.first + 1], window.start, counter, at,
                               notes);
}

std::optional<FloatHistogram> RightEdge(const NaiveWindow& window, EdgeSamples edges, bool counter,
                                        PositionRange at, AnnotationSet& notes) {
  const NaiveHistogramSample& last = window.histograms[edges.last];
  if (!window.smoothed || edges.last == 0 || last.t <= window.end) return *last.histogram;
  return InterpolateHistograms(window.histograms[edges.last - 1], last, window.end, counter, at,
                               notes);
}

// All of one kind. Gauges among counters are noted.
bool AreAlike(const NaiveWindow& window, EdgeSamples edges, bool counter, PositionRange at,
              AnnotationSet& notes) {
  const std::string_view metric = window.labels.metric_name();
  for (std::size_t i = edges.first; i <= edges.last; ++i) {
    const FloatHistogram& histogram = *window.histograms[i].histogram;
    if (UsesCustomBuckets(histogram) !=
        UsesCustomBuckets(*window.histograms[edges.first].histogram)) {
      notes.MixedExponentialCustomHistograms(metric, at);
      return false;
    }
    if (counter && IsGauge(histogram)) notes.NativeHistogramNotCounter(metric, at);
  }
  return true;
}

// What restarts between the edges took away, in order.
std::vector<const FloatHistogram*> LostAtRestarts(const NaiveWindow& window, EdgeSamples edges,
                                                  const FloatHistogram& left,
                                                  const FloatHistogram& right) {
  const auto& samples = window.histograms;
  std::size_t next = edges.first + 1;
  const FloatHistogram* previous = &left;
  // A restart between the samples around the left edge is part of the value there.
  if (window.smoothed && samples[edges.first].t < window.start &&
      IsReset(*samples[next].histogram, *samples[edges.first].histogram)) {
    previous = samples[next].histogram.get();
    ++next;
  }
  // Both edges lie between the same two samples.
  if (next > edges.last) return {};
  std::vector<const FloatHistogram*> lost;
  for (; next < edges.last; ++next) {
    if (IsReset(*samples[next].histogram, *previous)) lost.push_back(previous);
    previous = samples[next].histogram.get();
  }
  if (IsReset(right, *previous)) lost.push_back(previous);
  return lost;
}

}  // namespace

bool AddWithNotes(FloatHistogram& histogram, const FloatHistogram& other, std::string_view metric,
                  PositionRange at, AnnotationSet& notes) {
  const Combination combination = Add(histogram, other);
  if (!combination.compatible) notes.MixedExponentialCustomHistograms(metric, at);
  if (combination.bounds_reconciled) {
    notes.MismatchedCustomBuckets(HistogramOperation::kAddition, at);
  }
  return combination.compatible;
}

std::optional<FloatHistogram> HistogramGrowth(const NaiveWindow& window, bool counter,
                                              PositionRange at, AnnotationSet& notes) {
  const auto& samples = window.histograms;
  const std::string_view metric = window.labels.metric_name();
  const FloatHistogram& last = *samples.back().histogram;
  FloatHistogram first = *samples.front().histogram;
  // Where samples of both kinds are found in between, only that is noted.
  AnnotationSet found;
  found.set_source(notes.source());
  if (counter && (IsGauge(first) || IsGauge(last))) found.NativeHistogramNotCounter(metric, at);
  // Before a restart the first sample does not matter, not even its layout.
  if (counter && RestartedAt(window, 1, first)) {
    const FloatHistogram& second = *samples[1].histogram;
    first = FloatHistogram();
    first.schema = second.schema;
    first.custom_values = second.custom_values;
  }
  if (UsesCustomBuckets(last) != UsesCustomBuckets(first)) {
    notes.Merge(found);
    notes.MixedExponentialCustomHistograms(metric, at);
    return std::nullopt;
  }
  const auto schema = LowestSchema(window, first, counter, at, found);
  if (!schema) {
    notes.MixedExponentialCustomHistograms(metric, at);
    return std::nullopt;
  }
  FloatHistogram growth = WithSchema(last, *schema);
  if (Subtract(growth, first).bounds_reconciled) {
    found.MismatchedCustomBuckets(HistogramOperation::kSubtraction, at);
  }
  if (counter) {
    if (!MakeRestartsGood(growth, window, first, at, found)) {
      notes.MixedExponentialCustomHistograms(metric, at);
      return std::nullopt;
    }
  } else if (!IsGauge(*samples.front().histogram) || !IsGauge(last)) {
    found.NativeHistogramNotGauge(metric, at);
  }
  notes.Merge(found);
  growth.reset_hint = ResetHint::kGauge;
  Compact(growth);
  return growth;
}

std::optional<FloatHistogram> ExtendedHistogramGrowth(const NaiveWindow& window, bool counter,
                                                      PositionRange at, AnnotationSet& notes) {
  const EdgeSamples edges = FindEdges(window.histograms, window);
  if (!ReachesInto(window.histograms, edges, window)) return std::nullopt;
  if (!AreAlike(window, edges, counter, at, notes)) return std::nullopt;
  const std::string_view metric = window.labels.metric_name();
  const auto left = LeftEdge(window, edges, counter, at, notes);
  const auto right = RightEdge(window, edges, counter, at, notes);
  if (!left || !right) {
    notes.MixedExponentialCustomHistograms(metric, at);
    return std::nullopt;
  }
  if (!counter && (!IsGauge(*left) || !IsGauge(*right))) notes.NativeHistogramNotGauge(metric, at);
  FloatHistogram growth = *right;
  if (!SubtractWithNotes(growth, *left, metric, at, notes)) return std::nullopt;
  if (counter) {
    const std::vector<const FloatHistogram*> all_lost =
        LostAtRestarts(window, edges, *left, *right);
    std::optional<FloatHistogram> total;
    for (const FloatHistogram* lost : all_lost) {
      if (!total) {
        total = *lost;
      } else if (!AddWithNotes(*total, *lost, metric, at, notes)) {
        return std::nullopt;
      }
    }
    if (total && !AddWithNotes(growth, *total, metric, at, notes)) return std::nullopt;
  }
  growth.reset_hint = ResetHint::kGauge;
  Compact(growth);
  return growth;
}

std::optional<FloatHistogram> InstantHistogramChange(const HistogramPair& pair, bool counter,
                                                     std::string_view metric, PositionRange at,
                                                     AnnotationSet& notes) {
  FloatHistogram change = pair.last;
  const bool gauges = IsGauge(pair.last) && IsGauge(pair.previous);
  if (counter && (IsGauge(pair.last) || IsGauge(pair.previous))) {
    notes.NativeHistogramNotCounter(metric, at);
  }
  if (!counter && !gauges) notes.NativeHistogramNotGauge(metric, at);
  const bool restarted = counter && (pair.restarted || IsReset(pair.last, pair.previous));
  if (!restarted && !SubtractWithNotes(change, pair.previous, metric, at, notes)) {
    return std::nullopt;
  }
  change.reset_hint = ResetHint::kGauge;
  Compact(change);
  return change;
}

std::optional<FloatHistogram> SmoothedHistogram(const NaiveWindow& window, Timestamp t,
                                                PositionRange at, AnnotationSet& notes) {
  const auto& samples = window.histograms;
  const auto next = std::ranges::lower_bound(samples, t, std::less<>(), &NaiveHistogramSample::t);
  if (next != samples.end() && next->t == t) return *next->histogram;
  if (next == samples.begin()) return std::nullopt;
  const NaiveHistogramSample& previous = *std::prev(next);
  if (next == samples.end()) {
    FloatHistogram carried = *previous.histogram;
    carried.reset_hint = ResetHint::kUnknown;
    return carried;
  }
  // Counters, unless both say that they are gauges.
  const bool counter = !IsGauge(*previous.histogram) || !IsGauge(*next->histogram);
  std::optional<FloatHistogram> between;
  if (UsesCustomBuckets(*previous.histogram) == UsesCustomBuckets(*next->histogram)) {
    between = InterpolateHistograms(previous, *next, t, counter, at, notes);
  }
  if (!between) notes.MixedExponentialCustomHistograms(window.labels.metric_name(), at);
  return between;
}

}  // namespace sonde::promql
