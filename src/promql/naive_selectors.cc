#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "promql/functions.h"
#include "promql/histogram_math.h"
#include "promql/naive_query.h"
#include "promql/naive_rate.h"

namespace sonde::promql {
namespace {

bool IsStale(const NaiveSample& sample) {
  return IsStaleNan(sample.histogram == nullptr ? sample.v : sample.histogram->sum);
}

// The first sample after `t`.
std::vector<NaiveSample>::const_iterator After(const std::vector<NaiveSample>& samples,
                                               Timestamp t) {
  return std::ranges::upper_bound(samples, t, std::less<>(), &NaiveSample::t);
}

void AppendBatch(const storage::SampleBatch& batch, std::vector<NaiveSample>& samples) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    NaiveSample sample;
    sample.t = batch.timestamps[i];
    if (!batch.start_timestamps.empty()) sample.start = batch.start_timestamps[i];
    switch (batch.kind) {
      case storage::SampleKind::kFloat:
        sample.v = batch.values[i];
        break;
      case storage::SampleKind::kHistogram:
        sample.histogram =
            std::make_shared<const FloatHistogram>(ToFloatHistogram(batch.histograms[i]));
        break;
      case storage::SampleKind::kFloatHistogram:
        sample.histogram = std::make_shared<const FloatHistogram>(batch.float_histograms[i]);
        break;
    }
    samples.push_back(std::move(sample));
  }
}

}  // namespace

Result<std::vector<NaiveQuery::StoredSeries>> NaiveQuery::Read(std::span<const Matcher> matchers) {
  std::vector<StoredSeries> read;
  if (querier_ == nullptr) return read;
  const storage::SelectHints hints{
      .start = prepared_.first, .end = prepared_.last, .step = range_.step, .function = {}};
  auto selected = querier_->Select(true, hints, matchers);
  if (!selected) return std::move(selected).error().Wrap("expanding series");
  const storage::SeriesSet& set = **selected;
  const std::unique_ptr<storage::SampleReader> reader = set.NewReader();
  for (std::size_t i = 0; i < set.size(); ++i) {
    TRY(CheckAlive());
    StoredSeries series{.labels = Labels(set.labels(i))};
    reader->Seek(i);
    for (;;) {
      auto batch = reader->Next();
      if (!batch) return std::move(batch).error().Wrap("expanding series");
      if (batch->size() == 0) break;
      AppendBatch(*batch, series.samples);
    }
    for (const NaiveSample& sample : series.samples) {
      TRY(stored_.Add(SampleCount(sample.histogram)));
    }
    read.push_back(std::move(series));
  }
  for (const std::string& warning : set.warnings()) {
    notes_.StorageWarning(warning);
  }
  return read;
}

Result<const std::vector<NaiveQuery::StoredSeries>*> NaiveQuery::Select(
    const VectorSelector& selector) {
  auto it = selected_.find(&selector);
  if (it == selected_.end()) it = selected_.emplace(&selector, TRY(Read(selector.matchers))).first;
  return &it->second;
}

// ------------------------------------------------------------------------------- instant selectors

// The newest sample in (t - lookback, t], unless it says that the series has ended.
const NaiveSample* NaiveQuery::NewestWithin(const StoredSeries& series, Timestamp t,
                                            Duration lookback) {
  const auto after = After(series.samples, t);
  if (after == series.samples.begin()) return nullptr;
  const NaiveSample& sample = *std::prev(after);
  if (sample.t <= Earlier(t, lookback) || IsStale(sample)) return nullptr;
  return &sample;
}

Result<NaiveVector> NaiveQuery::EvalSelector(const VectorSelector& selector, Timestamp t) {
  if (selector.smoothed) return EvalSmoothedSelector(selector, t);
  const Timestamp at = ReferenceTime(t, selector.at, selector.offset);
  NaiveVector vector;
  const std::vector<StoredSeries>& selected = *TRY(Select(selector));
  for (const StoredSeries& series : selected) {
    const NaiveSample* sample = NewestWithin(series, at, options_.lookback);
    if (sample == nullptr) continue;
    const std::uint64_t samples = SampleCount(sample->histogram);
    TRY(budget_.Add(samples));
    samples_read_ += samples;
    vector.push_back({series.labels, sample->v, sample->histogram});
  }
  return vector;
}

// A smoothed instant selector draws the line between the samples around `t`; behind the last one,
// it carries on.
Result<NaiveVector> NaiveQuery::EvalSmoothedSelector(const VectorSelector& selector, Timestamp t) {
  const Timestamp at = ReferenceTime(t, selector.at, selector.offset);
  notes_.set_source(selector.position);
  NaiveVector vector;
  const std::vector<StoredSeries>& selected = *TRY(Select(selector));
  for (const StoredSeries& series : selected) {
    const NaiveWindow window =
        CutWindow(series, Earlier(at, options_.lookback), Later(at, options_.lookback));
    if (window.empty()) continue;
    if (!window.floats.empty() && !window.histograms.empty()) {
      notes_.MixedFloatsHistograms(series.labels.metric_name(), selector.position);
      continue;
    }
    const auto point = SmoothedValue(window, at, selector.position, notes_);
    if (!point) continue;
    const std::uint64_t samples = SampleCount(point->histogram);
    TRY(budget_.Add(samples));
    samples_read_ += samples;
    vector.push_back({series.labels, point->v, point->histogram});
  }
  return vector;
}

Result<NaiveVector> NaiveQuery::EvalSampleTimes(const CallExpr& call,
                                                const VectorSelector& selector, Timestamp t) {
  const bool starts = call.function->id == FunctionId::kStartTimestamp;
  const Timestamp at = ReferenceTime(t, selector.at, selector.offset);
  const std::uint64_t held_before = budget_.held();
  NaiveVector vector;
  const std::vector<StoredSeries>& selected = *TRY(Select(selector));
  for (const StoredSeries& series : selected) {
    const NaiveSample* sample = NewestWithin(series, at, options_.lookback);
    if (sample == nullptr) continue;
    TRY(budget_.Add(1));
    samples_read_ += 1;
    if (starts && !options_.use_start_timestamps) continue;
    NaiveElement element{.labels = series.labels,
                         .v = (starts ? sample->start : sample->t).seconds()};
    MarkNameDropped(element);
    vector.push_back(std::move(element));
  }
  TRY(AccountFor(held_before, 0, vector));
  if (!options_.delayed_name_removal) TRY(CheckUnique(vector));
  return vector;
}

// ------------------------------------------------------------------------------------------ ranges

// The samples in (after, until], without stale markers.
NaiveWindow NaiveQuery::CutWindow(const StoredSeries& series, Timestamp after,
                                  Timestamp until) const {
  NaiveWindow window{.labels = series.labels, .start = after, .end = until};
  for (auto it = After(series.samples, after); it != series.samples.end() && it->t <= until; ++it) {
    if (IsStale(*it)) continue;
    if (it->histogram == nullptr) {
      window.floats.push_back({it->t, it->v});
      if (options_.use_start_timestamps) window.float_starts.push_back(it->start);
    } else {
      window.histograms.push_back({it->t, it->histogram});
      if (options_.use_start_timestamps) window.histogram_starts.push_back(it->start);
    }
  }
  return window;
}

Result<std::vector<NaiveWindow>> NaiveQuery::EvalWindows(const Expr& expr, Timestamp t) {
  if (const auto* matrix = If<MatrixSelector>(expr)) return SelectorWindows(*matrix, t);
  return SubqueryWindows(As<SubqueryExpr>(expr), t);
}

Result<std::vector<NaiveWindow>> NaiveQuery::SelectorWindows(const MatrixSelector& matrix,
                                                             Timestamp t) {
  const VectorSelector& selector = *matrix.selector;
  const Timestamp end = ReferenceTime(t, selector.at, selector.offset);
  const Timestamp start = Earlier(end, matrix.range.value);
  const bool extended = selector.anchored || selector.smoothed;
  std::vector<NaiveWindow> windows;
  const std::vector<StoredSeries>& selected = *TRY(Select(selector));
  for (const StoredSeries& series : selected) {
    NaiveWindow window = CutWindow(series, extended ? Earlier(start, options_.lookback) : start,
                                   selector.smoothed ? Later(end, options_.lookback) : end);
    if (window.empty()) continue;
    window.start = start;
    window.end = end;
    window.anchored = selector.anchored;
    window.smoothed = selector.smoothed;
    windows.push_back(std::move(window));
  }
  return windows;
}

Result<std::vector<NaiveWindow>> NaiveQuery::SubqueryWindows(const SubqueryExpr& subquery,
                                                             Timestamp t) {
  const Duration step =
      subquery.step.value.count() != 0 ? subquery.step.value : options_.default_subquery_step;
  const Timestamp end = ReferenceTime(t, subquery.at, subquery.offset);
  const Timestamp start = Earlier(end, subquery.range.value);
  // The grid is absolute: multiples of the step since the epoch. Division rounds towards zero.
  Timestamp first{start.ms / step.count() * step.count()};
  if (first <= start) first = Later(first, step);
  const bool many_steps_before = std::exchange(many_steps_, many_steps_ || first != end);

  std::vector<NaiveWindow> windows;
  // The views are of labels that subquery_points_ keeps.
  std::map<LabelsView, std::size_t> window_of;
  for (Timestamp at = first; at <= end; at = Later(at, step)) {
    const NaiveVector& point = *TRY(SubqueryPoint(subquery, at));
    TRY(budget_.Add(SampleCount(point)));
    for (const NaiveElement& element : point) {
      const auto [it, inserted] = window_of.try_emplace(element.labels, windows.size());
      if (inserted) windows.push_back({.labels = element.labels, .start = start, .end = end});
      NaiveWindow& window = windows[it->second];
      window.drop_name = window.drop_name || element.drop_name;
      if (element.histogram == nullptr) {
        if (!IsStaleNan(element.v)) window.floats.push_back({at, element.v});
      } else {
        window.histograms.push_back({at, WithoutResetHint(element.histogram)});
      }
    }
    if (at == Timestamp::Max()) break;
  }
  many_steps_ = many_steps_before;
  return windows;
}

// Windows overlap from step to step; each of their points is evaluated once.
Result<const NaiveVector*> NaiveQuery::SubqueryPoint(const SubqueryExpr& subquery, Timestamp t) {
  const std::pair key(&subquery, t.ms);
  auto it = subquery_points_.find(key);
  if (it == subquery_points_.end()) {
    const std::uint64_t held_before = budget_.held();
    NaiveVector vector = TRY(EvalVector(*subquery.expr, t));
    TRY(CheckUnique(vector));
    budget_.ReleaseTo(held_before);
    it = subquery_points_.emplace(key, std::move(vector)).first;
  }
  TRY(CheckAlive());
  return &it->second;
}

}  // namespace sonde::promql
