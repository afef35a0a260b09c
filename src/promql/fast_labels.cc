#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/regex.h"
#include "model/names.h"
#include "promql/fast_operators.h"
#include "promql/label_functions.h"

// Functions that change labels, or the order of elements.

namespace sonde::promql {
namespace {

const std::string& StringArgument(const CallExpr& call, std::size_t i) {
  return As<StringExpr>(Unwrap(*call.arguments[i])).value;
}

Status CheckLabelName(std::string_view what, const CallExpr& call, const std::string& name) {
  if (IsValidName(name)) return OkStatus();
  return Error(ErrorKind::kInvalid,
               fmt::format("invalid {} label name in {}(): {}", what, call.function->name, name));
}

// Gives a label of each series a new value; no two series may become the same.
class RelabelNode : public VectorNode {
 public:
  RelabelNode(const CallExpr& call, VectorPlan input) : call_(call), input_(std::move(input)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    TRY(Prepare());
    const std::string& destination = StringArgument(call_, 1);
    UniqueLabels unique;
    LabelsBuilder builder;
    LambdaSink relabel([&](const ColumnSeries& series) -> Status {
      Labels labels(series.labels);
      bool drop_name = series.drop_name;
      if (const auto value = NewValue(series.labels)) {
        builder.Reset(series.labels);
        labels = builder.Set(destination, *value).Build();
        if (destination == kMetricName) drop_name = false;
      }
      if (!unique.Add(labels, series.values)) return SameLabelsError();
      return sink.Accept({labels, drop_name, series.values});
    });
    return input_->Run(run, grid, relabel);
  }

 protected:
  const CallExpr& call() const { return call_; }

 private:
  virtual Status Prepare() = 0;
  // Nothing: the series stays as it is.
  virtual std::optional<std::string> NewValue(LabelsView labels) const = 0;

  const CallExpr& call_;
  VectorPlan input_;
};

class LabelReplaceNode final : public RelabelNode {
 public:
  using RelabelNode::RelabelNode;

 private:
  Status Prepare() override {
    const std::string& pattern = StringArgument(call(), 4);
    auto regex = Regex::Compile(pattern);
    if (!regex) {
      return Error(ErrorKind::kInvalid,
                   "invalid regular expression in label_replace(): " + pattern);
    }
    regex_ = *std::move(regex);
    return CheckLabelName("destination", call(), StringArgument(call(), 1));
  }

  std::optional<std::string> NewValue(LabelsView labels) const override {
    return regex_->Expand(labels.Get(StringArgument(call(), 3)), StringArgument(call(), 2));
  }

  std::optional<Regex> regex_;
};

class LabelJoinNode final : public RelabelNode {
 public:
  using RelabelNode::RelabelNode;

 private:
  Status Prepare() override {
    for (std::size_t i = 3; i < call().arguments.size(); ++i) {
      TRY(CheckLabelName("source", call(), StringArgument(call(), i)));
    }
    return CheckLabelName("destination", call(), StringArgument(call(), 1));
  }

  std::optional<std::string> NewValue(LabelsView labels) const override {
    std::string joined;
    for (std::size_t i = 3; i < call().arguments.size(); ++i) {
      if (i > 3) joined += StringArgument(call(), 2);
      joined += labels.Get(StringArgument(call(), i));
    }
    return joined;
  }
};

// sort() and the like. Only a single step has an order; the series of more are sorted by labels in
// the end.
class SortNode final : public VectorNode {
 public:
  SortNode(const CallExpr& call, VectorPlan input) : call_(call), input_(std::move(input)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    if (grid.is_range) {
      run.notes().set_source(call_.position);
      run.notes().SortInRangeQuery(call_.position);
    }
    if (grid.steps > 1) return input_->Run(run, grid, sink);
    SeriesKeeper keeper(run);
    TRY(input_->Run(run, grid, keeper));
    SeriesList& all = keeper.series();
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), 0);
    const FunctionId id = call_.function->id;
    const bool by_value = id == FunctionId::kSort || id == FunctionId::kSortDesc;
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      return by_value ? ValueLess(all[a].values[0], all[b].values[0]) : LabelsLess(all[a], all[b]);
    });
    for (const std::size_t i : order) {
      TRY(sink.Accept({all[i].labels, all[i].drop_name, all[i].values}));
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return input_->HasUniqueLabels(); }
  bool FindUniqueLabelsWithoutName() const override { return input_->HasUniqueLabelsWithoutName(); }

 private:
  // NaN comes last either way.
  bool ValueLess(double a, double b) const {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
    return call_.function->id == FunctionId::kSortDesc ? a > b : a < b;
  }

  // By the named labels in natural order; whatever they leave equal, by the whole label set.
  bool LabelsLess(const KeptSeries& left, const KeptSeries& right) const {
    const bool descending = call_.function->id == FunctionId::kSortByLabelDesc;
    const KeptSeries& a = descending ? right : left;
    const KeptSeries& b = descending ? left : right;
    for (std::size_t i = 1; i < call_.arguments.size(); ++i) {
      const std::string& name = StringArgument(call_, i);
      const std::string_view value_a = a.labels.Get(name);
      const std::string_view value_b = b.labels.Get(name);
      if (value_a != value_b) return NaturalLess(value_a, value_b);
    }
    return a.labels < b.labels;
  }

  const CallExpr& call_;
  VectorPlan input_;
};

}  // namespace

VectorPlan PlanLabelReplace(const CallExpr& call, VectorPlan input) {
  return std::make_unique<LabelReplaceNode>(call, std::move(input));
}

VectorPlan PlanLabelJoin(const CallExpr& call, VectorPlan input) {
  return std::make_unique<LabelJoinNode>(call, std::move(input));
}

VectorPlan PlanSort(const CallExpr& call, VectorPlan input) {
  return std::make_unique<SortNode>(call, std::move(input));
}

}  // namespace sonde::promql
