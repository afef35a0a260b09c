#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"
#include "promql/fast_operators.h"
#include "promql/fast_window.h"
#include "promql/label_functions.h"

// Aggregations that reduce each group to one series. The input flows through: what stays is groups
// × steps.

namespace sonde::promql {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What a group holds for its steps, and how a series is added to it.
class GroupState {
 public:
  virtual ~GroupState() = default;
  /// May take the series' values away.
  virtual void Add(Column& values) = 0;
  /// Its values. `parameter` is the aggregation's, for each step.
  virtual Column Finish(const Column& parameter) = 0;
};

class SumState final : public GroupState {
 public:
  explicit SumState(std::size_t steps) : sums_(steps, kMissing), compensations_(steps) {}

  void Add(Column& values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = values[i];
      if (IsMissing(v)) continue;
      if (IsMissing(sums_[i])) {
        sums_[i] = v;
        continue;
      }
      CompensatedSum sum{sums_[i], compensations_[i]};
      sum.Add(v);
      sums_[i] = sum.sum;
      compensations_[i] = sum.compensation;
    }
  }

  Column Finish(const Column& /*parameter*/) override {
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      if (IsPresent(sums_[i])) sums_[i] += compensations_[i];
    }
    return std::move(sums_);
  }

 private:
  Column sums_;
  std::vector<double> compensations_;
};

// The compensated sum divided by the count or, once the sum overflows, a mean that is updated with
// each value.
class MeanState final : public GroupState {
 public:
  explicit MeanState(std::size_t steps) : cells_(steps) {}

  void Add(Column& values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (IsPresent(values[i])) cells_[i].Add(values[i]);
    }
  }

  Column Finish(const Column& /*parameter*/) override {
    Column means(cells_.size(), kMissing);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].count > 0) means[i] = cells_[i].Value();
    }
    return means;
  }

 private:
  struct Cell {
    CompensatedSum sum;  // Of the values; of the mean once `incremental`.
    double count = 0;
    bool incremental = false;

    void Add(double v) {
      count += 1;
      if (count == 1) {
        sum.sum = v;
        return;
      }
      if (!incremental) {
        CompensatedSum next = sum;
        next.Add(v);
        if (!std::isinf(next.sum)) {
          sum = next;
          return;
        }
        incremental = true;
        sum = {sum.sum / (count - 1), sum.compensation / (count - 1)};
      }
      const double keep = (count - 1) / count;
      sum = {keep * sum.sum, keep * sum.compensation};
      sum.Add(v / count);
    }
    double Value() const {
      return incremental ? sum.Total() : sum.sum / count + sum.compensation / count;
    }
  };

  std::vector<Cell> cells_;
};

// NaN gives way to any number.
class ExtremeState final : public GroupState {
 public:
  ExtremeState(std::size_t steps, bool max) : values_(steps, kMissing), max_(max) {}

  void Add(Column& values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = values[i];
      if (IsMissing(v)) continue;
      const double old = values_[i];
      // A missing value is a NaN, too.
      if (std::isnan(old) || (max_ ? old < v : old > v)) values_[i] = v;
    }
  }

  Column Finish(const Column& /*parameter*/) override { return std::move(values_); }

 private:
  Column values_;
  bool max_;
};

class CountState final : public GroupState {
 public:
  CountState(std::size_t steps, bool only_presence)
      : counts_(steps), only_presence_(only_presence) {}

  void Add(Column& values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      counts_[i] += static_cast<std::uint64_t>(IsPresent(values[i]));
    }
  }

  Column Finish(const Column& /*parameter*/) override {
    Column column(counts_.size(), kMissing);
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) column[i] = only_presence_ ? 1.0 : static_cast<double>(counts_[i]);
    }
    return column;
  }

 private:
  std::vector<std::uint64_t> counts_;
  bool only_presence_;
};

// Welford's algorithm, without compensation.
class VarianceState final : public GroupState {
 public:
  VarianceState(std::size_t steps, bool root) : cells_(steps), root_(root) {}

  void Add(Column& values) override {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = values[i];
      if (IsMissing(v)) continue;
      Cell& cell = cells_[i];
      cell.count += 1;
      if (cell.count == 1) {
        cell.mean = v;
        cell.squares = std::isfinite(v) ? 0 : kNan;
        continue;
      }
      const double delta = v - cell.mean;
      cell.mean += delta / cell.count;
      cell.squares += delta * (v - cell.mean);
    }
  }

  Column Finish(const Column& /*parameter*/) override {
    Column column(cells_.size(), kMissing);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].count == 0) continue;
      const double variance = cells_[i].squares / cells_[i].count;
      column[i] = root_ ? std::sqrt(variance) : variance;
    }
    return column;
  }

 private:
  struct Cell {
    double count = 0;
    double mean = 0;
    double squares = 0;
  };
  std::vector<Cell> cells_;
  bool root_;
};

// Needs all values, so it keeps the series.
class QuantileState final : public GroupState {
 public:
  void Add(Column& values) override { series_.push_back(std::move(values)); }

  Column Finish(const Column& phi) override {
    Column column(phi.size(), kMissing);
    std::vector<double> values;
    for (std::size_t i = 0; i < phi.size(); ++i) {
      values.clear();
      std::size_t nans = 0;
      for (const Column& series : series_) {
        if (IsMissing(series[i])) continue;
        if (std::isnan(series[i])) {
          ++nans;
        } else {
          values.push_back(series[i]);
        }
      }
      if (nans + values.size() > 0) column[i] = Quantile(phi[i], values, nans);
    }
    return column;
  }

 private:
  // NaN ranks below all numbers.
  static double Quantile(double phi, std::vector<double>& values, std::size_t nans) {
    if (std::isnan(phi)) return kNan;
    if (phi < 0) return -std::numeric_limits<double>::infinity();
    if (phi > 1) return std::numeric_limits<double>::infinity();
    const auto n = static_cast<double>(values.size() + nans);
    const double rank = phi * (n - 1);
    const auto lower = static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
    const auto upper = std::min(values.size() + nans - 1, lower + 1);
    const double weight = rank - std::floor(rank);
    double at_lower = kNan;
    double at_upper = kNan;
    if (lower >= nans) {
      const auto nth = values.begin() + static_cast<std::ptrdiff_t>(lower - nans);
      std::ranges::nth_element(values, nth);
      at_lower = *nth;
      at_upper = upper == lower ? at_lower : *std::min_element(nth + 1, values.end());
    } else if (upper >= nans) {
      at_upper = *std::ranges::min_element(values);
    }
    return at_lower * (1 - weight) + at_upper * weight;
  }

  std::vector<Column> series_;
};

std::unique_ptr<GroupState> MakeState(AggregateOp op, std::size_t steps) {
  switch (op) {
    case AggregateOp::kSum:
      return std::make_unique<SumState>(steps);
    case AggregateOp::kAvg:
      return std::make_unique<MeanState>(steps);
    case AggregateOp::kMin:
      return std::make_unique<ExtremeState>(steps, false);
    case AggregateOp::kMax:
      return std::make_unique<ExtremeState>(steps, true);
    case AggregateOp::kCount:
      return std::make_unique<CountState>(steps, false);
    case AggregateOp::kGroup:
      return std::make_unique<CountState>(steps, true);
    case AggregateOp::kStdvar:
      return std::make_unique<VarianceState>(steps, false);
    case AggregateOp::kStddev:
      return std::make_unique<VarianceState>(steps, true);
    case AggregateOp::kQuantile:
      return std::make_unique<QuantileState>();
    default:
      break;
  }
  CHECK(false);
  return nullptr;
}

bool NamesMetadata(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const std::string& name) {
    return name == kMetricName || name == kTypeLabel || name == kUnitLabel;
  });
}

class AggregateNode final : public VectorNode {
 public:
  AggregateNode(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter)
      : aggregate_(aggregate),
        grouping_(aggregate.grouping, aggregate.without),
        input_(std::move(input)),
        parameter_(std::move(parameter)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    Column parameter;
    if (parameter_ != nullptr) {
      parameter = TRY(parameter_->Run(run, grid));
      NoteParameter(run, parameter);
    }
    std::vector<Group> groups;
    LabelIndex index;
    std::string scratch;
    HeldSamples held(run);
    const bool keeps_series = aggregate_.op == AggregateOp::kQuantile;
    LambdaSink add([&](const ColumnSeries& series) -> Status {
      const LabelIndex::Entry entry = index.FindOrAdd(grouping_.Apply(series.labels, scratch));
      if (entry.is_new) groups.push_back({MakeState(aggregate_.op, grid.steps), false});
      if (entry.is_new || keeps_series) TRY(held.Add(HeldSize(series.values)));
      Group& group = groups[entry.number];
      group.drop_name = group.drop_name || series.drop_name;
      group.state->Add(series.values);
      return OkStatus();
    });
    TRY(input_->Run(run, grid, add));
    for (std::size_t i = 0; i < groups.size(); ++i) {
      Column values = groups[i].state->Finish(parameter);
      groups[i].state.reset();
      TRY(sink.Accept({index.at(i), groups[i].drop_name, values}));
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override {
    return aggregate_.without ? input_->HasUniqueLabelsWithoutName()
                              : !NamesMetadata(aggregate_.grouping);
  }

 private:
  struct Group {
    std::unique_ptr<GroupState> state;
    bool drop_name = false;
  };

  // The most extreme parameters are noted, once.
  void NoteParameter(PlanRun& run, const Column& parameter) const {
    const PositionRange at = aggregate_.parameter->position;
    const ParameterRange range = RangeOf(parameter);
    run.notes().set_source(aggregate_.position);
    if (std::isnan(range.max)) run.notes().InvalidQuantile(range.max, at);
    if (range.max > 1) run.notes().InvalidQuantile(range.max, at);
    if (range.min < 0) run.notes().InvalidQuantile(range.min, at);
  }

  const AggregateExpr& aggregate_;
  LabelSelection grouping_;
  VectorPlan input_;
  ScalarPlan parameter_;
};

// count_values("label", v): a series for each group and value.
class CountValuesNode final : public VectorNode {
 public:
  CountValuesNode(const AggregateExpr& aggregate, VectorPlan input)
      : label_(As<StringExpr>(Unwrap(*aggregate.parameter)).value),
        grouping_(WithLabel(aggregate, label_), aggregate.without),
        input_(std::move(input)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    if (!IsValidName(label_)) {
      return Error(ErrorKind::kInvalid, "invalid label name " + QuoteGo(label_));
    }
    std::vector<Column> counts;
    LabelIndex index;
    std::string scratch;
    HeldSamples held(run);
    LambdaSink count([&](const ColumnSeries& series) -> Status {
      std::unordered_map<std::uint64_t, std::size_t> number_of;  // By the bits of the value.
      LabelsBuilder builder(series.labels);
      for (std::size_t i = 0; i < grid.steps; ++i) {
        const double v = series.values[i];
        if (IsMissing(v)) continue;
        const auto [it, inserted] = number_of.try_emplace(std::bit_cast<std::uint64_t>(v));
        if (inserted) {
          const Labels labeled = builder.Set(label_, FormatFloatF(v)).Build();
          const LabelIndex::Entry entry = index.FindOrAdd(grouping_.Apply(labeled, scratch));
          if (entry.is_new) {
            TRY(held.Add(1));
            counts.emplace_back(grid.steps, kMissing);
          }
          it->second = entry.number;
        }
        double& cell = counts[it->second][i];
        cell = IsMissing(cell) ? 1 : cell + 1;
      }
      return OkStatus();
    });
    TRY(input_->Run(run, grid, count));
    for (std::size_t i = 0; i < counts.size(); ++i) {
      TRY(sink.Accept({index.at(i), false, counts[i]}));
    }
    return OkStatus();
  }

  bool FindUniqueLabels() const override { return true; }

 private:
  static std::vector<std::string> WithLabel(const AggregateExpr& aggregate,
                                            const std::string& label) {
    std::vector<std::string> names = aggregate.grouping;
    if (!aggregate.without) names.push_back(label);
    return names;
  }

  const std::string label_;
  LabelSelection grouping_;
  VectorPlan input_;
};

}  // namespace

ParameterRange RangeOf(const Column& parameter) {
  ParameterRange range{parameter.front(), parameter.front()};
  for (const double v : parameter) {
    if (std::isnan(v)) return {v, v};
    range = {std::min(range.min, v), std::max(range.max, v)};
  }
  return range;
}

VectorPlan PlanAggregate(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter) {
  return std::make_unique<AggregateNode>(aggregate, std::move(input), std::move(parameter));
}

VectorPlan PlanCountValues(const AggregateExpr& aggregate, VectorPlan input) {
  return std::make_unique<CountValuesNode>(aggregate, std::move(input));
}

}  // namespace sonde::promql
