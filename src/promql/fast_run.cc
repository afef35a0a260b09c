#include <algorithm>
#include <utility>

#include "promql/plan.h"

// What all operators of a plan stand on: the run's limits, and the sinks that keep and check
// series.

namespace sonde::promql {
namespace {

using Bits = std::vector<std::uint64_t>;

// One bit for each step with a value.
Bits PresenceOf(std::span<const double> values) {
  Bits bits((values.size() + 63) / 64);
  for (std::size_t i = 0; i < values.size(); ++i) {
    bits[i / 64] |= static_cast<std::uint64_t>(IsPresent(values[i])) << (i % 64);
  }
  return bits;
}

// Runs a vector plan for one step and repeats the values.
class InvariantVector final : public VectorNode {
 public:
  explicit InvariantVector(VectorPlan inner) : inner_(std::move(inner)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    const Grid once{.start = grid.start};
    const std::uint64_t read_before = run.samples_read;
    Column repeated;
    LambdaSink repeat([&](const ColumnSeries& series) -> Status {
      repeated.assign(grid.steps, series.values[0]);
      return sink.Accept({series.labels, series.drop_name, repeated});
    });
    TRY(inner_->Run(run, once, repeat));
    run.samples_read = read_before + (run.samples_read - read_before) * grid.steps;
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return inner_->HasUniqueLabels(); }
  bool FindUniqueLabelsWithoutName() const override { return inner_->HasUniqueLabelsWithoutName(); }

 private:
  VectorPlan inner_;
};

class InvariantScalar final : public ScalarNode {
 public:
  explicit InvariantScalar(ScalarPlan inner) : inner_(std::move(inner)) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    const std::uint64_t read_before = run.samples_read;
    const Column once = TRY(inner_->Run(run, {.start = grid.start}));
    run.samples_read = read_before + (run.samples_read - read_before) * grid.steps;
    return Column(grid.steps, once[0]);
  }

 private:
  ScalarPlan inner_;
};

}  // namespace

std::size_t CountPresent(std::span<const double> column) {
  std::size_t present = 0;
  for (const double v : column) {
    present += static_cast<std::size_t>(IsPresent(v));
  }
  return present;
}

std::size_t HeldSize(std::span<const double> column) {
  return std::max(CountPresent(column), column.size() / 8);
}

Status PlanRun::CheckAlive() const {
  if (limits_.cancel != nullptr && limits_.cancel->cancelled()) {
    return Error(ErrorKind::kCancelled, "query was canceled in expression evaluation");
  }
  if (limits_.clock.MonotonicNanos() > limits_.deadline_nanos) {
    return Error(ErrorKind::kTimeout, "query timed out in expression evaluation");
  }
  return OkStatus();
}

Status PlanRun::Hold(std::uint64_t samples) {
  held_ += samples;
  peak_ = std::max(peak_, held_);
  if (held_ <= options_.max_samples) return OkStatus();
  return Error(ErrorKind::kLimit, std::string(kTooManySamples));
}

VectorPlan MakeInvariant(VectorPlan inner) {
  return std::make_unique<InvariantVector>(std::move(inner));
}

ScalarPlan MakeInvariant(ScalarPlan inner) {
  return std::make_unique<InvariantScalar>(std::move(inner));
}

Error SameLabelsError() {
  return Error(ErrorKind::kInvalid, "vector cannot contain metrics with the same labelset");
}

bool UniqueLabels::Add(LabelsView labels, std::span<const double> values) {
  Bits bits = PresenceOf(values);
  const LabelIndex::Entry entry = index_.FindOrAdd(labels);
  if (entry.is_new) {
    steps_of_.push_back(std::move(bits));
    return true;
  }
  Bits& seen = steps_of_[entry.number];
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if ((seen[i] & bits[i]) != 0) return false;
    seen[i] |= bits[i];
  }
  return true;
}

Status SeriesCollector::Accept(const ColumnSeries& series) {
  TRY(run_.Hold(HeldSize(series.values)));
  const LabelIndex::Entry entry = index_.FindOrAdd(series.labels);
  if (!entry.is_new) return Merge(series_[entry.number], series);
  series_.push_back({Labels(series.labels), series.drop_name, std::move(series.values)});
  return OkStatus();
}

Status SeriesCollector::Merge(KeptSeries& into, const ColumnSeries& series) {
  for (std::size_t i = 0; i < into.values.size(); ++i) {
    if (IsMissing(series.values[i])) continue;
    if (IsPresent(into.values[i])) return SameLabelsError();
    into.values[i] = series.values[i];
  }
  into.drop_name = into.drop_name || series.drop_name;
  return OkStatus();
}

Status SeriesKeeper::Accept(const ColumnSeries& series) {
  TRY(held_.Add(HeldSize(series.values)));
  series_.push_back({Labels(series.labels), series.drop_name, std::move(series.values)});
  return OkStatus();
}

Status NameDropper::Pass(LabelsView labels, Column& values) {
  if (run_.delayed_names()) return sink_.Accept({labels, true, values});
  const LabelsView dropped = StripMetadata(labels, scratch_);
  const bool check = !unique_ || run_.met_metadata_labels;
  if (check && !seen_.Add(dropped, values)) return SameLabelsError();
  return sink_.Accept({dropped, true, values});
}

}  // namespace sonde::promql
