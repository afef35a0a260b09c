#include "promql/engine.h"

#include <bit>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "promql/parser.h"
#include "promql/promqltest/generator.h"
#include "promql/promqltest/memory_store.h"
#include "promql/promqltest/runner.h"

// What the .test files cannot say of the planned evaluator: limits, cancellation, statistics, and
// that it gives what the naive one gives.

namespace sonde::promql {
namespace {

using ::testing::HasSubstr;

std::vector<std::uint8_t> RandomBytes(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::uint8_t> bytes(4000);
  for (std::uint8_t& byte : bytes) {
    byte = static_cast<std::uint8_t>(rng.Next());
  }
  return bytes;
}

TEST(DifferentialTest, PlannedEqualsNaive) {
  const SystemClock clock;
  const auto naive = NewNaiveEvaluator(clock);
  const auto planned = NewEvaluator(clock);
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    EXPECT_EQ(CompareEvaluators(RandomBytes(seed), *naive, *planned), "") << "seed " << seed;
  }
}

// The comparison itself must be able to fail.
TEST(DifferentialTest, FindsWhatIsWrong) {
  class OffByOne final : public Evaluator {
   public:
    explicit OffByOne(const Clock& clock) : inner_(NewEvaluator(clock)) {}
    Result<QueryResult> Evaluate(const Expr& expr, const QueryRange& range,
                                 const storage::Queryable& store, const EvalOptions& options,
                                 const CancelFlag* cancel) const override {
      auto result = inner_->Evaluate(expr, range, store, options, cancel);
      if (!result) return result;
      if (auto* matrix = std::get_if<MatrixResult>(&result->value)) {
        for (ResultSeries& series : matrix->series) {
          if (series.points.back().v == 7) series.points.back().v = std::nextafter(7.0, 8.0);
        }
      }
      return result;
    }

   private:
    std::unique_ptr<Evaluator> inner_;
  };
  const SystemClock clock;
  const auto naive = NewNaiveEvaluator(clock);
  const OffByOne wrong(clock);
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    found += CompareEvaluators(RandomBytes(seed), *naive, wrong).empty() ? 0 : 1;
  }
  EXPECT_GT(found, 0);
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    for (int i = 0; i < 100; ++i) {
      const std::string instance = std::to_string(i);
      const Labels labels = Labels::Of({{"__name__", "m_total"}, {"instance", instance}});
      for (std::int64_t t = 0; t <= 600'000; t += 10'000) {
        store_.Append(labels, {t}, static_cast<double>(t / 1000 + i));
      }
    }
  }

  Result<QueryResult> Evaluate(std::string_view query, const QueryRange& range) {
    const auto expr = ParseExpr(query, ScriptParserOptions());
    CHECK(expr.ok());
    return planned_->Evaluate(**expr, range, store_, options_, cancel_);
  }
  Result<QueryResult> EvaluateRange(std::string_view query) {
    return Evaluate(query, {.start = {100'000}, .end = {500'000}, .step = Duration(10'000)});
  }

  ManualClock clock_;
  MemoryStore store_;
  EvalOptions options_;
  std::unique_ptr<Evaluator> planned_ = NewEvaluator(clock_);
  const CancelFlag* cancel_ = nullptr;
};

TEST_F(EngineTest, RefusesTooManySamples) {
  options_.max_samples = 1000;
  const auto result = EvaluateRange("m_total");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::kLimit);
  EXPECT_EQ(result.error().message(),
            "query processing would load too many samples into memory in query execution");
  // An aggregation needs groups times steps, however many series flow into it.
  const auto sum = EvaluateRange("sum(rate(m_total[1m]))");
  ASSERT_TRUE(sum);
  EXPECT_LT(sum->statistics.peak_samples, 200U);
}

TEST_F(EngineTest, RefusesTooManySteps) {
  for (const char* query : {"vector(1)", "count_over_time(vector(1)[250y:1ms])"}) {
    const auto result =
        Evaluate(query, {.start = {0}, .end = {100'000'000'000}, .step = Duration(1)});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::kLimit);
    EXPECT_THAT(result.error().message(), HasSubstr("more than the limit of 32000000"));
  }
}

TEST_F(EngineTest, StopsWhenCancelledOrLate) {
  CancelFlag cancel;
  cancel.Cancel();
  cancel_ = &cancel;
  auto result = EvaluateRange("m_total");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::kCancelled);
  cancel_ = nullptr;

  // A clock that runs while the query does.
  class RunningClock final : public Clock {
   public:
    Timestamp Now() const override { return {}; }
    std::int64_t MonotonicNanos() const override { return now_ += 10'000'000; }

   private:
    mutable std::int64_t now_ = 0;
  };
  const RunningClock running;
  planned_ = NewEvaluator(running);
  options_.timeout = Duration(100);
  result = EvaluateRange("sum(rate(m_total[1m]))");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::kTimeout);
  EXPECT_EQ(result.error().message(), "query timed out in expression evaluation");
}

TEST_F(EngineTest, CountsSamplesLikeTheNaiveEvaluator) {
  const auto naive = NewNaiveEvaluator(clock_);
  for (const std::string_view query :
       {"m_total", "sum(m_total)", "rate(m_total[1m])", "m_total - m_total offset 1m",
        "m_total @ 300", "sum_over_time(m_total[1m] @ 300)", "max_over_time(sum(m_total)[2m:20s])",
        "vector(scalar(m_total))", "timestamp(m_total)", "topk(3, m_total)"}) {
    const auto expr = ParseExpr(query, ScriptParserOptions());
    const QueryRange range{.start = {100'000}, .end = {200'000}, .step = Duration(10'000)};
    const auto want = naive->Evaluate(**expr, range, store_, options_, nullptr);
    const auto have = planned_->Evaluate(**expr, range, store_, options_, nullptr);
    ASSERT_TRUE(want && have) << query;
    EXPECT_EQ(have->statistics.samples_read, want->statistics.samples_read) << query;
  }
}

TEST_F(EngineTest, LongChainsOfOperators) {
  std::string query = "m_total{instance=\"1\"}";
  for (int i = 0; i < 20'000; ++i) {
    query += " + 1";
  }
  auto result = Evaluate(query, {.start = {100'000}, .end = {100'000}});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(std::get<VectorResult>(result->value).series[0].points[0].v, 20'101);
  query = "1";
  for (int i = 0; i < 100'000; ++i) {
    query += " + 1";
  }
  result = Evaluate(query, {.start = {0}, .end = {0}});
  ASSERT_TRUE(result);
  EXPECT_EQ(std::get<ScalarResult>(result->value).v, 100'001);
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

// A long query does not need memory for a column of each of its numbers.
TEST_F(EngineTest, LongestQueries) {
  const std::string query = "m_total{instance=\"1\"}" + Repeat("+1", 100'000);
  options_.max_samples = 200'000;
  const auto result = EvaluateRange(query);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(std::get<MatrixResult>(result->value).series[0].points.size(), 41U);
  options_.max_samples = 10'000;
  const auto refused = EvaluateRange(Repeat("time() * ", 1000) + "m_total");
  ASSERT_TRUE(refused) << "scalars are multiplied as they come";
  EXPECT_FALSE(EvaluateRange("m_total{instance=\"1\"}" + Repeat(" * time()", 1000)));
}

// What the parser lets through must not overflow the stack of either evaluator.
TEST_F(EngineTest, DeepestQueries) {
  const auto naive = NewNaiveEvaluator(clock_);
  const auto nested = [](std::string_view before, std::string_view after, int levels = 500) {
    return Repeat(before, levels) + "m_total{instance=\"1\"}" + Repeat(after, levels);
  };
  const std::vector<std::string> queries{
      nested("(", ")"),
      nested("-", ""),
      nested("abs(", ")"),
      nested("sum(", ")"),
      nested("sum without () (", ")"),
      nested("topk(1, ", ")"),
      nested("sort(", ")"),
      nested("m_total{instance=\"1\"} + (", ")", 250),
      nested("m_total{instance=\"2\"} or on () (", ")", 250),
      nested("label_replace(", ", 'a', 'b', 'c', 'd')"),
      nested("vector(scalar(", "))", 250),
      nested("max_over_time(", "[1s:1s])", 250),
      nested("info(", ")"),
      Repeat("2 ^ ", 500) + "m_total",
  };
  for (const std::string& query : queries) {
    const auto expr = ParseExpr(query, ScriptParserOptions());
    ASSERT_TRUE(expr) << query.substr(0, 40) << ": " << expr.error().message();
    const QueryRange range{.start = {300'000}, .end = {310'000}, .step = Duration(10'000)};
    for (const Evaluator* evaluator : {naive.get(), planned_.get()}) {
      const auto result = evaluator->Evaluate(**expr, range, store_, options_, nullptr);
      EXPECT_TRUE(result.ok() || !result.error().message().empty()) << query.substr(0, 40);
    }
  }
}

// A long time in few samples, refused before anything is read.
TEST_F(EngineTest, LongRangesWithSmallSteps) {
  const auto error = ParseExpr("count_over_time(x[1000y:1s])", ScriptParserOptions());
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message(), "1:19: parse error: duration out of range");
  const auto result = Evaluate("count_over_time(x[250y:1s])", {.start = {0}, .end = {0}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::kLimit);
  EXPECT_THAT(
      result.error().message(),
      HasSubstr("query processing would load too many samples into memory in query execution"));
}

// The deadline counts inside the windows of a single series, too.
TEST_F(EngineTest, StopsInsideLargeWindows) {
  // Late once it has been asked a few times, which only the work on windows does so often.
  class StepClock final : public Clock {
   public:
    Timestamp Now() const override { return {}; }
    std::int64_t MonotonicNanos() const override { return ++asked > 8 ? 1'000'000'000'000'000 : 0; }
    mutable int asked = 0;
  };
  MemoryStore store;
  for (std::int64_t t = 0; t < 20'000; ++t) {
    store.Append(Labels::Of({{"__name__", "dense_total"}}), {t * 10}, static_cast<double>(t % 2));
  }
  for (const std::string_view function :
       {"sum_over_time", "avg_over_time", "stddev_over_time", "deriv", "mad_over_time", "rate"}) {
    const StepClock clock;
    const auto evaluator = NewEvaluator(clock);
    const auto expr = ParseExpr(std::string(function) + "(dense_total[3m])", ScriptParserOptions());
    ASSERT_TRUE(expr);
    const QueryRange range{.start = {100'000}, .end = {300'000}, .step = Duration(10)};
    const auto result = evaluator->Evaluate(**expr, range, store, options_, nullptr);
    ASSERT_FALSE(result) << function;
    EXPECT_EQ(result.error().kind(), ErrorKind::kTimeout) << function;
  }
}

TEST_F(EngineTest, EmptyAndBackwardRanges) {
  auto result = Evaluate("m_total", {.start = {200'000}, .end = {100'000}, .step = Duration(1000)});
  ASSERT_TRUE(result);
  EXPECT_TRUE(std::get<MatrixResult>(result->value).series.empty());
  result = Evaluate("no_such_metric", {.start = {0}, .end = {1000}, .step = Duration(1000)});
  ASSERT_TRUE(result);
  EXPECT_TRUE(std::get<MatrixResult>(result->value).series.empty());
}

TEST_F(EngineTest, RangeQueriesGiveScalarsAndVectorsOnly) {
  const auto result = EvaluateRange("m_total[1m]");
  ASSERT_FALSE(result);
  EXPECT_EQ(
      result.error().message(),
      "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
}

// Bits that mean "no value" inside are an ordinary NaN when they come from a store.
TEST_F(EngineTest, AnyNanMayBeStored) {
  MemoryStore store;
  const double odd = std::bit_cast<double>(0x7ff00000000ab5e7ULL);
  for (std::int64_t t = 0; t <= 60'000; t += 10'000) {
    store.Append(Labels::Of({{"__name__", "odd"}}), {t}, odd);
  }
  for (const std::string_view query :
       {"odd", "count(odd)", "max_over_time(odd[30s])", "last_over_time(odd[30s])", "abs(odd)",
        "-odd", "sum(odd)", "topk(1, odd)", "odd[20s]"}) {
    const auto expr = ParseExpr(query, ScriptParserOptions());
    const auto result =
        planned_->Evaluate(**expr, {.start = {60'000}, .end = {60'000}}, store, options_, nullptr);
    ASSERT_TRUE(result) << query;
    const auto* vector = std::get_if<VectorResult>(&result->value);
    const auto& series =
        vector != nullptr ? vector->series : std::get<MatrixResult>(result->value).series;
    ASSERT_EQ(series.size(), 1U) << query;
    EXPECT_EQ(std::isnan(series[0].points[0].v), query != "count(odd)") << query;
  }
}

}  // namespace
}  // namespace sonde::promql
