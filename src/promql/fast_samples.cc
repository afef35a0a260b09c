#include "promql/fast_samples.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "promql/label_functions.h"

namespace sonde::promql {
namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

static_assert(sizeof(Timestamp) == sizeof(std::int64_t));

// A column of timestamps as plain numbers.
void AppendTimes(std::span<const Timestamp> from, std::vector<std::int64_t>& to) {
  const std::size_t size = to.size();
  to.resize(size + from.size());
  std::memcpy(to.data() + size, from.data(), from.size_bytes());
}

bool HasStaleMarker(std::span<const double> values) {
  return std::ranges::any_of(values, [](double v) { return IsStaleNan(v); });
}

bool HasMetadataLabels(LabelsView labels) {
  for (const LabelView label : labels) {
    if (label.name == kTypeLabel || label.name == kUnitLabel) return true;
    if (label.name > kUnitLabel) return false;
  }
  return false;
}

}  // namespace

std::int64_t AddClamped(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? kMax : kMin;
}

std::int64_t SubtractClamped(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b > 0 ? kMin : kMax;
}

ReferenceTimes ReferenceTimesOf(const Grid& grid, const AtModifier& at,
                                const OffsetModifier& offset) {
  const bool fixed = at.kind == AtModifier::Kind::kTimestamp;
  return {.first = SubtractClamped(fixed ? at.timestamp.ms : grid.start.ms, offset.value.count()),
          .step = fixed ? 0 : grid.step.count(),
          .steps = grid.steps};
}

// ------------------------------------------------------------------------------------- reading
// samples

Status SeriesScan::Select(std::span<const Matcher> matchers, std::string_view function) {
  if (run_.querier() == nullptr) return OkStatus();
  const storage::SelectHints hints{
      .start = {first_}, .end = {last_}, .step = run_.range().step, .function = function};
  auto selected = run_.querier()->Select(true, hints, matchers);
  if (!selected) return std::move(selected).error().Wrap("expanding series");
  set_ = *std::move(selected);
  reader_ = set_->NewReader();
  for (const std::string& warning : set_->warnings()) {
    run_.notes().StorageWarning(warning);
  }
  for (std::size_t i = 0; i < set_->size() && !run_.met_metadata_labels; ++i) {
    run_.met_metadata_labels = HasMetadataLabels(set_->labels(i));
  }
  return OkStatus();
}

Result<RangeSamples> SeriesScan::Read(std::size_t i) {
  TRY(run_.CheckAlive());
  times_.clear();
  values_.clear();
  starts_.clear();
  reader_->Seek(i);
  while (true) {
    auto batch = reader_->Next();
    if (!batch) return std::move(batch).error().Wrap("expanding series");
    if (batch->size() == 0) break;
    TRY(Append(*batch));
  }
  return RangeSamples{times_, values_, starts_};
}

Status SeriesScan::Append(const storage::SampleBatch& batch) {
  // The store may give more than was asked for.
  const auto begin = std::ranges::lower_bound(batch.timestamps, Timestamp{first_});
  const auto end = std::upper_bound(begin, batch.timestamps.end(), Timestamp{last_});
  const auto offset = static_cast<std::size_t>(begin - batch.timestamps.begin());
  const auto count = static_cast<std::size_t>(end - begin);
  if (count == 0) return OkStatus();
  if (batch.kind != storage::SampleKind::kFloat) {
    run_.met_histogram = true;
    return Error(ErrorKind::kUnavailable, "the query selects native histograms");
  }
  const auto times = batch.timestamps.subspan(offset, count);
  const auto values = batch.values.subspan(offset, count);
  const bool skip = stale_ == StaleMarkers::kSkip && HasStaleMarker(values);
  const bool with_starts =
      run_.options().use_start_timestamps && (!starts_.empty() || !batch.start_timestamps.empty());
  if (with_starts) starts_.resize(times_.size());
  if (!skip) {
    AppendTimes(times, times_);
    values_.insert(values_.end(), values.begin(), values.end());
    if (with_starts && batch.start_timestamps.empty()) starts_.resize(times_.size());
    if (with_starts && !batch.start_timestamps.empty()) {
      AppendTimes(batch.start_timestamps.subspan(offset, count), starts_);
    }
    return OkStatus();
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (IsStaleNan(values[i])) continue;
    times_.push_back(times[i].ms);
    values_.push_back(values[i]);
    if (!with_starts) continue;
    starts_.push_back(batch.start_timestamps.empty() ? 0 : batch.start_timestamps[offset + i].ms);
  }
  return OkStatus();
}

namespace {

// --------------------------------------------------------------------------------- instant
// selectors

bool NamesOneMetric(std::span<const Matcher> matchers) {
  return std::ranges::any_of(matchers, [](const Matcher& matcher) {
    return matcher.name() == kMetricName && matcher.type() == Matcher::Type::kEqual;
  });
}

// A bare selector: the newest sample in (t - lookback, t] at each step. Or that sample's time.
class SelectorNode final : public VectorNode {
 public:
  enum class What : std::uint8_t { kValue, kTime, kStartTime };

  SelectorNode(const VectorSelector& selector, What what) : selector_(selector), what_(what) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    const ReferenceTimes times = ReferenceTimesOf(grid, selector_.at, selector_.offset);
    const std::int64_t lookback = run.options().lookback.count();
    SeriesScan scan(run, AddClamped(SubtractClamped(times.first, lookback), 1), times.last(),
                    SeriesScan::StaleMarkers::kKeep);
    TRY(scan.Select(selector_.matchers, what_ == What::kValue ? "" : "timestamp"));
    NameDropper dropper(run, sink, NamesOneMetric(selector_.matchers));
    Column column;
    for (std::size_t i = 0; i < scan.size(); ++i) {
      const RangeSamples samples = TRY(scan.Read(i));
      if (samples.times.empty()) continue;
      const std::size_t found = Fill(samples, times, lookback, column);
      if (found == 0) continue;
      run.samples_read += found;
      if (what_ == What::kValue) {
        TRY(sink.Accept({scan.labels(i), false, column}));
      } else if (what_ == What::kTime || run.options().use_start_timestamps) {
        TRY(dropper.Pass(scan.labels(i), column));
      }
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return NamesOneMetric(selector_.matchers); }

 private:
  // Returns the number of steps with a value.
  std::size_t Fill(const RangeSamples& samples, const ReferenceTimes& times, std::int64_t lookback,
                   Column& column) const {
    column.resize(times.steps);
    std::size_t next = 0;  // The first sample after the step's time.
    std::size_t found = 0;
    for (std::size_t i = 0; i < times.steps; ++i) {
      const std::int64_t t = times.at(i);
      while (next < samples.times.size() && samples.times[next] <= t) {
        ++next;
      }
      column[i] = kMissing;
      if (next == 0) continue;
      const std::size_t newest = next - 1;
      if (samples.times[newest] <= SubtractClamped(t, lookback)) continue;
      if (IsStaleNan(samples.values[newest])) continue;
      column[i] = ValueOf(samples, newest);
      ++found;
    }
    return found;
  }

  double ValueOf(const RangeSamples& samples, std::size_t i) const {
    if (what_ == What::kValue) return AsValue(samples.values[i]);
    if (what_ == What::kTime) return Timestamp{samples.times[i]}.seconds();
    return samples.starts.empty() ? 0 : Timestamp{samples.starts[i]}.seconds();
  }

  const VectorSelector& selector_;
  What what_;
};

// A smoothed instant selector: on the line between the neighbours within one lookback, or the older
// one's value.
class SmoothedSelectorNode final : public VectorNode {
 public:
  explicit SmoothedSelectorNode(const VectorSelector& selector) : selector_(selector) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    const ReferenceTimes times = ReferenceTimesOf(grid, selector_.at, selector_.offset);
    const std::int64_t lookback = run.options().lookback.count();
    SeriesScan scan(run, AddClamped(SubtractClamped(times.first, lookback), 1),
                    AddClamped(times.last(), lookback), SeriesScan::StaleMarkers::kSkip);
    TRY(scan.Select(selector_.matchers, ""));
    Column column;
    for (std::size_t i = 0; i < scan.size(); ++i) {
      const RangeSamples samples = TRY(scan.Read(i));
      std::size_t next = 0;  // The first sample at or after the step's time.
      column.assign(times.steps, kMissing);
      for (std::size_t k = 0; k < times.steps; ++k) {
        const std::int64_t t = times.at(k);
        while (next < samples.times.size() && samples.times[next] < t) {
          ++next;
        }
        column[k] = At(samples, next, t, lookback);
      }
      const std::size_t found = CountPresent(column);
      if (found == 0) continue;
      run.samples_read += found;
      TRY(sink.Accept({scan.labels(i), false, column}));
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return NamesOneMetric(selector_.matchers); }

 private:
  static double At(const RangeSamples& samples, std::size_t next, std::int64_t t,
                   std::int64_t lookback) {
    const bool has_next =
        next < samples.times.size() && samples.times[next] <= AddClamped(t, lookback);
    if (has_next && samples.times[next] == t) return AsValue(samples.values[next]);
    if (next == 0 || samples.times[next - 1] <= SubtractClamped(t, lookback)) return kMissing;
    const double before = AsValue(samples.values[next - 1]);
    if (!has_next) return before;
    const std::int64_t from = samples.times[next - 1];
    const double rise = AsValue(samples.values[next]) - before;
    return before +
           rise * static_cast<double>(t - from) / static_cast<double>(samples.times[next] - from);
  }

  const VectorSelector& selector_;
};

// -------------------------------------------------------------------------------------------
// ranges

class MatrixNode final : public RangeNode {
 public:
  MatrixNode(const MatrixSelector& matrix, std::string_view function)
      : matrix_(matrix), selector_(*matrix.selector), function_(function) {}

  WindowGrid Windows(PlanRun& run, const Grid& grid) const override {
    const ReferenceTimes times = ReferenceTimesOf(grid, selector_.at, selector_.offset);
    return {.first = times.first,
            .step = times.step,
            .steps = times.steps,
            .range = matrix_.range.value.count(),
            .lookback = run.options().lookback.count(),
            .anchored = selector_.anchored,
            .smoothed = selector_.smoothed};
  }

  Status Run(PlanRun& run, const Grid& grid, RangeSink& sink) override {
    const WindowGrid windows = Windows(run, grid);
    const bool extended = windows.anchored || windows.smoothed;
    const std::int64_t before = extended ? windows.lookback : 0;
    const std::int64_t after = windows.smoothed ? windows.lookback : 0;
    const std::int64_t start = SubtractClamped(windows.first, windows.range);
    SeriesScan scan(run, AddClamped(SubtractClamped(start, before), 1),
                    AddClamped(windows.end(windows.steps - 1), after),
                    SeriesScan::StaleMarkers::kSkip);
    TRY(scan.Select(selector_.matchers, function_));
    for (std::size_t i = 0; i < scan.size(); ++i) {
      const RangeSamples samples = TRY(scan.Read(i));
      if (!samples.times.empty()) TRY(sink.Accept(scan.labels(i), false, samples));
    }
    return OkStatus();
  }

  bool HasUniqueLabelsWithoutName() const override { return NamesOneMetric(selector_.matchers); }

 private:
  const MatrixSelector& matrix_;
  const VectorSelector& selector_;
  std::string_view function_;
};

class SubqueryNode final : public RangeNode {
 public:
  SubqueryNode(const SubqueryExpr& subquery, VectorPlan inner)
      : subquery_(subquery), inner_(std::move(inner)) {}

  WindowGrid Windows(PlanRun& /*run*/, const Grid& grid) const override {
    const ReferenceTimes times = ReferenceTimesOf(grid, subquery_.at, subquery_.offset);
    return {.first = times.first,
            .step = times.step,
            .steps = times.steps,
            .range = subquery_.range.value.count()};
  }

  Status Run(PlanRun& run, const Grid& grid, RangeSink& sink) override {
    const SubqueryGrid inner = TRY(SubqueryGridOf(subquery_, grid, run.options()));
    if (inner.empty) return OkStatus();
    HeldSamples columns(run);  // The inner expression works on one at least.
    TRY(columns.Add(inner.grid.steps / 8));
    std::vector<std::int64_t> times;
    std::vector<double> values;
    LambdaSink to_range([&](const ColumnSeries& series) -> Status {
      TRY(run.CheckAlive());
      times.clear();
      values.clear();
      for (std::size_t i = 0; i < series.values.size(); ++i) {
        if (IsMissing(series.values[i]) || IsStaleNan(series.values[i])) continue;
        times.push_back(inner.grid.at(i).ms);
        values.push_back(series.values[i]);
      }
      if (times.empty()) return OkStatus();
      return sink.Accept(series.labels, series.drop_name, {times, values, {}});
    });
    if (inner_->HasUniqueLabels()) return inner_->Run(run, inner.grid, to_range);
    // Series that continue each other are one range vector.
    SeriesCollector collector(run);
    const std::uint64_t held_before = run.held();
    TRY(inner_->Run(run, inner.grid, collector));
    const std::uint64_t collected = run.held() - held_before;
    for (KeptSeries& series : collector.Take()) {
      TRY(to_range.Accept({series.labels, series.drop_name, series.values}));
    }
    run.Release(collected);
    return OkStatus();
  }

  bool HasUniqueLabelsWithoutName() const override {
    return inner_->HasUniqueLabels() && inner_->HasUniqueLabelsWithoutName();
  }

 private:
  const SubqueryExpr& subquery_;
  VectorPlan inner_;
};

}  // namespace

Result<SubqueryGrid> SubqueryGridOf(const SubqueryExpr& subquery, const Grid& outer,
                                    const EvalOptions& options) {
  const std::int64_t own_step = subquery.step.value.count();
  const std::int64_t step = own_step != 0 ? own_step : options.default_subquery_step.count();
  const ReferenceTimes times = ReferenceTimesOf(outer, subquery.at, subquery.offset);
  const std::int64_t start = SubtractClamped(times.first, subquery.range.value.count());
  const std::int64_t end = times.last();
  // Division rounds towards zero.
  std::int64_t first = start / step * step;
  if (first <= start) first = AddClamped(first, step);
  if (first > end) return SubqueryGrid{.empty = true, .grid = {}};
  const std::uint64_t steps =
      (static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(first)) /
          static_cast<std::uint64_t>(step) +
      1;
  if (steps > kMaxGridSteps) {
    return Error(ErrorKind::kLimit,
                 fmt::format("{}: a subquery has {} steps, more than the limit of {}",
                             kTooManySamples, steps, kMaxGridSteps));
  }
  return SubqueryGrid{.empty = false,
                      .grid = {.start = {first},
                               .step = Duration(step),
                               .steps = static_cast<std::size_t>(steps),
                               .is_range = outer.is_range || first != end}};
}

VectorPlan PlanSelector(const VectorSelector& selector) {
  if (selector.smoothed) return std::make_unique<SmoothedSelectorNode>(selector);
  return std::make_unique<SelectorNode>(selector, SelectorNode::What::kValue);
}

VectorPlan PlanSampleTimes(const VectorSelector& selector, bool start_timestamps) {
  const auto what = start_timestamps ? SelectorNode::What::kStartTime : SelectorNode::What::kTime;
  return std::make_unique<SelectorNode>(selector, what);
}

RangePlan PlanMatrix(const MatrixSelector& matrix, std::string_view function) {
  return std::make_unique<MatrixNode>(matrix, function);
}

RangePlan PlanSubquery(const SubqueryExpr& subquery, VectorPlan inner) {
  return std::make_unique<SubqueryNode>(subquery, std::move(inner));
}

}  // namespace sonde::promql
