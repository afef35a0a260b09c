#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"
#include "promql/annotations.h"
#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/naive_prepare.h"
#include "promql/naive_value.h"
#include "storage/storage.h"

// The naive evaluator: PromQL as its specification tells it. For every step of the query the tree
// is evaluated recursively, and the value of a step depends on nothing but the stored samples and
// that step's time. No state is carried from step to step, so what a fast evaluator must get right
// by keeping state is right here by construction: it is the oracle that the fast one is compared
// with.
//
// Two things are evaluated once and remembered, which cannot change a value: what does not depend
// on the step's time (`x @ 100`), and the points of a subquery, which overlapping windows share.
//
// The parts: naive_prepare (rewrites the tree once), naive_selectors (stored samples),
// naive_binary, naive_aggregate, naive_functions (of instant vectors), naive_range_functions and
// naive_rate (of range vectors), naive_info, naive_evaluator (the loop over the steps).

namespace sonde::promql {

/// Counts the samples that a query holds in memory, and refuses more than its limit. A float counts
/// 1, a histogram its size in units of 16 bytes, as in the reference.
class SampleBudget {
 public:
  explicit SampleBudget(std::uint64_t limit) : limit_(limit) {}

  /// kLimit if the samples held would exceed the limit.
  Status Add(std::uint64_t samples);
  std::uint64_t held() const { return held_; }
  /// Gives back what was added since `held()` returned this.
  void ReleaseTo(std::uint64_t held) { held_ = held; }
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t limit_;
  std::uint64_t held_ = 0;
  std::uint64_t peak_ = 0;
};

/// One query under evaluation. Lives on one thread, for one Run.
class NaiveQuery {
 public:
  struct Limits {
    const Clock& clock;
    std::int64_t deadline_nanos = 0;  ///< On the clock's monotonic scale.
    const CancelFlag* cancel = nullptr;
  };

  /// All arguments must outlive the query. `querier` may be null if the query touches no samples.
  NaiveQuery(const PreparedQuery& prepared, const QueryRange& range,
             const storage::Querier* querier, const EvalOptions& options, const Limits& limits);

  Result<QueryResult> Run();

 private:
  /// The samples of a series as they are stored, stale markers included, sorted by time.
  struct StoredSeries {
    Labels labels;
    std::vector<NaiveSample> samples{};
  };
  struct Remembered {
    NaiveValue value;
    std::uint64_t samples_read = 0;
  };
  /// Most extreme parameters that an aggregation was asked for; reported once, at the end.
  struct ParameterExtremes {
    double max = 0;
    double min = 0;
    bool nan = false;
  };

  // naive_evaluator.cc
  Result<QueryResult> RunInstant();
  Result<QueryResult> RunRange();
  Result<MatrixResult> EvalMatrix(const Expr& expr, Timestamp t);
  void ReportParameters();
  Status CheckAlive() const;
  Result<NaiveValue> Eval(const Expr& expr, Timestamp t);
  Result<NaiveValue> EvalOnce(const Expr& expr, Timestamp t);
  Result<NaiveValue> EvalNode(const Expr& expr, Timestamp t);
  Result<double> EvalScalar(const Expr& expr, Timestamp t);
  Result<NaiveVector> EvalVector(const Expr& expr, Timestamp t);
  Result<NaiveValue> EvalUnary(const UnaryExpr& unary, Timestamp t);
  Result<NaiveValue> EvalCall(const CallExpr& call, Timestamp t);
  /// Accounts for a result that was computed from `inputs` operand elements: they are held together
  /// for a moment, then only the result is.
  Status AccountFor(std::uint64_t held_before, std::uint64_t inputs, const NaiveValue& result);
  /// In place of the reference's early name removal: drops the metadata labels now, unless removal
  /// is delayed.
  void MarkNameDropped(NaiveElement& element) const;
  /// An error if two elements have the same labels.
  static Status CheckUnique(const NaiveVector& vector);
  /// Removes the labels whose removal was delayed; then the vector is a result.
  Status FinishNames(NaiveVector& vector) const;

  // naive_selectors.cc
  Result<const std::vector<StoredSeries>*> Select(const VectorSelector& selector);
  Result<std::vector<StoredSeries>> Read(std::span<const Matcher> matchers);
  static const NaiveSample* NewestWithin(const StoredSeries& series, Timestamp t,
                                         Duration lookback);
  Result<NaiveVector> EvalSelector(const VectorSelector& selector, Timestamp t);
  Result<NaiveVector> EvalSmoothedSelector(const VectorSelector& selector, Timestamp t);
  /// timestamp() and start_timestamp() of a selector see the stored samples' own times.
  Result<NaiveVector> EvalSampleTimes(const CallExpr& call, const VectorSelector& selector,
                                      Timestamp t);
  Result<std::vector<NaiveWindow>> EvalWindows(const Expr& expr, Timestamp t);
  Result<std::vector<NaiveWindow>> SelectorWindows(const MatrixSelector& matrix, Timestamp t);
  Result<std::vector<NaiveWindow>> SubqueryWindows(const SubqueryExpr& subquery, Timestamp t);
  Result<const NaiveVector*> SubqueryPoint(const SubqueryExpr& subquery, Timestamp t);
  NaiveWindow CutWindow(const StoredSeries& series, Timestamp after, Timestamp until) const;

  // naive_binary.cc
  Result<NaiveValue> EvalBinary(const BinaryExpr& binary, Timestamp t);
  Result<NaiveValue> ApplyBinary(const BinaryExpr& binary, NaiveValue left, NaiveValue right);
  NaiveVector VectorScalar(const BinaryExpr& binary, NaiveVector vector, double scalar,
                           bool scalar_left);

  // naive_aggregate.cc
  Result<NaiveVector> EvalAggregate(const AggregateExpr& aggregate, Timestamp t);
  Result<NaiveVector> CountValues(const AggregateExpr& aggregate, Timestamp t);
  Result<NaiveVector> SelectElements(const AggregateExpr& aggregate, NaiveVector input,
                                     double parameter);
  void NoteParameter(const AggregateExpr& aggregate, double parameter);
  NaiveVector Reduce(const AggregateExpr& aggregate, const NaiveVector& input, double parameter);

  // naive_functions.cc
  Result<NaiveValue> EvalInstantCall(const CallExpr& call, Timestamp t);
  NaiveValue ApplyFunction(const CallExpr& call, std::vector<NaiveValue> arguments, Timestamp t);
  NaiveVector ApplyToVector(const CallExpr& call, NaiveVector vector,
                            const std::vector<NaiveValue>& arguments, Timestamp t);
  NaiveVector MapFloats(NaiveVector vector, const std::function<double(double)>& f) const;
  NaiveVector Clamp(NaiveVector vector, double min, double max) const;
  NaiveVector DatesOf(const CallExpr& call, const std::vector<NaiveValue>& arguments,
                      Timestamp t) const;
  void Sort(const CallExpr& call, NaiveVector& vector);
  Result<NaiveVector> EvalLabelReplace(const CallExpr& call, Timestamp t);
  Result<NaiveVector> EvalLabelJoin(const CallExpr& call, Timestamp t);

  // naive_histogram_functions.cc
  NaiveVector HistogramQuantiles(const CallExpr& call, const std::vector<NaiveValue>& arguments,
                                 Timestamp t);
  NaiveVector HistogramFractions(const CallExpr& call, const std::vector<NaiveValue>& arguments);
  NaiveVector MapHistograms(const CallExpr& call, const NaiveVector& vector) const;

  // naive_range_functions.cc
  Result<NaiveVector> EvalRangeCall(const CallExpr& call, std::size_t range_argument, Timestamp t);
  void NoteUnlikelyCounter(const NaiveWindow& window, PositionRange at);

  // naive_info.cc
  Result<NaiveVector> EvalInfo(const CallExpr& call, Timestamp t);
  Status FindInfo(const CallExpr& call, std::span<const Matcher> names,
                  std::span<const Matcher> data, Timestamp t,
                  std::map<Labels, TargetInfo>& targets);

  const PreparedQuery& prepared_;
  const QueryRange range_;
  const storage::Querier* const querier_;  // Null if the query selects nothing.
  const EvalOptions& options_;
  const Limits limits_;

  AnnotationSet notes_;
  SampleBudget budget_;
  SampleBudget stored_;  // Samples that selectors have read and keep.
  std::uint64_t samples_read_ = 0;
  bool many_steps_;  // The evaluation under way is for more than one point in time.
  std::map<const Expr*, std::vector<StoredSeries>> selected_;  // By selector, or call of info().
  std::map<const Expr*, Remembered> remembered_;
  std::map<std::pair<const SubqueryExpr*, std::int64_t>, NaiveVector> subquery_points_;
  std::map<const AggregateExpr*, ParameterExtremes> parameters_;
};

}  // namespace sonde::promql
