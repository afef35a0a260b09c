#include <utility>

#include <fmt/format.h>

#include "base/quote.h"
#include "promql/functions.h"
#include "promql/query_parser.h"

// Calls, aggregations, selectors, label sets.

namespace sonde::promql {
namespace {

bool TakesParameter(AggregateOp op) {
  return op >= AggregateOp::kTopk;
}
static_assert(AggregateOp::kTopk > AggregateOp::kStdvar);

AggregateOp ToAggregateOp(TokenKind kind) {
  return static_cast<AggregateOp>(static_cast<int>(kind) - static_cast<int>(TokenKind::kSum));
}
static_assert(static_cast<int>(TokenKind::kLimitRatio) - static_cast<int>(TokenKind::kSum) ==
              static_cast<int>(AggregateOp::kLimitRatio));

std::optional<Matcher::Type> ToMatcherType(TokenKind kind) {
  switch (kind) {
    case TokenKind::kEqual:
      return Matcher::Type::kEqual;
    case TokenKind::kNotEqual:
      return Matcher::Type::kNotEqual;
    case TokenKind::kEqualRegex:
      return Matcher::Type::kRegex;
    case TokenKind::kNotEqualRegex:
      return Matcher::Type::kNotRegex;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<ExprPtr> QueryParser::ParseCall(const Token& name) {
  auto call = std::make_unique<CallExpr>();
  call->arguments = TRY(ParseArguments());
  call->position = {name.position.start, last_paren_end_};
  call->function = FindFunction(name.text);
  if (call->function == nullptr) {
    return Fail(name.position, "unknown function with name " + QuoteGo(name.text));
  }
  if (call->function->experimental && !options_.experimental_functions) {
    return Fail(name.position, fmt::format("function {} is not enabled", QuoteGo(name.text)));
  }
  return ExprPtr(std::move(call));
}

Result<std::vector<ExprPtr>> QueryParser::ParseArguments() {
  TRY(Expect(TokenKind::kLeftParen));
  std::vector<ExprPtr> arguments;
  if (Peek() != TokenKind::kRightParen) {
    arguments.push_back(TRY(ParseExpr(kLowestPrecedence)));
    while (Peek() == TokenKind::kComma) {
      const Token comma = Take();
      if (!StartsExpr(Peek())) {
        return Fail(comma.position, "trailing commas not allowed in function call args");
      }
      arguments.push_back(TRY(ParseExpr(kLowestPrecedence)));
    }
    if (Peek() != TokenKind::kRightParen) return Unexpected();
  }
  last_paren_end_ = Take().position.end;
  return arguments;
}

Result<ExprPtr> QueryParser::ParseAggregate(const Token& op) {
  const ContextScope context(*this, {"aggregation", ""});
  auto aggregate = std::make_unique<AggregateExpr>();
  aggregate->op = ToAggregateOp(op.kind);
  const bool modifier_first = Peek() != TokenKind::kLeftParen;
  if (modifier_first) {
    TRY(ParseAggregateModifier(*aggregate));
    if (Peek() != TokenKind::kLeftParen) return Unexpected();
  }
  std::vector<ExprPtr> arguments = TRY(ParseArguments());
  if (!modifier_first) {
    const TokenKind next = Peek();
    if (next == TokenKind::kBy || next == TokenKind::kWithout) {
      TRY(ParseAggregateModifier(*aggregate));
    }
  }
  aggregate->position = {op.position.start, last_paren_end_};
  return FinishAggregate(std::move(arguments), std::move(aggregate));
}

Status QueryParser::ParseAggregateModifier(AggregateExpr& aggregate) {
  aggregate.without = Take().kind == TokenKind::kWithout;
  aggregate.grouping = TRY(ParseGrouping());
  return OkStatus();
}

Result<ExprPtr> QueryParser::FinishAggregate(std::vector<ExprPtr> arguments,
                                             std::unique_ptr<AggregateExpr> aggregate) const {
  if (arguments.empty()) {
    return Fail(aggregate->position, "no arguments for aggregate expression provided");
  }
  const bool experimental =
      aggregate->op == AggregateOp::kLimitk || aggregate->op == AggregateOp::kLimitRatio;
  if (experimental && !options_.experimental_functions) {
    return Fail(aggregate->position, fmt::format("{}() is experimental and must be enabled with "
                                                 "--enable-feature=promql-experimental-functions",
                                                 ToString(aggregate->op)));
  }
  const std::size_t wanted = TakesParameter(aggregate->op) ? 2 : 1;
  if (arguments.size() != wanted) {
    return Fail(aggregate->position,
                fmt::format("wrong number of arguments for aggregate expression provided, "
                            "expected {}, got {}",
                            wanted, arguments.size()));
  }
  aggregate->expr = std::move(arguments.back());
  if (wanted == 2) aggregate->parameter = std::move(arguments.front());
  return ExprPtr(std::move(aggregate));
}

Result<ExprPtr> QueryParser::ParseSelector(const Token* name) {
  auto selector = std::make_unique<VectorSelector>();
  if (name != nullptr) {
    selector->name = name->text;
    selector->position = name->position;
  }
  if (name == nullptr || Peek() == TokenKind::kLeftBrace) TRY(ParseMatchers(*selector));
  if (name != nullptr) {
    selector->matchers.push_back(Matcher::Equal(std::string(kMetricName), selector->name));
  }
  return ExprPtr(std::move(selector));
}

Status QueryParser::ParseMatchers(VectorSelector& selector) {
  if (Peek() != TokenKind::kLeftBrace) return Unexpected();
  const Token left = Take();
  if (selector.name.empty()) selector.position.start = left.position.start;
  while (true) {
    const ContextScope context(*this, {"label matching", "identifier or \"}\""});
    if (Peek() == TokenKind::kRightBrace) break;
    selector.matchers.push_back(TRY(ParseMatcher()));
    const ContextScope separator(*this, {"label matching", "\",\" or \"}\""});
    if (Peek() == TokenKind::kRightBrace) break;
    TRY(Expect(TokenKind::kComma));
  }
  selector.position.end = Take().position.end;
  return OkStatus();
}

Result<Matcher> QueryParser::ParseMatcher() {
  const TokenKind kind = Peek();
  if (kind != TokenKind::kIdentifier && kind != TokenKind::kString) return Unexpected();
  const Token token = Take();
  std::string name(token.text);
  if (kind == TokenKind::kString) name = TRY(Unquote(token));
  const auto type = ToMatcherType(Peek());
  if (!type && kind == TokenKind::kString) {
    return Matcher::Equal(std::string(kMetricName), std::move(name));
  }
  if (!type) {
    const ContextScope context(*this, {"label matching", "label matching operator"});
    return Unexpected();
  }
  Take();
  const ContextScope context(*this, {"label matching", "string"});
  if (Peek() != TokenKind::kString) return Unexpected();
  const Token literal = Take();
  std::string value = TRY(Unquote(literal));
  auto matcher = Matcher::Make(*type, std::move(name), std::move(value));
  if (!matcher) return Fail(token.position, matcher.error().message());
  return *std::move(matcher);
}

Result<Labels> QueryParser::ParseLabelSet(std::string_view name) {
  LabelsBuilder builder;
  if (Peek() == TokenKind::kLeftBrace) {
    Take();
    while (true) {
      const ContextScope context(*this, {"label set", "identifier or \"}\""});
      if (Peek() == TokenKind::kRightBrace) break;
      TRY(ParseLabel(builder));
      const ContextScope separator(*this, {"label set", "\",\" or \"}\""});
      if (Peek() == TokenKind::kRightBrace) break;
      TRY(Expect(TokenKind::kComma));
    }
    Take();
  }
  if (!name.empty()) builder.Set(kMetricName, name);
  return builder.Build();
}

Status QueryParser::ParseLabel(LabelsBuilder& builder) {
  const TokenKind kind = Peek();
  if (kind != TokenKind::kIdentifier && kind != TokenKind::kString) return Unexpected();
  const Token token = Take();
  std::string name(token.text);
  if (kind == TokenKind::kString) name = TRY(Unquote(token));
  if (Peek() != TokenKind::kEqual) {
    if (kind == TokenKind::kString) {
      builder.Set(kMetricName, name);
      return OkStatus();
    }
    const ContextScope context(*this, {"label set", "\"=\""});
    return Unexpected();
  }
  Take();
  const ContextScope context(*this, {"label set", "string"});
  if (Peek() != TokenKind::kString) return Unexpected();
  const Token literal = Take();
  const std::string value = TRY(Unquote(literal));
  builder.Set(name, value);
  return OkStatus();
}

}  // namespace sonde::promql
