#include "promql/printer.h"

#include <string>

#include <gtest/gtest.h>

#include "promql/durations.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "promql/promqltest/runner.h"

namespace sonde::promql {
namespace {

ExprPtr Parse(std::string_view query) {
  auto expr = ParseExpr(query, ScriptParserOptions());
  if (expr) return *std::move(expr);
  ADD_FAILURE() << query << ": " << expr.error().message();
  return *ParseExpr("0", {});
}

std::string JsonOf(std::string_view query) {
  std::string json;
  AppendJson(*Parse(query), json);
  return json;
}

// tests/promql/syntax.txt covers Print.

TEST(PrettyPrinterTest, ShortQueriesStayOnOneLine) {
  EXPECT_EQ(PrettyPrint(*Parse("sum(rate(http_requests_total[5m]))by(job)")),
            "sum by (job) (rate(http_requests_total[5m]))");
}

TEST(PrettyPrinterTest, LongQueriesAreSplitAtTheirOutermostLevel) {
  EXPECT_EQ(PrettyPrint(*Parse(
                "sum by (job, instance) (rate(http_requests_total{code=~\"5..\",handler=\"/api/v1/"
                "query_range\",job=\"api\"}[5m])) / scalar(count(up{job=\"api\"} offset 1h "
                "== 1)) * vector(100)")),
            R"(    sum by (job, instance) (
      rate(http_requests_total{code=~"5..",handler="/api/v1/query_range",job="api"}[5m])
    )
  /
    scalar(count(up{job="api"} offset 1h == 1))
*
  vector(100))")
      << "an operator between a vector and a scalar has no matching";
}

TEST(PrettyPrinterTest, EveryKindOfNode) {
  const std::string pad(60, 'x');
  EXPECT_EQ(PrettyPrint(*Parse("-(" + pad + " + " + pad + ")")),
            "-(\n    " + pad + "\n  +\n    " + pad + "\n)");
  EXPECT_EQ(PrettyPrint(*Parse("topk(5, " + pad + " and " + pad + ")")),
            "topk(\n  5,\n    " + pad + "\n  and\n    " + pad + "\n)");
  EXPECT_EQ(
      PrettyPrint(*Parse("max_over_time((" + pad + " or " + pad + ")[1h:1m] offset 5m)")),
      "max_over_time(\n  (\n      " + pad + "\n    or\n      " + pad + "\n  )[1h:1m] offset 5m\n)");
  EXPECT_EQ(PrettyPrint(*Parse("clamp(" + pad + pad + ", 1, 2)")),
            "clamp(\n  " + pad + pad + ",\n  1,\n  2\n)");
}

TEST(JsonPrinterTest, FieldsOfTheReference) {
  EXPECT_EQ(JsonOf("1.5"), R"({"type":"numberLiteral","val":"1.5"})");
  EXPECT_EQ(JsonOf("\"a\""), R"({"type":"stringLiteral","val":"a"})");
  EXPECT_EQ(
      JsonOf("-(up)"),
      R"({"expr":{"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],)"
      R"("name":"up","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,)"
      R"("type":"vectorSelector"},"type":"parenExpr"},"op":"-","type":"unaryExpr"})");
  EXPECT_EQ(
      JsonOf("up{a!~\"b\"}[5m] @ 1.5 offset 1m"),
      R"({"anchored":false,"matchers":[{"name":"a","type":"!~","value":"b"},)"
      R"({"name":"__name__","type":"=","value":"up"}],"name":"up","offset":60000,"offsetExpr":null,)"
      R"("range":300000,"rangeExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":1500,)"
      R"("type":"matrixSelector"})");
  EXPECT_EQ(
      JsonOf("up[2 * step() : (1m)] @ end()"),
      R"({"expr":{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"up"}],"name":"up",)"
      R"("offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,)"
      R"("type":"vectorSelector"},"offset":0,"offsetExpr":null,"range":0,)"
      R"("rangeExpr":{"lhs":{"duration":false,"type":"numberLiteral","val":"2"},"op":"*",)"
      R"("rhs":{"lhs":null,"op":"step","rhs":null,"type":"durationExpr","wrapped":false},)"
      R"("type":"durationExpr","wrapped":false},)"
      R"("startOrEnd":"end","step":0,"stepExpr":{"lhs":null,"op":"+",)"
      R"("rhs":{"duration":true,"type":"numberLiteral","val":"60"},"type":"durationExpr","wrapped":true},)"
      R"("timestamp":null,"type":"subquery"})");
  EXPECT_EQ(JsonOf("1 + bool_ / 2").substr(0, 20), R"({"bool":false,"lhs":)");
  EXPECT_EQ(
      JsonOf("a * on (x) group_left (y) fill (0) b"),
      R"({"bool":false,"lhs":)" + JsonOf("a") +
          R"(,"matching":{"card":"many-to-one","fillValues":{"lhs":0,"rhs":0},"include":["y"],)"
          R"("labels":["x"],"on":true},"op":"*","rhs":)" +
          JsonOf("b") + R"(,"type":"binaryExpr"})");
  EXPECT_EQ(JsonOf("topk by (x) (2, a)"),
            R"({"expr":)" + JsonOf("a") + R"(,"grouping":["x"],"op":"topk","param":)" +
                JsonOf("2") + R"(,"type":"aggregation","without":false})");
  EXPECT_EQ(
      JsonOf("round(a)"),
      R"({"args":[)" + JsonOf("a") +
          R"(],"func":{"argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1},)"
          R"("type":"call"})");
}

// ------------------------------------------------------------------------------------------
// durations

std::string Resolved(std::string_view query, const QueryRange& range) {
  const ExprPtr expr = Parse(query);
  const Status status = ResolveDurations(*expr, range);
  if (!status) return status.error().message();
  if (const auto* matrix = If<MatrixSelector>(*expr)) {
    return std::to_string(matrix->range.value.count()) + " " +
           std::to_string(matrix->selector->offset.value.count());
  }
  if (const auto* subquery = If<SubqueryExpr>(*expr)) {
    return std::to_string(subquery->range.value.count()) + ":" +
           std::to_string(subquery->step.value.count());
  }
  return std::to_string(As<VectorSelector>(*expr).offset.value.count());
}

TEST(DurationsTest, Resolve) {
  const QueryRange range{.start = {0}, .end = {3'600'000}, .step = Duration(15'000)};
  EXPECT_EQ(Resolved("a[5m * 2 + 30]", range), "630000 0");
  EXPECT_EQ(Resolved("a[step()] offset -step()", range), "15000 -15000");
  EXPECT_EQ(Resolved("a[range() / 4 : step() * 2]", range), "900000:30000");
  EXPECT_EQ(Resolved("a offset (2 ^ 3 ^ 1 % 5)", range), "3000");
  EXPECT_EQ(Resolved("a[max_of(step(), 1m)]", range), "60000 0");
  EXPECT_EQ(Resolved("a[min_of(step(), 1m)]", range), "15000 0");
  EXPECT_EQ(Resolved("a[-(1m) + 2m]", range), "60000 0");
  EXPECT_EQ(Resolved("a offset (1m - 3m)", range), "-120000");
}

TEST(DurationsTest, Errors) {
  const QueryRange instant{.start = {0}, .end = {0}};
  EXPECT_EQ(Resolved("a[step()]", instant), "2:8: duration must be greater than 0");
  EXPECT_EQ(Resolved("a[1m - 2m]", instant), "2:9: duration must be greater than 0");
  EXPECT_EQ(Resolved("a[5m:step()]", instant), "5:11: duration must be greater than 0");
  EXPECT_EQ(Resolved("a[5m / step()]", instant), "2:13: division by zero");
  EXPECT_EQ(Resolved("a offset (1 % step())", instant), "10:20: modulo by zero");
  EXPECT_EQ(Resolved("a[10 ^ 400]", instant), "2:10: duration is NaN or infinite");
  EXPECT_EQ(Resolved("a offset (10 ^ 12)", instant), "10:17: duration is out of range");
}

}  // namespace
}  // namespace sonde::promql
