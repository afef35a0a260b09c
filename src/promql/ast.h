#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/time.h"
#include "model/matcher.h"

// The syntax tree of a PromQL expression. Values only; parser.h makes it, printer.h writes it back,
// evaluators read it. Positions are byte offsets into the query text, so that messages can say
// line:column.
//
// How deep a tree is: everything nests at most ParserOptions::max_depth deep, but for one thing:
// the left operands of BinaryExpr. `1 + 1 + 1 …` is as deep as the query is long, so whatever walks
// a tree goes down `lhs` in a loop.

namespace sonde::promql {

/// What an expression evaluates to.
enum class ValueType : std::uint8_t { kScalar, kVector, kMatrix, kString };
/// "scalar", "instant vector", "range vector", "string": the words of error messages.
std::string_view Describe(ValueType type);
/// "scalar", "vector", "matrix", "string": the words of the API.
std::string_view ToString(ValueType type);

/// Bytes [start, end) of the query text.
struct PositionRange {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  bool operator==(const PositionRange&) const = default;
};

enum class ExprKind : std::uint8_t {
  kNumber,
  kString,
  kVectorSelector,
  kMatrixSelector,
  kSubquery,
  kCall,
  kAggregate,
  kBinary,
  kUnary,
  kParen,
  kDuration,
};

struct Expr {
  const ExprKind kind;
  PositionRange position;

  explicit Expr(ExprKind k) : kind(k) {}
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
  virtual ~Expr() = default;
};

using ExprPtr = std::unique_ptr<Expr>;

/// The node as its concrete type; CHECKs the kind.
template <class T>
const T& As(const Expr& expr) {
  CHECK(expr.kind == T::kKind);
  return static_cast<const T&>(expr);
}
template <class T>
T& As(Expr& expr) {
  CHECK(expr.kind == T::kKind);
  return static_cast<T&>(expr);
}
/// The node as T if it is one, else null.
template <class T>
const T* If(const Expr& expr) {
  return expr.kind == T::kKind ? static_cast<const T*>(&expr) : nullptr;
}
template <class T>
T* If(Expr& expr) {
  return expr.kind == T::kKind ? static_cast<T*>(&expr) : nullptr;
}

enum class DurationOp : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kNegate,  ///< lhs only.
  kPlus,    ///< Unary plus, kept for the printer; lhs only.
  kStep,
  kRange,  ///< step(), range(): no operands.
  kMinOf,
  kMaxOf,  ///< min_of(lhs, rhs), max_of(lhs, rhs)
};

std::string_view ToString(DurationOp op);

/// An arithmetic expression in a place where a duration stands: `[5m * 2]`, `offset (step() + 1m)`.
/// Leaves are NumberExpr in seconds. Evaluated (ResolveDurations) before the query runs, since
/// step() and range() depend on it.
struct DurationExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kDuration;
  DurationExpr() : Expr(kKind) {}
  DurationOp op = DurationOp::kAdd;
  ExprPtr lhs;  ///< NumberExpr or DurationExpr; null for kStep and kRange.
  ExprPtr rhs;
  bool wrapped = false;  ///< Stood in parentheses.
};

struct NumberExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kNumber;
  NumberExpr() : Expr(kKind) {}
  double value = 0;
  bool is_duration = false;  ///< Written as a duration (`5m` = 300): printed as one.
};

struct StringExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kString;
  StringExpr() : Expr(kKind) {}
  std::string value;
};

/// `@ 123`, `@ start()`, `@ end()`.
struct AtModifier {
  enum class Kind : std::uint8_t { kNone, kTimestamp, kStart, kEnd };
  Kind kind = Kind::kNone;
  Timestamp timestamp;  ///< kTimestamp only; the parser rounds to milliseconds.
};

/// `offset 5m` or `offset (<duration expression>)`.
struct OffsetModifier {
  Duration value{0};                   ///< The literal, or what ResolveDurations computed.
  std::unique_ptr<DurationExpr> expr;  ///< Null for a literal.
};

/// A length in brackets: `[5m]` or `[<duration expression>]`.
struct RangeLength {
  Duration value{0};
  std::unique_ptr<DurationExpr> expr;
};

struct VectorSelector final : Expr {
  static constexpr ExprKind kKind = ExprKind::kVectorSelector;
  VectorSelector() : Expr(kKind) {}
  std::string name;  ///< "" if the name stands in no matcher, or only in a non-equality one.
  std::vector<Matcher> matchers;  ///< All, `__name__` included, in the order written (the name
                                  ///< last, as the reference).
  OffsetModifier offset;
  AtModifier at;
  bool anchored = false;  ///< Extended range selectors.
  bool smoothed = false;
  bool bypass_empty_matcher_check = false;
};

/// `selector[range]`; offset, @, anchored and smoothed are the inner selector's.
struct MatrixSelector final : Expr {
  static constexpr ExprKind kKind = ExprKind::kMatrixSelector;
  MatrixSelector() : Expr(kKind) {}
  std::unique_ptr<VectorSelector> selector;
  RangeLength range;
};

/// `expr[range:step]`; step 0 = the default.
struct SubqueryExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kSubquery;
  SubqueryExpr() : Expr(kKind) {}
  ExprPtr expr;
  RangeLength range;
  RangeLength step;
  OffsetModifier offset;
  AtModifier at;
};

struct Function;  // functions.h

struct CallExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kCall;
  CallExpr() : Expr(kKind) {}
  const Function* function = nullptr;  ///< Points into the static table; never null after parsing.
  std::vector<ExprPtr> arguments;
};

enum class AggregateOp : std::uint8_t {
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kGroup,
  kStddev,
  kStdvar,
  kTopk,
  kBottomk,
  kQuantile,
  kCountValues,
  kLimitk,
  kLimitRatio,
};
std::string_view ToString(AggregateOp op);

struct AggregateExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kAggregate;
  AggregateExpr() : Expr(kKind) {}
  AggregateOp op = AggregateOp::kSum;
  ExprPtr expr;
  ExprPtr parameter;                  ///< k, φ, the label name or the ratio; else null.
  std::vector<std::string> grouping;  ///< As written.
  bool without = false;
};

enum class BinaryOp : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,  ///< `</`: keep observations below.
  kTrimLower,  ///< `>/`
  kAnd,
  kOr,
  kUnless,
};
std::string_view ToString(BinaryOp op);
constexpr bool IsComparison(BinaryOp op) {
  return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual;
}
constexpr bool IsSetOperator(BinaryOp op) {
  return op >= BinaryOp::kAnd;
}

enum class MatchCardinality : std::uint8_t { kOneToOne, kManyToOne, kOneToMany, kManyToMany };

/// How the two sides of a vector-vector operator find each other. Absent when a side is a scalar.
struct VectorMatching {
  MatchCardinality cardinality = MatchCardinality::kOneToOne;
  bool on = false;  ///< `on(labels)`, else `ignoring(labels)`.
  std::vector<std::string> labels;
  std::vector<std::string> include;  ///< Of group_left/group_right.
  std::optional<double> fill_left;
  std::optional<double> fill_right;
};

struct BinaryExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kBinary;
  BinaryExpr() : Expr(kKind) {}
  ~BinaryExpr() override;  ///< Takes the left operands apart in a loop.
  BinaryOp op = BinaryOp::kAdd;
  ExprPtr lhs;
  ExprPtr rhs;
  std::optional<VectorMatching> matching;  ///< Set iff both sides are vectors.
  bool return_bool = false;
};

struct UnaryExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kUnary;
  UnaryExpr() : Expr(kKind) {}
  bool negative = false;
  ExprPtr expr;
};

struct ParenExpr final : Expr {
  static constexpr ExprKind kKind = ExprKind::kParen;
  ParenExpr() : Expr(kKind) {}
  ExprPtr expr;
};

/// The type of any expression that the parser accepted.
ValueType TypeOf(const Expr& expr);
/// A deep copy.
ExprPtr Clone(const Expr& expr);
/// The expression inside any number of parentheses.
const Expr& Unwrap(const Expr& expr);

}  // namespace sonde::promql
