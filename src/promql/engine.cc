#include "promql/engine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "promql/fast_samples.h"
#include "promql/fast_window.h"
#include "promql/planner.h"

// The planned evaluator: prepares the query, makes its plan, runs it once for all steps, and turns
// columns into results.

namespace sonde::promql {
namespace {

double Seconds(std::int64_t nanos) {
  return static_cast<double>(nanos) * 1e-9;
}

void SortByLabels(std::vector<ResultSeries>& series) {
  const auto less = [](const ResultSeries& a, const ResultSeries& b) {
    return a.labels < b.labels;
  };
  if (!std::ranges::is_sorted(series, less)) std::ranges::sort(series, less);
}

// The series of the result. Those that lost their names at the end of the query may have become
// one.
class ResultCollector final : public VectorSink {
 public:
  // `unique`: labels are known to differ.
  ResultCollector(PlanRun& run, const Grid& grid, bool unique)
      : run_(run), grid_(grid), unique_(unique) {}

  Status Accept(const ColumnSeries& series) override {
    const std::size_t present = CountPresent(series.values);
    if (present == 0) return OkStatus();
    TRY(run_.Hold(present));
    std::vector<SamplePoint> points;
    points.reserve(present);
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (IsPresent(series.values[i])) points.push_back({grid_.at(i), series.values[i], nullptr});
    }
    return Add(series.labels, series.drop_name, std::move(points));
  }

  // Takes points that are held already.
  Status Add(LabelsView labels, bool drop_name, std::vector<SamplePoint> points) {
    const bool drop = drop_name && run_.delayed_names();
    const LabelsView final_labels = drop ? StripMetadata(labels, scratch_) : labels;
    if (!unique_) {
      const LabelIndex::Entry entry = index_.FindOrAdd(final_labels);
      if (!entry.is_new) return Merge(series_[entry.number].points, points);
    }
    series_.push_back({Labels(final_labels), std::move(points)});
    return OkStatus();
  }

  std::vector<ResultSeries> Take() { return std::move(series_); }

 private:
  static Status Merge(std::vector<SamplePoint>& into, const std::vector<SamplePoint>& points) {
    const auto middle = static_cast<std::ptrdiff_t>(into.size());
    into.insert(into.end(), points.begin(), points.end());
    std::inplace_merge(into.begin(), into.begin() + middle, into.end(),
                       [](const SamplePoint& a, const SamplePoint& b) { return a.t < b.t; });
    const auto same = std::ranges::adjacent_find(into, std::equal_to<>(), &SamplePoint::t);
    return same == into.end() ? OkStatus() : SameLabelsError();
  }

  PlanRun& run_;
  const Grid grid_;
  const bool unique_;
  LabelIndex index_;
  std::string scratch_;
  std::vector<ResultSeries> series_;
};

// Cuts out the windows of a range vector that is itself the result.
class WindowCutter final : public RangeSink {
 public:
  WindowCutter(PlanRun& run, const WindowGrid& window, bool counts_samples, ResultCollector& result)
      : run_(run), window_(window), counts_samples_(counts_samples), result_(result) {}

  Status Accept(LabelsView labels, bool drop_name, const RangeSamples& samples) override {
    const std::int64_t end = window_.end(0);
    const std::int64_t start = SubtractClamped(end, window_.range);
    std::vector<SamplePoint> points;
    if (window_.anchored || window_.smoothed) {
      for (const FloatSample& sample : EdgeToEdge(samples, window_)) {
        points.push_back({sample.t, sample.v, nullptr});
      }
    } else {
      for (std::size_t i = 0; i < samples.times.size(); ++i) {
        const std::int64_t t = samples.times[i];
        if (t > start && t <= end) points.push_back({{t}, AsValue(samples.values[i]), nullptr});
      }
    }
    if (counts_samples_) run_.samples_read += points.size();
    TRY(run_.Hold(points.size()));
    return points.empty() ? OkStatus() : result_.Add(labels, drop_name, std::move(points));
  }

 private:
  PlanRun& run_;
  const WindowGrid window_;
  const bool counts_samples_;
  ResultCollector& result_;
};

// One query under evaluation.
class PlannedQuery {
 public:
  PlannedQuery(const PreparedQuery& query, const QueryRange& range, PlanRun& run)
      : query_(query), range_(range), run_(run) {}

  Result<QueryResult> Run(const Clock& clock) {
    QueryResult result;
    const ValueType type = TypeOf(*query_.expr);
    if (type == ValueType::kString) {
      result.value = StringResult{range_.start, As<StringExpr>(Unwrap(*query_.expr)).value};
      return result;
    }
    Grid grid{.start = range_.start};
    if (!range_.instant()) {
      if (range_.end < range_.start) {
        result.value = MatrixResult{};
        return result;
      }
      grid = TRY(GridOf(range_));
    }
    std::int64_t sort_start = 0;
    if (type == ValueType::kScalar) {
      result.value = TRY(RunScalar(grid));
    } else if (type == ValueType::kMatrix) {
      MatrixResult matrix{TRY(RunMatrix(grid))};
      sort_start = clock.MonotonicNanos();
      SortByLabels(matrix.series);
      result.value = std::move(matrix);
    } else {
      std::vector<ResultSeries> series = TRY(RunVector(grid));
      sort_start = clock.MonotonicNanos();
      if (range_.instant()) {
        result.value = VectorResult{std::move(series)};
      } else {
        SortByLabels(series);
        result.value = MatrixResult{std::move(series)};
      }
    }
    if (sort_start != 0) {
      result.statistics.sort_seconds = Seconds(clock.MonotonicNanos() - sort_start);
    }
    return result;
  }

 private:
  using Value = decltype(QueryResult::value);

  static Result<Grid> GridOf(const QueryRange& range) {
    const std::uint64_t length =
        static_cast<std::uint64_t>(range.end.ms) - static_cast<std::uint64_t>(range.start.ms);
    const std::uint64_t steps = length / static_cast<std::uint64_t>(range.step.count()) + 1;
    if (steps > kMaxGridSteps) {
      return Error(
          ErrorKind::kLimit,
          fmt::format("the query has {} steps, more than the limit of {}", steps, kMaxGridSteps));
    }
    return Grid{.start = range.start,
                .step = range.step,
                .steps = static_cast<std::size_t>(steps),
                .is_range = range.start != range.end};
  }

  Result<Value> RunScalar(const Grid& grid) {
    const Column values = TRY(MakeScalarPlan(query_)->Run(run_, grid));
    TRY(run_.Hold(values.size()));
    if (range_.instant()) return Value(ScalarResult{range_.start, AsValue(values[0])});
    ResultSeries series;
    for (std::size_t i = 0; i < values.size(); ++i) {
      series.points.push_back({grid.at(i), AsValue(values[i]), nullptr});
    }
    MatrixResult matrix;
    matrix.series.push_back(std::move(series));
    return Value(std::move(matrix));
  }

  Result<std::vector<ResultSeries>> RunVector(const Grid& grid) {
    const VectorPlan plan = MakeVectorPlan(query_);
    ResultCollector result(run_, grid, !run_.delayed_names() && plan->HasUniqueLabels());
    TRY(plan->Run(run_, grid, result));
    return result.Take();
  }

  Result<std::vector<ResultSeries>> RunMatrix(const Grid& grid) {
    const RangePlan plan = MakeRangePlan(query_);
    // Of a subquery, what its inner expression read has been counted.
    const bool stored = Unwrap(*query_.expr).kind == ExprKind::kMatrixSelector;
    ResultCollector result(run_, grid, false);
    WindowCutter cutter(run_, plan->Windows(run_, grid), stored, result);
    TRY(plan->Run(run_, grid, cutter));
    return result.Take();
  }

  const PreparedQuery& query_;
  const QueryRange& range_;
  PlanRun& run_;
};

class PlannedEvaluator final : public Evaluator {
 public:
  explicit PlannedEvaluator(const Clock& clock)
      : clock_(clock), step_by_step_(NewNaiveEvaluator(clock)) {}

  Result<QueryResult> Evaluate(const Expr& expr, const QueryRange& range,
                               const storage::Queryable& store, const EvalOptions& options,
                               const CancelFlag* cancel) const override {
    const std::int64_t start = clock_.MonotonicNanos();
    const ValueType type = TypeOf(expr);
    if (!range.instant() && type != ValueType::kVector && type != ValueType::kScalar) {
      return Error(ErrorKind::kInvalid,
                   fmt::format("invalid expression type \"{}\" for range query, must be Scalar or "
                               "instant Vector",
                               Describe(type)));
    }
    const PreparedQuery query = TRY(PrepareQuery(expr, range, options));
    std::unique_ptr<storage::Querier> querier;
    if (query.first <= query.last) querier = TRY(store.NewQuerier(query.first, query.last));
    const std::int64_t ready = clock_.MonotonicNanos();
    PlanRun run(querier.get(), range, options,
                {.clock = clock_,
                 .deadline_nanos = start + options.timeout.count() * 1'000'000,
                 .cancel = cancel});
    Result<QueryResult> result = PlannedQuery(query, range, run).Run(clock_);
    if (run.met_histogram) {
      // Columns hold floats. Native histograms are left to the evaluator that takes step after
      // step.
      EvalOptions rest = options;
      rest.timeout -= Duration((clock_.MonotonicNanos() - start) / 1'000'000);
      return step_by_step_->Evaluate(expr, range, store, rest, cancel);
    }
    if (!result) return result;
    result->annotations = run.notes().Render(options.query);
    result->statistics.samples_read = run.samples_read;
    result->statistics.peak_samples = run.peak();
    result->statistics.prepare_seconds = Seconds(ready - start);
    result->statistics.eval_seconds = Seconds(clock_.MonotonicNanos() - ready);
    return result;
  }

 private:
  const Clock& clock_;
  std::unique_ptr<Evaluator> step_by_step_;
};

}  // namespace

std::unique_ptr<Evaluator> NewEvaluator(const Clock& clock) {
  return std::make_unique<PlannedEvaluator>(clock);
}

}  // namespace sonde::promql
