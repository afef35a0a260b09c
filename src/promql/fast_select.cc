#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "promql/fast_operators.h"
#include "promql/top_k.h"

// Aggregations that pick series out of their groups: topk, bottomk, limitk, limit_ratio.

namespace sonde::promql {
namespace {

// How many elements each step may keep of a group; all 0 if no step keeps any.
Result<std::vector<std::size_t>> SelectionSizes(const Column& parameter) {
  std::vector<std::size_t> sizes(parameter.size());
  const ParameterRange range = RangeOf(parameter);
  if (range.max < 1) return sizes;
  if (std::isnan(range.max)) return Error(ErrorKind::kInvalid, "Parameter value is NaN");
  const auto fail = [](double k, std::string_view what) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("Scalar value {} {} int64", FormatFloatG(k), what));
  };
  constexpr double kMinInt64 = -9223372036854775808.0;
  constexpr double kMaxInt64 = 9223372036854774784.0;  // The largest double that fits.
  if (range.min <= kMinInt64) return fail(range.min, "underflows");
  if (range.max >= kMaxInt64) return fail(range.max, "overflows");
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (parameter[i] >= 1) sizes[i] = static_cast<std::size_t>(parameter[i]);
  }
  return sizes;
}

class SelectionNode final : public VectorNode {
 public:
  SelectionNode(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter)
      : aggregate_(aggregate),
        grouping_(aggregate.grouping, aggregate.without),
        input_(std::move(input)),
        parameter_(std::move(parameter)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    Column parameter = TRY(parameter_->Run(run, grid));
    if (aggregate_.op == AggregateOp::kLimitRatio) return RunRatio(run, grid, parameter, sink);
    const auto sizes = SelectionSizes(parameter);
    if (!sizes || std::ranges::all_of(*sizes, [](std::size_t k) { return k == 0; })) {
      TRY(RunForNothing(run, grid));
      return sizes ? OkStatus() : Status(sizes.error());
    }
    if (aggregate_.op == AggregateOp::kLimitk) return RunLimit(run, grid, *sizes, sink);
    return RunTop(run, grid, *sizes, sink);
  }

  bool FindUniqueLabels() const override { return input_->HasUniqueLabels(); }
  bool FindUniqueLabelsWithoutName() const override { return input_->HasUniqueLabelsWithoutName(); }

 private:
  // Nothing will be selected, but what is wrong with the input is still to be told.
  Status RunForNothing(PlanRun& run, const Grid& grid) {
    LambdaSink ignore([](const ColumnSeries& /*series*/) -> Status { return OkStatus(); });
    return input_->Run(run, grid, ignore);
  }

  // The first k of each group: decided as the series come.
  Status RunLimit(PlanRun& run, const Grid& grid, const std::vector<std::size_t>& sizes,
                  VectorSink& sink) {
    LabelIndex index;
    std::string scratch;
    std::vector<std::vector<std::size_t>> taken;  // By group, for each step.
    LambdaSink limit([&](const ColumnSeries& series) -> Status {
      const LabelIndex::Entry entry = index.FindOrAdd(grouping_.Apply(series.labels, scratch));
      if (entry.is_new) taken.emplace_back(grid.steps);
      std::vector<std::size_t>& counts = taken[entry.number];
      bool any = false;
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (IsMissing(series.values[i])) continue;
        if (counts[i] < sizes[i]) {
          ++counts[i];
          any = true;
        } else {
          series.values[i] = kMissing;
        }
      }
      return any ? sink.Accept(series) : OkStatus();
    });
    return input_->Run(run, grid, limit);
  }

  // By the hash of the labels, so that r and r - 1 complement each other.
  Status RunRatio(PlanRun& run, const Grid& grid, Column& ratios, VectorSink& sink) {
    const ParameterRange range = RangeOf(ratios);
    if (std::isnan(range.max) || (range.min == 0 && range.max == 0)) {
      TRY(RunForNothing(run, grid));
      return std::isnan(range.max) ? Error(ErrorKind::kInvalid, "Ratio value is NaN") : OkStatus();
    }
    NoteRatios(run, range);
    for (double& ratio : ratios) {
      ratio = std::clamp(ratio, -1.0, 1.0);
    }
    LambdaSink filter([&](const ColumnSeries& series) -> Status {
      constexpr double kMaxHash = 18446744073709551615.0;
      const double place = static_cast<double>(series.labels.Hash()) / kMaxHash;
      bool any = false;
      for (std::size_t i = 0; i < grid.steps; ++i) {
        const double ratio = ratios[i];
        const bool keep = ratio >= 0 ? place < ratio : place >= 1.0 + ratio;
        if (!keep || ratio == 0) series.values[i] = kMissing;
        any = any || IsPresent(series.values[i]);
      }
      return any ? sink.Accept(series) : OkStatus();
    });
    return input_->Run(run, grid, filter);
  }

  void NoteRatios(PlanRun& run, const ParameterRange& range) const {
    const PositionRange at = aggregate_.parameter->position;
    run.notes().set_source(aggregate_.position);
    if (range.max > 1) run.notes().InvalidRatio(range.max, 1, at);
    if (range.min < -1) run.notes().InvalidRatio(range.min, -1, at);
  }

  Status RunTop(PlanRun& run, const Grid& grid, const std::vector<std::size_t>& sizes,
                VectorSink& sink) {
    SeriesKeeper keeper(run);
    TRY(input_->Run(run, grid, keeper));
    SeriesList& all = keeper.series();
    LabelIndex index;
    std::string scratch;
    std::vector<std::vector<std::size_t>> groups;  // Members in order.
    for (std::size_t i = 0; i < all.size(); ++i) {
      const LabelIndex::Entry entry = index.FindOrAdd(grouping_.Apply(all[i].labels, scratch));
      if (entry.is_new) groups.emplace_back();
      groups[entry.number].push_back(i);
    }
    std::vector<Column> selected(all.size());  // Empty: nothing of that series.
    std::vector<std::size_t> order;            // Of a single step: by group, and best first.
    for (const std::vector<std::size_t>& members : groups) {
      TRY(run.CheckAlive());
      SelectTop(all, members, sizes, selected, order);
    }
    if (grid.steps > 1) {
      order.clear();
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!selected[i].empty()) order.push_back(i);
      }
    }
    for (const std::size_t i : order) {
      TRY(sink.Accept({all[i].labels, all[i].drop_name, selected[i]}));
    }
    return OkStatus();
  }

  void SelectTop(const SeriesList& all, const std::vector<std::size_t>& members,
                 const std::vector<std::size_t>& sizes, std::vector<Column>& selected,
                 std::vector<std::size_t>& order) const {
    const auto best =
        aggregate_.op == AggregateOp::kTopk ? TopK::Order::kLargest : TopK::Order::kSmallest;
    for (std::size_t step = 0; step < sizes.size(); ++step) {
      if (sizes[step] == 0) continue;
      TopK top(std::min(sizes[step], members.size()), best);
      for (const std::size_t i : members) {
        if (IsPresent(all[i].values[step])) top.Offer(all[i].values[step], i);
      }
      for (const std::size_t i : top.Take()) {
        if (selected[i].empty()) selected[i].assign(sizes.size(), kMissing);
        selected[i][step] = all[i].values[step];
        order.push_back(i);
      }
    }
  }

  const AggregateExpr& aggregate_;
  LabelSelection grouping_;
  VectorPlan input_;
  ScalarPlan parameter_;
};

}  // namespace

VectorPlan PlanSelection(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter) {
  return std::make_unique<SelectionNode>(aggregate, std::move(input), std::move(parameter));
}

}  // namespace sonde::promql
