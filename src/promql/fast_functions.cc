#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "promql/dates.h"
#include "promql/fast_operators.h"
#include "promql/label_functions.h"
#include "promql/numerics.h"

// Scalars, and functions that look at each element of a vector by itself.

namespace sonde::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// -------------------------------------------------------------------------------------------
// scalars

// A scalar computed from a step's time alone.
template <class F>
class StepScalarNode final : public ScalarNode {
 public:
  explicit StepScalarNode(F f) : f_(std::move(f)) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    TRY(run.CheckAlive());
    Column column(grid.steps);
    for (std::size_t i = 0; i < grid.steps; ++i) {
      column[i] = f_(grid.at(i));
    }
    return column;
  }

 private:
  F f_;
};

template <class F>
ScalarPlan MakeStepScalar(F f) {
  return std::make_unique<StepScalarNode<F>>(std::move(f));
}

// scalar(): the value of the only element, NaN if there is none or more than one.
class ScalarOfNode final : public ScalarNode {
 public:
  explicit ScalarOfNode(VectorPlan vector) : vector_(std::move(vector)) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    Column column(grid.steps, std::numeric_limits<double>::quiet_NaN());
    std::vector<bool> found(grid.steps);
    LambdaSink take([&](const ColumnSeries& series) -> Status {
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (IsMissing(series.values[i])) continue;
        column[i] = found[i] ? std::numeric_limits<double>::quiet_NaN() : series.values[i];
        found[i] = true;
      }
      return OkStatus();
    });
    TRY(vector_->Run(run, grid, take));
    return column;
  }

 private:
  VectorPlan vector_;
};

class ExtremeOfNode final : public ScalarNode {
 public:
  ExtremeOfNode(ScalarPlan a, ScalarPlan b, bool max)
      : a_(std::move(a)), b_(std::move(b)), max_(max) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    Column a = TRY(a_->Run(run, grid));
    const Column b = TRY(b_->Run(run, grid));
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = max_ ? GoMax(a[i], b[i]) : GoMin(a[i], b[i]);
    }
    return a;
  }

 private:
  ScalarPlan a_;
  ScalarPlan b_;
  bool max_;
};

class NegatedScalarNode final : public ScalarNode {
 public:
  explicit NegatedScalarNode(ScalarPlan inner) : inner_(std::move(inner)) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    Column column = TRY(inner_->Run(run, grid));
    for (double& v : column) {
      v = -v;
    }
    return column;
  }

 private:
  ScalarPlan inner_;
};

// vector(): the scalar as the only element, without labels.
class VectorOfNode final : public VectorNode {
 public:
  explicit VectorOfNode(ScalarPlan scalar) : scalar_(std::move(scalar)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    Column column = TRY(scalar_->Run(run, grid));
    for (double& v : column) {
      v = AsValue(v);
    }
    return sink.Accept({LabelsView(), false, column});
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return true; }

 private:
  ScalarPlan scalar_;
};

// ------------------------------------------------------------------------- functions of each
// element

// Calls map(values, scalars, grid) for each series and hands it on without its name. The function
// changes the values that are present; it may also take some away.
template <class F>
class MapNode final : public VectorNode {
 public:
  MapNode(VectorPlan input, std::vector<ScalarPlan> scalars, F map)
      : input_(std::move(input)), scalars_(std::move(scalars)), map_(std::move(map)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    std::vector<Column> scalars;
    for (const ScalarPlan& scalar : scalars_) {
      scalars.push_back(TRY(scalar->Run(run, grid)));
    }
    NameDropper dropper(run, sink, input_->HasUniqueLabelsWithoutName());
    LambdaSink apply([&](const ColumnSeries& series) -> Status {
      map_(series.values, scalars, grid);
      if (std::ranges::none_of(series.values, IsPresent)) return OkStatus();
      return dropper.Pass(series.labels, series.values);
    });
    return input_->Run(run, grid, apply);
  }

  bool FindUniqueLabels() const override {
    return input_->HasUniqueLabels() && input_->HasUniqueLabelsWithoutName();
  }
  bool FindUniqueLabelsWithoutName() const override { return HasUniqueLabels(); }

 private:
  VectorPlan input_;
  std::vector<ScalarPlan> scalars_;
  F map_;
};

template <class F>
VectorPlan MakeMap(VectorPlan input, std::vector<ScalarPlan> scalars, F map) {
  return std::make_unique<MapNode<F>>(std::move(input), std::move(scalars), std::move(map));
}

// A function of the value alone.
template <class F>
VectorPlan MakeValueMap(VectorPlan input, F f) {
  return MakeMap(std::move(input), {},
                 [f](Column& values, const std::vector<Column>& /*scalars*/, const Grid& /*grid*/) {
                   for (double& v : values) {
                     if (IsPresent(v)) v = f(v);
                   }
                 });
}

VectorPlan MakeTimestampMap(VectorPlan input) {
  // Of anything but a selector: the time of evaluation.
  return MakeMap(std::move(input), {},
                 [](Column& values, const std::vector<Column>& /*scalars*/, const Grid& grid) {
                   for (std::size_t i = 0; i < values.size(); ++i) {
                     if (IsPresent(values[i])) values[i] = grid.at(i).seconds();
                   }
                 });
}

VectorPlan MakeRoundMap(VectorPlan input, std::vector<ScalarPlan> scalars) {
  return MakeMap(std::move(input), std::move(scalars),
                 [](Column& values, const std::vector<Column>& to_nearest, const Grid& /*grid*/) {
                   for (std::size_t i = 0; i < values.size(); ++i) {
                     if (IsMissing(values[i])) continue;
                     // By the inverse: 10 is exact, 0.1 is not.
                     const double inverse = 1.0 / (to_nearest.empty() ? 1.0 : to_nearest[0][i]);
                     values[i] = std::floor(values[i] * inverse + 0.5) / inverse;
                   }
                 });
}

// clamp, clamp_min, clamp_max. Where the lower bound is above the upper one there is nothing.
VectorPlan MakeClampMap(FunctionId id, VectorPlan input, std::vector<ScalarPlan> scalars) {
  return MakeMap(std::move(input), std::move(scalars),
                 [id](Column& values, const std::vector<Column>& bounds, const Grid& /*grid*/) {
                   for (std::size_t i = 0; i < values.size(); ++i) {
                     if (IsMissing(values[i])) continue;
                     const double first = bounds[0][i];
                     const double low = id == FunctionId::kClampMax ? -kInfinity : first;
                     const double high = id == FunctionId::kClamp      ? bounds[1][i]
                                         : id == FunctionId::kClampMin ? kInfinity
                                                                       : first;
                     values[i] = high < low ? kMissing : GoMax(low, GoMin(high, values[i]));
                   }
                 });
}

double Sign(double v) {
  if (v < 0) return -1;
  return v > 0 ? 1 : AsValue(v);
}

VectorPlan MakeMathMap(FunctionId id, VectorPlan input) {
  switch (id) {
    case FunctionId::kAbs:
      return MakeValueMap(std::move(input), [](double v) { return AsValue(std::fabs(v)); });
    case FunctionId::kAcos:
      return MakeValueMap(std::move(input), [](double v) { return std::acos(v); });
    case FunctionId::kAcosh:
      return MakeValueMap(std::move(input), [](double v) { return std::acosh(v); });
    case FunctionId::kAsin:
      return MakeValueMap(std::move(input), [](double v) { return std::asin(v); });
    case FunctionId::kAsinh:
      return MakeValueMap(std::move(input), [](double v) { return std::asinh(v); });
    case FunctionId::kAtan:
      return MakeValueMap(std::move(input), [](double v) { return std::atan(v); });
    case FunctionId::kAtanh:
      return MakeValueMap(std::move(input), [](double v) { return std::atanh(v); });
    case FunctionId::kCeil:
      return MakeValueMap(std::move(input), [](double v) { return std::ceil(v); });
    case FunctionId::kCos:
      return MakeValueMap(std::move(input), [](double v) { return std::cos(v); });
    case FunctionId::kCosh:
      return MakeValueMap(std::move(input), [](double v) { return std::cosh(v); });
    case FunctionId::kDeg:
      return MakeValueMap(std::move(input), [](double v) { return v * 180 / std::numbers::pi; });
    case FunctionId::kExp:
      return MakeValueMap(std::move(input), [](double v) { return std::exp(v); });
    case FunctionId::kFloor:
      return MakeValueMap(std::move(input), [](double v) { return std::floor(v); });
    case FunctionId::kLn:
      return MakeValueMap(std::move(input), [](double v) { return std::log(v); });
    case FunctionId::kLog10:
      return MakeValueMap(std::move(input), [](double v) { return std::log10(v); });
    case FunctionId::kLog2:
      return MakeValueMap(std::move(input), [](double v) { return std::log2(v); });
    case FunctionId::kRad:
      return MakeValueMap(std::move(input), [](double v) { return v * std::numbers::pi / 180; });
    case FunctionId::kSgn:
      return MakeValueMap(std::move(input), Sign);
    case FunctionId::kSin:
      return MakeValueMap(std::move(input), [](double v) { return std::sin(v); });
    case FunctionId::kSinh:
      return MakeValueMap(std::move(input), [](double v) { return std::sinh(v); });
    case FunctionId::kSqrt:
      return MakeValueMap(std::move(input), [](double v) { return std::sqrt(v); });
    case FunctionId::kTan:
      return MakeValueMap(std::move(input), [](double v) { return std::tan(v); });
    case FunctionId::kTanh:
      return MakeValueMap(std::move(input), [](double v) { return std::tanh(v); });
    default:
      return nullptr;
  }
}

double ReadDate(FunctionId id, double seconds) {
  const CivilTime time = CivilFromSeconds(seconds);
  switch (id) {
    case FunctionId::kYear:
      return static_cast<double>(time.year);
    case FunctionId::kMonth:
      return time.month;
    case FunctionId::kDaysInMonth:
      return time.days_in_month;
    case FunctionId::kDayOfMonth:
      return time.day;
    case FunctionId::kDayOfWeek:
      return time.weekday;
    case FunctionId::kDayOfYear:
      return time.day_of_year;
    case FunctionId::kHour:
      return time.hour;
    case FunctionId::kMinute:
      return time.minute;
    default:
      break;
  }
  CHECK(false);
  return 0;
}

// absent(): 1 where there is no element.
class AbsentNode final : public VectorNode {
 public:
  AbsentNode(const CallExpr& call, VectorPlan input)
      : labels_(LabelsForAbsent(*call.arguments[0])), input_(std::move(input)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    Column absent(grid.steps, 1);
    LambdaSink mark([&](const ColumnSeries& series) -> Status {
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (IsPresent(series.values[i])) absent[i] = kMissing;
      }
      return OkStatus();
    });
    TRY(input_->Run(run, grid, mark));
    if (std::ranges::none_of(absent, IsPresent)) return OkStatus();
    return sink.Accept({labels_, false, absent});
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return true; }

 private:
  Labels labels_;
  VectorPlan input_;
};

// What is left of a vector of floats where only histograms count.
class NothingNode final : public VectorNode {
 public:
  explicit NothingNode(VectorPlan input) : input_(std::move(input)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& /*sink*/) override {
    LambdaSink ignore([](const ColumnSeries& /*series*/) -> Status { return OkStatus(); });
    return input_->Run(run, grid, ignore);
  }

  bool FindUniqueLabels() const override { return true; }
  bool FindUniqueLabelsWithoutName() const override { return true; }

 private:
  VectorPlan input_;
};

}  // namespace

ScalarPlan PlanNumber(double value) {
  return MakeStepScalar([value](Timestamp /*t*/) { return value; });
}

ScalarPlan PlanTime() {
  return MakeStepScalar([](Timestamp t) { return t.seconds(); });
}

ScalarPlan PlanScalarOf(VectorPlan vector) {
  return std::make_unique<ScalarOfNode>(std::move(vector));
}

ScalarPlan PlanExtremeOf(ScalarPlan a, ScalarPlan b, bool max) {
  return std::make_unique<ExtremeOfNode>(std::move(a), std::move(b), max);
}

ScalarPlan PlanNegated(ScalarPlan inner) {
  return std::make_unique<NegatedScalarNode>(std::move(inner));
}

VectorPlan PlanNegated(VectorPlan inner) {
  return MakeValueMap(std::move(inner), [](double v) { return AsValue(-v); });
}

VectorPlan PlanVectorOf(ScalarPlan scalar) {
  return std::make_unique<VectorOfNode>(std::move(scalar));
}

VectorPlan PlanAbsent(const CallExpr& call, VectorPlan input) {
  return std::make_unique<AbsentNode>(call, std::move(input));
}

VectorPlan PlanNothing(VectorPlan input) {
  return std::make_unique<NothingNode>(std::move(input));
}

VectorPlan PlanMap(const CallExpr& call, VectorPlan input, std::vector<ScalarPlan> scalars) {
  const FunctionId id = call.function->id;
  switch (id) {
    case FunctionId::kRound:
      return MakeRoundMap(std::move(input), std::move(scalars));
    case FunctionId::kClamp:
    case FunctionId::kClampMin:
    case FunctionId::kClampMax:
      return MakeClampMap(id, std::move(input), std::move(scalars));
    case FunctionId::kTimestamp:
      return MakeTimestampMap(std::move(input));
    case FunctionId::kYear:
    case FunctionId::kMonth:
    case FunctionId::kDaysInMonth:
    case FunctionId::kDayOfMonth:
    case FunctionId::kDayOfWeek:
    case FunctionId::kDayOfYear:
    case FunctionId::kHour:
    case FunctionId::kMinute:
      if (input != nullptr) {
        return MakeValueMap(std::move(input), [id](double v) { return ReadDate(id, v); });
      }
      return PlanVectorOf(MakeStepScalar(
          [id](Timestamp t) { return ReadDate(id, static_cast<double>(t.ms / 1000)); }));
    default:
      return MakeMathMap(id, std::move(input));
  }
}

}  // namespace sonde::promql
