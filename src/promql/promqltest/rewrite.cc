#include "promql/promqltest/rewrite.h"

#include <algorithm>
#include <array>

#include "promql/functions.h"
#include "promql/printer.h"

namespace sonde::promql {
namespace {

bool DependsOnTime(FunctionId id) {
  constexpr auto kFunctions = std::to_array<FunctionId>(
      {FunctionId::kDaysInMonth, FunctionId::kDayOfMonth, FunctionId::kDayOfWeek,
       FunctionId::kDayOfYear, FunctionId::kEnd, FunctionId::kHour, FunctionId::kMinute,
       FunctionId::kMonth, FunctionId::kPredictLinear, FunctionId::kRange, FunctionId::kStart,
       FunctionId::kStep, FunctionId::kTime, FunctionId::kTimestamp, FunctionId::kYear});
  return std::ranges::find(kFunctions, id) != kFunctions.end();
}

void Pin(AtModifier& at, Timestamp t) {
  // `@ start()` gives way too: the reference looks at the timestamp only, and sets it beside.
  if (at.kind != AtModifier::Kind::kTimestamp) at = {AtModifier::Kind::kTimestamp, t};
}

class Pinner {
 public:
  explicit Pinner(Timestamp t) : t_(t) {}

  /// False if a function depends on the time.
  bool Visit(Expr& root, bool untouched) {
    Expr* at = &root;
    bool ok = true;
    while (auto* binary = If<BinaryExpr>(*at)) {
      ok = Visit(*binary->rhs, untouched) && ok;
      at = binary->lhs.get();
    }
    return VisitOperand(*at, untouched) && ok;
  }

 private:
  bool VisitOperand(Expr& expr, bool untouched) {
    switch (expr.kind) {
      case ExprKind::kVectorSelector:
        if (!untouched) Pin(As<VectorSelector>(expr).at, t_);
        return true;
      case ExprKind::kMatrixSelector:
        if (!untouched) Pin(As<MatrixSelector>(expr).selector->at, t_);
        return true;
      case ExprKind::kSubquery:
        // Once pinned, the subquery's own time holds for everything in it.
        if (!untouched) Pin(As<SubqueryExpr>(expr).at, t_);
        return Visit(*As<SubqueryExpr>(expr).expr, true);
      case ExprKind::kCall: {
        auto& call = As<CallExpr>(expr);
        bool ok = untouched || !DependsOnTime(call.function->id);
        for (const ExprPtr& argument : call.arguments) {
          ok = Visit(*argument, untouched) && ok;
        }
        return ok;
      }
      case ExprKind::kAggregate: {
        auto& aggregate = As<AggregateExpr>(expr);
        const bool ok = !aggregate.parameter || Visit(*aggregate.parameter, untouched);
        return Visit(*aggregate.expr, untouched) && ok;
      }
      case ExprKind::kUnary:
        return Visit(*As<UnaryExpr>(expr).expr, untouched);
      case ExprKind::kParen:
        return Visit(*As<ParenExpr>(expr).expr, untouched);
      default:
        return true;
    }
  }

  Timestamp t_;
};

}  // namespace

std::optional<std::string> PinToTime(const Expr& expr, Timestamp t) {
  const ExprPtr pinned = Clone(expr);
  if (!Pinner(t).Visit(*pinned, false)) return std::nullopt;
  return Print(*pinned);
}

}  // namespace sonde::promql
