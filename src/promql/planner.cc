#include "promql/planner.h"

#include <numbers>
#include <utility>

#include "promql/fast_operators.h"
#include "promql/fast_samples.h"

namespace sonde::promql {
namespace {

class Planner {
 public:
  explicit Planner(const PreparedQuery& query) : query_(query) {}

  Operand MakeOperand(const Expr& expr) const {
    if (TypeOf(expr) == ValueType::kScalar) return {.scalar = MakeScalar(expr), .vector = nullptr};
    return {.scalar = nullptr, .vector = MakeVector(expr)};
  }

  ScalarPlan MakeScalar(const Expr& expr) const {
    ScalarPlan plan = MakeScalarNode(expr);
    return IsInvariant(expr) ? MakeInvariant(std::move(plan)) : std::move(plan);
  }

  VectorPlan MakeVector(const Expr& expr) const {
    VectorPlan plan = MakeVectorNode(expr);
    return IsInvariant(expr) ? MakeInvariant(std::move(plan)) : std::move(plan);
  }

  RangePlan MakeRange(const Expr& expr, std::string_view function) const {
    if (const auto* matrix = If<MatrixSelector>(expr)) return PlanMatrix(*matrix, function);
    const auto& subquery = As<SubqueryExpr>(expr);
    return PlanSubquery(subquery, MakeVector(*subquery.expr));
  }

 private:
  bool IsInvariant(const Expr& expr) const { return query_.step_invariant.contains(&expr); }

  ScalarPlan MakeScalarNode(const Expr& expr) const;
  VectorPlan MakeVectorNode(const Expr& expr) const;
  ScalarPlan MakeScalarCall(const CallExpr& call) const;
  VectorPlan MakeVectorCall(const CallExpr& call) const;
  VectorPlan MakeRangeCall(const CallExpr& call, std::size_t range) const;
  VectorPlan MakeAggregate(const AggregateExpr& aggregate) const;
  std::vector<ScalarPlan> MakeScalars(const CallExpr& call, std::size_t first) const;

  // The operators of a chain from left to right; what is left over is its first operand.
  const Expr& Unchain(const BinaryExpr& root, std::vector<ChainLink>& links) const;

  const PreparedQuery& query_;
};

const Expr& Planner::Unchain(const BinaryExpr& root, std::vector<ChainLink>& links) const {
  std::vector<const BinaryExpr*> chain{&root};
  while (const auto* left = If<BinaryExpr>(*chain.back()->lhs)) {
    if (IsInvariant(*left)) break;  // Evaluated once, by itself.
    chain.push_back(left);
  }
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    links.push_back({*at, MakeOperand(*(*at)->rhs)});
  }
  return *chain.back()->lhs;
}

ScalarPlan Planner::MakeScalarNode(const Expr& expr) const {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return PlanNumber(As<NumberExpr>(expr).value);
    case ExprKind::kParen:
      return MakeScalar(*As<ParenExpr>(expr).expr);
    case ExprKind::kUnary: {
      ScalarPlan inner = MakeScalar(*As<UnaryExpr>(expr).expr);
      return As<UnaryExpr>(expr).negative ? PlanNegated(std::move(inner)) : std::move(inner);
    }
    case ExprKind::kBinary: {
      std::vector<ChainLink> links;
      const Expr& first = Unchain(As<BinaryExpr>(expr), links);
      return PlanScalarChain(MakeScalar(first), std::move(links));
    }
    case ExprKind::kCall:
      return MakeScalarCall(As<CallExpr>(expr));
    default:
      break;
  }
  CHECK(false);
  return nullptr;
}

ScalarPlan Planner::MakeScalarCall(const CallExpr& call) const {
  switch (call.function->id) {
    case FunctionId::kTime:
      return PlanTime();
    case FunctionId::kPi:
      return PlanNumber(std::numbers::pi);
    case FunctionId::kScalar:
      return PlanScalarOf(MakeVector(*call.arguments[0]));
    case FunctionId::kMaxOf:
    case FunctionId::kMinOf:
      return PlanExtremeOf(MakeScalar(*call.arguments[0]), MakeScalar(*call.arguments[1]),
                           call.function->id == FunctionId::kMaxOf);
    default:
      break;
  }
  CHECK(false);  // The others are constants of the query, which PrepareQuery puts in their places.
  return nullptr;
}

VectorPlan Planner::MakeVectorNode(const Expr& expr) const {
  switch (expr.kind) {
    case ExprKind::kVectorSelector:
      return PlanSelector(As<VectorSelector>(expr));
    case ExprKind::kParen:
      return MakeVector(*As<ParenExpr>(expr).expr);
    case ExprKind::kUnary: {
      VectorPlan inner = MakeVector(*As<UnaryExpr>(expr).expr);
      return As<UnaryExpr>(expr).negative ? PlanNegated(std::move(inner)) : std::move(inner);
    }
    case ExprKind::kBinary: {
      std::vector<ChainLink> links;
      const Expr& first = Unchain(As<BinaryExpr>(expr), links);
      return PlanVectorChain(MakeOperand(first), std::move(links));
    }
    case ExprKind::kAggregate:
      return MakeAggregate(As<AggregateExpr>(expr));
    case ExprKind::kCall:
      return MakeVectorCall(As<CallExpr>(expr));
    default:
      break;
  }
  CHECK(false);
  return nullptr;
}

VectorPlan Planner::MakeAggregate(const AggregateExpr& aggregate) const {
  VectorPlan input = MakeVector(*aggregate.expr);
  if (aggregate.op == AggregateOp::kCountValues) {
    return PlanCountValues(aggregate, std::move(input));
  }
  ScalarPlan parameter;
  if (aggregate.parameter != nullptr) parameter = MakeScalar(*aggregate.parameter);
  switch (aggregate.op) {
    case AggregateOp::kTopk:
    case AggregateOp::kBottomk:
    case AggregateOp::kLimitk:
    case AggregateOp::kLimitRatio:
      return PlanSelection(aggregate, std::move(input), std::move(parameter));
    default:
      return PlanAggregate(aggregate, std::move(input), std::move(parameter));
  }
}

std::vector<ScalarPlan> Planner::MakeScalars(const CallExpr& call, std::size_t first) const {
  std::vector<ScalarPlan> scalars;
  for (std::size_t i = first; i < call.arguments.size(); ++i) {
    scalars.push_back(MakeScalar(*call.arguments[i]));
  }
  return scalars;
}

VectorPlan Planner::MakeRangeCall(const CallExpr& call, std::size_t range) const {
  std::vector<ScalarPlan> scalars;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (i != range) scalars.push_back(MakeScalar(*call.arguments[i]));
  }
  return PlanRangeCall(call, MakeRange(*call.arguments[range], call.function->name),
                       std::move(scalars));
}

VectorPlan Planner::MakeVectorCall(const CallExpr& call) const {
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    if (TypeOf(*call.arguments[i]) == ValueType::kMatrix) return MakeRangeCall(call, i);
  }
  const FunctionId id = call.function->id;
  const auto vector = [&](std::size_t i) { return MakeVector(*call.arguments[i]); };
  switch (id) {
    case FunctionId::kVector:
      return PlanVectorOf(MakeScalar(*call.arguments[0]));
    case FunctionId::kAbsent:
      return PlanAbsent(call, vector(0));
    case FunctionId::kSort:
    case FunctionId::kSortDesc:
    case FunctionId::kSortByLabel:
    case FunctionId::kSortByLabelDesc:
      return PlanSort(call, vector(0));
    case FunctionId::kLabelReplace:
      return PlanLabelReplace(call, vector(0));
    case FunctionId::kLabelJoin:
      return PlanLabelJoin(call, vector(0));
    case FunctionId::kInfo:
      return PlanInfo(call, vector(0));
    case FunctionId::kHistogramQuantile: {
      std::vector<ScalarPlan> phi;
      phi.push_back(MakeScalar(*call.arguments[0]));
      return PlanHistogramQuantiles(call, vector(1), std::move(phi));
    }
    case FunctionId::kHistogramQuantiles:
      return PlanHistogramQuantiles(call, vector(0), MakeScalars(call, 2));
    case FunctionId::kHistogramFraction:
      return PlanHistogramFraction(call, vector(2), MakeScalar(*call.arguments[0]),
                                   MakeScalar(*call.arguments[1]));
    case FunctionId::kHistogramAvg:
    case FunctionId::kHistogramCount:
    case FunctionId::kHistogramSum:
    case FunctionId::kHistogramStddev:
    case FunctionId::kHistogramStdvar:
      return PlanNothing(vector(0));
    case FunctionId::kTimestamp:
    case FunctionId::kStartTimestamp:
      if (const auto* selector = If<VectorSelector>(*call.arguments[0])) {
        return PlanSampleTimes(*selector, id == FunctionId::kStartTimestamp);
      }
      if (id == FunctionId::kStartTimestamp) return PlanNothing(vector(0));
      return PlanMap(call, vector(0), {});
    default:
      return PlanMap(call, call.arguments.empty() ? nullptr : vector(0), MakeScalars(call, 1));
  }
}

}  // namespace

ScalarPlan MakeScalarPlan(const PreparedQuery& query) {
  return Planner(query).MakeScalar(*query.expr);
}

VectorPlan MakeVectorPlan(const PreparedQuery& query) {
  return Planner(query).MakeVector(*query.expr);
}

RangePlan MakeRangePlan(const PreparedQuery& query) {
  return Planner(query).MakeRange(Unwrap(*query.expr), "");
}

}  // namespace sonde::promql
