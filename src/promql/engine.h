#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/ast.h"
#include "promql/parser.h"
#include "storage/storage.h"

// What it takes to evaluate a query, and what comes out. Two evaluators answer the same interface:
// the naive one (naive_evaluator.h), which follows the specification step by step and is the
// oracle, and the fast one (engine.cc), which is what the server uses.

namespace sonde::promql {

/// A value at a time. `histogram` is null for floats.
struct SamplePoint {
  Timestamp t;
  double v = 0;
  std::shared_ptr<const FloatHistogram> histogram;
};

/// One series of a result.
struct ResultSeries {
  Labels labels;
  std::vector<SamplePoint>
      points;  ///< One per step that has a value; exactly one in an instant vector.
};

struct ScalarResult {
  Timestamp t;
  double v = 0;
};
struct StringResult {
  Timestamp t;
  std::string v;
};
struct VectorResult {
  std::vector<ResultSeries>
      series;  ///< In evaluation order (sort() matters), each with one point at the query's time.
};
struct MatrixResult {
  std::vector<ResultSeries> series;  ///< Sorted by labels.
};

/// Notes for the user. Texts without the "PromQL warning: " prefix but with the position " (1:7)",
/// deduplicated.
struct Annotations {
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
};

struct QueryStatistics {
  std::uint64_t samples_read = 0;  ///< totalQueryableSamples
  std::uint64_t peak_samples = 0;
  double queue_seconds = 0;
  double prepare_seconds = 0;
  double eval_seconds = 0;
  double sort_seconds = 0;
};

struct QueryResult {
  std::variant<ScalarResult, StringResult, VectorResult, MatrixResult> value;
  Annotations annotations;
  QueryStatistics statistics;
};

/// When to evaluate: an instant query has start == end and step 0.
struct QueryRange {
  Timestamp start;
  Timestamp end;
  Duration step{0};
  bool instant() const { return step.count() == 0; }
};

/// How PromQL behaves; the defaults are the reference server's.
struct EvalOptions {
  Duration lookback{5 * 60'000};
  Duration default_subquery_step{60'000};  ///< global.evaluation_interval
  std::uint64_t max_samples =
      50'000'000;  ///< In memory at once; beyond: kLimit "query processing would load too many
                   ///< samples into memory in query execution".
  Duration timeout{120'000};          ///< Beyond: kTimeout.
  bool delayed_name_removal = false;  ///< promql-delayed-name-removal
  bool use_start_timestamps = false;  ///< use-start-timestamps
  bool type_and_unit_labels = false;
  std::string query;  ///< The text that was parsed: annotations count lines and columns in it.
};

/// Lets another thread end a query: it returns kCancelled soon after. Thread-safe.
class CancelFlag {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

/// Evaluates parsed expressions. Stateless between calls; thread-safe.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  /// `expr` is not changed. Errors: kInvalid (an evaluation error: HTTP 422), kLimit, kTimeout,
  /// kCancelled, or what the store returned.
  virtual Result<QueryResult> Evaluate(const Expr& expr, const QueryRange& range,
                                       const storage::Queryable& store, const EvalOptions& options,
                                       const CancelFlag* cancel) const = 0;
};

/// The specification, step by step: slow, simple, the oracle of the tests.
std::unique_ptr<Evaluator> NewNaiveEvaluator(const Clock& clock);

/// The planned, columnar evaluator.
std::unique_ptr<Evaluator> NewEvaluator(const Clock& clock);

}  // namespace sonde::promql
