#include "promql/durations.h"

#include <cmath>

#include <fmt/format.h>

#include "promql/engine.h"

namespace sonde::promql {
namespace {

constexpr double kMaxSeconds = 9223372036.854775808;  // int64 nanoseconds.

class DurationResolver {
 public:
  explicit DurationResolver(const QueryRange& range)
      : step_(Seconds(range.step)), range_(Seconds(range.end - range.start)) {}

  Status Visit(Expr& expr) const;

 private:
  static double Seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }
  static Error Fail(const Expr& at, std::string_view message) {
    return Error(ErrorKind::kInvalid,
                 fmt::format("{}:{}: {}", at.position.start, at.position.end, message));
  }

  Status Resolve(OffsetModifier& offset) const;
  Status Resolve(RangeLength& length) const;
  Result<Duration> Calculate(const DurationExpr& duration, bool may_be_negative) const;
  Result<double> Evaluate(const Expr& expr) const;
  Result<double> EvaluateOperator(const DurationExpr& duration) const;

  double step_;
  double range_;
};

Status DurationResolver::Visit(Expr& root) const {
  Expr* at = &root;
  while (auto* binary = If<BinaryExpr>(*at)) {
    TRY(Visit(*binary->rhs));
    at = binary->lhs.get();
  }
  switch (at->kind) {
    case ExprKind::kVectorSelector:
      return Resolve(As<VectorSelector>(*at).offset);
    case ExprKind::kMatrixSelector: {
      auto& matrix = As<MatrixSelector>(*at);
      TRY(Resolve(matrix.range));
      return Resolve(matrix.selector->offset);
    }
    case ExprKind::kSubquery: {
      auto& subquery = As<SubqueryExpr>(*at);
      TRY(Resolve(subquery.offset));
      TRY(Resolve(subquery.step));
      TRY(Resolve(subquery.range));
      return Visit(*subquery.expr);
    }
    case ExprKind::kCall:
      for (const ExprPtr& argument : As<CallExpr>(*at).arguments) {
        TRY(Visit(*argument));
      }
      return OkStatus();
    case ExprKind::kAggregate: {
      auto& aggregate = As<AggregateExpr>(*at);
      TRY(Visit(*aggregate.expr));
      return aggregate.parameter ? Visit(*aggregate.parameter) : OkStatus();
    }
    case ExprKind::kUnary:
      return Visit(*As<UnaryExpr>(*at).expr);
    case ExprKind::kParen:
      return Visit(*As<ParenExpr>(*at).expr);
    default:
      return OkStatus();
  }
}

Status DurationResolver::Resolve(OffsetModifier& offset) const {
  if (offset.expr) offset.value = TRY(Calculate(*offset.expr, true));
  return OkStatus();
}

Status DurationResolver::Resolve(RangeLength& length) const {
  if (length.expr) length.value = TRY(Calculate(*length.expr, false));
  return OkStatus();
}

Result<Duration> DurationResolver::Calculate(const DurationExpr& duration,
                                             bool may_be_negative) const {
  const double seconds = TRY(Evaluate(duration));
  if (!std::isfinite(seconds)) return Fail(duration, "duration is NaN or infinite");
  if (seconds <= 0 && !may_be_negative) return Fail(duration, "duration must be greater than 0");
  if (seconds > kMaxSeconds || seconds < -kMaxSeconds) {
    return Fail(duration, "duration is out of range");
  }
  return Duration(static_cast<std::int64_t>(seconds * 1000));
}

Result<double> DurationResolver::Evaluate(const Expr& expr) const {
  if (const auto* number = If<NumberExpr>(expr)) return number->value;
  return EvaluateOperator(As<DurationExpr>(expr));
}

Result<double> DurationResolver::EvaluateOperator(const DurationExpr& duration) const {
  double left = 0;
  double right = 0;
  if (duration.lhs) left = TRY(Evaluate(*duration.lhs));
  if (duration.rhs) right = TRY(Evaluate(*duration.rhs));
  const bool any_nan = std::isnan(left) || std::isnan(right);
  switch (duration.op) {
    case DurationOp::kAdd:
      return left + right;
    case DurationOp::kSub:
      return left - right;
    case DurationOp::kMul:
      return left * right;
    case DurationOp::kDiv:
      if (right == 0) return Fail(duration, "division by zero");
      return left / right;
    case DurationOp::kMod:
      if (right == 0) return Fail(duration, "modulo by zero");
      return std::fmod(left, right);
    case DurationOp::kPow:
      return std::pow(left, right);
    case DurationOp::kNegate:
      return -left;
    case DurationOp::kPlus:
      return left;
    case DurationOp::kStep:
      return step_;
    case DurationOp::kRange:
      return range_;
    case DurationOp::kMinOf:
      return any_nan ? std::nan("") : std::fmin(left, right);
    case DurationOp::kMaxOf:
      return any_nan ? std::nan("") : std::fmax(left, right);
  }
  CHECK(false);
  return 0.0;
}

}  // namespace

Status ResolveDurations(Expr& expr, const QueryRange& range) {
  return DurationResolver(range).Visit(expr);
}

}  // namespace sonde::promql
