#include "promql/ast.h"

#include <array>
#include <utility>

#include "promql/functions.h"

namespace sonde::promql {
namespace {

OffsetModifier CloneOffset(const OffsetModifier& offset);
RangeLength CloneRange(const RangeLength& range);

std::unique_ptr<DurationExpr> CloneDuration(const DurationExpr& duration) {
  auto copy = std::make_unique<DurationExpr>();
  copy->position = duration.position;
  copy->op = duration.op;
  copy->wrapped = duration.wrapped;
  if (duration.lhs) copy->lhs = Clone(*duration.lhs);
  if (duration.rhs) copy->rhs = Clone(*duration.rhs);
  return copy;
}

OffsetModifier CloneOffset(const OffsetModifier& offset) {
  return {offset.value, offset.expr ? CloneDuration(*offset.expr) : nullptr};
}

RangeLength CloneRange(const RangeLength& range) {
  return {range.value, range.expr ? CloneDuration(*range.expr) : nullptr};
}

std::unique_ptr<VectorSelector> CloneSelector(const VectorSelector& selector) {
  auto copy = std::make_unique<VectorSelector>();
  copy->position = selector.position;
  copy->name = selector.name;
  copy->matchers = selector.matchers;
  copy->offset = CloneOffset(selector.offset);
  copy->at = selector.at;
  copy->anchored = selector.anchored;
  copy->smoothed = selector.smoothed;
  copy->bypass_empty_matcher_check = selector.bypass_empty_matcher_check;
  return copy;
}

// The node alone; its operands are still empty.
std::unique_ptr<BinaryExpr> CloneOperator(const BinaryExpr& binary) {
  auto copy = std::make_unique<BinaryExpr>();
  copy->position = binary.position;
  copy->op = binary.op;
  copy->matching = binary.matching;
  copy->return_bool = binary.return_bool;
  return copy;
}

// Walks down the left operands in a loop: a chain of operators is as deep as the query is long.
ExprPtr CloneBinary(const BinaryExpr& binary) {
  std::unique_ptr<BinaryExpr> root = CloneOperator(binary);
  const BinaryExpr* from = &binary;
  BinaryExpr* to = root.get();
  while (true) {
    to->rhs = Clone(*from->rhs);
    const BinaryExpr* left = If<BinaryExpr>(*from->lhs);
    if (left == nullptr) {
      to->lhs = Clone(*from->lhs);
      return root;
    }
    std::unique_ptr<BinaryExpr> next = CloneOperator(*left);
    BinaryExpr* next_to = next.get();
    to->lhs = std::move(next);
    from = left;
    to = next_to;
  }
}

ExprPtr CloneSubquery(const SubqueryExpr& subquery) {
  auto copy = std::make_unique<SubqueryExpr>();
  copy->position = subquery.position;
  copy->expr = Clone(*subquery.expr);
  copy->range = CloneRange(subquery.range);
  copy->step = CloneRange(subquery.step);
  copy->offset = CloneOffset(subquery.offset);
  copy->at = subquery.at;
  return copy;
}

ExprPtr CloneAggregate(const AggregateExpr& aggregate) {
  auto copy = std::make_unique<AggregateExpr>();
  copy->position = aggregate.position;
  copy->op = aggregate.op;
  copy->expr = Clone(*aggregate.expr);
  if (aggregate.parameter) copy->parameter = Clone(*aggregate.parameter);
  copy->grouping = aggregate.grouping;
  copy->without = aggregate.without;
  return copy;
}

}  // namespace

std::string_view Describe(ValueType type) {
  switch (type) {
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "instant vector";
    case ValueType::kMatrix:
      return "range vector";
    case ValueType::kString:
      return "string";
  }
  return "";
}

std::string_view ToString(ValueType type) {
  switch (type) {
    case ValueType::kScalar:
      return "scalar";
    case ValueType::kVector:
      return "vector";
    case ValueType::kMatrix:
      return "matrix";
    case ValueType::kString:
      return "string";
  }
  return "";
}

std::string_view ToString(DurationOp op) {
  switch (op) {
    case DurationOp::kAdd:
    case DurationOp::kPlus:
      return "+";
    case DurationOp::kSub:
    case DurationOp::kNegate:
      return "-";
    case DurationOp::kMul:
      return "*";
    case DurationOp::kDiv:
      return "/";
    case DurationOp::kMod:
      return "%";
    case DurationOp::kPow:
      return "^";
    case DurationOp::kStep:
      return "step";
    case DurationOp::kRange:
      return "range";
    case DurationOp::kMinOf:
      return "min_of";
    case DurationOp::kMaxOf:
      return "max_of";
  }
  return "";
}

std::string_view ToString(AggregateOp op) {
  constexpr std::array<std::string_view, 14> kNames{
      "sum",    "avg",  "min",     "max",      "count",        "group",  "stddev",
      "stdvar", "topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view ToString(BinaryOp op) {
  constexpr std::array<std::string_view, 18> kNames{"+",     "-",  "*",  "/",   "%",  "^",
                                                    "atan2", "==", "!=", "<",   "<=", ">",
                                                    ">=",    "</", ">/", "and", "or", "unless"};
  return kNames[static_cast<std::size_t>(op)];
}

BinaryExpr::~BinaryExpr() {
  ExprPtr next = std::move(lhs);
  while (next != nullptr && next->kind == ExprKind::kBinary) {
    ExprPtr left = std::move(static_cast<BinaryExpr&>(*next).lhs);
    next = std::move(left);
  }
}

ValueType TypeOf(const Expr& expr) {
  const Expr* at = &expr;
  bool inside_operator = false;
  while (true) {
    switch (at->kind) {
      case ExprKind::kNumber:
      case ExprKind::kDuration:
        return ValueType::kScalar;
      case ExprKind::kString:
        return inside_operator ? ValueType::kVector : ValueType::kString;
      case ExprKind::kVectorSelector:
      case ExprKind::kAggregate:
        return ValueType::kVector;
      case ExprKind::kMatrixSelector:
      case ExprKind::kSubquery:
        return inside_operator ? ValueType::kVector : ValueType::kMatrix;
      case ExprKind::kCall: {
        const ValueType result = As<CallExpr>(*at).function->result;
        return inside_operator && result != ValueType::kScalar ? ValueType::kVector : result;
      }
      case ExprKind::kUnary:
        at = As<UnaryExpr>(*at).expr.get();
        break;
      case ExprKind::kParen:
        at = As<ParenExpr>(*at).expr.get();
        break;
      case ExprKind::kBinary: {
        // A scalar if both sides are; else a vector.
        const auto& binary = As<BinaryExpr>(*at);
        if (TypeOf(*binary.rhs) != ValueType::kScalar) return ValueType::kVector;
        inside_operator = true;
        at = binary.lhs.get();
        break;
      }
    }
  }
}

ExprPtr Clone(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber: {
      const auto& number = As<NumberExpr>(expr);
      auto copy = std::make_unique<NumberExpr>();
      copy->position = number.position;
      copy->value = number.value;
      copy->is_duration = number.is_duration;
      return copy;
    }
    case ExprKind::kString: {
      auto copy = std::make_unique<StringExpr>();
      copy->position = expr.position;
      copy->value = As<StringExpr>(expr).value;
      return copy;
    }
    case ExprKind::kVectorSelector:
      return CloneSelector(As<VectorSelector>(expr));
    case ExprKind::kMatrixSelector: {
      const auto& matrix = As<MatrixSelector>(expr);
      auto copy = std::make_unique<MatrixSelector>();
      copy->position = matrix.position;
      copy->selector = CloneSelector(*matrix.selector);
      copy->range = CloneRange(matrix.range);
      return copy;
    }
    case ExprKind::kSubquery:
      return CloneSubquery(As<SubqueryExpr>(expr));
    case ExprKind::kCall: {
      const auto& call = As<CallExpr>(expr);
      auto copy = std::make_unique<CallExpr>();
      copy->position = call.position;
      copy->function = call.function;
      copy->arguments.reserve(call.arguments.size());
      for (const ExprPtr& argument : call.arguments) {
        copy->arguments.push_back(Clone(*argument));
      }
      return copy;
    }
    case ExprKind::kAggregate:
      return CloneAggregate(As<AggregateExpr>(expr));
    case ExprKind::kBinary:
      return CloneBinary(As<BinaryExpr>(expr));
    case ExprKind::kUnary: {
      const auto& unary = As<UnaryExpr>(expr);
      auto copy = std::make_unique<UnaryExpr>();
      copy->position = unary.position;
      copy->negative = unary.negative;
      copy->expr = Clone(*unary.expr);
      return copy;
    }
    case ExprKind::kParen: {
      auto copy = std::make_unique<ParenExpr>();
      copy->position = expr.position;
      copy->expr = Clone(*As<ParenExpr>(expr).expr);
      return copy;
    }
    case ExprKind::kDuration:
      return CloneDuration(As<DurationExpr>(expr));
  }
  return nullptr;  // Not reached: every kind returns above.
}

const Expr& Unwrap(const Expr& expr) {
  const Expr* at = &expr;
  while (const auto* paren = If<ParenExpr>(*at)) {
    at = paren->expr.get();
  }
  return *at;
}

}  // namespace sonde::promql
