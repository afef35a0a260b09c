#include "promql/promqltest/runner.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "promql/promqltest/script.h"

namespace sonde::promql {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class RunnerTest : public ::testing::Test {
 protected:
  std::string Run(std::string_view script) {
    std::string report;
    summary_ =
        RunScript("x.test", script, *evaluator_, [&](std::string_view text) { report += text; });
    return report;
  }

  // All cases of the script pass.
  void ExpectPass(std::string_view script, int cases = 1) {
    EXPECT_EQ(Run(script), "");
    EXPECT_EQ(summary_.passed, cases);
    EXPECT_EQ(summary_.failed, 0);
  }

  // The only case fails, and the report says so.
  void ExpectFail(std::string_view script, std::string_view because) {
    EXPECT_THAT(Run(script), HasSubstr(because)) << script;
    EXPECT_EQ(summary_.passed, 0);
    EXPECT_EQ(summary_.failed, 1);
  }

  SystemClock clock_;
  std::unique_ptr<Evaluator> evaluator_ = NewNaiveEvaluator(clock_);
  ScriptSummary summary_;
};

constexpr std::string_view kData = "load 1m\n  m{a=\"1\"} 1 2 3\n  m{a=\"2\"} 10 20 30\n\n";

std::string WithData(std::string_view rest) {
  return std::string(kData) + std::string(rest);
}

TEST_F(RunnerTest, ReportsExpectedAndActual) {
  EXPECT_EQ(Run(WithData("eval instant at 1m m\n  m{a=\"1\"} 2\n  m{a=\"2\"} 21\n")),
            "FAIL x.test:5: m\n"
            "  expected 21 for m{a=\"2\"} but got 20\n"
            "  run: instant at 60000 ms: m\n"
            "  expected:\n"
            "    m{a=\"1\"} 2\n"
            "    m{a=\"2\"} 21\n"
            "  actual:\n"
            "    m{a=\"1\"} 2\n"
            "    m{a=\"2\"} 20\n");
}

TEST_F(RunnerTest, InstantVectors) {
  ExpectPass(WithData("eval instant at 1m m\n  m{a=\"2\"} 20\n  m{a=\"1\"} 2.0000001\n"));
  ExpectFail(WithData("eval instant at 1m m\n  m{a=\"1\"} 2\n"),
             "unexpected metric m{a=\"2\"} in result");
  ExpectFail(WithData("eval instant at 1m m{a=\"1\"}\n  m{a=\"1\"} 2\n  m{a=\"3\"} 2\n"),
             "expected metric m{a=\"3\"} not found");
  ExpectFail(WithData("eval instant at 1m m{a=\"1\"}\n  2\n"),
             "expected scalar result, but got a vector");
  ExpectPass(WithData(
      "eval instant at 1m sort_desc(m)\n  expect ordered\n  m{a=\"2\"} 20\n  m{a=\"1\"} 2\n"));
  ExpectFail(WithData("eval_ordered instant at 1m sort_desc(m)\n  m{a=\"1\"} 2\n  m{a=\"2\"} 20\n"),
             "expected metric m{a=\"2\"} at position 2 but was at 1");
}

TEST_F(RunnerTest, ScalarsAndStrings) {
  ExpectPass("eval instant at 0 1 + 1\n  2\n");
  ExpectFail("eval instant at 0 1 + 1\n  3\n", "expected scalar 3 but got 2");
  ExpectFail("eval instant at 0 1 + 1\n  {} 2\n", "expected a vector or matrix, but got a scalar");
  ExpectPass("eval instant at 0 \"a\"\n  expect string \"a\"\n");
  ExpectFail("eval instant at 0 \"a\"\n  expect string `b`\n",
             R"(expected string "b" but got "a")");
}

TEST_F(RunnerTest, Ranges) {
  ExpectPass(WithData("eval range from 0 to 3m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 2 3 3\n"));
  ExpectFail(WithData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 2 4\n"),
             "expected 4 at 120000 ms for m{a=\"1\"} but got 3 at 120000 ms");
  ExpectFail(WithData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 2\n"),
             "expected 2 points for m{a=\"1\"} but got 3");
  ExpectFail(WithData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 2 3 4\n"),
             "query time range cannot return this many points");
  ExpectFail(WithData("eval range from 0 to 2m step 1m m{a=\"1\"}\n  m{a=\"1\"} 1 _ 3\n"),
             "but got 2 at 60000 ms");
  ExpectPass(
      WithData("eval instant at 9m m{a=\"1\"}[1m]\n  expect range vector from 1m to 1m step 1m\n  "
               "m{a=\"1\"} 2\n"));
}

// Every instant query also runs pinned to its time at other times, and as a range query around
// them.
TEST_F(RunnerTest, InstantQueriesRunInAllForms) {
  // Right by chance at 0, wrong in the range around it: a fake evaluator shows that the runner
  // looks there.
  class OnlyInstant final : public Evaluator {
   public:
    Result<QueryResult> Evaluate(const Expr& /*expr*/, const QueryRange& range,
                                 const storage::Queryable& /*store*/, const EvalOptions& options,
                                 const CancelFlag* /*cancel*/) const override {
      asked.push_back(options.query + (range.instant() ? " at " : " from ") +
                      std::to_string(range.start.ms));
      QueryResult result;
      VectorResult vector;
      vector.series.push_back({Labels(), {{range.start, range.instant() ? 1.0 : 2.0, nullptr}}});
      result.value = vector;
      if (!range.instant()) result.value = MatrixResult{std::move(vector.series)};
      return result;
    }
    mutable std::vector<std::string> asked;
  };
  auto fake = std::make_unique<OnlyInstant>();
  const OnlyInstant& asked = *fake;
  evaluator_ = std::move(fake);
  ExpectFail("eval instant at 1m sum(m)\n  {} 1\n", "expected metric {} not found");
  EXPECT_THAT(asked.asked, ::testing::ElementsAre("sum(m) at 60000", "sum(m) from 0"));
}

TEST_F(RunnerTest, PinsSelectorsToTheirTime) {
  ExpectPass(WithData(
      "eval instant at 1m sum_over_time(m{a=\"1\"}[2m:1m]) + time() * 0\n  {a=\"1\"} 3\n"));
  ExpectPass(WithData("eval instant at 1m m{a=\"1\"} @ 0\n  m{a=\"1\"} 1\n"));
}

TEST_F(RunnerTest, Failures) {
  ExpectPass("eval instant at 0 label_replace(vector(1), \"\", \"\", \"\", \"\")\n  expect fail\n");
  ExpectPass("eval_fail instant at 0 topk(NaN, vector(1))\n");
  ExpectPass(
      "eval_fail instant at 0 topk(NaN, vector(1))\n  expected_fail_message Parameter value is "
      "NaN\n");
  ExpectPass("eval_fail instant at 0 topk(NaN, vector(1))\n  expected_fail_regexp is N.N$\n");
  ExpectPass("eval instant at 0 topk(NaN, vector(1))\n  expect fail msg: Parameter value is NaN\n");
  ExpectPass("eval instant at 0 topk(NaN, vector(1))\n  expect fail regex: value\n");
  ExpectFail("eval instant at 0 topk(NaN, vector(1))\n  expect fail msg: Parameter\n",
             R"(expected error equal to "Parameter" but got "Parameter value is NaN")");
  ExpectFail("eval instant at 0 vector(1)\n  expect fail\n", "expected an error but got none");
  ExpectFail("eval instant at 0 topk(NaN, vector(1))\n",
             "the query failed: Parameter value is NaN");
}

TEST_F(RunnerTest, AnnotationsHaveThePositionsOfEachRun) {
  const std::string rate = WithData("eval instant at 2m rate(m{a=\"1\"}[2m])\n");
  const std::string values = "  {a=\"1\"} 0.016666666666666666\n";
  const std::string note =
      "PromQL info: metric might not be a counter, name does not end in "
      "_total/_sum/_count/_bucket: \"m\" (1:6)";
  ExpectPass(rate + "  expect info msg: " + note + "\n" + values);
  ExpectPass(rate + "  expect info\n  expect no_warn\n" + values);
  ExpectPass(rate + values);
  ExpectFail(rate + "  expect info msg: other\n" + values,
             "expected info annotation matching \"other\" but got");
  ExpectFail(rate + "  expect no_info\n" + values, "unexpected info annotations");
  ExpectFail(rate + "  expect warn\n" + values, "expected warn annotations but none came");
  ExpectFail(rate + "  expect info regex: counter\n  expect info msg: x\n" + values,
             "matching \"x\"");
  ExpectFail(WithData("eval_warn instant at 2m m{a=\"1\"}\n  m{a=\"1\"} 3\n"),
             "expected warnings but got none");
}

TEST_F(RunnerTest, LoadsAddAndClearForgets) {
  ExpectPass(
      WithData("load 1m\n  n 5\n\neval instant at 0 m{a=\"1\"} or n\n  m{a=\"1\"} 1\n  n 5\n\n"
               "clear\neval instant at 0 m or n\n"),
      2);
  ExpectFail(WithData("load 1m\n  m{a=\"1\"} 7\n"),
             "load: m{a=\"1\"} at 0 ms: out of order sample");
  // The same line twice in one load: the later one counts.
  ExpectPass("load 1m\n  n 5\n  n 6\n\neval instant at 0 n\n  n 6\n");
}

TEST_F(RunnerTest, CommentsEndABlock) {
  ExpectPass(WithData("eval instant at 1m m{a=\"9\"}\n# A comment.\n\neval instant at 1m 1\n  1\n"),
             2);
  ExpectFail(
      WithData("eval instant at 1m m{a=\"1\"}\n# Not an expectation any more.\n  m{a=\"1\"} 2\n"),
      "line 7: invalid command");
}

TEST_F(RunnerTest, HistogramsAreCountedApart) {
  Run("load 1m\n  h {{schema:0 count:2 sum:3 buckets:[1 1]}}\n\neval instant at 0 h\n  h "
      "{{schema:0 count:3}}\n\n"
      "eval instant at 0 1\n  2\n");
  EXPECT_EQ(summary_.failed, 2);
  EXPECT_EQ(summary_.failed_with_histograms, 1);
}

TEST_F(RunnerTest, ClassicHistogramsAsNativeOnes) {
  ExpectPass(
      "load_with_nhcb 1m\n  h_bucket{le=\"1\"} 1 2\n  h_bucket{le=\"+Inf\"} 3 5\n  h_sum 4 9\n  "
      "h_count 3 5\n\n"
      "eval instant at 1m h\n  h {{schema:-53 count:5 sum:9 custom_values:[1] buckets:[2 3]}}\n\n"
      "eval instant at 1m h_count\n  h_count 5\n",
      2);
}

TEST(ScriptTest, ErrorsNameTheLine) {
  const auto error = [](std::string_view script) {
    const auto commands = ParseScript(script);
    return commands ? std::string() : commands.error().message();
  };
  EXPECT_EQ(error("\nnonsense\n"), "line 2: invalid command \"nonsense\"");
  EXPECT_EQ(error("load\n"), "line 1: invalid load command. (load[_with_nhcb] <step:duration>)");
  EXPECT_EQ(error("load 5\n"),
            "line 1: invalid step definition \"5\": not a valid duration string: \"5\"");
  EXPECT_EQ(error("load 1m\n  m{ 1\n"),
            "line 2: 1:4: parse error: unexpected character inside braces: '1'");
  EXPECT_EQ(error("load 1m\n  m 1 q\n"),
            "line 2: 1:5: parse error: unexpected character in series sequence: 'q'");
  EXPECT_THAT(error("eval instant at 1m\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("eval instant 1\n"), HasSubstr("invalid timestamp definition \"\""));
  EXPECT_THAT(error("eval instant at 1m (\n"),
              HasSubstr("line 1: 1:2: parse error: unclosed left parenthesis"));
  EXPECT_THAT(error("eval range from 1m to 0 step 1m 1\n"), HasSubstr("is before start timestamp"));
  EXPECT_THAT(error("eval range from 0 to 1m step 0 1\n"),
              HasSubstr("the step must be greater than 0"));
  EXPECT_THAT(error("eval_slow instant at 0 1\n"), HasSubstr("invalid command \"eval_slow\""));
  EXPECT_THAT(error("eval instant at 0 1\n  expect nothing\n"),
              HasSubstr("invalid expected error/annotation type"));
  EXPECT_THAT(error("eval instant at 0 1\n  expect warn\n  expect no_warn\n"),
              HasSubstr("expect warn and no_warn cannot be used together"));
  EXPECT_THAT(error("eval instant at 0 m\n  m 1 2\n"),
              HasSubstr("expecting multiple values in instant evaluation"));
  EXPECT_THAT(error("eval instant at 0 m\n  m\n"),
              HasSubstr("a value is expected behind the series"));
  EXPECT_THAT(error("load 1m\n  m@st 1m\n"), HasSubstr("the @st line has no sample line"));
  EXPECT_THAT(error("load 1m\n  m@st 1m\n  m 1 2\n"),
              HasSubstr("has 1 values but the sample line has 2"));
  EXPECT_THAT(error("load 1m\n  m@st 1m\n  n 1\n"), HasSubstr("is about another series"));
}

TEST(RunPromqlTestsTest, CountsCasesOfAllFiles) {
  PosixEnv env;
  const auto evaluator = NewNaiveEvaluator(SystemClock());
  std::string report;
  const auto add = [&](std::string_view text) { report += text; };
  const std::vector<std::string> missing{"no/such/file.test"};
  EXPECT_EQ(RunPromqlTests(env, missing, *evaluator, add), 1);
  EXPECT_THAT(report, AllOf(HasSubstr("no/such/file.test"), EndsWith("0 passed, 1 failed\n")));
}

TEST_F(RunnerTest, ExampleOfTheFormatDocument) {
  PosixEnv env;
  const auto page = env.ReadFile("docs/formats/promqltest.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().message();
  constexpr std::string_view kFence = "```promqltest\n";
  const std::size_t begin = page->find(kFence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = page->find("```", begin + kFence.size());
  ExpectPass(page->substr(begin + kFence.size(), end - begin - kFence.size()), 6);
}

// ------------------------------------------------------------------------------- both evaluators,
// all scripts

std::vector<std::string> ScriptsIn(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  return files;
}

void ExpectAllPass(const std::filesystem::path& folder, const Evaluator& evaluator) {
  PosixEnv env;
  std::string report;
  const int status = RunPromqlTests(env, ScriptsIn(folder), evaluator,
                                    [&](std::string_view text) { report += text; });
  EXPECT_EQ(status, 0) << report;
}

class AllScriptsTest : public ::testing::TestWithParam<bool> {
 protected:
  SystemClock clock_;
  std::unique_ptr<Evaluator> evaluator_ =
      GetParam() ? NewEvaluator(clock_) : NewNaiveEvaluator(clock_);
};

TEST_P(AllScriptsTest, Own) {
  ExpectAllPass("tests/promql", *evaluator_);
}

TEST_P(AllScriptsTest, OfTheReference) {
  const std::filesystem::path folder = "../shared/conformance/promqltest";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here";
  ExpectAllPass(folder, *evaluator_);
}

INSTANTIATE_TEST_SUITE_P(Evaluators, AllScriptsTest, ::testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "Planned" : "Naive";
});

}  // namespace
}  // namespace sonde::promql
