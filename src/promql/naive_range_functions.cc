#include "promql/naive_range_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "promql/histogram_math.h"
#include "promql/histogram_sum.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"
#include "promql/naive_rate.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

using MaybePoint = std::optional<NaivePoint>;

std::vector<double> ValuesOf(const NaiveWindow& window) {
  std::vector<double> values;
  values.reserve(window.floats.size());
  for (const FloatSample& sample : window.floats) {
    values.push_back(sample.v);
  }
  return values;
}

// Functions of floats only, in a range that also holds histograms, say so.
void NoteIgnoredHistograms(const NaiveRangeCall& call, AnnotationSet& notes) {
  if (!call.window.histograms.empty()) {
    notes.HistogramIgnoredInMixedRange(call.window.labels.metric_name(), call.at);
  }
}

// --------------------------------------------------------------------------- floats and histograms

// A window's samples of both kinds, merged by time.
struct MergedSample {
  Timestamp t;
  Timestamp start;
  double v = 0;
  HistogramPtr histogram;
};

std::vector<MergedSample> MergeByTime(const NaiveWindow& window) {
  std::vector<MergedSample> merged;
  for (std::size_t i = 0; i < window.floats.size(); ++i) {
    merged.push_back(
        {window.floats[i].t, StartAt(window.float_starts, i), window.floats[i].v, nullptr});
  }
  for (std::size_t i = 0; i < window.histograms.size(); ++i) {
    const NaiveHistogramSample& sample = window.histograms[i];
    merged.push_back({sample.t, StartAt(window.histogram_starts, i), 0, sample.histogram});
  }
  std::ranges::stable_sort(merged, std::less<>(), &MergedSample::t);
  return merged;
}

// In an anchored window, counting starts at the newest sample at or before the left edge; nothing
// if no sample follows.
std::vector<MergedSample> SamplesToCompare(const NaiveWindow& window) {
  std::vector<MergedSample> merged = MergeByTime(window);
  if (!window.anchored) return merged;
  const auto inside =
      std::ranges::upper_bound(merged, window.start, std::less<>(), &MergedSample::t);
  if (inside == merged.end()) return {};
  if (inside != merged.begin()) merged.erase(merged.begin(), std::prev(inside));
  return merged;
}

bool IsRestart(const MergedSample& previous, const MergedSample& sample) {
  if ((previous.histogram == nullptr) != (sample.histogram == nullptr)) return true;
  if (IsStartReset(previous.start, previous.t, sample.start, sample.t)) return true;
  if (sample.histogram != nullptr) return IsReset(*sample.histogram, *previous.histogram);
  return sample.v < previous.v;
}

bool IsChange(const MergedSample& previous, const MergedSample& sample) {
  if ((previous.histogram == nullptr) != (sample.histogram == nullptr)) return true;
  if (sample.histogram != nullptr) return !SameData(*sample.histogram, *previous.histogram);
  return sample.v != previous.v && !(std::isnan(sample.v) && std::isnan(previous.v));
}

MaybePoint CountBetween(const NaiveWindow& window,
                        bool (*counts)(const MergedSample& previous, const MergedSample& sample)) {
  const std::vector<MergedSample> samples = SamplesToCompare(window);
  if (samples.empty()) return std::nullopt;
  double count = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (counts(samples[i - 1], samples[i])) ++count;
  }
  return NaivePoint{count};
}

MaybePoint FirstOverTime(const NaiveWindow& window) {
  const bool histogram =
      !window.histograms.empty() &&
      (window.floats.empty() || window.histograms.front().t <= window.floats.front().t);
  if (histogram) return NaivePoint{0, window.histograms.front().histogram};
  return NaivePoint{window.floats.front().v};
}

MaybePoint LastOverTime(const NaiveWindow& window) {
  const bool histogram =
      !window.histograms.empty() &&
      (window.floats.empty() || window.histograms.back().t >= window.floats.back().t);
  if (histogram) return NaivePoint{0, window.histograms.back().histogram};
  return NaivePoint{window.floats.back().v};
}

double FirstTime(const NaiveWindow& window) {
  Timestamp first = Timestamp::Max();
  if (!window.floats.empty()) first = std::min(first, window.floats.front().t);
  if (!window.histograms.empty()) first = std::min(first, window.histograms.front().t);
  return first.seconds();
}

double LastTime(const NaiveWindow& window) {
  Timestamp last = Timestamp::Min();
  if (!window.floats.empty()) last = std::max(last, window.floats.back().t);
  if (!window.histograms.empty()) last = std::max(last, window.histograms.back().t);
  return last.seconds();
}

// The sum of histograms, or their mean: the sum divided by the count or, once that would overflow,
// a mean that is updated with each (as RunningMean does for floats).
std::optional<FloatHistogram> SumOrAverageOfHistograms(const NaiveRangeCall& call,
                                                       AnnotationSet& notes) {
  const auto& samples = call.window.histograms;
  const bool average = call.function.id == FunctionId::kAvgOverTime;
  HistogramAverage mean(*samples.front().histogram);
  HistogramSum sum(*samples.front().histogram);
  HintsSeen hints;
  bool reconciled = false;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    hints.Add(*samples[i].histogram);
    if (i == 0) continue;
    const Combination combination =
        average ? mean.Add(*samples[i].histogram) : sum.Add(*samples[i].histogram);
    if (!combination.compatible) {
      notes.MixedExponentialCustomHistograms(call.window.labels.metric_name(), call.at);
      return std::nullopt;
    }
    reconciled = reconciled || combination.bounds_reconciled;
  }
  if (hints.collide()) notes.CounterResetCollision(HistogramOperation::kAggregation, call.at);
  if (reconciled) notes.MismatchedCustomBuckets(HistogramOperation::kAggregation, call.at);
  return average ? mean.Value() : sum.Total();
}

MaybePoint SumOrAverage(const NaiveRangeCall& call, AnnotationSet& notes) {
  const NaiveWindow& window = call.window;
  if (!window.floats.empty() && !window.histograms.empty()) {
    notes.MixedFloatsHistograms(window.labels.metric_name(), call.at);
    return std::nullopt;
  }
  if (window.floats.empty()) {
    auto histogram = SumOrAverageOfHistograms(call, notes);
    if (!histogram) return std::nullopt;
    return NaivePoint{0, std::make_shared<const FloatHistogram>(*std::move(histogram))};
  }
  if (call.function.id == FunctionId::kSumOverTime) {
    KahanSum sum;
    for (const FloatSample& sample : window.floats) {
      sum.Add(sample.v);
    }
    return NaivePoint{sum.Total()};
  }
  RunningMean mean;
  for (const FloatSample& sample : window.floats) {
    mean.Add(sample.v);
  }
  return NaivePoint{mean.Value()};
}

// ------------------------------------------------------------------------------------- floats only

// The sample that beats all others; of equals the first or, where `beats` accepts equality, the
// last.
MaybePoint Extreme(const NaiveRangeCall& call, bool (*beats)(double, double), bool want_time) {
  FloatSample best = call.window.floats.front();
  for (const FloatSample& sample : call.window.floats) {
    if (beats(sample.v, best.v) || std::isnan(best.v)) best = sample;
  }
  return NaivePoint{want_time ? best.t.seconds() : best.v};
}

MaybePoint MedianAbsoluteDeviation(const NaiveWindow& window) {
  std::vector<double> values = ValuesOf(window);
  if (std::ranges::any_of(values, [](double v) { return std::isnan(v); })) {
    return NaivePoint{std::numeric_limits<double>::quiet_NaN()};
  }
  const double median = Quantile(0.5, values);
  for (double& v : values) {
    v = std::fabs(v - median);
  }
  return NaivePoint{Quantile(0.5, std::move(values))};
}

MaybePoint QuantileOverTime(const NaiveRangeCall& call, AnnotationSet& notes) {
  const double phi = call.scalars[0];
  if (std::isnan(phi) || phi < 0 || phi > 1) notes.InvalidQuantile(phi, call.at);
  return NaivePoint{Quantile(phi, ValuesOf(call.window))};
}

// Functions of at least one float.
MaybePoint FunctionOfFloats(const NaiveRangeCall& call, AnnotationSet& notes) {
  const NaiveWindow& window = call.window;
  if (window.floats.empty()) return std::nullopt;
  NoteIgnoredHistograms(call, notes);
  switch (call.function.id) {
    case FunctionId::kMaxOverTime:
      return Extreme(
          call, [](double a, double b) { return a > b; }, false);
    case FunctionId::kMinOverTime:
      return Extreme(
          call, [](double a, double b) { return a < b; }, false);
    case FunctionId::kTsOfMaxOverTime:
      return Extreme(
          call, [](double a, double b) { return a >= b; }, true);
    case FunctionId::kTsOfMinOverTime:
      return Extreme(
          call, [](double a, double b) { return a <= b; }, true);
    case FunctionId::kStdvarOverTime:
      return NaivePoint{VarianceOf(window.floats)};
    case FunctionId::kStddevOverTime:
      return NaivePoint{std::sqrt(VarianceOf(window.floats))};
    case FunctionId::kMadOverTime:
      return MedianAbsoluteDeviation(window);
    case FunctionId::kQuantileOverTime:
      return QuantileOverTime(call, notes);
    default:
      break;
  }
  CHECK(false);
}

Status CheckFactor(std::string_view name, double factor) {
  if (!(factor <= 0 || factor >= 1)) return OkStatus();
  return Error(
      ErrorKind::kInvalid,
      fmt::format("invalid {} factor. Expected: 0 < {}f < 1, got: {:f}", name, name[0], factor));
}

double DoubleExponentialSmoothing(const std::vector<FloatSample>& floats, double smoothing,
                                  double trend) {
  double smoothed = floats[0].v;
  double before = 0;
  double slope = floats[1].v - floats[0].v;
  for (std::size_t i = 1; i < floats.size(); ++i) {
    const double level = smoothing * floats[i].v;
    if (i > 1) slope = trend * (smoothed - before) + (1 - trend) * slope;
    before = smoothed;
    smoothed = level + (1 - smoothing) * (smoothed + slope);
  }
  return smoothed;
}

// Functions of at least two floats.
Result<MaybePoint> FunctionOfSlope(const NaiveRangeCall& call, AnnotationSet& notes) {
  const std::vector<FloatSample>& floats = call.window.floats;
  if (call.function.id == FunctionId::kDoubleExponentialSmoothing) {
    TRY(CheckFactor("smoothing", call.scalars[0]));
    TRY(CheckFactor("trend", call.scalars[1]));
  }
  if (!floats.empty()) NoteIgnoredHistograms(call, notes);
  if (floats.size() < 2) return MaybePoint();
  switch (call.function.id) {
    case FunctionId::kDeriv:
      // Relative to a time near the samples', so that squares of large timestamps do not eat the
      // precision.
      return MaybePoint(NaivePoint{LinearRegression(floats, floats.front().t).slope});
    case FunctionId::kPredictLinear: {
      const Line line = LinearRegression(floats, call.t);
      return MaybePoint(NaivePoint{line.slope * call.scalars[0] + line.intercept});
    }
    case FunctionId::kDoubleExponentialSmoothing:
      return MaybePoint(
          NaivePoint{DoubleExponentialSmoothing(floats, call.scalars[0], call.scalars[1])});
    default:
      break;
  }
  CHECK(false);
}

}  // namespace

Result<std::optional<NaivePoint>> CallRangeFunction(const NaiveRangeCall& call,
                                                    AnnotationSet& notes) {
  const NaiveWindow& window = call.window;
  switch (call.function.id) {
    case FunctionId::kRate:
      return RateOf(window, {.counter = true, .per_second = true}, call.at, notes);
    case FunctionId::kIncrease:
      return RateOf(window, {.counter = true}, call.at, notes);
    case FunctionId::kDelta:
      return RateOf(window, {}, call.at, notes);
    case FunctionId::kIrate:
      return InstantRateOf(window, true, call.at, notes);
    case FunctionId::kIdelta:
      return InstantRateOf(window, false, call.at, notes);
    case FunctionId::kResets:
      return CountBetween(window, IsRestart);
    case FunctionId::kChanges:
      return CountBetween(window, IsChange);
    case FunctionId::kSumOverTime:
    case FunctionId::kAvgOverTime:
      return SumOrAverage(call, notes);
    case FunctionId::kCountOverTime:
      return MaybePoint(
          NaivePoint{static_cast<double>(window.floats.size() + window.histograms.size())});
    case FunctionId::kPresentOverTime:
    case FunctionId::kAbsentOverTime:
      return MaybePoint(NaivePoint{1});
    case FunctionId::kFirstOverTime:
      return FirstOverTime(window);
    case FunctionId::kLastOverTime:
      return LastOverTime(window);
    case FunctionId::kTsOfFirstOverTime:
      return MaybePoint(NaivePoint{FirstTime(window)});
    case FunctionId::kTsOfLastOverTime:
      return MaybePoint(NaivePoint{LastTime(window)});
    case FunctionId::kDeriv:
    case FunctionId::kPredictLinear:
    case FunctionId::kDoubleExponentialSmoothing:
      return FunctionOfSlope(call, notes);
    default:
      return FunctionOfFloats(call, notes);
  }
}

// ---------------------------------------------------------------------------- the evaluator's part

namespace {

Status CheckModifier(const CallExpr& call, const Expr& range) {
  const auto* matrix = If<MatrixSelector>(range);
  if (matrix == nullptr) return OkStatus();
  const FunctionId id = call.function->id;
  const bool rate =
      id == FunctionId::kRate || id == FunctionId::kIncrease || id == FunctionId::kDelta;
  const bool count = id == FunctionId::kResets || id == FunctionId::kChanges;
  if (matrix->selector->anchored && !rate && !count) {
    return Error(
        ErrorKind::kInvalid,
        fmt::format(
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - "
            "not with {}",
            call.function->name));
  }
  if (matrix->selector->smoothed && !rate) {
    return Error(
        ErrorKind::kInvalid,
        fmt::format("smoothed modifier can only be used with: delta, increase, rate - not with {}",
                    call.function->name));
  }
  return OkStatus();
}

// The reference evaluates a subquery into a selector without a position, so notes about it point to
// the beginning.
PositionRange NotePosition(const Expr& argument) {
  return argument.kind == ExprKind::kSubquery ? PositionRange{} : argument.position;
}

}  // namespace

Result<NaiveVector> NaiveQuery::EvalRangeCall(const CallExpr& call, std::size_t range_argument,
                                              Timestamp t) {
  const Expr& range = *call.arguments[range_argument];
  TRY(CheckModifier(call, range));
  const FunctionId id = call.function->id;
  const PositionRange at = NotePosition(*call.arguments[0]);
  const std::uint64_t held_before = budget_.held();
  const std::uint64_t read_before = samples_read_;
  const std::vector<NaiveWindow> windows = TRY(EvalWindows(range, t));
  samples_read_ =
      read_before;  // What a subquery's points read does not count, but what its windows hold.
  std::vector<double> scalars;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (i != range_argument) scalars.push_back(TRY(EvalScalar(*call.arguments[i], t)));
  }

  notes_.set_source(call.position);
  NaiveVector vector;
  const bool keeps_name = id == FunctionId::kLastOverTime || id == FunctionId::kFirstOverTime;
  for (const NaiveWindow& window : windows) {
    TRY(CheckAlive());
    if (window.empty()) continue;
    const std::uint64_t held = budget_.held();
    TRY(budget_.Add(SampleCount(window)));
    samples_read_ += SampleCount(window);
    const NaiveRangeCall one{
        .function = *call.function, .window = window, .scalars = scalars, .t = t, .at = at};
    std::optional<NaivePoint> point = TRY(CallRangeFunction(one, notes_));
    if (!point) {
      budget_.ReleaseTo(held);
      continue;
    }
    TRY(budget_.Add(SampleCount(point->histogram)));
    budget_.ReleaseTo(held + SampleCount(point->histogram));
    if ((id == FunctionId::kRate || id == FunctionId::kIncrease) && point->histogram == nullptr) {
      NoteUnlikelyCounter(window, at);
    }
    NaiveElement element{
        .labels = window.labels, .v = point->v, .histogram = std::move(point->histogram)};
    if (!keeps_name || window.drop_name) MarkNameDropped(element);
    vector.push_back(std::move(element));
  }
  if (id == FunctionId::kAbsentOverTime) {
    const bool present = !vector.empty();
    vector.clear();
    if (!present) vector.push_back({.labels = LabelsForAbsent(range), .v = 1, .drop_name = true});
  }
  if (!options_.delayed_name_removal) TRY(CheckUnique(vector));
  budget_.ReleaseTo(held_before + SampleCount(vector));
  return vector;
}

void NaiveQuery::NoteUnlikelyCounter(const NaiveWindow& window, PositionRange at) {
  const std::string_view name = window.labels.metric_name();
  if (name.empty()) return;
  if (options_.type_and_unit_labels) {
    const std::string_view type = window.labels.Get(kTypeLabel);
    if (type != "counter" && type != "histogram") notes_.PossibleNonCounterLabel(name, type, at);
    return;
  }
  for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
    if (name.ends_with(suffix)) return;
  }
  notes_.PossibleNonCounter(name, at);
}

}  // namespace sonde::promql
