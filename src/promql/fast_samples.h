#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "promql/ast.h"
#include "promql/plan.h"
#include "storage/storage.h"

// Stored samples as columns: the leaves of a plan read through this.

namespace sonde::promql {

/// Time arithmetic that stops at the ends of the scale.
std::int64_t AddClamped(std::int64_t a, std::int64_t b);
std::int64_t SubtractClamped(std::int64_t a, std::int64_t b);

/// The times that a selector looks at when it is evaluated on a grid: all the same if it has an
/// `@`.
struct ReferenceTimes {
  std::int64_t first = 0;
  std::int64_t step = 0;
  std::size_t steps = 1;

  std::int64_t at(std::size_t i) const { return first + step * static_cast<std::int64_t>(i); }
  std::int64_t last() const { return at(steps - 1); }
};
ReferenceTimes ReferenceTimesOf(const Grid& grid, const AtModifier& at,
                                const OffsetModifier& offset);

/// The series of one selector, and their samples in [first, last], one series at a time.
class SeriesScan {
 public:
  /// Stale markers end a series for instant selectors; ranges do not see them.
  enum class StaleMarkers : std::uint8_t { kKeep, kSkip };

  SeriesScan(PlanRun& run, std::int64_t first, std::int64_t last, StaleMarkers stale)
      : run_(run), first_(first), last_(last), stale_(stale) {}

  /// Finds the series. `function` is a hint for the store.
  Status Select(std::span<const Matcher> matchers, std::string_view function);

  std::size_t size() const { return set_ == nullptr ? 0 : set_->size(); }
  LabelsView labels(std::size_t i) const { return set_->labels(i); }

  /// Reads series `i`. The samples are valid until the next call. A native histogram among them is
  /// an error, and is noted in the run.
  Result<RangeSamples> Read(std::size_t i);

 private:
  Status Append(const storage::SampleBatch& batch);

  PlanRun& run_;
  std::int64_t first_;
  std::int64_t last_;
  StaleMarkers stale_;
  std::unique_ptr<storage::SeriesSet> set_;
  std::unique_ptr<storage::SampleReader> reader_;
  std::vector<std::int64_t> times_;
  std::vector<double> values_;
  std::vector<std::int64_t> starts_;
};

/// Makes the plan of a bare selector, and of timestamp() or start_timestamp() of one. `selector`
/// must outlive it.
VectorPlan PlanSelector(const VectorSelector& selector);
VectorPlan PlanSampleTimes(const VectorSelector& selector, bool start_timestamps);

/// Makes the plan of a selector with a range.
RangePlan PlanMatrix(const MatrixSelector& matrix, std::string_view function);
/// Makes the plan of a subquery around `inner`.
RangePlan PlanSubquery(const SubqueryExpr& subquery, VectorPlan inner);

/// The grid on which a subquery evaluates its inner expression: multiples of its step, counted from
/// the epoch. No steps if none lies within reach. kLimit if there are too many.
struct SubqueryGrid {
  bool empty = false;
  Grid grid;
};
Result<SubqueryGrid> SubqueryGridOf(const SubqueryExpr& subquery, const Grid& outer,
                                    const EvalOptions& options);

/// More steps than this in one grid are refused.
inline constexpr std::size_t kMaxGridSteps = 32'000'000;

}  // namespace sonde::promql
