#include "promql/parser.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"
#include "promql/functions.h"
#include "promql/printer.h"
#include "promql/promqltest/generator.h"
#include "promql/promqltest/runner.h"
#include "promql/promqltest/script.h"

namespace sonde::promql {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string PrintedOrError(std::string_view query,
                           const ParserOptions& options = ScriptParserOptions()) {
  const auto expr = ParseExpr(query, options);
  return expr ? "= " + Print(**expr) : "! " + expr.error().message();
}

std::string JsonOf(const Expr& expr) {
  std::string json;
  AppendJson(expr, json);
  return json;
}

// The same characters: matchers are printed in order.
bool SameButForTheOrderOfMatchers(std::string a, std::string b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  return a == b;
}

// What is printed is read back as the same tree, and so is a copy.
void ExpectRoundTrip(std::string_view query) {
  if (query == "info(up, {})") return;  // Printed as "info(up, )", as the reference does.
  const auto expr = ParseExpr(query, ScriptParserOptions());
  ASSERT_TRUE(expr) << query << "\n" << expr.error().message();
  const std::string printed = Print(**expr);
  const auto again = ParseExpr(printed, ScriptParserOptions());
  ASSERT_TRUE(again) << query << "\n" << printed << "\n" << again.error().message();
  EXPECT_EQ(Print(**again), printed) << query;
  // Signs that change nothing are not printed.
  const bool has_sign =
      query.find("offset +") != query.npos || query.find("offset --") != query.npos;
  EXPECT_TRUE(has_sign || SameButForTheOrderOfMatchers(JsonOf(**again), JsonOf(**expr))) << query;
  const ExprPtr copy = Clone(**expr);
  EXPECT_EQ(JsonOf(*copy), JsonOf(**expr)) << query;
  const auto pretty = ParseExpr(PrettyPrint(**expr), ScriptParserOptions());
  ASSERT_TRUE(pretty) << PrettyPrint(**expr) << "\n" << pretty.error().message();
  EXPECT_EQ(Print(**pretty), printed);
}

TEST(ParserTest, SyntaxFile) {
  std::ifstream file("tests/promql/syntax.txt");
  ASSERT_TRUE(file.is_open());
  std::string query;
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line.starts_with("# ")) continue;
    if (!line.starts_with("  ")) {
      query = line;
      continue;
    }
    EXPECT_EQ(PrintedOrError(query), line.substr(2)) << query;
    ++cases;
  }
  EXPECT_GT(cases, 400);
}

TEST(ParserTest, PositionsCountLinesAndBytes) {
  EXPECT_EQ(PrintedOrError(""), "! unknown position: parse error: no expression found in input");
  EXPECT_EQ(PrintedOrError("sum(\n  up +\n)"),
            "! 3:1: parse error: unexpected \")\" in aggregation");
  EXPECT_EQ(PrintedOrError("up +\n  # why\n\tfoo(x)"),
            "! 3:2: parse error: unknown function with name \"foo\"");
  EXPECT_EQ(PrintedOrError("{a=\"é\"} $"), "! 1:10: parse error: unexpected character: '$'");
}

TEST(ParserTest, ExperimentsCanBeOff) {
  const ParserOptions defaults;
  EXPECT_EQ(PrintedOrError("mad_over_time(a[5m])", defaults),
            "! 1:1: parse error: function \"mad_over_time\" is not enabled");
  EXPECT_EQ(PrintedOrError("limitk(2, a)", defaults),
            "! 1:1: parse error: limitk() is experimental and must be enabled with "
            "--enable-feature=promql-experimental-functions");
  EXPECT_EQ(PrintedOrError("rate(a[5m] anchored)", defaults),
            "! 1:6: parse error: anchored modifier is experimental and not enabled");
  EXPECT_EQ(PrintedOrError("a smoothed", defaults),
            "! 1:1: parse error: smoothed modifier is experimental and not enabled");
  EXPECT_EQ(PrintedOrError("a + fill (0) b", defaults),
            "! 1:1: parse error: binop fill modifiers are experimental and not enabled");
  EXPECT_EQ(PrintedOrError("a[5m + 1m]", defaults), "= a[5m + 1m]");
  ParserOptions no_expressions;
  no_expressions.duration_expressions = false;
  EXPECT_EQ(PrintedOrError("a[5m + 1m]", no_expressions),
            "! 1:3: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(PrintedOrError("a[step()]", no_expressions),
            "! 1:3: parse error: experimental duration expression is not enabled");
  EXPECT_EQ(PrintedOrError("a[5m] offset -5m", no_expressions), "= a[5m] offset -5m");
}

// -------------------------------------------------------------------------------------------
// bounds

std::string Repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

TEST(ParserTest, RefusesWhatIsTooLong) {
  EXPECT_THAT(PrintedOrError(Repeat(" ", 1 << 20) + "1"),
              HasSubstr("the query has 1048577 bytes, more than the limit of 1048576"));
  EXPECT_EQ(PrintedOrError(Repeat(" ", (1 << 20) - 1) + "1"), "= 1");
}

TEST(ParserTest, RefusesWhatNestsTooDeep) {
  const auto expect_refused = [](const std::string& query) {
    EXPECT_THAT(PrintedOrError(query), HasSubstr("the expression nests deeper than 512 levels"));
  };
  expect_refused(Repeat("(", 10'000) + "1" + Repeat(")", 10'000));
  expect_refused(Repeat("-", 10'000) + "up");
  expect_refused(Repeat("1^", 10'000) + "1");
  expect_refused(Repeat("abs(", 10'000) + "up" + Repeat(")", 10'000));
  expect_refused(Repeat("sum(", 10'000) + "up" + Repeat(")", 10'000));
  expect_refused(Repeat("sum by (a) (", 10'000) + "up" + Repeat(")", 10'000));
  expect_refused("up" + Repeat("[5m:]", 10'000));
  expect_refused("up[" + Repeat("(", 10'000) + "5m" + Repeat(")", 10'000) + "]");
  expect_refused("up[" + Repeat("-", 10'000) + "5m]");
  expect_refused("up[1m" + Repeat(" + 1m", 10'000) + "]");
  expect_refused("up offset " + Repeat("-", 10'000) + "5m");
  expect_refused("up offset -" + Repeat("(", 10'000) + "5m" + Repeat(")", 10'000));
  expect_refused("up[" + Repeat("max_of(1,", 10'000) + "1" + Repeat(")", 10'000) + "]");
  EXPECT_EQ(PrintedOrError(Repeat("(", 500) + "1" + Repeat(")", 500)),
            "= " + Repeat("(", 500) + "1" + Repeat(")", 500));
}

// Operators that associate to the left make a tree as deep as the query is long.
TEST(ParserTest, ChainsMayBeLong) {
  const std::string query = "up" + Repeat(" + 1", 100'000);
  auto expr = ParseExpr(query, {});
  ASSERT_TRUE(expr) << expr.error().message();
  EXPECT_EQ(Print(**expr), query);
  EXPECT_EQ(TypeOf(**expr), ValueType::kVector);
  ExprPtr copy = Clone(**expr);
  EXPECT_EQ(Print(*copy), query);
  EXPECT_THAT(JsonOf(*copy), StartsWith(R"({"bool":false,"lhs":{"bool":false,"lhs":)"));
  EXPECT_GT(PrettyPrint(*copy).size(), query.size());
  copy.reset();
  EXPECT_EQ(TypeOf(**ParseExpr("1" + Repeat("+1", 100'000), {})), ValueType::kScalar);
  EXPECT_THAT(PrintedOrError("1" + Repeat("+1", 100'000) + "+"),
              HasSubstr("unexpected end of input"));
  EXPECT_THAT(PrintedOrError("\"a\"" + Repeat("+1", 100'000)),
              HasSubstr("binary expression must contain only scalar and instant vector types"));
}

TEST(ParserTest, NestedLeftAndRightChainsAreFreed) {
  // Chains within the right operands of chains, too.
  std::string query = "a" + Repeat("+a", 1000);
  for (int i = 0; i < 100; ++i) {
    query = "a" + Repeat("+a", 10) + "+(" + query + ")";
  }
  ExpectRoundTrip(query);
}

// --------------------------------------------------------------------------------------- round
// trips

TEST(ParserTest, RoundTripOfTheSyntaxFile) {
  std::ifstream file("tests/promql/syntax.txt");
  std::string query;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("  = ")) ExpectRoundTrip(query);
    query = line;
  }
}

TEST(ParserTest, RoundTripOfGeneratedQueries) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    std::vector<std::uint8_t> bytes(200);
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng.Next());
    }
    Choices choices(bytes);
    ExpectRoundTrip(GenerateQuery(choices).text);
  }
}

TEST(ParserTest, RoundTripOfTheConformanceScripts) {
  const std::filesystem::path folder = "../shared/conformance/promqltest";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  int queries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".test") continue;
    const auto commands = ParseScript(ReadAll(entry.path()));
    ASSERT_TRUE(commands) << entry.path() << ": " << commands.error().message();
    for (const Command& command : *commands) {
      const auto* eval = std::get_if<EvalCommand>(&command);
      if (eval == nullptr) continue;
      ExpectRoundTrip(eval->query);
      ++queries;
    }
  }
  EXPECT_GT(queries, 1000);
}

void CollectQueries(JsonView node, std::vector<std::string>& out) {
  if (node.is_array()) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      CollectQueries(node.at(i), out);
    }
    return;
  }
  node.ForEach([&](std::string_view key, JsonView value) {
    if (key == "expr" && value.string()) out.emplace_back(*value.string());
    CollectQueries(value, out);
  });
}

std::string ReplaceAll(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(ParserTest, RoundTripOfDashboards) {
  const std::filesystem::path folder = "../shared/conformance/dashboards";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  int parsed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const auto document = JsonDocument::Parse(ReadAll(entry.path()));
    ASSERT_TRUE(document) << entry.path();
    std::vector<std::string> queries;
    CollectQueries(document->root(), queries);
    for (std::string query : queries) {
      for (const std::string_view variable :
           {"$__rate_interval", "$__interval", "$__range", "$interval"}) {
        query = ReplaceAll(query, variable, "5m");
      }
      if (!ParseExpr(query, ScriptParserOptions())) continue;  // Other variables, other languages.
      ExpectRoundTrip(query);
      ++parsed;
    }
  }
  EXPECT_GT(parsed, 1000);
}

// ----------------------------------------------------------------------------------- the other
// entries

TEST(ParserTest, MetricSelectors) {
  const auto print = [](std::string_view text) {
    const auto matchers = ParseMetricSelector(text);
    if (!matchers) return "! " + matchers.error().message();
    std::string out;
    for (const Matcher& matcher : *matchers) {
      out += (out.empty() ? "" : ",") + matcher.ToString();
    }
    return out;
  };
  EXPECT_EQ(print(R"(up{job="x",a=~"b"})"), R"(job="x",a=~"b",__name__="up")");
  EXPECT_EQ(print(R"({"my.metric"})"), R"(__name__="my.metric")");
  EXPECT_EQ(print("{}"), "");
  EXPECT_EQ(print("sum"), R"(__name__="sum")");
  EXPECT_EQ(print("up[5m]"), "! 1:3: parse error: unexpected \"[\"");
  EXPECT_EQ(print("1"), "! 1:1: parse error: unexpected number \"1\"");
  EXPECT_EQ(print(""), "! unknown position: parse error: unexpected end of input");
}

TEST(ParserTest, LabelSets) {
  const auto print = [](std::string_view text) {
    const auto labels = ParseMetric(text);
    return labels ? labels->ToString() : "! " + labels.error().message();
  };
  EXPECT_EQ(print("up"), "up");
  EXPECT_EQ(print("{}"), "{}");
  EXPECT_EQ(print(""), "{}");
  EXPECT_EQ(print(R"(up{b="2",a='1',})"), R"(up{a="1", b="2"})");
  EXPECT_EQ(print(R"({"my.metric","l.x"="v"})"), R"({"my.metric", "l.x"="v"})");
  EXPECT_EQ(print(R"(up{a!="1"})"),
            "! 1:5: parse error: unexpected <op:!=> in label set, expected \"=\"");
  EXPECT_EQ(print("up{a=1}"), "! 1:6: parse error: unexpected character inside braces: '1'");
  EXPECT_EQ(
      print(R"(up{a="1" b="2"})"),
      "! 1:10: parse error: unexpected identifier \"b\" in label set, expected \",\" or \"}\"");
}

TEST(FunctionsTest, TableIsSortedAndComplete) {
  EXPECT_EQ(AllFunctions().size(), 90U);
  int experimental = 0;
  for (const Function& function : AllFunctions()) {
    EXPECT_EQ(FindFunction(function.name), &function);
    experimental += function.experimental ? 1 : 0;
  }
  EXPECT_EQ(experimental, 17);
  EXPECT_EQ(FindFunction("holt_winters"), nullptr);
  EXPECT_EQ(FindFunction("Rate"), nullptr);
}

}  // namespace
}  // namespace sonde::promql
