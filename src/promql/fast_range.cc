#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "promql/fast_operators.h"
#include "promql/fast_window.h"
#include "promql/label_functions.h"

// Calls of functions that take a range: series in, windows over them, one value a step out.

namespace sonde::promql {
namespace {

bool IsCounterFunction(FunctionId id) {
  return id == FunctionId::kRate || id == FunctionId::kIncrease;
}

bool IsRateFunction(FunctionId id) {
  return IsCounterFunction(id) || id == FunctionId::kDelta;
}

Status CheckExtended(const Function& function, const WindowGrid& windows) {
  const bool counts = function.id == FunctionId::kResets || function.id == FunctionId::kChanges;
  if (windows.anchored && !IsRateFunction(function.id) && !counts) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("anchored modifier can only be used with: changes, delta, increase, "
                             "rate, resets - not with {}",
                             function.name));
  }
  if (windows.smoothed && !IsRateFunction(function.id)) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("smoothed modifier can only be used with: delta, increase, rate - not "
                             "with {}",
                             function.name));
  }
  return OkStatus();
}

Status CheckFactor(std::string_view name, double factor) {
  if (!(factor <= 0 || factor >= 1)) return OkStatus();
  return Error(
      ErrorKind::kInvalid,
      fmt::format("invalid {} factor. Expected: 0 < {}f < 1, got: {:f}", name, name[0], factor));
}

class RangeCallNode final : public VectorNode {
 public:
  RangeCallNode(const CallExpr& call, RangePlan range, std::vector<ScalarPlan> scalars)
      : call_(call), range_(std::move(range)), scalars_(std::move(scalars)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override;

  bool FindUniqueLabelsWithoutName() const override { return range_->HasUniqueLabelsWithoutName(); }
  bool FindUniqueLabels() const override { return HasUniqueLabelsWithoutName(); }

 private:
  class Calculator;

  const CallExpr& call_;
  RangePlan range_;
  std::vector<ScalarPlan> scalars_;
};

// Applies the function to series after series.
class RangeCallNode::Calculator final : public RangeSink {
 public:
  Calculator(PlanRun& run, const CallExpr& call, const WindowGrid& windows, const Grid& grid)
      : run_(run),
        call_(call),
        id_(call.function->id),
        windows_(windows),
        grid_(grid),
        index_(windows),
        kernel_(MakeWindowKernel(id_, windows)),
        meter_(run) {}

  void set_scalars(std::vector<Column> scalars) { scalars_ = std::move(scalars); }
  void set_output(VectorSink& sink, NameDropper& dropper) {
    sink_ = &sink;
    dropper_ = &dropper;
  }
  std::uint64_t samples_in_windows() const { return samples_in_windows_; }

  Status Accept(LabelsView labels, bool drop_name, const RangeSamples& samples) override {
    const bool same_times = !index_.Update(samples.times);
    if (index_.total() == 0) return OkStatus();
    samples_in_windows_ += index_.total();
    TRY(run_.Hold(index_.largest()));
    run_.Release(index_.largest());
    const WindowInput input{.samples = samples,
                            .grid = windows_,
                            .begin = index_.begin(),
                            .end = index_.end(),
                            .steps = grid_,
                            .scalars = scalars_,
                            .same_times = same_times,
                            .meter = meter_};
    TRY(CheckParameters(input));
    values_.resize(grid_.steps);
    kernel_->Run(input, values_.data());
    if (!meter_.status()) return meter_.status();
    const bool any = std::ranges::any_of(values_, IsPresent);
    Note(labels, input, any);
    if (!any) return OkStatus();
    // Of absent_over_time the series themselves are not seen, so their names do not matter.
    const bool keeps_name = id_ == FunctionId::kLastOverTime || id_ == FunctionId::kFirstOverTime ||
                            id_ == FunctionId::kAbsentOverTime;
    if (keeps_name && !drop_name) return sink_->Accept({labels, false, values_});
    return dropper_->Pass(labels, values_);
  }

 private:
  // The parameters of those steps at which there is something to compute.
  Status CheckParameters(const WindowInput& input) {
    if (id_ != FunctionId::kDoubleExponentialSmoothing && id_ != FunctionId::kQuantileOverTime) {
      return OkStatus();
    }
    for (std::size_t i = 0; i < grid_.steps; ++i) {
      if (input.size(i) == 0) continue;
      const double first = scalars_[0][i];
      if (id_ == FunctionId::kDoubleExponentialSmoothing) {
        TRY(CheckFactor("smoothing", first));
        TRY(CheckFactor("trend", scalars_[1][i]));
      } else if (!(first >= 0 && first <= 1)) {
        Notes().InvalidQuantile(first, NotePosition());
      }
    }
    return OkStatus();
  }

  void Note(LabelsView labels, const WindowInput& input, bool any) {
    if (IsCounterFunction(id_) && !windows_.anchored && !windows_.smoothed &&
        HasStartOverlap(input)) {
      Notes().StartTimeOverlap(labels.metric_name(), NotePosition());
    }
    if (IsCounterFunction(id_) && any) NoteUnlikelyCounter(labels);
  }

  void NoteUnlikelyCounter(LabelsView labels) {
    const std::string_view name = labels.metric_name();
    if (name.empty()) return;
    if (run_.options().type_and_unit_labels) {
      const std::string_view type = labels.Get(kTypeLabel);
      if (type == "counter" || type == "histogram") return;
      return Notes().PossibleNonCounterLabel(name, type, NotePosition());
    }
    for (const std::string_view suffix : {"_total", "_sum", "_count", "_bucket"}) {
      if (name.ends_with(suffix)) return;
    }
    Notes().PossibleNonCounter(name, NotePosition());
  }

  AnnotationSet& Notes() {
    run_.notes().set_source(call_.position);
    return run_.notes();
  }
  // The reference evaluates a subquery into a selector without a position.
  PositionRange NotePosition() const {
    const Expr& first = *call_.arguments[0];
    return first.kind == ExprKind::kSubquery ? PositionRange{} : first.position;
  }

  PlanRun& run_;
  const CallExpr& call_;
  const FunctionId id_;
  const WindowGrid windows_;
  const Grid& grid_;
  WindowIndex index_;
  std::unique_ptr<WindowKernel> kernel_;
  WorkMeter meter_;
  std::vector<Column> scalars_;
  VectorSink* sink_ = nullptr;
  NameDropper* dropper_ = nullptr;
  Column values_;
  std::uint64_t samples_in_windows_ = 0;
};

Status RangeCallNode::Run(PlanRun& run, const Grid& grid, VectorSink& sink) {
  const WindowGrid windows = range_->Windows(run, grid);
  TRY(CheckExtended(*call_.function, windows));
  std::vector<Column> scalars;
  for (const ScalarPlan& scalar : scalars_) {
    scalars.push_back(TRY(scalar->Run(run, grid)));
  }
  NameDropper dropper(run, sink, range_->HasUniqueLabelsWithoutName());
  Calculator calculator(run, call_, windows, grid);
  calculator.set_scalars(std::move(scalars));
  calculator.set_output(sink, dropper);
  const std::uint64_t read_before = run.samples_read;
  TRY(range_->Run(run, grid, calculator));
  // Of a subquery not what its inner expression read counts, but what its windows hold.
  run.samples_read = read_before + calculator.samples_in_windows();
  return OkStatus();
}

// absent_over_time(): 1 where no series has a sample in its window.
class AbsentOverTimeNode final : public VectorNode {
 public:
  AbsentOverTimeNode(const CallExpr& call, VectorPlan present)
      : labels_(LabelsForAbsent(*call.arguments[0])), present_(std::move(present)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    Column absent(grid.steps, 1);
    LambdaSink mark([&](const ColumnSeries& series) -> Status {
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (IsPresent(series.values[i])) absent[i] = kMissing;
      }
      return OkStatus();
    });
    TRY(present_->Run(run, grid, mark));
    if (CountPresent(absent) == 0) return OkStatus();
    return sink.Accept({labels_, true, absent});
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return true; }

 private:
  Labels labels_;
  VectorPlan present_;
};

}  // namespace

VectorPlan PlanRangeCall(const CallExpr& call, RangePlan range, std::vector<ScalarPlan> scalars) {
  auto node = std::make_unique<RangeCallNode>(call, std::move(range), std::move(scalars));
  if (call.function->id != FunctionId::kAbsentOverTime) return node;
  return std::make_unique<AbsentOverTimeNode>(call, std::move(node));
}

}  // namespace sonde::promql
