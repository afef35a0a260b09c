#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "promql/annotations.h"
#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/fast_value.h"
#include "promql/label_index.h"
#include "storage/storage.h"

// The plan of a query: a tree of operators that hand series on, each with its values at all steps.
// A series flows from its selector through functions into an aggregation before the next one is
// read, so that memory is what the query keeps, not what it reads.
// docs/decisions/0044-planned-evaluator.md.
//
// Plan nodes are made for one query (MakePlan), run on one thread, and then thrown away.

namespace sonde::promql {

/// The message when a query would need more memory than it may have.
inline constexpr std::string_view kTooManySamples =
    "query processing would load too many samples into memory in query execution";

/// What a running query shares among its operators.
class PlanRun {
 public:
  struct Limits {
    const Clock& clock;
    std::int64_t deadline_nanos = 0;
    const CancelFlag* cancel = nullptr;
  };

  PlanRun(const storage::Querier* querier, const QueryRange& range, const EvalOptions& options,
          Limits limits)
      : querier_(querier), range_(range), options_(options), limits_(limits) {}

  const storage::Querier* querier() const {
    return querier_;
  }  ///< Null if the query touches no samples.
  const QueryRange& range() const { return range_; }
  const EvalOptions& options() const { return options_; }
  bool delayed_names() const { return options_.delayed_name_removal; }
  AnnotationSet& notes() { return notes_; }

  /// Cancelled or past the deadline: an error. Called at least once for each series.
  Status CheckAlive() const;

  /// Counts samples held in memory; kLimit beyond the query's maximum.
  Status Hold(std::uint64_t samples);
  void Release(std::uint64_t samples) { held_ -= samples; }
  std::uint64_t held() const { return held_; }
  std::uint64_t peak() const { return peak_; }

  std::uint64_t samples_read = 0;

  /// A native histogram was met, which this evaluator leaves to the other.
  bool met_histogram = false;
  /// Some selected series has a `__type__` or `__unit__` label; set before its selector hands on
  /// the first series.
  bool met_metadata_labels = false;

 private:
  const storage::Querier* const querier_;
  const QueryRange& range_;
  const EvalOptions& options_;
  const Limits limits_;
  AnnotationSet notes_;
  std::uint64_t held_ = 0;
  std::uint64_t peak_ = 0;
};

/// Lets long work on one series notice that the query was cancelled or is late: large windows take
/// long, and so do very many operators.
class WorkMeter {
 public:
  explicit WorkMeter(const PlanRun& run) : run_(run) {}

  /// Counts samples that are about to be looked at. True if the work must stop; what came of it is
  /// then not used.
  bool Stops(std::size_t samples) {
    work_ += samples;
    if (work_ < kCheckEvery) return false;
    work_ = 0;
    status_ = run_.CheckAlive();
    return !status_.ok();
  }
  /// Why the work was stopped, or OK.
  const Status& status() const { return status_; }

 private:
  static constexpr std::size_t kCheckEvery = 1u << 20;  // About a millisecond.

  const PlanRun& run_;
  std::size_t work_ = 0;
  Status status_;
};

/// Samples that are held until the end of a scope.
class HeldSamples {
 public:
  explicit HeldSamples(PlanRun& run) : run_(run) {}
  ~HeldSamples() { run_.Release(count_); }
  HeldSamples(const HeldSamples&) = delete;
  HeldSamples& operator=(const HeldSamples&) = delete;

  Status Add(std::uint64_t samples) {
    count_ += samples;
    return run_.Hold(samples);
  }

 private:
  PlanRun& run_;
  std::uint64_t count_ = 0;
};

/// An expression that gives a scalar at each step.
class ScalarNode {
 public:
  virtual ~ScalarNode() = default;
  /// One value for each step of the grid.
  virtual Result<Column> Run(PlanRun& run, const Grid& grid) = 0;
};

/// An expression that gives an instant vector at each step.
class VectorNode {
 public:
  virtual ~VectorNode() = default;

  /// Hands every series with a value at any step to `sink`, in order.
  virtual Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) = 0;

  /// True if no two series can have the same labels.
  bool HasUniqueLabels() const {
    if (!unique_) unique_ = FindUniqueLabels();
    return *unique_;
  }
  /// True if this holds even without the metadata labels.
  bool HasUniqueLabelsWithoutName() const {
    if (!unique_without_name_) unique_without_name_ = FindUniqueLabelsWithoutName();
    return *unique_without_name_;
  }

 private:
  // Asked once: an answer may ask the input twice, and plans are deep.
  virtual bool FindUniqueLabels() const { return false; }
  virtual bool FindUniqueLabelsWithoutName() const { return false; }

  mutable std::optional<bool> unique_;
  mutable std::optional<bool> unique_without_name_;
};

using ScalarPlan = std::unique_ptr<ScalarNode>;
using VectorPlan = std::unique_ptr<VectorNode>;

/// The samples of one series that a range function looks at, without stale markers, in time order.
struct RangeSamples {
  std::span<const std::int64_t> times;  ///< Milliseconds.
  std::span<const double> values;
  std::span<const std::int64_t>
      starts;  ///< Start timestamps; empty if they are not used or none is known.
};

/// Where the windows of a range lie: at step i they end at first + i * step, and begin `range`
/// before, exclusive.
struct WindowGrid {
  std::int64_t first = 0;
  std::int64_t step = 0;
  std::size_t steps = 1;
  std::int64_t range = 0;
  std::int64_t lookback = 0;  ///< Anchored and smoothed windows look that much further.
  bool anchored = false;
  bool smoothed = false;

  std::int64_t end(std::size_t i) const { return first + step * static_cast<std::int64_t>(i); }
};

/// Takes the samples of range vectors, series by series.
class RangeSink {
 public:
  virtual ~RangeSink() = default;
  virtual Status Accept(LabelsView labels, bool drop_name, const RangeSamples& samples) = 0;
};

/// An expression that gives a range vector at each step: a selector with a range, or a subquery.
class RangeNode {
 public:
  virtual ~RangeNode() = default;
  virtual WindowGrid Windows(PlanRun& run, const Grid& grid) const = 0;
  virtual Status Run(PlanRun& run, const Grid& grid, RangeSink& sink) = 0;
  virtual bool HasUniqueLabelsWithoutName() const { return false; }
};
using RangePlan = std::unique_ptr<RangeNode>;

/// "vector cannot contain metrics with the same labelset".
Error SameLabelsError();

/// Checks that no two series with the same labels have a value at the same step.
class UniqueLabels {
 public:
  /// False if a series with the same labels and a common step was added before.
  bool Add(LabelsView labels, std::span<const double> values);

 private:
  LabelIndex index_;
  std::vector<std::vector<std::uint64_t>>
      steps_of_;  // A bit for each step with a value, by number of the labels.
};

/// Collects series that stay; those with the same labels become one. Error: two of them have a
/// value at the same step.
class SeriesCollector final : public VectorSink {
 public:
  explicit SeriesCollector(PlanRun& run) : run_(run) {}

  Status Accept(const ColumnSeries& series) override;
  SeriesList Take() { return std::move(series_); }

 private:
  static Status Merge(KeptSeries& into, const ColumnSeries& series);

  PlanRun& run_;
  SeriesList series_;
  LabelIndex index_;  // Of `series_`.
};

/// Collects series as they come, even with the same labels.
class SeriesKeeper final : public VectorSink {
 public:
  explicit SeriesKeeper(PlanRun& run) : held_(run) {}
  Status Accept(const ColumnSeries& series) override;
  SeriesList& series() { return series_; }

 private:
  HeldSamples held_;
  SeriesList series_;
};

/// Passes series on whose values a function has changed: without the metadata labels or, if names
/// are removed at the end of the query, marked for it. Without them labels must still be unique.
class NameDropper {
 public:
  /// `unique`: the source's labels differ even without the metadata labels, so nothing needs to be
  /// checked.
  NameDropper(PlanRun& run, VectorSink& sink, bool unique)
      : run_(run), sink_(sink), unique_(unique) {}

  Status Pass(LabelsView labels, Column& values);

 private:
  PlanRun& run_;
  VectorSink& sink_;
  bool unique_;
  UniqueLabels seen_;
  std::string scratch_;
};

/// Evaluates `inner` once and repeats its values at every step: for what does not depend on the
/// step's time.
VectorPlan MakeInvariant(VectorPlan inner);
ScalarPlan MakeInvariant(ScalarPlan inner);

}  // namespace sonde::promql
