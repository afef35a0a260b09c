#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/number.h"
#include "promql/functions.h"
#include "promql/printer.h"

// The tree as JSON, for /api/v1/parse_query.

namespace sonde::promql {
namespace {

std::string_view ToString(MatchCardinality cardinality) {
  switch (cardinality) {
    case MatchCardinality::kOneToOne:
      return "one-to-one";
    case MatchCardinality::kManyToOne:
      return "many-to-one";
    case MatchCardinality::kOneToMany:
      return "one-to-many";
    case MatchCardinality::kManyToMany:
      return "many-to-many";
  }
  return "";
}

/// Writes the tree with the fields of the reference's API, sorted by name.
class JsonPrinter {
 public:
  explicit JsonPrinter(std::string& out) : json_(out) {}

  void Print(const Expr& expr);

 private:
  void PrintNumber(const NumberExpr& number, bool in_duration);
  void PrintSelector(const VectorSelector& selector, const RangeLength* range);
  void PrintSubquery(const SubqueryExpr& subquery);
  void PrintCall(const CallExpr& call);
  void PrintAggregate(const AggregateExpr& aggregate);
  void PrintBinary(const BinaryExpr& root);
  void PrintMatching(const VectorMatching& matching);
  void PrintDuration(const Expr* duration);
  void PrintStrings(const std::vector<std::string>& strings);
  void PrintMatchers(const std::vector<Matcher>& matchers);
  void PrintStartOrEnd(const AtModifier& at);
  void PrintTimestamp(const AtModifier& at);
  void PrintFill(std::string_view key, const std::optional<double>& value);

  JsonWriter json_;
};

void JsonPrinter::Print(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return PrintNumber(As<NumberExpr>(expr), false);
    case ExprKind::kString:
      json_.BeginObject().Key("type").String("stringLiteral");
      json_.Key("val").String(As<StringExpr>(expr).value).EndObject();
      return;
    case ExprKind::kVectorSelector:
      return PrintSelector(As<VectorSelector>(expr), nullptr);
    case ExprKind::kMatrixSelector:
      return PrintSelector(*As<MatrixSelector>(expr).selector, &As<MatrixSelector>(expr).range);
    case ExprKind::kSubquery:
      return PrintSubquery(As<SubqueryExpr>(expr));
    case ExprKind::kCall:
      return PrintCall(As<CallExpr>(expr));
    case ExprKind::kAggregate:
      return PrintAggregate(As<AggregateExpr>(expr));
    case ExprKind::kBinary:
      return PrintBinary(As<BinaryExpr>(expr));
    case ExprKind::kUnary:
      json_.BeginObject().Key("expr");
      Print(*As<UnaryExpr>(expr).expr);
      json_.Key("op").String(As<UnaryExpr>(expr).negative ? "-" : "+");
      json_.Key("type").String("unaryExpr").EndObject();
      return;
    case ExprKind::kParen:
      json_.BeginObject().Key("expr");
      Print(*As<ParenExpr>(expr).expr);
      json_.Key("type").String("parenExpr").EndObject();
      return;
    case ExprKind::kDuration:
      return PrintDuration(&expr);
  }
}

void JsonPrinter::PrintNumber(const NumberExpr& number, bool in_duration) {
  json_.BeginObject();
  if (in_duration) json_.Key("duration").Bool(number.is_duration);
  json_.Key("type").String("numberLiteral");
  json_.Key("val").String(FormatFloatF(number.value)).EndObject();
}

void JsonPrinter::PrintStrings(const std::vector<std::string>& strings) {
  json_.BeginArray();
  for (const std::string& string : strings) {
    json_.String(string);
  }
  json_.EndArray();
}

void JsonPrinter::PrintMatchers(const std::vector<Matcher>& matchers) {
  json_.BeginArray();
  for (const Matcher& matcher : matchers) {
    json_.BeginObject().Key("name").String(matcher.name());
    json_.Key("type").String(sonde::ToString(matcher.type()));
    json_.Key("value").String(matcher.value()).EndObject();
  }
  json_.EndArray();
}

void JsonPrinter::PrintStartOrEnd(const AtModifier& at) {
  json_.Key("startOrEnd");
  if (at.kind == AtModifier::Kind::kStart || at.kind == AtModifier::Kind::kEnd) {
    json_.String(at.kind == AtModifier::Kind::kStart ? "start" : "end");
  } else {
    json_.Null();
  }
}

void JsonPrinter::PrintTimestamp(const AtModifier& at) {
  json_.Key("timestamp");
  if (at.kind == AtModifier::Kind::kTimestamp) {
    json_.Int(at.timestamp.ms);
  } else {
    json_.Null();
  }
}

void JsonPrinter::PrintSelector(const VectorSelector& selector, const RangeLength* range) {
  json_.BeginObject().Key("anchored").Bool(selector.anchored);
  json_.Key("matchers");
  PrintMatchers(selector.matchers);
  json_.Key("name").String(selector.name);
  json_.Key("offset").Int(selector.offset.value.count());
  json_.Key("offsetExpr");
  PrintDuration(selector.offset.expr.get());
  if (range != nullptr) {
    json_.Key("range").Int(range->value.count()).Key("rangeExpr");
    PrintDuration(range->expr.get());
  }
  json_.Key("smoothed").Bool(selector.smoothed);
  PrintStartOrEnd(selector.at);
  PrintTimestamp(selector.at);
  json_.Key("type").String(range != nullptr ? "matrixSelector" : "vectorSelector").EndObject();
}

void JsonPrinter::PrintSubquery(const SubqueryExpr& subquery) {
  json_.BeginObject().Key("expr");
  Print(*subquery.expr);
  json_.Key("offset").Int(subquery.offset.value.count()).Key("offsetExpr");
  PrintDuration(subquery.offset.expr.get());
  json_.Key("range").Int(subquery.range.value.count()).Key("rangeExpr");
  PrintDuration(subquery.range.expr.get());
  PrintStartOrEnd(subquery.at);
  json_.Key("step").Int(subquery.step.value.count()).Key("stepExpr");
  PrintDuration(subquery.step.expr.get());
  PrintTimestamp(subquery.at);
  json_.Key("type").String("subquery").EndObject();
}

void JsonPrinter::PrintCall(const CallExpr& call) {
  json_.BeginObject().Key("args").BeginArray();
  for (const ExprPtr& argument : call.arguments) {
    Print(*argument);
  }
  json_.EndArray().Key("func").BeginObject().Key("argTypes").BeginArray();
  for (const ValueType type : call.function->arguments) {
    json_.String(ToString(type));
  }
  json_.EndArray().Key("name").String(call.function->name);
  json_.Key("returnType").String(ToString(call.function->result));
  json_.Key("variadic").Int(call.function->variadic).EndObject();
  json_.Key("type").String("call").EndObject();
}

void JsonPrinter::PrintAggregate(const AggregateExpr& aggregate) {
  json_.BeginObject().Key("expr");
  Print(*aggregate.expr);
  json_.Key("grouping");
  PrintStrings(aggregate.grouping);
  json_.Key("op").String(ToString(aggregate.op)).Key("param");
  if (aggregate.parameter) {
    Print(*aggregate.parameter);
  } else {
    json_.Null();
  }
  json_.Key("type").String("aggregation");
  json_.Key("without").Bool(aggregate.without).EndObject();
}

void JsonPrinter::PrintBinary(const BinaryExpr& root) {
  std::vector<const BinaryExpr*> chain;
  const BinaryExpr* at = &root;
  while (at != nullptr) {
    chain.push_back(at);
    json_.BeginObject().Key("bool").Bool(at->return_bool).Key("lhs");
    at = If<BinaryExpr>(*at->lhs);
  }
  Print(*chain.back()->lhs);
  for (auto binary = chain.rbegin(); binary != chain.rend(); ++binary) {
    json_.Key("matching");
    if ((*binary)->matching) {
      PrintMatching(*(*binary)->matching);
    } else {
      json_.Null();
    }
    json_.Key("op").String(ToString((*binary)->op)).Key("rhs");
    Print(*(*binary)->rhs);
    json_.Key("type").String("binaryExpr").EndObject();
  }
}

void JsonPrinter::PrintFill(std::string_view key, const std::optional<double>& value) {
  json_.Key(key);
  if (value) {
    json_.Double(*value);
  } else {
    json_.Null();
  }
}

void JsonPrinter::PrintMatching(const VectorMatching& matching) {
  json_.BeginObject().Key("card").String(ToString(matching.cardinality));
  json_.Key("fillValues").BeginObject();
  PrintFill("lhs", matching.fill_left);
  PrintFill("rhs", matching.fill_right);
  json_.EndObject().Key("include");
  PrintStrings(matching.include);
  json_.Key("labels");
  PrintStrings(matching.labels);
  json_.Key("on").Bool(matching.on).EndObject();
}

void JsonPrinter::PrintDuration(const Expr* duration) {
  if (duration == nullptr) {
    json_.Null();
    return;
  }
  if (const auto* number = If<NumberExpr>(*duration)) return PrintNumber(*number, true);
  const auto& expr = As<DurationExpr>(*duration);
  const bool unary = expr.op == DurationOp::kNegate || expr.op == DurationOp::kPlus;
  json_.BeginObject().Key("lhs");
  PrintDuration(unary ? nullptr : expr.lhs.get());
  json_.Key("op").String(ToString(expr.op)).Key("rhs");
  PrintDuration(unary ? expr.lhs.get() : expr.rhs.get());
  json_.Key("type").String("durationExpr").Key("wrapped").Bool(expr.wrapped).EndObject();
}

}  // namespace

void AppendJson(const Expr& expr, std::string& out) {
  JsonPrinter(out).Print(expr);
}

}  // namespace sonde::promql
