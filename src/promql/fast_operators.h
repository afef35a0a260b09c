#pragma once

#include <span>
#include <vector>

#include "promql/ast.h"
#include "promql/functions.h"
#include "promql/plan.h"

// Makes the operators of a plan. Expressions are those of the prepared query and must outlive the
// plan.

namespace sonde::promql {

/// A scalar or a vector operand.
struct Operand {
  ScalarPlan scalar;
  VectorPlan vector;
  bool is_scalar() const { return scalar != nullptr; }
};

/// An operator and its right operand, to be applied to what stands on its left.
struct ChainLink {
  const BinaryExpr* binary = nullptr;
  Operand right;
};

/// The extremes of an aggregation's parameter over all steps; NaN both if one of them is.
struct ParameterRange {
  double min = 0;
  double max = 0;
};
ParameterRange RangeOf(const Column& parameter);

// fast_binary.cc: `first op operand op operand …`, from left to right.
ScalarPlan PlanScalarChain(ScalarPlan first, std::vector<ChainLink> links);
VectorPlan PlanVectorChain(Operand first, std::vector<ChainLink> links);

// fast_range.cc
VectorPlan PlanRangeCall(const CallExpr& call, RangePlan range, std::vector<ScalarPlan> scalars);

// fast_aggregate.cc, fast_select.cc
VectorPlan PlanAggregate(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter);
VectorPlan PlanSelection(const AggregateExpr& aggregate, VectorPlan input, ScalarPlan parameter);
VectorPlan PlanCountValues(const AggregateExpr& aggregate, VectorPlan input);

// fast_functions.cc
ScalarPlan PlanNumber(double value);
ScalarPlan PlanTime();
ScalarPlan PlanScalarOf(VectorPlan vector);
ScalarPlan PlanExtremeOf(ScalarPlan a, ScalarPlan b, bool max);
ScalarPlan PlanNegated(ScalarPlan inner);
VectorPlan PlanNegated(VectorPlan inner);
VectorPlan PlanVectorOf(ScalarPlan scalar);
VectorPlan PlanAbsent(const CallExpr& call, VectorPlan input);
/// A function that maps each value by itself: abs, clamp, round, timestamp, hour … With `input`
/// null, a date function of the evaluation time.
VectorPlan PlanMap(const CallExpr& call, VectorPlan input, std::vector<ScalarPlan> scalars);
/// Functions of native histograms, which have none to see here.
VectorPlan PlanNothing(VectorPlan input);

// fast_labels.cc
VectorPlan PlanLabelReplace(const CallExpr& call, VectorPlan input);
VectorPlan PlanLabelJoin(const CallExpr& call, VectorPlan input);
VectorPlan PlanSort(const CallExpr& call, VectorPlan input);
VectorPlan PlanInfo(const CallExpr& call, VectorPlan input);

// fast_histogram.cc
VectorPlan PlanHistogramQuantiles(const CallExpr& call, VectorPlan input,
                                  std::vector<ScalarPlan> phis);
VectorPlan PlanHistogramFraction(const CallExpr& call, VectorPlan input, ScalarPlan lower,
                                 ScalarPlan upper);

}  // namespace sonde::promql
