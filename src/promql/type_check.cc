#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/quote.h"
#include "promql/functions.h"
#include "promql/query_parser.h"

// Types of operands and arguments. Runs after a parse without errors, and reports the first error
// in the order of the reference: operands before operators, left before right.

namespace sonde::promql {
namespace {

class TypeChecker {
 public:
  explicit TypeChecker(std::string_view query) : query_(query) {}

  Result<ValueType> Check(Expr& expr);

 private:
  Error Fail(PositionRange where, std::string_view message) const {
    return ParseError(query_, where.start, message);
  }
  Status Expect(Expr& expr, ValueType want, std::string_view where);

  Result<ValueType> CheckBinaryChain(BinaryExpr& root);
  Status CheckBinary(BinaryExpr& binary, ValueType left, ValueType right) const;
  Status CheckMatching(BinaryExpr& binary, bool vectors) const;
  Status CheckAggregate(AggregateExpr& aggregate);
  Status CheckCall(CallExpr& call);
  Status CheckArgumentCount(const CallExpr& call) const;
  Status CheckInfoSelector(CallExpr& call) const;
  Status CheckSelector(const VectorSelector& selector) const;
  PositionRange OperatorPosition(const BinaryExpr& binary) const;

  std::string_view query_;
};

// Where the operator itself stands: behind the left operand and the space there.
PositionRange TypeChecker::OperatorPosition(const BinaryExpr& binary) const {
  std::uint32_t start = binary.lhs->position.end;
  while (start < query_.size() &&
         std::string_view(" \t\n\r").find(query_[start]) != std::string_view::npos) {
    ++start;
  }
  return {start, binary.rhs->position.start};
}

Status TypeChecker::Expect(Expr& expr, ValueType want, std::string_view where) {
  const ValueType type = TRY(Check(expr));
  if (type == want) return OkStatus();
  return Fail(expr.position,
              fmt::format("expected type {} in {}, got {}", Describe(want), where, Describe(type)));
}

Result<ValueType> TypeChecker::Check(Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kDuration:
      return ValueType::kScalar;
    case ExprKind::kString:
      return ValueType::kString;
    case ExprKind::kVectorSelector:
      TRY(CheckSelector(As<VectorSelector>(expr)));
      return ValueType::kVector;
    case ExprKind::kMatrixSelector:
      TRY(CheckSelector(*As<MatrixSelector>(expr).selector));
      return ValueType::kMatrix;
    case ExprKind::kSubquery: {
      const ValueType type = TRY(Check(*As<SubqueryExpr>(expr).expr));
      if (type == ValueType::kVector) return ValueType::kMatrix;
      return Fail(expr.position,
                  fmt::format("subquery is only allowed on instant vector, got {} instead",
                              ToString(type)));
    }
    case ExprKind::kCall:
      TRY(CheckCall(As<CallExpr>(expr)));
      return As<CallExpr>(expr).function->result;
    case ExprKind::kAggregate:
      TRY(CheckAggregate(As<AggregateExpr>(expr)));
      return ValueType::kVector;
    case ExprKind::kBinary:
      return CheckBinaryChain(As<BinaryExpr>(expr));
    case ExprKind::kUnary: {
      const ValueType type = TRY(Check(*As<UnaryExpr>(expr).expr));
      if (type == ValueType::kScalar || type == ValueType::kVector) return type;
      return Fail(expr.position,
                  fmt::format("unary expression only allowed on expressions of type scalar or "
                              "instant vector, got {}",
                              QuoteGo(Describe(type))));
    }
    case ExprKind::kParen:
      return Check(*As<ParenExpr>(expr).expr);
  }
  CHECK(false);
  return ValueType::kScalar;
}

Result<ValueType> TypeChecker::CheckBinaryChain(BinaryExpr& root) {
  std::vector<BinaryExpr*> chain{&root};
  while (auto* left = If<BinaryExpr>(*chain.back()->lhs)) {
    chain.push_back(left);
  }
  ValueType type = TRY(Check(*chain.back()->lhs));
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    BinaryExpr& binary = **at;
    const ValueType right = TRY(Check(*binary.rhs));
    TRY(CheckBinary(binary, type, right));
    const bool scalars = type == ValueType::kScalar && right == ValueType::kScalar;
    type = scalars ? ValueType::kScalar : ValueType::kVector;
  }
  return type;
}

Status TypeChecker::CheckBinary(BinaryExpr& binary, ValueType left, ValueType right) const {
  const bool scalars = left == ValueType::kScalar && right == ValueType::kScalar;
  if (binary.return_bool && !IsComparison(binary.op)) {
    return Fail(OperatorPosition(binary), "bool modifier can only be used on comparison operators");
  }
  if (IsComparison(binary.op) && !binary.return_bool && scalars) {
    return Fail(OperatorPosition(binary), "comparisons between scalars must use BOOL modifier");
  }
  VectorMatching& matching = *binary.matching;
  if (IsSetOperator(binary.op) && matching.cardinality == MatchCardinality::kOneToOne) {
    matching.cardinality = MatchCardinality::kManyToMany;
  }
  for (const std::string& label : matching.labels) {
    if (matching.on && std::ranges::find(matching.include, label) != matching.include.end()) {
      return Fail(
          OperatorPosition(binary),
          fmt::format("label {} must not occur in ON and GROUP clause at once", QuoteGo(label)));
    }
  }
  const auto is_operand = [](ValueType type) {
    return type == ValueType::kScalar || type == ValueType::kVector;
  };
  if (!is_operand(left) || !is_operand(right)) {
    return Fail((is_operand(left) ? *binary.rhs : *binary.lhs).position,
                "binary expression must contain only scalar and instant vector types");
  }
  TRY(CheckMatching(binary, left == ValueType::kVector && right == ValueType::kVector));
  const bool any_scalar = left == ValueType::kScalar || right == ValueType::kScalar;
  if (any_scalar && IsSetOperator(binary.op)) {
    return Fail(binary.position,
                fmt::format("set operator {} not allowed in binary scalar expression",
                            QuoteGo(ToString(binary.op))));
  }
  return OkStatus();
}

Status TypeChecker::CheckMatching(BinaryExpr& binary, bool vectors) const {
  const VectorMatching& matching = *binary.matching;
  const bool fills = matching.fill_left || matching.fill_right;
  if (!vectors) {
    if (!matching.labels.empty()) {
      return Fail(binary.position, "vector matching only allowed between instant vectors");
    }
    if (fills) {
      return Fail(binary.position,
                  "filling in missing series only allowed between instant vectors");
    }
    binary.matching.reset();
    return OkStatus();
  }
  if (!IsSetOperator(binary.op)) return OkStatus();
  if (matching.cardinality != MatchCardinality::kManyToMany) {
    return Fail(binary.position,
                fmt::format("no grouping allowed for {} operation", QuoteGo(ToString(binary.op))));
  }
  if (fills) {
    return Fail(binary.position, "filling in missing series not allowed for set operators");
  }
  return OkStatus();
}

Status TypeChecker::CheckAggregate(AggregateExpr& aggregate) {
  TRY(Expect(*aggregate.expr, ValueType::kVector, "aggregation expression"));
  if (!aggregate.parameter) return OkStatus();
  const bool names_label = aggregate.op == AggregateOp::kCountValues;
  return Expect(*aggregate.parameter, names_label ? ValueType::kString : ValueType::kScalar,
                "aggregation parameter");
}

Status TypeChecker::CheckArgumentCount(const CallExpr& call) const {
  const Function& function = *call.function;
  const auto have = static_cast<int>(call.arguments.size());
  const auto named = static_cast<int>(function.arguments.size());
  const auto fail = [&](std::string_view bound, int wanted) {
    return Fail(call.position, fmt::format("expected {}{} argument(s) in call to {}, got {}", bound,
                                           wanted, QuoteGo(function.name), have));
  };
  if (function.variadic == 0) return have == named ? OkStatus() : fail("", named);
  if (have < named - 1) return fail("at least ", named - 1);
  const int most = named - 1 + function.variadic;
  if (function.variadic > 0 && have > most) return fail("at most ", most);
  return OkStatus();
}

// The second argument of info() is written like a selector, but holds only label matchers.
Status TypeChecker::CheckInfoSelector(CallExpr& call) const {
  Expr& argument = *call.arguments[1];
  const ValueType type = TypeOf(argument);
  if (type != ValueType::kVector) {
    return Fail(call.position, fmt::format("expected type {} in call to function \"info\", got {}",
                                           Describe(ValueType::kVector), Describe(type)));
  }
  auto* selector = If<VectorSelector>(argument);
  if (selector == nullptr) return Fail(argument.position, "expected label selectors only");
  if (!selector->name.empty()) {
    return Fail(argument.position, "expected label selectors only, got vector selector instead");
  }
  selector->bypass_empty_matcher_check = true;
  return OkStatus();
}

Status TypeChecker::CheckCall(CallExpr& call) {
  const Function& function = *call.function;
  TRY(CheckArgumentCount(call));
  if (function.id == FunctionId::kInfo && call.arguments.size() > 1) TRY(CheckInfoSelector(call));
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    Expr& argument = *call.arguments[i];
    const ValueType want = function.arguments[std::min(i, function.arguments.size() - 1)];
    const ValueType type = TRY(Check(argument));
    if (type == want) continue;
    return Fail(argument.position,
                fmt::format("expected type {} in call to function {}, got {}", Describe(want),
                            QuoteGo(function.name), Describe(type)));
  }
  return OkStatus();
}

Status TypeChecker::CheckSelector(const VectorSelector& selector) const {
  if (!selector.name.empty()) {
    for (std::size_t i = 0; i + 1 < selector.matchers.size(); ++i) {
      const Matcher& matcher = selector.matchers[i];
      if (matcher.name() != kMetricName) continue;
      return Fail(selector.position, fmt::format("metric name must not be set twice: {} or {}",
                                                 QuoteGo(selector.name), QuoteGo(matcher.value())));
    }
    return OkStatus();
  }
  if (selector.bypass_empty_matcher_check) return OkStatus();
  const bool restricts =
      std::ranges::any_of(selector.matchers, [](const Matcher& m) { return !m.MatchesEmpty(); });
  if (restricts) return OkStatus();
  return Fail(selector.position, "vector selector must contain at least one non-empty matcher");
}

}  // namespace

Result<ValueType> CheckTypes(Expr& expr, std::string_view query) {
  return TypeChecker(query).Check(expr);
}

}  // namespace sonde::promql
