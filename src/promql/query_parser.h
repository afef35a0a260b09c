#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "promql/ast.h"
#include "promql/lexer.h"
#include "promql/parser.h"

// The recursive-descent parser behind parser.h. Only the parse_*.cc files include this.
//
// The first error ends the parse, and it must be the one that the reference reports first. That
// decides when the next token may be looked at (a bad character is an error as soon as it is read)
// and what a message names as its context: the innermost construct that the reference can recover
// from. docs/decisions/0040-promql-parser.md has the details.

namespace sonde::promql {

/// Parses one query and is thrown away. Not thread-safe; query and options must outlive it.
class QueryParser {
 public:
  QueryParser(std::string_view query, const ParserOptions& options)
      : query_(query), options_(options), lexer_(query) {}

  Result<ExprPtr> ParseQuery();
  Result<std::vector<Matcher>> ParseSelectorOnly();
  Result<Labels> ParseLabelSetOnly();

 private:
  // Where we are, in the words of "unexpected X in <where>, expected <what>". Empty at the top.
  struct Context {
    std::string_view where;
    std::string_view expected;
  };

  // Sets the context for the length of a scope.
  class ContextScope {
   public:
    ContextScope(QueryParser& parser, Context context) : parser_(parser), outer_(parser.context_) {
      parser.context_ = context;
    }
    ~ContextScope() { parser_.context_ = outer_; }
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;

   private:
    QueryParser& parser_;
    Context outer_;
  };

  // Counts a level of nesting for the length of a scope.
  class DepthScope {
   public:
    explicit DepthScope(int& depth) : depth_(depth) { ++depth_; }
    ~DepthScope() { --depth_; }
    DepthScope(const DepthScope&) = delete;
    DepthScope& operator=(const DepthScope&) = delete;

   private:
    int& depth_;
  };

  // A selector or subquery with what the modifiers behind it have set so far.
  struct Modified {
    ExprPtr expr;
    bool has_offset = false;
    int subqueries = 0;  // How many subqueries are nested in each other here.
  };

  // Tokens. A bad one is a kError, which fits nowhere; whichever error is made after it was read,
  // it is the one that is reported, since it came first.
  TokenKind Peek();
  Token Take();
  bool TakeIf(TokenKind kind);
  Status Expect(TokenKind kind);
  Error Fail(PositionRange where, std::string_view message) const;
  Error Unexpected();
  Status CheckSize() const;
  Status CheckDepth() const;

  // Expressions (parser.cc).
  Result<ExprPtr> ParseExpr(int min_precedence);
  Result<ExprPtr> ParseUnary();
  Result<ExprPtr> ParsePrimary();
  Result<ExprPtr> ParseParen(const Token& left);
  Result<ExprPtr> ParseName(const Token& token);
  Result<ExprPtr> ParseNumber(const Token& token);
  Result<double> ParseNumberValue(const Token& token);
  Result<ExprPtr> ParseString(const Token& token);
  Result<std::string> Unquote(const Token& token) const;
  Result<ExprPtr> FinishBinary(ExprPtr lhs, BinaryOp op, int min_right);
  Status ParseBinaryModifiers(BinaryExpr& binary);
  Status ParseFillModifiers(VectorMatching& matching);
  Result<double> ParseFillValue();
  Result<std::vector<std::string>> ParseGrouping();
  Result<std::string> ParseGroupingLabel();

  // Operands (parse_operands.cc).
  Result<ExprPtr> ParseCall(const Token& name);
  Result<std::vector<ExprPtr>> ParseArguments();
  Result<ExprPtr> ParseAggregate(const Token& op);
  Result<ExprPtr> FinishAggregate(std::vector<ExprPtr> arguments,
                                  std::unique_ptr<AggregateExpr> aggregate) const;
  Status ParseAggregateModifier(AggregateExpr& aggregate);
  Result<ExprPtr> ParseSelector(const Token* name);
  Status ParseMatchers(VectorSelector& selector);
  Result<Matcher> ParseMatcher();
  Result<Labels> ParseLabelSet(std::string_view name);
  Status ParseLabel(LabelsBuilder& builder);

  // What stands behind an operand: ranges, offset, @, anchored, smoothed (parse_modifiers.cc).
  Result<ExprPtr> ParsePostfix(ExprPtr operand);
  Status ParseBrackets(Modified& operand);
  Status FinishMatrix(Modified& operand, RangeLength range, PositionRange brackets) const;
  Status ParseOffset(Modified& operand);
  Status ParseAt(Modified& operand);
  Status SetExtended(Expr& operand, bool anchored) const;
  Result<RangeLength> ParsePositiveDuration();
  Result<ExprPtr> ParseOffsetDuration();
  Result<ExprPtr> ParseDurationExpr(int min_precedence);
  Result<ExprPtr> ContinueDuration(ExprPtr lhs, int min_precedence);
  Result<ExprPtr> ParseDurationOperand();
  Result<ExprPtr> ParseDurationFunction();
  Result<ExprPtr> JoinDurations(ExprPtr lhs, const Token& op, ExprPtr rhs) const;
  Result<ExprPtr> ApplySign(const Token& sign, ExprPtr duration) const;
  Status RequireDurationExpressions(const Expr& at) const;

  const std::string_view query_;
  const ParserOptions& options_;
  Lexer lexer_;
  std::optional<Token> next_;
  Context context_;
  int depth_ = 0;
  std::uint32_t last_paren_end_ =
      0;  // Behind the arguments or grouping labels that were parsed last.
  std::uint32_t last_duration_end_ = 0;  // Behind the last literal or parenthesis of a duration.
};

/// The precedence to parse a whole expression with.
inline constexpr int kLowestPrecedence = 1;

/// True if an operand can begin with this token.
bool StartsExpr(TokenKind kind);

/// "2:5" for a byte offset; lines and columns begin at 1.
std::string LineAndColumn(std::string_view query, std::size_t offset);

/// "2:5: parse error: message".
Error ParseError(std::string_view query, std::size_t offset, std::string_view message);

/// Checks the types of operands and arguments, completes vector matchings, and returns the type
/// (type_check.cc).
Result<ValueType> CheckTypes(Expr& expr, std::string_view query);

}  // namespace sonde::promql
