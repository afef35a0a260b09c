#include "promql/parser.h"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"
#include "promql/query_parser.h"

namespace sonde::promql {
namespace {

// Precedences of the binary operators; a unary sign binds as kMultiply.
constexpr int kMultiply = 5;
constexpr int kPower = 6;

int Precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kOr:
      return kLowestPrecedence;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless:
      return 2;
    case BinaryOp::kAdd:
    case BinaryOp::kSub:
      return 4;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kAtan2:
      return kMultiply;
    case BinaryOp::kPow:
      return kPower;
    default:
      return 3;  // Comparisons and trims.
  }
}

BinaryOp ToBinaryOp(TokenKind kind) {
  return static_cast<BinaryOp>(static_cast<int>(kind) - static_cast<int>(TokenKind::kAdd));
}
static_assert(static_cast<int>(TokenKind::kUnless) - static_cast<int>(TokenKind::kAdd) ==
              static_cast<int>(BinaryOp::kUnless));

// Words that may stand as label names in `by (…)`, `on (…)` and the like.
bool IsLabelWord(TokenKind kind) {
  return kind == TokenKind::kIdentifier || kind == TokenKind::kMetricIdentifier ||
         IsAggregation(kind) || (IsKeyword(kind) && kind != TokenKind::kWithout) ||
         (kind >= TokenKind::kStart && kind <= TokenKind::kMinOf) || kind == TokenKind::kAnd ||
         kind == TokenKind::kOr || kind == TokenKind::kUnless || kind == TokenKind::kAtan2;
}

// Words that are metric names where an operand begins.
bool IsMetricWord(TokenKind kind) {
  switch (kind) {
    case TokenKind::kAtan2:
    case TokenKind::kBool:
    case TokenKind::kOn:
    case TokenKind::kIgnoring:
    case TokenKind::kGroupLeft:
    case TokenKind::kGroupRight:
      return false;
    case TokenKind::kWithout:
      return true;
    default:
      return IsLabelWord(kind);
  }
}

}  // namespace

bool StartsExpr(TokenKind kind) {
  switch (kind) {
    case TokenKind::kNumber:
    case TokenKind::kDuration:
    case TokenKind::kString:
    case TokenKind::kLeftParen:
    case TokenKind::kLeftBrace:
    case TokenKind::kAdd:
    case TokenKind::kSub:
      return true;
    default:
      return IsMetricWord(kind);
  }
}

std::string LineAndColumn(std::string_view query, std::size_t offset) {
  if (query.empty()) return "unknown position";
  if (offset > query.size()) return "invalid position";
  std::size_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < offset; ++i) {
    if (query[i] != '\n') continue;
    ++line;
    line_start = i + 1;
  }
  return fmt::format("{}:{}", line, offset - line_start + 1);
}

Error ParseError(std::string_view query, std::size_t offset, std::string_view message) {
  return Error(ErrorKind::kInvalid,
               fmt::format("{}: parse error: {}", LineAndColumn(query, offset), message));
}

Result<ExprPtr> ParseExpr(std::string_view query, const ParserOptions& options) {
  return QueryParser(query, options).ParseQuery();
}

Result<std::vector<Matcher>> ParseMetricSelector(std::string_view text) {
  const ParserOptions options;
  return QueryParser(text, options).ParseSelectorOnly();
}

Result<Labels> ParseMetric(std::string_view text) {
  const ParserOptions options;
  return QueryParser(text, options).ParseLabelSetOnly();
}

// ------------------------------------------------------------------------------------------------
// tokens

Error QueryParser::Fail(PositionRange where, std::string_view message) const {
  const bool bad_token = next_ && next_->kind == TokenKind::kError;
  return bad_token ? ParseError(query_, next_->position.start, lexer_.error())
                   : ParseError(query_, where.start, message);
}

TokenKind QueryParser::Peek() {
  if (!next_) next_ = lexer_.Next();
  return next_->kind;
}

Token QueryParser::Take() {
  Peek();
  const Token token = *next_;
  next_.reset();
  return token;
}

bool QueryParser::TakeIf(TokenKind kind) {
  if (Peek() != kind) return false;
  next_.reset();
  return true;
}

Status QueryParser::Expect(TokenKind kind) {
  if (Peek() != kind) return Unexpected();
  next_.reset();
  return OkStatus();
}

// About the next token.
Error QueryParser::Unexpected() {
  Peek();
  std::string message = "unexpected " + Describe(*next_);
  if (!context_.where.empty()) message.append(" in ").append(context_.where);
  if (!context_.expected.empty()) message.append(", expected ").append(context_.expected);
  return Fail(next_->position, message);
}

Status QueryParser::CheckSize() const {
  if (query_.size() <= options_.max_bytes) return OkStatus();
  return Fail({}, fmt::format("the query has {} bytes, more than the limit of {}", query_.size(),
                              options_.max_bytes));
}

Status QueryParser::CheckDepth() const {
  if (depth_ <= options_.max_depth) return OkStatus();
  const auto at = next_ ? next_->position : PositionRange{};
  return Fail(at, fmt::format("the expression nests deeper than {} levels", options_.max_depth));
}

// ------------------------------------------------------------------------------------------- whole
// inputs

Result<ExprPtr> QueryParser::ParseQuery() {
  TRY(CheckSize());
  if (Peek() == TokenKind::kEnd) return Fail({}, "no expression found in input");
  ExprPtr expr = TRY(ParseExpr(kLowestPrecedence));
  TRY(Expect(TokenKind::kEnd));
  TRY(CheckTypes(*expr, query_));
  return expr;
}

Result<std::vector<Matcher>> QueryParser::ParseSelectorOnly() {
  TRY(CheckSize());
  ExprPtr selector;
  if (IsMetricWord(Peek())) {
    const Token name = Take();
    selector = TRY(ParseSelector(&name));
  } else {
    selector = TRY(ParseSelector(nullptr));
  }
  TRY(Expect(TokenKind::kEnd));
  return std::move(As<VectorSelector>(*selector).matchers);
}

Result<Labels> QueryParser::ParseLabelSetOnly() {
  TRY(CheckSize());
  std::string_view name;
  if (IsMetricWord(Peek())) name = Take().text;
  Labels labels = TRY(ParseLabelSet(name));
  TRY(Expect(TokenKind::kEnd));
  return labels;
}

// -------------------------------------------------------------------------------------------
// expressions

// Precedence climbing. Chains of left-associative operators are built in this loop, however long
// they are.
Result<ExprPtr> QueryParser::ParseExpr(int min_precedence) {
  const DepthScope depth(depth_);
  ExprPtr lhs = TRY(ParseUnary());
  while (true) {
    const TokenKind kind = Peek();
    if (!IsBinaryOperator(kind)) return lhs;
    const BinaryOp op = ToBinaryOp(kind);
    const int precedence = Precedence(op);
    if (precedence < min_precedence) return lhs;
    Take();
    lhs = TRY(FinishBinary(std::move(lhs), op, op == BinaryOp::kPow ? precedence : precedence + 1));
  }
}

Result<ExprPtr> QueryParser::FinishBinary(ExprPtr lhs, BinaryOp op, int min_right) {
  auto binary = std::make_unique<BinaryExpr>();
  binary->op = op;
  binary->lhs = std::move(lhs);
  TRY(ParseBinaryModifiers(*binary));
  binary->rhs = TRY(ParseExpr(min_right));
  binary->position = {binary->lhs->position.start, binary->rhs->position.end};
  const bool fills = binary->matching->fill_left || binary->matching->fill_right;
  if (fills && !options_.binop_fill_modifiers) {
    return Fail(binary->position, "binop fill modifiers are experimental and not enabled");
  }
  return ExprPtr(std::move(binary));
}

Result<ExprPtr> QueryParser::ParseUnary() {
  const TokenKind kind = Peek();
  TRY(CheckDepth());
  if (kind != TokenKind::kAdd && kind != TokenKind::kSub) return ParsePrimary();
  const Token sign = Take();
  ExprPtr operand = TRY(ParseExpr(kPower));
  if (auto* number = If<NumberExpr>(*operand)) {
    if (kind == TokenKind::kSub) number->value = -number->value;
    number->position.start = sign.position.start;
    return operand;
  }
  auto unary = std::make_unique<UnaryExpr>();
  unary->negative = kind == TokenKind::kSub;
  unary->position = {sign.position.start, operand->position.end};
  unary->expr = std::move(operand);
  return ExprPtr(std::move(unary));
}

Result<ExprPtr> QueryParser::ParsePrimary() {
  const TokenKind kind = Peek();
  ExprPtr operand;
  if (kind == TokenKind::kLeftBrace) {
    operand = TRY(ParseSelector(nullptr));
    return ParsePostfix(std::move(operand));
  }
  if (!StartsExpr(kind)) return Unexpected();
  const Token token = Take();
  switch (kind) {
    case TokenKind::kNumber:
    case TokenKind::kDuration:
      operand = TRY(ParseNumber(token));
      break;
    case TokenKind::kString:
      operand = TRY(ParseString(token));
      break;
    case TokenKind::kLeftParen:
      operand = TRY(ParseParen(token));
      break;
    default:
      operand = TRY(ParseName(token));
      break;
  }
  return ParsePostfix(std::move(operand));
}

Result<ExprPtr> QueryParser::ParseParen(const Token& left) {
  auto paren = std::make_unique<ParenExpr>();
  paren->expr = TRY(ParseExpr(kLowestPrecedence));
  if (Peek() != TokenKind::kRightParen) return Unexpected();
  paren->position = {left.position.start, Take().position.end};
  return ExprPtr(std::move(paren));
}

// A metric, a function call or an aggregation: the token behind the word decides.
Result<ExprPtr> QueryParser::ParseName(const Token& token) {
  const TokenKind next = Peek();
  if (IsAggregation(token.kind)) {
    const bool aggregates =
        next == TokenKind::kLeftParen || next == TokenKind::kBy || next == TokenKind::kWithout;
    return aggregates ? ParseAggregate(token) : ParseSelector(&token);
  }
  const bool callable = token.kind == TokenKind::kIdentifier ||
                        (token.kind >= TokenKind::kStart && token.kind <= TokenKind::kMinOf);
  if (callable && next == TokenKind::kLeftParen) return ParseCall(token);
  return ParseSelector(&token);
}

Result<double> QueryParser::ParseNumberValue(const Token& token) {
  if (token.kind == TokenKind::kDuration) {
    const auto duration = ParseDuration(token.text);
    if (!duration) return Fail(token.position, duration.error().message());
    return static_cast<double>(duration->count() / 1000) +
           static_cast<double>(duration->count() % 1000 * 1'000'000) / 1e9;
  }
  if (const auto number = ParseNumberLiteral(token.text)) return *number;
  // Either it is too large, or it only looks like a number.
  const std::size_t exponent = token.text.find_first_of("eE");
  const bool overflow =
      exponent != std::string_view::npos && ParseFloat(token.text.substr(0, exponent)) &&
      token.text.find_first_of("0123456789", exponent) != std::string_view::npos &&
      token.text.find_first_not_of("0123456789_+-", exponent + 1) == std::string_view::npos;
  return Fail(token.position,
              fmt::format("error parsing number: strconv.ParseFloat: parsing {}: {}",
                          QuoteGo(token.text), overflow ? "value out of range" : "invalid syntax"));
}

Result<ExprPtr> QueryParser::ParseNumber(const Token& token) {
  auto number = std::make_unique<NumberExpr>();
  number->position = token.position;
  number->value = TRY(ParseNumberValue(token));
  number->is_duration = token.kind == TokenKind::kDuration;
  return ExprPtr(std::move(number));
}

Result<ExprPtr> QueryParser::ParseString(const Token& token) {
  auto string = std::make_unique<StringExpr>();
  string->position = token.position;
  string->value = TRY(Unquote(token));
  return ExprPtr(std::move(string));
}

Result<std::string> QueryParser::Unquote(const Token& token) const {
  const char quote = token.text.front();
  const std::string_view body = token.text.substr(1, token.text.size() - 2);
  if (quote == '`') return std::string(body);
  if (auto unquoted = UnescapeGo(body, quote)) return *std::move(unquoted);
  return Fail(token.position,
              fmt::format("error unquoting string {}: invalid syntax", QuoteGo(token.text)));
}

// ------------------------------------------------------------------------------ modifiers of
// binary operators

Status QueryParser::ParseBinaryModifiers(BinaryExpr& binary) {
  VectorMatching& matching = binary.matching.emplace();
  binary.return_bool = TakeIf(TokenKind::kBool);
  const TokenKind kind = Peek();
  if (kind == TokenKind::kOn || kind == TokenKind::kIgnoring) {
    Take();
    matching.on = kind == TokenKind::kOn;
    matching.labels = TRY(ParseGrouping());
    const TokenKind group = Peek();
    if (group == TokenKind::kGroupLeft || group == TokenKind::kGroupRight) {
      Take();
      matching.cardinality = group == TokenKind::kGroupLeft ? MatchCardinality::kManyToOne
                                                            : MatchCardinality::kOneToMany;
      // The labels may be left out, but what follows must then be the right operand.
      const TokenKind next = Peek();
      if (next == TokenKind::kLeftParen || !StartsExpr(next))
        matching.include = TRY(ParseGrouping());
    }
  }
  return ParseFillModifiers(matching);
}

Status QueryParser::ParseFillModifiers(VectorMatching& matching) {
  const TokenKind first = Peek();
  if (first != TokenKind::kFill && first != TokenKind::kFillLeft &&
      first != TokenKind::kFillRight) {
    return OkStatus();
  }
  Take();
  const double value = TRY(ParseFillValue());
  if (first != TokenKind::kFillRight) matching.fill_left = value;
  if (first != TokenKind::kFillLeft) matching.fill_right = value;
  if (first == TokenKind::kFill) return OkStatus();
  const TokenKind other =
      first == TokenKind::kFillLeft ? TokenKind::kFillRight : TokenKind::kFillLeft;
  if (!TakeIf(other)) return OkStatus();
  const double second = TRY(ParseFillValue());
  (other == TokenKind::kFillLeft ? matching.fill_left : matching.fill_right) = second;
  return OkStatus();
}

Result<double> QueryParser::ParseFillValue() {
  TRY(Expect(TokenKind::kLeftParen));
  bool negative = Peek() == TokenKind::kSub;
  if (negative || Peek() == TokenKind::kAdd) Take();
  const TokenKind kind = Peek();
  if (kind != TokenKind::kNumber && kind != TokenKind::kDuration) return Unexpected();
  const double value = TRY(ParseNumberValue(Take()));
  TRY(Expect(TokenKind::kRightParen));
  return negative ? -value : value;
}

Result<std::vector<std::string>> QueryParser::ParseGrouping() {
  {
    const ContextScope context(*this, {"grouping opts", "\"(\""});
    TRY(Expect(TokenKind::kLeftParen));
  }
  std::vector<std::string> labels;
  while (Peek() != TokenKind::kRightParen) {
    labels.push_back(TRY(ParseGroupingLabel()));
    const ContextScope context(*this, {"grouping opts", "\",\" or \")\""});
    if (Peek() != TokenKind::kRightParen) TRY(Expect(TokenKind::kComma));
  }
  last_paren_end_ = Take().position.end;
  return labels;
}

Result<std::string> QueryParser::ParseGroupingLabel() {
  const ContextScope context(*this, {"grouping opts", "label"});
  const TokenKind kind = Peek();
  if (kind != TokenKind::kString && !IsLabelWord(kind)) return Unexpected();
  const Token token = Take();
  std::string label(token.text);
  if (kind == TokenKind::kString) label = TRY(Unquote(token));
  if (IsValidName(label)) return label;
  return Fail(token.position, "invalid label name for grouping: " + QuoteGo(label));
}

}  // namespace sonde::promql
