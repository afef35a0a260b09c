#include "promql/naive_prepare.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "promql/durations.h"
#include "promql/functions.h"
#include "promql/naive_value.h"

namespace sonde::promql {
namespace {

// --------------------------------------------------------------------------------------- rewriting

// Rewrites a tree in place, once, for one range of evaluation times.
class Rewriter {
 public:
  explicit Rewriter(const QueryRange& range) : range_(range) {}

  void Rewrite(ExprPtr& root) {
    // Down the left operands in a loop: that is where a tree can be deeper than the stack.
    ExprPtr* at = &root;
    while (auto* binary = If<BinaryExpr>(**at)) {
      Rewrite(binary->rhs);
      at = &binary->lhs;
    }
    RewriteNode(*at);
  }

 private:
  void RewriteNode(ExprPtr& expr) {
    switch (expr->kind) {
      case ExprKind::kVectorSelector:
        return Resolve(As<VectorSelector>(*expr).at);
      case ExprKind::kMatrixSelector:
        return Resolve(As<MatrixSelector>(*expr).selector->at);
      case ExprKind::kSubquery:
        Resolve(As<SubqueryExpr>(*expr).at);
        return Rewrite(As<SubqueryExpr>(*expr).expr);
      case ExprKind::kUnary:
        return Rewrite(As<UnaryExpr>(*expr).expr);
      case ExprKind::kParen:
        return Rewrite(As<ParenExpr>(*expr).expr);
      case ExprKind::kAggregate: {
        auto& aggregate = As<AggregateExpr>(*expr);
        RewriteArgument(aggregate.expr);
        if (aggregate.parameter != nullptr) RewriteArgument(aggregate.parameter);
        return;
      }
      case ExprKind::kCall:
        for (ExprPtr& argument : As<CallExpr>(*expr).arguments) {
          RewriteArgument(argument);
        }
        return FoldCall(expr);
      default:
        return;
    }
  }

  void RewriteArgument(ExprPtr& argument) {
    while (auto* paren = If<ParenExpr>(*argument)) {
      ExprPtr inner = std::move(paren->expr);
      argument = std::move(inner);
    }
    Rewrite(argument);
  }

  void Resolve(AtModifier& at) const {
    if (at.kind == AtModifier::Kind::kStart) at.timestamp = range_.start;
    if (at.kind == AtModifier::Kind::kEnd) at.timestamp = range_.end;
    if (at.kind != AtModifier::Kind::kNone) at.kind = AtModifier::Kind::kTimestamp;
  }

  // The functions that tell about the query itself are constants of it.
  void FoldCall(ExprPtr& expr) const {
    const auto seconds = [](Duration d) { return static_cast<double>(d.count()) / 1000; };
    double value = 0;
    switch (As<CallExpr>(*expr).function->id) {
      case FunctionId::kStart:
        value = range_.start.seconds();
        break;
      case FunctionId::kEnd:
        value = range_.end.seconds();
        break;
      case FunctionId::kRange:
        value = seconds(range_.end - range_.start);
        break;
      case FunctionId::kStep:
        value = range_.start == range_.end ? 0 : seconds(range_.step);
        break;
      default:
        return;
    }
    auto number = std::make_unique<NumberExpr>();
    number->position = expr->position;
    number->value = value;
    expr = std::move(number);
  }

  const QueryRange& range_;
};

// --------------------------------------------------------------------------------- step invariance

// Whose result depends on the evaluation time although the arguments do not.
bool UsesEvaluationTime(FunctionId id) {
  switch (id) {
    case FunctionId::kDaysInMonth:
    case FunctionId::kDayOfMonth:
    case FunctionId::kDayOfWeek:
    case FunctionId::kDayOfYear:
    case FunctionId::kHour:
    case FunctionId::kMinute:
    case FunctionId::kMonth:
    case FunctionId::kYear:
    case FunctionId::kPredictLinear:
    case FunctionId::kTime:
    case FunctionId::kTimestamp:
      return true;
    default:
      return false;
  }
}

// Literals cost nothing, and ranges are evaluated by the function around them.
bool WorthRemembering(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kString:
    case ExprKind::kMatrixSelector:
    case ExprKind::kSubquery:
      return false;
    case ExprKind::kParen:
      return WorthRemembering(*As<ParenExpr>(expr).expr);
    case ExprKind::kUnary:
      return WorthRemembering(*As<UnaryExpr>(expr).expr);
    default:
      return true;
  }
}

class InvarianceFinder {
 public:
  explicit InvarianceFinder(std::set<const Expr*>& found) : found_(found) {}

  void Find(const Expr& root) {
    if (IsInvariant(root)) Remember(root);
  }

 private:
  void Remember(const Expr& expr) {
    if (WorthRemembering(expr)) found_.insert(&expr);
  }

  // Where it answers no, it has remembered the parts that are invariant.
  bool IsInvariant(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kNumber:
      case ExprKind::kString:
      case ExprKind::kDuration:
        return true;
      case ExprKind::kVectorSelector:
        return As<VectorSelector>(expr).at.kind == AtModifier::Kind::kTimestamp;
      case ExprKind::kMatrixSelector:
        return IsInvariant(*As<MatrixSelector>(expr).selector);
      case ExprKind::kSubquery:
        Find(*As<SubqueryExpr>(expr).expr);
        return As<SubqueryExpr>(expr).at.kind == AtModifier::Kind::kTimestamp;
      case ExprKind::kUnary:
        return IsInvariant(*As<UnaryExpr>(expr).expr);
      case ExprKind::kParen:
        return IsInvariant(*As<ParenExpr>(expr).expr);
      case ExprKind::kAggregate: {
        const auto& aggregate = As<AggregateExpr>(expr);
        std::vector<const Expr*> parts = {aggregate.expr.get()};
        if (aggregate.parameter != nullptr) parts.push_back(aggregate.parameter.get());
        return AllInvariant(parts, false);
      }
      case ExprKind::kCall:
        return IsInvariantCall(As<CallExpr>(expr));
      case ExprKind::kBinary:
        return IsInvariantBinary(As<BinaryExpr>(expr));
    }
    return false;
  }

  bool IsInvariantCall(const CallExpr& call) {
    const FunctionId id = call.function->id;
    std::vector<const Expr*> parts;
    for (const ExprPtr& argument : call.arguments) {
      parts.push_back(argument.get());
    }
    // Of a selector, timestamp() gives the samples' times; of anything else, the evaluation time.
    const bool sample_times =
        id == FunctionId::kTimestamp && parts[0]->kind == ExprKind::kVectorSelector;
    return AllInvariant(parts, UsesEvaluationTime(id) && !sample_times);
  }

  bool AllInvariant(const std::vector<const Expr*>& parts, bool varies_anyway) {
    std::vector<const Expr*> invariant;
    for (const Expr* part : parts) {
      if (IsInvariant(*part)) invariant.push_back(part);
    }
    if (!varies_anyway && invariant.size() == parts.size()) return true;
    for (const Expr* part : invariant) {
      Remember(*part);
    }
    return false;
  }

  bool IsInvariantBinary(const BinaryExpr& binary) {
    std::vector<const BinaryExpr*> chain = {&binary};
    while (const auto* left = If<BinaryExpr>(*chain.back()->lhs)) {
      chain.push_back(left);
    }
    const Expr* left = chain.back()->lhs.get();
    bool left_invariant = IsInvariant(*left);
    for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
      const bool right_invariant = IsInvariant(*(*it)->rhs);
      if (left_invariant != right_invariant) Remember(left_invariant ? *left : *(*it)->rhs);
      left_invariant = left_invariant && right_invariant;
      left = *it;
    }
    return left_invariant;
  }

  std::set<const Expr*>& found_;
};

// ----------------------------------------------------------------------------------- time coverage

// Finds the earliest and the latest sample that a query can touch.
class Coverage {
 public:
  Coverage(PreparedQuery& query, const EvalOptions& options) : query_(query), options_(options) {}

  // `expr` is evaluated at times in [first, last].
  void Visit(const Expr& root, Timestamp first, Timestamp last) {
    const Expr* at = &root;
    while (const auto* binary = If<BinaryExpr>(*at)) {
      Visit(*binary->rhs, first, last);
      at = binary->lhs.get();
    }
    VisitNode(*at, first, last);
  }

 private:
  // Ranges and lookback are open to the left.
  static constexpr Duration kOpenEdge{1};

  void VisitNode(const Expr& expr, Timestamp first, Timestamp last) {
    switch (expr.kind) {
      case ExprKind::kVectorSelector: {
        const auto& selector = As<VectorSelector>(expr);
        const Duration after = selector.smoothed ? options_.lookback : Duration(0);
        return Cover(ReferenceTime(first, selector.at, selector.offset),
                     ReferenceTime(last, selector.at, selector.offset), options_.lookback, after);
      }
      case ExprKind::kMatrixSelector:
        return VisitMatrix(As<MatrixSelector>(expr), first, last);
      case ExprKind::kSubquery: {
        const auto& subquery = As<SubqueryExpr>(expr);
        const Timestamp from =
            Earlier(ReferenceTime(first, subquery.at, subquery.offset), subquery.range.value);
        return Visit(*subquery.expr, from, ReferenceTime(last, subquery.at, subquery.offset));
      }
      case ExprKind::kUnary:
        return Visit(*As<UnaryExpr>(expr).expr, first, last);
      case ExprKind::kParen:
        return Visit(*As<ParenExpr>(expr).expr, first, last);
      case ExprKind::kAggregate: {
        const auto& aggregate = As<AggregateExpr>(expr);
        if (aggregate.parameter != nullptr) Visit(*aggregate.parameter, first, last);
        return Visit(*aggregate.expr, first, last);
      }
      case ExprKind::kCall:
        return VisitCall(As<CallExpr>(expr), first, last);
      default:
        return;
    }
  }

  void VisitMatrix(const MatrixSelector& matrix, Timestamp first, Timestamp last) {
    const VectorSelector& selector = *matrix.selector;
    const Duration before =
        selector.anchored || selector.smoothed ? options_.lookback : Duration(0);
    const Duration after = selector.smoothed ? options_.lookback : Duration(0);
    Cover(Earlier(ReferenceTime(first, selector.at, selector.offset), matrix.range.value),
          ReferenceTime(last, selector.at, selector.offset), before, after);
  }

  void VisitCall(const CallExpr& call, Timestamp first, Timestamp last) {
    const bool info = call.function->id == FunctionId::kInfo;
    for (const ExprPtr& argument : call.arguments) {
      Visit(*argument, first, last);
      if (info) break;  // The second argument only names labels.
    }
    if (!info) return;
    const InfoReference reference = FindInfoReference(*call.arguments[0]);
    OffsetModifier offset;
    offset.value = reference.offset;
    Cover(ReferenceTime(first, reference.at, offset), ReferenceTime(last, reference.at, offset),
          options_.lookback, Duration(0));
  }

  void Cover(Timestamp first, Timestamp last, Duration before, Duration after) {
    query_.first = std::min(query_.first, Later(Earlier(first, before), kOpenEdge));
    query_.last = std::max(query_.last, Later(last, after));
  }

  PreparedQuery& query_;
  const EvalOptions& options_;
};

// ---------------------------------------------------------------------------------- info reference

// The first selector below `expr`, left to right, and the subqueries around it, the innermost last.
const VectorSelector* FirstSelector(const Expr& expr, std::vector<const SubqueryExpr*>& around) {
  switch (expr.kind) {
    case ExprKind::kVectorSelector:
      return &As<VectorSelector>(expr);
    case ExprKind::kMatrixSelector:
      return As<MatrixSelector>(expr).selector.get();
    case ExprKind::kSubquery: {
      around.push_back(&As<SubqueryExpr>(expr));
      const VectorSelector* found = FirstSelector(*around.back()->expr, around);
      if (found == nullptr) around.pop_back();
      return found;
    }
    case ExprKind::kUnary:
      return FirstSelector(*As<UnaryExpr>(expr).expr, around);
    case ExprKind::kParen:
      return FirstSelector(*As<ParenExpr>(expr).expr, around);
    case ExprKind::kAggregate: {
      const auto& aggregate = As<AggregateExpr>(expr);
      if (const VectorSelector* found = FirstSelector(*aggregate.expr, around)) return found;
      return aggregate.parameter == nullptr ? nullptr : FirstSelector(*aggregate.parameter, around);
    }
    case ExprKind::kCall:
      for (const ExprPtr& argument : As<CallExpr>(expr).arguments) {
        if (const VectorSelector* found = FirstSelector(*argument, around)) return found;
      }
      return nullptr;
    case ExprKind::kBinary: {
      std::vector<const Expr*> right;
      const Expr* at = &expr;
      while (const auto* binary = If<BinaryExpr>(*at)) {
        right.push_back(binary->rhs.get());
        at = binary->lhs.get();
      }
      const VectorSelector* found = FirstSelector(*at, around);
      for (auto it = right.rbegin(); found == nullptr && it != right.rend(); ++it) {
        found = FirstSelector(**it, around);
      }
      return found;
    }
    default:
      return nullptr;
  }
}

}  // namespace

Timestamp ReferenceTime(Timestamp t, const AtModifier& at, const OffsetModifier& offset) {
  return Earlier(at.kind == AtModifier::Kind::kTimestamp ? at.timestamp : t, offset.value);
}

InfoReference FindInfoReference(const Expr& argument) {
  InfoReference reference;
  std::vector<const SubqueryExpr*> around;
  const VectorSelector* selector = FirstSelector(argument, around);
  if (selector == nullptr) return reference;
  reference.at = selector->at;
  reference.offset = selector->offset.value;
  while (reference.at.kind == AtModifier::Kind::kNone && !around.empty()) {
    reference.at = around.back()->at;
    reference.offset += around.back()->offset.value;
    around.pop_back();
  }
  return reference;
}

Result<PreparedQuery> PrepareQuery(const Expr& expr, const QueryRange& range,
                                   const EvalOptions& options) {
  PreparedQuery query;
  query.expr = Clone(expr);
  TRY(ResolveDurations(*query.expr, range));
  Rewriter(range).Rewrite(query.expr);
  InvarianceFinder(query.step_invariant).Find(*query.expr);
  Coverage(query, options).Visit(*query.expr, range.start, range.end);
  return query;
}

}  // namespace sonde::promql
