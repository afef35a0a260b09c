#include "promql/naive_rate.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

#include "promql/histogram_math.h"
#include "promql/naive_edges.h"
#include "promql/naive_histogram_rate.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

double SecondsBetween(Timestamp from, Timestamp to) {
  return static_cast<double>((to - from).count()) / 1000;
}

// -------------------------------------------------------------------- anchored and smoothed ranges

double LeftEdge(const NaiveWindow& window, EdgeSamples edges, bool counter) {
  const FloatSample& first = window.floats[edges.first];
  if (!window.smoothed || first.t >= window.start) return first.v;
  return Interpolate(first, window.floats[edges.first + 1], window.start, counter);
}

double RightEdge(const NaiveWindow& window, EdgeSamples edges, bool counter) {
  const FloatSample& last = window.floats[edges.last];
  if (!window.smoothed || edges.last == 0 || last.t <= window.end) return last.v;
  return Interpolate(window.floats[edges.last - 1], last, window.end, counter);
}

std::optional<NaivePoint> ExtendedRate(const NaiveWindow& window, RateKind kind) {
  const EdgeSamples edges = FindEdges(window.floats, window);
  if (!ReachesInto(window.floats, edges, window)) return std::nullopt;
  const double left = LeftEdge(window, edges, kind.counter);
  const double right = RightEdge(window, edges, kind.counter);
  double result = right - left;
  if (kind.counter) {
    double lost = 0;  // What restarts took away.
    double previous = left;
    for (std::size_t i = edges.first; i <= edges.last; ++i) {
      const FloatSample& sample = window.floats[i];
      if (sample.t <= window.start || sample.t >= window.end) continue;
      if (sample.v < previous) lost += previous;
      previous = sample.v;
    }
    if (right < previous) lost += previous;
    result += lost;
  }
  if (kind.per_second) result /= SecondsBetween(window.start, window.end);
  return NaivePoint{result};
}

// --------------------------------------------------------------------------------- ordinary ranges

// The growth of a counter between its first and last sample, restarts made good.
double CounterGrowth(const NaiveWindow& window, PositionRange at, AnnotationSet& notes) {
  const std::vector<FloatSample>& floats = window.floats;
  double growth = floats.back().v - floats.front().v;
  bool overlap = false;
  for (std::size_t i = 1; i < floats.size(); ++i) {
    const Timestamp previous_start = StartAt(window.float_starts, i - 1);
    const Timestamp start = StartAt(window.float_starts, i);
    if (!overlap && StartOverlaps(previous_start, floats[i - 1].t, start)) {
      notes.StartTimeOverlap(window.labels.metric_name(), at);
      overlap = true;
    }
    if (floats[i].v < floats[i - 1].v ||
        IsStartReset(previous_start, floats[i - 1].t, start, floats[i].t)) {
      growth += floats[i - 1].v;
    }
  }
  return growth;
}

// The times that extrapolation needs, in seconds.
struct Span {
  double sampled = 0;   // Between the first and the last sample.
  double to_start = 0;  // From the range's left edge to the first sample.
  double to_end = 0;
  double spacing = 0;  // Of the samples, on average.
};

// Extrapolates to an edge that is near, and by half the spacing towards one that is not.
double ReachOver(double gap, const Span& span) {
  return gap >= span.spacing * 1.1 ? span.spacing / 2 : gap;
}

// How far extrapolation goes to the left. A counter cannot have been negative: it goes no further
// than to where the line through its samples is zero.
double ReachToStart(const Span& span, bool counter, double first, double growth) {
  const double reach = ReachOver(span.to_start, span);
  if (!counter || !(growth > 0) || !(first >= 0)) return reach;
  const double to_zero = span.sampled * (first / growth);
  return to_zero < reach ? to_zero : reach;
}

double Factor(const Span& span, double reach_to_start, double range_seconds, bool per_second) {
  double factor = 1;
  if (span.sampled != 0) {
    factor = (span.sampled + reach_to_start + ReachOver(span.to_end, span)) / span.sampled;
  }
  return per_second ? factor / range_seconds : factor;
}

Span SpanOf(const NaiveWindow& window, Timestamp first, Timestamp last, std::size_t samples) {
  Span span{.sampled = SecondsBetween(first, last),
            .to_start = SecondsBetween(window.start, first),
            .to_end = SecondsBetween(last, window.end)};
  if (samples > 1) span.spacing = span.sampled / static_cast<double>(samples - 1);
  return span;
}

// True if a counter is known to have started from zero inside the range, before its first sample.
bool StartsInside(const NaiveWindow& window, Timestamp start, Timestamp first) {
  return start != Timestamp{} && start > window.start && start < first;
}

double RangeSeconds(const NaiveWindow& window) {
  return SecondsBetween(window.start, window.end);
}

std::optional<NaivePoint> ExtrapolatedRate(const NaiveWindow& window, RateKind kind,
                                           PositionRange at, AnnotationSet& notes) {
  const std::vector<FloatSample>& floats = window.floats;
  const Timestamp first = floats.front().t;
  const Timestamp last = floats.back().t;
  Span span = SpanOf(window, first, last, floats.size());
  double growth =
      kind.counter ? CounterGrowth(window, at, notes) : floats.back().v - floats.front().v;
  double reach = 0;
  const Timestamp start = StartAt(window.float_starts, 0);
  if (kind.counter && StartsInside(window, start, first)) {
    span.sampled = SecondsBetween(start, last);
    growth += floats.front().v;
  } else if (floats.size() == 1) {
    return std::nullopt;
  } else {
    reach = ReachToStart(span, kind.counter, floats.front().v, growth);
  }
  return NaivePoint{growth * Factor(span, reach, RangeSeconds(window), kind.per_second)};
}

NaivePoint PointOf(FloatHistogram histogram) {
  return {0, std::make_shared<const FloatHistogram>(std::move(histogram))};
}

std::optional<NaivePoint> ExtrapolatedHistogramRate(const NaiveWindow& window, RateKind kind,
                                                    PositionRange at, AnnotationSet& notes) {
  const auto& histograms = window.histograms;
  const Timestamp first = histograms.front().t;
  const Timestamp last = histograms.back().t;
  Span span = SpanOf(window, first, last, histograms.size());
  std::optional<FloatHistogram> growth;
  if (histograms.size() > 1) {
    growth = HistogramGrowth(window, kind.counter, at, notes);
    if (!growth) return std::nullopt;
  }
  double reach = 0;
  const Timestamp start = StartAt(window.histogram_starts, 0);
  if (kind.counter && StartsInside(window, start, first)) {
    span.sampled = SecondsBetween(start, last);
    if (!growth) {
      growth = *histograms.front().histogram;
    } else if (!AddWithNotes(*growth, *histograms.front().histogram, window.labels.metric_name(),
                             at, notes)) {
      return std::nullopt;
    }
  } else if (!growth) {
    return std::nullopt;
  } else {
    reach = ReachToStart(span, kind.counter, histograms.front().histogram->count, growth->count);
  }
  Scale(*growth, Factor(span, reach, RangeSeconds(window), kind.per_second));
  return PointOf(*std::move(growth));
}

std::optional<NaivePoint> InstantFloatRate(const NaiveWindow& window, bool counter) {
  const std::size_t last = window.floats.size() - 1;
  const FloatSample& b = window.floats[last];
  const FloatSample& a = window.floats[last - 1];
  const bool restarted =
      counter && (b.v < a.v || IsStartReset(StartAt(window.float_starts, last - 1), a.t,
                                            StartAt(window.float_starts, last), b.t));
  const double change = restarted ? b.v : b.v - a.v;
  return NaivePoint{counter ? change / SecondsBetween(a.t, b.t) : change};
}

std::optional<NaivePoint> InstantHistogramRate(const NaiveWindow& window, bool counter,
                                               PositionRange at, AnnotationSet& notes) {
  const std::size_t last = window.histograms.size() - 1;
  const NaiveHistogramSample& b = window.histograms[last];
  const NaiveHistogramSample& a = window.histograms[last - 1];
  const HistogramPair pair{
      .previous = *a.histogram,
      .last = *b.histogram,
      .restarted = IsStartReset(StartAt(window.histogram_starts, last - 1), a.t,
                                StartAt(window.histogram_starts, last), b.t)};
  auto change = InstantHistogramChange(pair, counter, window.labels.metric_name(), at, notes);
  if (!change) return std::nullopt;
  if (counter) Divide(*change, SecondsBetween(a.t, b.t));
  return PointOf(*std::move(change));
}

// How many of the last two samples of a window are floats; at one time, the float counts as the
// earlier.
int FloatsAmongLastTwo(const NaiveWindow& window) {
  std::vector<std::pair<Timestamp, int>> last;  // Time, and 1 for a float.
  const auto take = [&](const auto& samples, int is_float) {
    const std::size_t count = std::min<std::size_t>(samples.size(), 2);
    for (std::size_t i = samples.size() - count; i < samples.size(); ++i) {
      last.emplace_back(samples[i].t, is_float);
    }
  };
  take(window.floats, 1);
  take(window.histograms, 0);
  std::ranges::stable_sort(last, std::less<>(), &std::pair<Timestamp, int>::first);
  return last[last.size() - 1].second + last[last.size() - 2].second;
}

}  // namespace

std::optional<NaivePoint> RateOf(const NaiveWindow& window, RateKind kind, PositionRange at,
                                 AnnotationSet& notes) {
  if (!window.floats.empty() && !window.histograms.empty()) {
    notes.MixedFloatsHistograms(window.labels.metric_name(), at);
    return std::nullopt;
  }
  const bool extended = window.anchored || window.smoothed;
  if (window.histograms.empty()) {
    return extended ? ExtendedRate(window, kind) : ExtrapolatedRate(window, kind, at, notes);
  }
  if (!extended) return ExtrapolatedHistogramRate(window, kind, at, notes);
  auto growth = ExtendedHistogramGrowth(window, kind.counter, at, notes);
  if (!growth) return std::nullopt;
  if (kind.per_second) Divide(*growth, RangeSeconds(window));
  return PointOf(*std::move(growth));
}

std::optional<NaivePoint> InstantRateOf(const NaiveWindow& window, bool counter, PositionRange at,
                                        AnnotationSet& notes) {
  if (window.floats.size() + window.histograms.size() < 2) return std::nullopt;
  switch (FloatsAmongLastTwo(window)) {
    case 2:
      return InstantFloatRate(window, counter);
    case 0:
      return InstantHistogramRate(window, counter, at, notes);
    default:
      notes.MixedFloatsHistograms(window.labels.metric_name(), at);
      return std::nullopt;
  }
}

Timestamp StartAt(const std::vector<Timestamp>& starts, std::size_t i) {
  return i < starts.size() ? starts[i] : Timestamp{};
}

bool StartOverlaps(Timestamp previous_start, Timestamp previous, Timestamp start) {
  return start != Timestamp{} && start < previous && start != previous_start;
}

bool IsStartReset(Timestamp previous_start, Timestamp previous, Timestamp start, Timestamp t) {
  if (start == Timestamp{} || start >= t || start < previous) return false;
  if (start > previous) return true;
  // It starts where the previous sample is: a delta series, unless that sample's own start is
  // unknown or impossible.
  return previous_start != Timestamp{} && previous_start < previous;
}

std::vector<FloatSample> CutToEdges(const NaiveWindow& window) {
  if (window.floats.empty()) return {};
  const EdgeSamples edges = FindEdges(window.floats, window);
  if (window.floats[edges.last].t <= window.start) return {};
  std::vector<FloatSample> cut = {{window.start, LeftEdge(window, edges, false)}};
  for (std::size_t i = edges.first; i <= edges.last; ++i) {
    const FloatSample& sample = window.floats[i];
    if (sample.t > window.start && sample.t < window.end) cut.push_back(sample);
  }
  cut.push_back({window.end, RightEdge(window, edges, false)});
  return cut;
}

std::optional<NaivePoint> SmoothedValue(const NaiveWindow& window, Timestamp t, PositionRange at,
                                        AnnotationSet& notes) {
  if (window.floats.empty()) {
    auto histogram = SmoothedHistogram(window, t, at, notes);
    if (!histogram) return std::nullopt;
    return PointOf(*std::move(histogram));
  }
  const std::vector<FloatSample>& floats = window.floats;
  const auto next = std::ranges::lower_bound(floats, t, std::less<>(), &FloatSample::t);
  if (next != floats.end() && next->t == t) return NaivePoint{next->v};
  if (next == floats.begin()) return std::nullopt;
  const FloatSample& previous = *std::prev(next);
  if (next == floats.end()) return NaivePoint{previous.v};
  return NaivePoint{Interpolate(previous, *next, t, false)};
}

}  // namespace sonde::promql
