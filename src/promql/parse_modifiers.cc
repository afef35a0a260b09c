#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "promql/query_parser.h"

// What stands behind an operand: `[5m]`, `[1h:1m]`, `offset`, `@`, `anchored`, `smoothed`; and
// durations, which may be expressions.

namespace sonde::promql {
namespace {

constexpr int kAddPrecedence = 1;
constexpr int kMulPrecedence = 2;
constexpr int kPowPrecedence = 3;

// Durations are int64 nanoseconds in the reference; this many seconds fit.
constexpr double kMaxSeconds = 9223372036.854775808;

bool OutOfRange(double seconds) {
  return seconds > kMaxSeconds || seconds < -kMaxSeconds;
}

// Seconds to a duration by way of whole nanoseconds, cut to milliseconds.
Duration ToDuration(double seconds) {
  const double nanos = std::round(seconds * 1e9);
  constexpr auto kMax = static_cast<double>(std::numeric_limits<std::int64_t>::max());
  if (nanos >= kMax) return Duration(std::numeric_limits<std::int64_t>::max() / 1'000'000);
  if (nanos <= -kMax) return Duration(std::numeric_limits<std::int64_t>::min() / 1'000'000);
  return Duration(static_cast<std::int64_t>(nanos) / 1'000'000);
}

int DurationPrecedence(TokenKind kind) {
  switch (kind) {
    case TokenKind::kAdd:
    case TokenKind::kSub:
      return kAddPrecedence;
    case TokenKind::kMul:
    case TokenKind::kDiv:
    case TokenKind::kMod:
      return kMulPrecedence;
    case TokenKind::kPow:
      return kPowPrecedence;
    default:
      return 0;
  }
}

DurationOp ToDurationOp(TokenKind kind) {
  switch (kind) {
    case TokenKind::kAdd:
      return DurationOp::kAdd;
    case TokenKind::kSub:
      return DurationOp::kSub;
    case TokenKind::kMul:
      return DurationOp::kMul;
    case TokenKind::kDiv:
      return DurationOp::kDiv;
    case TokenKind::kMod:
      return DurationOp::kMod;
    default:
      return DurationOp::kPow;
  }
}

ExprPtr Signed(DurationOp op, std::uint32_t start, ExprPtr operand) {
  auto sign = std::make_unique<DurationExpr>();
  sign->op = op;
  sign->position = {start, operand->position.end};
  sign->lhs = std::move(operand);
  return sign;
}

// `(duration)`. A bare number has nowhere to note the parentheses, so it goes under a unary plus,
// which is not printed.
ExprPtr Parenthesize(ExprPtr duration, PositionRange parens) {
  if (auto* expr = If<DurationExpr>(*duration)) {
    expr->wrapped = true;
    return duration;
  }
  ExprPtr plus = Signed(DurationOp::kPlus, parens.start, std::move(duration));
  plus->position.end = parens.end;
  As<DurationExpr>(*plus).wrapped = true;
  return plus;
}

std::unique_ptr<DurationExpr> TakeDuration(ExprPtr expr) {
  CHECK(expr->kind == ExprKind::kDuration);
  return std::unique_ptr<DurationExpr>(static_cast<DurationExpr*>(expr.release()));
}

std::unique_ptr<VectorSelector> TakeSelector(ExprPtr expr) {
  CHECK(expr->kind == ExprKind::kVectorSelector);
  return std::unique_ptr<VectorSelector>(static_cast<VectorSelector*>(expr.release()));
}

// The parts of a selector or subquery that modifiers set; null for any other expression.
struct Modifiers {
  OffsetModifier* offset = nullptr;
  AtModifier* at = nullptr;
};

Modifiers ModifiersOf(Expr& expr) {
  if (auto* selector = If<VectorSelector>(expr)) return {&selector->offset, &selector->at};
  if (auto* matrix = If<MatrixSelector>(expr)) {
    return {&matrix->selector->offset, &matrix->selector->at};
  }
  if (auto* subquery = If<SubqueryExpr>(expr)) return {&subquery->offset, &subquery->at};
  return {};
}

constexpr std::string_view kDurationStart = "number, duration, step(), or range()";

}  // namespace

Result<ExprPtr> QueryParser::ParsePostfix(ExprPtr operand) {
  Modified modified{.expr = std::move(operand)};
  while (true) {
    switch (Peek()) {
      case TokenKind::kLeftBracket:
        TRY(ParseBrackets(modified));
        break;
      case TokenKind::kOffset:
        TRY(ParseOffset(modified));
        break;
      case TokenKind::kAt:
        TRY(ParseAt(modified));
        break;
      case TokenKind::kAnchored:
        Take();
        TRY(SetExtended(*modified.expr, true));
        break;
      case TokenKind::kSmoothed:
        Take();
        TRY(SetExtended(*modified.expr, false));
        break;
      default:
        return std::move(modified.expr);
    }
  }
}

// ---------------------------------------------------------------------------------- ranges and
// subqueries

Status QueryParser::ParseBrackets(Modified& operand) {
  const Token left = Take();
  RangeLength range;
  {
    const ContextScope context(*this, {"subquery or range selector", kDurationStart});
    range = TRY(ParsePositiveDuration());
  }
  if (Peek() == TokenKind::kRightBracket) {
    return FinishMatrix(operand, std::move(range), {left.position.start, Take().position.end});
  }
  {
    const ContextScope context(*this, {"subquery or range", "\":\" or \"]\""});
    TRY(Expect(TokenKind::kColon));
  }
  auto subquery = std::make_unique<SubqueryExpr>();
  if (Peek() != TokenKind::kRightBracket) {
    const ContextScope context(
        *this, {"subquery selector", "number, duration, step(), range(), or \"]\""});
    subquery->step = TRY(ParsePositiveDuration());
    const ContextScope end(*this, {"subquery selector", "\"]\""});
    if (Peek() != TokenKind::kRightBracket) return Unexpected();
  }
  subquery->position = {operand.expr->position.start, Take().position.end};
  subquery->range = std::move(range);
  subquery->expr = std::move(operand.expr);
  operand.expr = std::move(subquery);
  operand.has_offset = false;
  if (++operand.subqueries > options_.max_depth) {
    return Fail(left.position,
                fmt::format("the expression nests deeper than {} levels", options_.max_depth));
  }
  return OkStatus();
}

Status QueryParser::FinishMatrix(Modified& operand, RangeLength range,
                                 PositionRange brackets) const {
  const auto* selector = If<VectorSelector>(*operand.expr);
  if (selector == nullptr) return Fail(brackets, "ranges only allowed for vector selectors");
  if (operand.has_offset) return Fail(brackets, "no offset modifiers allowed before range");
  if (selector->at.kind != AtModifier::Kind::kNone) {
    return Fail(brackets, "no @ modifiers allowed before range");
  }
  auto matrix = std::make_unique<MatrixSelector>();
  matrix->position = {operand.expr->position.start, brackets.end};
  matrix->range = std::move(range);
  matrix->selector = TakeSelector(std::move(operand.expr));
  operand.expr = std::move(matrix);
  return OkStatus();
}

Status QueryParser::SetExtended(Expr& operand, bool anchored) const {
  const std::string_view word = anchored ? "anchored" : "smoothed";
  const auto fail = [&](std::string_view what) {
    return Fail(operand.position, fmt::format("{} modifier {}", word, what));
  };
  if (!options_.extended_range_selectors) return fail("is experimental and not enabled");
  if (operand.kind == ExprKind::kSubquery) return fail("is not supported for subqueries");
  auto* matrix = If<MatrixSelector>(operand);
  auto* selector = matrix != nullptr ? matrix->selector.get() : If<VectorSelector>(operand);
  if (selector == nullptr) return fail("not implemented");
  (anchored ? selector->anchored : selector->smoothed) = true;
  if (selector->anchored && selector->smoothed) {
    return Fail(operand.position, "anchored and smoothed modifiers cannot be used together");
  }
  return OkStatus();
}

// ---------------------------------------------------------------------------------------------
// offset and @

Status QueryParser::ParseOffset(Modified& operand) {
  Take();
  ExprPtr duration;
  {
    const ContextScope context(*this, {"offset", kDurationStart});
    duration = TRY(ParseOffsetDuration());
  }
  const Modifiers modifiers = ModifiersOf(*operand.expr);
  if (modifiers.offset == nullptr) {
    return Fail(operand.expr->position,
                "offset modifier must be preceded by an instant vector selector or range vector "
                "selector or a subquery");
  }
  if (operand.has_offset) {
    return Fail(operand.expr->position, "offset may not be set multiple times");
  }
  operand.expr->position.end = std::max(operand.expr->position.end, last_duration_end_);
  if (const auto* number = If<NumberExpr>(*duration)) {
    modifiers.offset->value = ToDuration(number->value);
    operand.has_offset = std::round(number->value * 1e9) != 0;
    return OkStatus();
  }
  modifiers.offset->expr = TakeDuration(std::move(duration));
  operand.has_offset = true;
  return OkStatus();
}

Status QueryParser::ParseAt(Modified& operand) {
  Take();
  const ContextScope context(*this, {"@", "timestamp"});
  AtModifier at;
  std::uint32_t end = 0;
  const TokenKind kind = Peek();
  if (kind == TokenKind::kStart || kind == TokenKind::kEndFunction) {
    Take();
    at.kind = kind == TokenKind::kStart ? AtModifier::Kind::kStart : AtModifier::Kind::kEnd;
    TRY(Expect(TokenKind::kLeftParen));
    if (Peek() != TokenKind::kRightParen) return Unexpected();
    end = Take().position.end;
  } else {
    const bool negative = kind == TokenKind::kSub;
    if (negative || kind == TokenKind::kAdd) Take();
    const TokenKind literal = Peek();
    if (literal != TokenKind::kNumber && literal != TokenKind::kDuration) return Unexpected();
    const Token token = Take();
    end = token.position.end;
    double seconds = TRY(ParseNumberValue(token));
    if (negative) seconds = -seconds;
    constexpr double kLimit = 9223372036854775808.0;
    if (!(seconds < kLimit && seconds > -kLimit)) {
      const std::string text = std::isnan(seconds)   ? "NaN"
                               : std::isinf(seconds) ? (seconds > 0 ? "+Inf" : "-Inf")
                                                     : fmt::format("{:f}", seconds);
      return Fail(operand.expr->position, "timestamp out of bounds for @ modifier: " + text);
    }
    at.kind = AtModifier::Kind::kTimestamp;
    const double ms = std::round(seconds * 1000);
    at.timestamp.ms = ms >= kLimit || ms < -kLimit ? std::numeric_limits<std::int64_t>::min()
                                                   : static_cast<std::int64_t>(ms);
  }
  const Modifiers modifiers = ModifiersOf(*operand.expr);
  if (modifiers.at == nullptr) {
    return Fail(operand.expr->position,
                "@ modifier must be preceded by an instant vector selector or range vector "
                "selector or a subquery");
  }
  if (modifiers.at->kind != AtModifier::Kind::kNone) {
    return Fail(operand.expr->position, "@ <timestamp> may not be set multiple times");
  }
  *modifiers.at = at;
  operand.expr->position.end = end;
  return OkStatus();
}

// ----------------------------------------------------------------------------------------------
// durations

Result<RangeLength> QueryParser::ParsePositiveDuration() {
  ExprPtr duration = TRY(ParseDurationExpr(kAddPrecedence));
  Peek();
  RangeLength length;
  if (const auto* number = If<NumberExpr>(*duration)) {
    if (number->value <= 0) return Fail(number->position, "duration must be greater than 0");
    length.value = ToDuration(number->value);
    return length;
  }
  length.expr = TakeDuration(std::move(duration));
  return length;
}

// What follows `offset`. A literal, a function or a signed parenthesis ends there: `foo offset 5m +
// 3` adds to foo. Else it is an expression, and `foo offset (5m) + 3m` goes on.
Result<ExprPtr> QueryParser::ParseOffsetDuration() {
  const bool has_sign = Peek() == TokenKind::kAdd || Peek() == TokenKind::kSub;
  if (!has_sign) {
    if (Peek() == TokenKind::kLeftParen) return ParseDurationExpr(kAddPrecedence);
    return ParseDurationOperand();
  }
  const Token sign = Take();
  switch (Peek()) {
    case TokenKind::kNumber:
    case TokenKind::kDuration: {
      const Token token = Take();
      ExprPtr number = TRY(ParseNumber(token));
      last_duration_end_ = token.position.end;
      auto& literal = As<NumberExpr>(*number);
      if (sign.kind == TokenKind::kSub) literal.value = -literal.value;
      if (OutOfRange(literal.value)) return Fail(sign.position, "duration out of range");
      literal.position.start = sign.position.start;
      return number;
    }
    case TokenKind::kLeftParen: {
      Take();
      const DepthScope depth(depth_);
      TRY(CheckDepth());
      ExprPtr inner = TRY(ParseDurationExpr(kAddPrecedence));
      if (Peek() != TokenKind::kRightParen) return Unexpected();
      last_duration_end_ = Take().position.end;
      const PositionRange position = inner->position;
      return ApplySign(sign, Parenthesize(std::move(inner), position));
    }
    case TokenKind::kStep:
    case TokenKind::kRange:
    case TokenKind::kMaxOf:
    case TokenKind::kMinOf: {
      ExprPtr function = TRY(ParseDurationFunction());
      const bool negative = sign.kind == TokenKind::kSub;
      ExprPtr result = Signed(negative ? DurationOp::kNegate : DurationOp::kPlus,
                              sign.position.start, std::move(function));
      return result;
    }
    default:
      break;
  }
  // Two signs: no short form fits, so this is an expression and goes on.
  ExprPtr operand = TRY(ParseDurationExpr(kPowPrecedence));
  operand = TRY(ApplySign(sign, std::move(operand)));
  return ContinueDuration(std::move(operand), kAddPrecedence);
}

Result<ExprPtr> QueryParser::ParseDurationExpr(int min_precedence) {
  const DepthScope depth(depth_);
  ExprPtr lhs = TRY(ParseDurationOperand());
  return ContinueDuration(std::move(lhs), min_precedence);
}

Result<ExprPtr> QueryParser::ContinueDuration(ExprPtr lhs, int min_precedence) {
  int chain = 0;
  while (true) {
    const int precedence = DurationPrecedence(Peek());
    if (precedence == 0 || precedence < min_precedence) return lhs;
    const Token op = Take();
    ExprPtr rhs =
        TRY(ParseDurationExpr(precedence == kPowPrecedence ? precedence : precedence + 1));
    Peek();
    lhs = TRY(JoinDurations(std::move(lhs), op, std::move(rhs)));
    if (++chain > options_.max_depth) {
      return Fail(op.position,
                  fmt::format("the expression nests deeper than {} levels", options_.max_depth));
    }
  }
}

Result<ExprPtr> QueryParser::JoinDurations(ExprPtr lhs, const Token& op, ExprPtr rhs) const {
  TRY(RequireDurationExpressions(*lhs));
  const auto* divisor = If<NumberExpr>(*rhs);
  if (divisor != nullptr && divisor->value == 0) {
    if (op.kind == TokenKind::kDiv) return Fail(op.position, "division by zero");
    if (op.kind == TokenKind::kMod) return Fail(op.position, "modulo by zero");
  }
  auto joined = std::make_unique<DurationExpr>();
  joined->op = ToDurationOp(op.kind);
  joined->position = {lhs->position.start, rhs->position.end};
  joined->lhs = std::move(lhs);
  joined->rhs = std::move(rhs);
  return ExprPtr(std::move(joined));
}

Result<ExprPtr> QueryParser::ParseDurationOperand() {
  TRY(CheckDepth());
  switch (Peek()) {
    case TokenKind::kNumber:
    case TokenKind::kDuration: {
      const Token token = Take();
      ExprPtr number = TRY(ParseNumber(token));
      last_duration_end_ = token.position.end;
      if (OutOfRange(As<NumberExpr>(*number).value)) {
        return Fail(number->position, "duration out of range");
      }
      return number;
    }
    case TokenKind::kAdd:
    case TokenKind::kSub: {
      const Token sign = Take();
      ExprPtr operand = TRY(ParseDurationExpr(kPowPrecedence));
      return ApplySign(sign, std::move(operand));
    }
    case TokenKind::kLeftParen: {
      const Token left = Take();
      ExprPtr inner = TRY(ParseDurationExpr(kAddPrecedence));
      if (Peek() != TokenKind::kRightParen) return Unexpected();
      last_duration_end_ = Take().position.end;
      TRY(RequireDurationExpressions(*inner));
      return Parenthesize(std::move(inner), {left.position.start, last_duration_end_});
    }
    case TokenKind::kStep:
    case TokenKind::kRange:
    case TokenKind::kMaxOf:
    case TokenKind::kMinOf:
      return ParseDurationFunction();
    default:
      return Unexpected();
  }
}

Result<ExprPtr> QueryParser::ParseDurationFunction() {
  const Token name = Take();
  auto duration = std::make_unique<DurationExpr>();
  TRY(Expect(TokenKind::kLeftParen));
  const bool two_arguments = name.kind == TokenKind::kMaxOf || name.kind == TokenKind::kMinOf;
  if (two_arguments) {
    duration->op = name.kind == TokenKind::kMaxOf ? DurationOp::kMaxOf : DurationOp::kMinOf;
    duration->lhs = TRY(ParseDurationExpr(kAddPrecedence));
    TRY(Expect(TokenKind::kComma));
    duration->rhs = TRY(ParseDurationExpr(kAddPrecedence));
  } else {
    duration->op = name.kind == TokenKind::kStep ? DurationOp::kStep : DurationOp::kRange;
  }
  if (Peek() != TokenKind::kRightParen) return Unexpected();
  last_duration_end_ = Take().position.end;
  duration->position = {name.position.start, last_duration_end_};
  if (two_arguments) {
    duration->position = {duration->lhs->position.start, duration->rhs->position.end};
  }
  TRY(RequireDurationExpressions(*duration));
  return ExprPtr(std::move(duration));
}

Result<ExprPtr> QueryParser::ApplySign(const Token& sign, ExprPtr duration) const {
  const bool negative = sign.kind == TokenKind::kSub;
  auto* number = If<NumberExpr>(*duration);
  if (number == nullptr) {
    if (!negative) return duration;
    return Signed(DurationOp::kNegate, sign.position.start, std::move(duration));
  }
  if (negative) number->value = -number->value;
  if (OutOfRange(number->value)) return Fail(sign.position, "duration out of range");
  number->position.start = sign.position.start;
  return duration;
}

Status QueryParser::RequireDurationExpressions(const Expr& at) const {
  if (options_.duration_expressions) return OkStatus();
  return Fail(at.position, "experimental duration expression is not enabled");
}

}  // namespace sonde::promql
