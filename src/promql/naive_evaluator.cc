#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "promql/functions.h"
#include "promql/histogram_math.h"
#include "promql/label_functions.h"
#include "promql/naive_query.h"
#include "promql/naive_rate.h"

namespace sonde::promql {
namespace {

constexpr std::string_view kSameLabels = "vector cannot contain metrics with the same labelset";

double Seconds(std::int64_t nanos) {
  return static_cast<double>(nanos) * 1e-9;
}

// A timeout beyond the scale never comes.
std::int64_t Deadline(std::int64_t start, Duration timeout) {
  constexpr std::int64_t kNanosPerMs = 1'000'000;
  std::int64_t deadline = 0;
  if (__builtin_mul_overflow(timeout.count(), kNanosPerMs, &deadline) ||
      __builtin_add_overflow(start, deadline, &deadline)) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return deadline;
}

class NaiveEvaluator final : public Evaluator {
 public:
  explicit NaiveEvaluator(const Clock& clock) : clock_(clock) {}

  Result<QueryResult> Evaluate(const Expr& expr, const QueryRange& range,
                               const storage::Queryable& store, const EvalOptions& options,
                               const CancelFlag* cancel) const override {
    const std::int64_t start = clock_.MonotonicNanos();
    const ValueType type = TypeOf(expr);
    if (!range.instant() && type != ValueType::kVector && type != ValueType::kScalar) {
      return Error(
          ErrorKind::kInvalid,
          fmt::format(
              "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
              Describe(type)));
    }
    const PreparedQuery prepared = TRY(PrepareQuery(expr, range, options));
    std::unique_ptr<storage::Querier> querier;
    if (prepared.first <= prepared.last) {
      querier = TRY(store.NewQuerier(prepared.first, prepared.last));
    }
    const std::int64_t ready = clock_.MonotonicNanos();
    const NaiveQuery::Limits limits{
        .clock = clock_, .deadline_nanos = Deadline(start, options.timeout), .cancel = cancel};
    QueryResult result = TRY(NaiveQuery(prepared, range, querier.get(), options, limits).Run());
    result.statistics.prepare_seconds = Seconds(ready - start);
    result.statistics.eval_seconds = Seconds(clock_.MonotonicNanos() - ready);
    return result;
  }

 private:
  const Clock& clock_;
};

// Adds a step's elements to the series that they continue.
void Append(std::map<Labels, std::vector<SamplePoint>>& series, const NaiveVector& vector,
            Timestamp t) {
  for (const NaiveElement& element : vector) {
    series[element.labels].push_back({t, element.v, element.histogram});
  }
}

MatrixResult ToMatrix(std::map<Labels, std::vector<SamplePoint>> series) {
  MatrixResult result;
  result.series.reserve(series.size());
  for (auto& [labels, points] : series) {
    result.series.push_back({labels, std::move(points)});
  }
  return result;
}

// The points of a window in time order; of a float and a histogram at one time, the float first.
std::vector<SamplePoint> PointsOf(const NaiveWindow& window) {
  std::vector<SamplePoint> points;
  points.reserve(window.floats.size() + window.histograms.size());
  for (const FloatSample& sample : window.floats) {
    points.push_back({sample.t, sample.v, nullptr});
  }
  for (const NaiveHistogramSample& sample : window.histograms) {
    points.push_back({sample.t, 0, sample.histogram});
  }
  std::ranges::stable_sort(points, std::less<>(), &SamplePoint::t);
  return points;
}

}  // namespace

std::unique_ptr<Evaluator> NewNaiveEvaluator(const Clock& clock) {
  return std::make_unique<NaiveEvaluator>(clock);
}

// ------------------------------------------------------------------------------- values and budget

std::uint64_t SampleCount(const HistogramPtr& histogram) {
  if (histogram == nullptr) return 1;
  constexpr std::uint64_t kFixedBytes = 168;
  const std::uint64_t cells = histogram->positive_spans.size() + histogram->negative_spans.size() +
                              histogram->positive_counts.size() +
                              histogram->negative_counts.size() + histogram->custom_values.size();
  return (kFixedBytes + 8 * cells + 8) / 16;
}

std::uint64_t SampleCount(const NaiveVector& vector) {
  std::uint64_t count = 0;
  for (const NaiveElement& element : vector) {
    count += SampleCount(element.histogram);
  }
  return count;
}

std::uint64_t SampleCount(const NaiveWindow& window) {
  std::uint64_t count = window.floats.size();
  for (const NaiveHistogramSample& sample : window.histograms) {
    count += SampleCount(sample.histogram);
  }
  return count;
}

Timestamp Later(Timestamp t, Duration by) {
  std::int64_t ms = 0;
  if (!__builtin_add_overflow(t.ms, by.count(), &ms)) return {ms};
  return by.count() > 0 ? Timestamp::Max() : Timestamp::Min();
}

Timestamp Earlier(Timestamp t, Duration by) {
  std::int64_t ms = 0;
  if (!__builtin_sub_overflow(t.ms, by.count(), &ms)) return {ms};
  return by.count() > 0 ? Timestamp::Min() : Timestamp::Max();
}

// Selectors keep what they have read, which is more than the windows that the limit is about. A low
// limit, as that of test scripts, is not to refuse what one window at a time would allow.
constexpr std::uint64_t kMinStoredSamples = 1'000'000;

Status SampleBudget::Add(std::uint64_t samples) {
  held_ += samples;
  peak_ = std::max(peak_, held_);
  if (held_ <= limit_) return OkStatus();
  return Error(ErrorKind::kLimit,
               "query processing would load too many samples into memory in query execution");
}

// --------------------------------------------------------------------------------------- the query

NaiveQuery::NaiveQuery(const PreparedQuery& prepared, const QueryRange& range,
                       const storage::Querier* querier, const EvalOptions& options,
                       const Limits& limits)
    : prepared_(prepared),
      range_(range),
      querier_(querier),
      options_(options),
      limits_(limits),
      budget_(options.max_samples),
      stored_(std::max(options.max_samples, kMinStoredSamples)),
      many_steps_(range.start != range.end) {}

Result<QueryResult> NaiveQuery::Run() {
  QueryResult result = TRY(range_.instant() ? RunInstant() : RunRange());
  ReportParameters();
  result.annotations = notes_.Render(options_.query);
  result.statistics.samples_read = samples_read_;
  result.statistics.peak_samples = budget_.peak();
  return result;
}

Result<QueryResult> NaiveQuery::RunInstant() {
  const Expr& expr = *prepared_.expr;
  const Timestamp t = range_.start;
  QueryResult result;
  switch (TypeOf(expr)) {
    case ValueType::kString:
      result.value = StringResult{t, As<StringExpr>(Unwrap(expr)).value};
      break;
    case ValueType::kScalar:
      result.value = ScalarResult{t, TRY(EvalScalar(expr, t))};
      break;
    case ValueType::kMatrix:
      result.value = TRY(EvalMatrix(expr, t));
      break;
    case ValueType::kVector: {
      NaiveVector vector = TRY(EvalVector(expr, t));
      TRY(FinishNames(vector));
      VectorResult answer;
      answer.series.reserve(vector.size());
      for (NaiveElement& element : vector) {
        answer.series.push_back(
            {std::move(element.labels), {{t, element.v, std::move(element.histogram)}}});
      }
      result.value = std::move(answer);
      break;
    }
  }
  return result;
}

Result<QueryResult> NaiveQuery::RunRange() {
  const Expr& expr = *prepared_.expr;
  const bool scalar = TypeOf(expr) == ValueType::kScalar;
  std::map<Labels, std::vector<SamplePoint>> series;
  std::uint64_t held = budget_.held();
  for (Timestamp t = range_.start; t <= range_.end; t = Later(t, range_.step)) {
    TRY(CheckAlive());
    if (scalar) {
      series[Labels()].push_back({t, TRY(EvalScalar(expr, t)), nullptr});
      held += 1;
    } else {
      NaiveVector vector = TRY(EvalVector(expr, t));
      TRY(FinishNames(vector));
      held += SampleCount(vector);
      Append(series, vector, t);
    }
    // What stays of a step is its result.
    budget_.ReleaseTo(held);
    if (t == Timestamp::Max()) break;
  }
  QueryResult result;
  result.value = ToMatrix(std::move(series));
  return result;
}

Result<MatrixResult> NaiveQuery::EvalMatrix(const Expr& expr, Timestamp t) {
  const Expr& range_expr = Unwrap(expr);
  std::vector<NaiveWindow> windows = TRY(EvalWindows(range_expr, t));
  for (NaiveWindow& window : windows) {
    if (window.anchored || window.smoothed) {
      const std::string_view modifier = window.anchored ? "anchored" : "smoothed";
      if (!window.histograms.empty()) {
        return Error(ErrorKind::kInvalid,
                     fmt::format("{} modifier is not supported with histograms", modifier));
      }
      window.floats = CutToEdges(window);
    }
    // Of a subquery, what its inner expression read has been counted.
    if (range_expr.kind == ExprKind::kMatrixSelector) samples_read_ += SampleCount(window);
    TRY(budget_.Add(SampleCount(window)));
  }
  std::map<Labels, std::vector<SamplePoint>> series;
  for (const NaiveWindow& window : windows) {
    if (window.empty()) continue;
    const bool drop = options_.delayed_name_removal && window.drop_name;
    std::vector<SamplePoint>& points =
        series[drop ? WithoutMetadata(window.labels) : window.labels];
    std::ranges::copy(PointsOf(window), std::back_inserter(points));
  }
  for (auto& [labels, points] : series) {
    std::ranges::stable_sort(points, std::less<>(), &SamplePoint::t);
    const auto same_time = [](const SamplePoint& a, const SamplePoint& b) {
      return a.t == b.t && (a.histogram == nullptr) == (b.histogram == nullptr);
    };
    if (std::ranges::adjacent_find(points, same_time) != points.end()) {
      return Error(ErrorKind::kInvalid, std::string(kSameLabels));
    }
  }
  return ToMatrix(std::move(series));
}

void NaiveQuery::ReportParameters() {
  for (const auto& [aggregate, extremes] : parameters_) {
    notes_.set_source(aggregate->position);
    const PositionRange at = aggregate->parameter->position;
    const auto nan = std::numeric_limits<double>::quiet_NaN();
    if (aggregate->op == AggregateOp::kQuantile) {
      if (extremes.nan) notes_.InvalidQuantile(nan, at);
      if (extremes.max > 1) notes_.InvalidQuantile(extremes.max, at);
      if (extremes.min < 0) notes_.InvalidQuantile(extremes.min, at);
    } else {
      if (extremes.max > 1) notes_.InvalidRatio(extremes.max, 1, at);
      if (extremes.min < -1) notes_.InvalidRatio(extremes.min, -1, at);
    }
  }
}

Status NaiveQuery::CheckAlive() const {
  if (limits_.cancel != nullptr && limits_.cancel->cancelled()) {
    return Error(ErrorKind::kCancelled, "query was canceled in expression evaluation");
  }
  if (limits_.clock.MonotonicNanos() > limits_.deadline_nanos) {
    return Error(ErrorKind::kTimeout, "query timed out in expression evaluation");
  }
  return OkStatus();
}

// ------------------------------------------------------------------------------------- expressions

Result<NaiveValue> NaiveQuery::Eval(const Expr& expr, Timestamp t) {
  TRY(CheckAlive());
  return prepared_.step_invariant.contains(&expr) ? EvalOnce(expr, t) : EvalNode(expr, t);
}

Result<NaiveValue> NaiveQuery::EvalOnce(const Expr& expr, Timestamp t) {
  const auto it = remembered_.find(&expr);
  if (it != remembered_.end()) {
    const auto* vector = std::get_if<NaiveVector>(&it->second.value);
    TRY(budget_.Add(vector == nullptr ? 1 : SampleCount(*vector)));
    samples_read_ += it->second.samples_read;
    return it->second.value;
  }
  const std::uint64_t read_before = samples_read_;
  const bool many_steps_before = std::exchange(many_steps_, false);
  NaiveValue value = TRY(EvalNode(expr, t));
  many_steps_ = many_steps_before;
  remembered_.emplace(&expr, Remembered{value, samples_read_ - read_before});
  return value;
}

Result<NaiveValue> NaiveQuery::EvalNode(const Expr& expr, Timestamp t) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      TRY(budget_.Add(1));
      return NaiveValue(As<NumberExpr>(expr).value);
    case ExprKind::kVectorSelector:
      return NaiveValue(TRY(EvalSelector(As<VectorSelector>(expr), t)));
    case ExprKind::kCall:
      return EvalCall(As<CallExpr>(expr), t);
    case ExprKind::kAggregate:
      return NaiveValue(TRY(EvalAggregate(As<AggregateExpr>(expr), t)));
    case ExprKind::kBinary:
      return EvalBinary(As<BinaryExpr>(expr), t);
    case ExprKind::kUnary:
      return EvalUnary(As<UnaryExpr>(expr), t);
    case ExprKind::kParen:
      return Eval(*As<ParenExpr>(expr).expr, t);
    case ExprKind::kString:
    case ExprKind::kMatrixSelector:
    case ExprKind::kSubquery:
    case ExprKind::kDuration:
      break;
  }
  // The parser's type check lets these stand only where something else evaluates them.
  CHECK(false);
}

Result<double> NaiveQuery::EvalScalar(const Expr& expr, Timestamp t) {
  return std::get<double>(TRY(Eval(expr, t)));
}

Result<NaiveVector> NaiveQuery::EvalVector(const Expr& expr, Timestamp t) {
  return std::get<NaiveVector>(TRY(Eval(expr, t)));
}

Result<NaiveValue> NaiveQuery::EvalUnary(const UnaryExpr& unary, Timestamp t) {
  NaiveValue value = TRY(Eval(*unary.expr, t));
  if (!unary.negative) return value;
  if (auto* scalar = std::get_if<double>(&value)) return NaiveValue(-*scalar);
  auto& vector = std::get<NaiveVector>(value);
  for (NaiveElement& element : vector) {
    if (element.histogram != nullptr) {
      auto negated = std::make_shared<FloatHistogram>(*element.histogram);
      Scale(*negated, -1);
      element.histogram = std::move(negated);
    } else {
      element.v = -element.v;
    }
    MarkNameDropped(element);
  }
  if (!options_.delayed_name_removal) TRY(CheckUnique(vector));
  return value;
}

Result<NaiveValue> NaiveQuery::EvalCall(const CallExpr& call, Timestamp t) {
  const Expr* first = call.arguments.empty() ? nullptr : call.arguments[0].get();
  switch (call.function->id) {
    case FunctionId::kLabelReplace:
      return NaiveValue(TRY(EvalLabelReplace(call, t)));
    case FunctionId::kLabelJoin:
      return NaiveValue(TRY(EvalLabelJoin(call, t)));
    case FunctionId::kInfo:
      return NaiveValue(TRY(EvalInfo(call, t)));
    case FunctionId::kTimestamp:
    case FunctionId::kStartTimestamp:
      if (const auto* selector = If<VectorSelector>(*first)) {
        return NaiveValue(TRY(EvalSampleTimes(call, *selector, t)));
      }
      break;
    default:
      break;
  }
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (TypeOf(*call.arguments[i]) == ValueType::kMatrix) {
      return NaiveValue(TRY(EvalRangeCall(call, i, t)));
    }
  }
  return EvalInstantCall(call, t);
}

Status NaiveQuery::AccountFor(std::uint64_t held_before, std::uint64_t inputs,
                              const NaiveValue& result) {
  const auto* vector = std::get_if<NaiveVector>(&result);
  const std::uint64_t samples = vector == nullptr ? 1 : SampleCount(*vector);
  TRY(budget_.Add(inputs));
  TRY(budget_.Add(samples));
  budget_.ReleaseTo(held_before + samples);
  return OkStatus();
}

// ------------------------------------------------------------------------------------------- names

void NaiveQuery::MarkNameDropped(NaiveElement& element) const {
  element.drop_name = true;
  if (!options_.delayed_name_removal) element.labels = WithoutMetadata(element.labels);
}

Status NaiveQuery::CheckUnique(const NaiveVector& vector) {
  std::set<LabelsView> seen;
  for (const NaiveElement& element : vector) {
    if (!seen.insert(element.labels).second) {
      return Error(ErrorKind::kInvalid, std::string(kSameLabels));
    }
  }
  return OkStatus();
}

Status NaiveQuery::FinishNames(NaiveVector& vector) const {
  if (options_.delayed_name_removal) {
    for (NaiveElement& element : vector) {
      if (element.drop_name) element.labels = WithoutMetadata(element.labels);
    }
  }
  return CheckUnique(vector);
}

}  // namespace sonde::promql
