#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/number.h"
#include "model/sample.h"
#include "promql/engine.h"
#include "promql/label_functions.h"
#include "promql/parser.h"
#include "promql/promqltest/runner.h"

// What the .test files cannot say: options, limits, statistics, cancellation. How values come about
// is told by tests/promql/*.test, which are run here too.

namespace sonde::promql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct StoredSeries {
  Labels labels;
  std::vector<Timestamp> times;
  std::vector<double> values;
  std::vector<FloatHistogram> histograms;  // Instead of values.
};

// A store in memory.
class FakeStore final : public storage::Queryable {
 public:
  // The first value at time 0, then one per `step`; NaN in `values` leaves a gap.
  FakeStore& Add(const Labels& labels, Duration step, const std::vector<double>& values) {
    StoredSeries series{.labels = labels, .times = {}, .values = {}, .histograms = {}};
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i]) && !IsStaleNan(values[i])) continue;
      series.times.push_back({static_cast<std::int64_t>(i) * step.count()});
      series.values.push_back(values[i]);
    }
    series_.push_back(std::move(series));
    return *this;
  }
  FakeStore& Add(const Labels& labels, Timestamp t, FloatHistogram histogram) {
    series_.push_back(
        {.labels = labels, .times = {t}, .values = {}, .histograms = {std::move(histogram)}});
    return *this;
  }
  void set_warning(std::string warning) { warnings_ = {std::move(warning)}; }
  void set_error(std::string error) { error_ = std::move(error); }

  Result<std::unique_ptr<storage::Querier>> NewQuerier(Timestamp start,
                                                       Timestamp end) const override {
    queried_ = {start, end};
    return std::unique_ptr<storage::Querier>(std::make_unique<Querier>(*this));
  }

  /// What the last querier was asked for.
  std::pair<Timestamp, Timestamp> queried() const { return queried_; }

 private:
  class Reader final : public storage::SampleReader {
   public:
    explicit Reader(const std::vector<const StoredSeries*>& series) : series_(series) {}
    void Seek(std::size_t index) override { next_ = series_[index]; }
    Result<storage::SampleBatch> Next() override {
      storage::SampleBatch batch;
      if (next_ == nullptr) return batch;
      batch.timestamps = next_->times;
      batch.values = next_->values;
      batch.float_histograms = next_->histograms;
      if (!next_->histograms.empty()) batch.kind = storage::SampleKind::kFloatHistogram;
      next_ = nullptr;
      return batch;
    }

   private:
    std::vector<const StoredSeries*> series_;
    const StoredSeries* next_ = nullptr;
  };

  class Set final : public storage::SeriesSet {
   public:
    Set(std::vector<const StoredSeries*> series, std::vector<std::string> warnings)
        : series_(std::move(series)), warnings_(std::move(warnings)) {}
    std::size_t size() const override { return series_.size(); }
    LabelsView labels(std::size_t index) const override { return series_[index]->labels; }
    std::unique_ptr<storage::SampleReader> NewReader() const override {
      return std::make_unique<Reader>(series_);
    }
    std::span<const std::string> warnings() const override { return warnings_; }

   private:
    std::vector<const StoredSeries*> series_;
    std::vector<std::string> warnings_;
  };

  class Querier final : public storage::Querier {
   public:
    explicit Querier(const FakeStore& store) : store_(store) {}
    Result<std::unique_ptr<storage::SeriesSet>> Select(
        bool sorted, const storage::SelectHints& hints,
        std::span<const Matcher> matchers) const override {
      static_cast<void>(sorted);
      static_cast<void>(hints);
      if (!store_.error_.empty()) return Error(ErrorKind::kIo, store_.error_);
      std::vector<const StoredSeries*> found;
      for (const StoredSeries& series : store_.series_) {
        if (MatchesAll(matchers, series.labels)) found.push_back(&series);
      }
      std::ranges::sort(found, {},
                        [](const StoredSeries* series) { return series->labels.view(); });
      return std::unique_ptr<storage::SeriesSet>(
          std::make_unique<Set>(std::move(found), store_.warnings_));
    }
    Result<std::vector<std::string>> LabelNames(std::span<const Matcher>,
                                                std::size_t) const override {
      return std::vector<std::string>();
    }
    Result<std::vector<std::string>> LabelValues(std::string_view, std::span<const Matcher>,
                                                 std::size_t) const override {
      return std::vector<std::string>();
    }

   private:
    const FakeStore& store_;
  };

  std::vector<StoredSeries> series_;
  std::vector<std::string> warnings_;
  std::string error_;
  mutable std::pair<Timestamp, Timestamp> queried_;
};

constexpr Duration kMinute{60'000};

std::string Describe(const ResultSeries& series) {
  std::string out = FormatLabelSet(series.labels);
  for (const SamplePoint& point : series.points) {
    out += point.histogram == nullptr ? " " + FormatFloatG(point.v) : " histogram";
    out += "@";
    AppendInt(out, point.t.ms / 1000);
  }
  return out;
}

class NaiveEvaluatorTest : public ::testing::Test {
 protected:
  NaiveEvaluatorTest() {
    options_.max_samples = 10'000;
    std::vector<double> counter;
    std::vector<double> slower;
    for (int i = 0; i <= 20; ++i) {
      counter.push_back(60.0 * i);
      slower.push_back(6.0 * i);
    }
    store_.Add(Labels::Of({{"__name__", "requests_total"}, {"job", "a"}}), kMinute, counter);
    store_.Add(Labels::Of({{"__name__", "requests_total"}, {"job", "b"}}), kMinute, slower);
  }

  Result<QueryResult> Evaluate(std::string_view query, const QueryRange& range) {
    const ParserOptions parser{.experimental_functions = true,
                               .extended_range_selectors = true,
                               .binop_fill_modifiers = true};
    const ExprPtr expr = TRY(ParseExpr(query, parser));
    options_.query = query;
    return NewNaiveEvaluator(clock_)->Evaluate(*expr, range, store_, options_, &cancel_);
  }
  Result<QueryResult> Instant(std::string_view query, Timestamp t = {600'000}) {
    return Evaluate(query, {.start = t, .end = t});
  }
  Result<QueryResult> Range(std::string_view query, Timestamp start, Timestamp end,
                            Duration step = kMinute) {
    return Evaluate(query, {.start = start, .end = end, .step = step});
  }

  // The series of a vector or matrix as text; the error's text if there is one.
  static std::vector<std::string> Series(const Result<QueryResult>& result) {
    if (!result) return {"error: " + result.error().message()};
    std::vector<std::string> out;
    if (const auto* vector = std::get_if<VectorResult>(&result->value)) {
      std::ranges::transform(vector->series, std::back_inserter(out), Describe);
    }
    if (const auto* matrix = std::get_if<MatrixResult>(&result->value)) {
      std::ranges::transform(matrix->series, std::back_inserter(out), Describe);
    }
    return out;
  }
  static std::string ErrorOf(const Result<QueryResult>& result) {
    return result ? "no error" : result.error().message();
  }

  ManualClock clock_;
  FakeStore store_;
  EvalOptions options_;
  CancelFlag cancel_;
};

// ----------------------------------------------------------------------------------------- scripts

std::vector<std::string> ScriptsIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

void RunScripts(const std::vector<std::string>& paths) {
  const SystemClock clock;
  const std::unique_ptr<Evaluator> evaluator = NewNaiveEvaluator(clock);
  for (const std::string& path : paths) {
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    std::string report;
    const ScriptSummary summary =
        RunScript(path, text, *evaluator, [&report](std::string_view line) { report += line; });
    EXPECT_GT(summary.passed, 0) << path;
    EXPECT_EQ(summary.failed, 0) << report;
  }
}

TEST(NaiveEvaluatorScriptsTest, OurOwn) {
  const std::vector<std::string> paths = ScriptsIn("tests/promql");
  ASSERT_FALSE(paths.empty());
  RunScripts(paths);
}

TEST(NaiveEvaluatorScriptsTest, TheReferences) {
  const std::vector<std::string> paths = ScriptsIn("../shared/conformance/promqltest");
  if (paths.empty()) GTEST_SKIP() << "../shared/conformance/promqltest is not there";
  RunScripts(paths);
}

// ------------------------------------------------------------------------------------ result types

TEST_F(NaiveEvaluatorTest, ResultTypes) {
  const auto scalar = Instant("1 + 1", {5000});
  EXPECT_EQ(std::get<ScalarResult>(scalar->value).v, 2);
  EXPECT_EQ(std::get<ScalarResult>(scalar->value).t, Timestamp{5000});
  const auto string = Instant("('x')", {5000});
  EXPECT_EQ(std::get<StringResult>(string->value).v, "x");
  EXPECT_THAT(Series(Instant("requests_total{job='a'}")),
              ElementsAre(R"({__name__="requests_total", job="a"} 600@600)"));
  EXPECT_THAT(Series(Instant("requests_total{job='a'}[2m]")),
              ElementsAre(R"({__name__="requests_total", job="a"} 540@540 600@600)"));
  EXPECT_THAT(Series(Instant("(sum(requests_total))[2m:1m]")), ElementsAre("{} 594@540 660@600"));
  EXPECT_THAT(Series(Range("1", {0}, {120'000})), ElementsAre("{} 1@0 1@60 1@120"));
  EXPECT_THAT(Series(Range("sum(requests_total)", {0}, {119'999})), ElementsAre("{} 0@0 66@60"));
}

TEST_F(NaiveEvaluatorTest, RangeQueriesGiveNoRanges) {
  EXPECT_EQ(
      ErrorOf(Range("requests_total[5m]", {0}, {60'000})),
      "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
  EXPECT_EQ(ErrorOf(Range("'x'", {0}, {60'000})),
            "invalid expression type \"string\" for range query, must be Scalar or instant Vector");
}

TEST_F(NaiveEvaluatorTest, MatrixIsSortedAndStepsMayBeMissing) {
  store_.Add(Labels::Of({{"__name__", "gaps"}, {"x", "2"}}), kMinute, {1, StaleNan(), 3});
  store_.Add(Labels::Of({{"__name__", "gaps"}, {"x", "1"}}), kMinute, {StaleNan(), 5, 6});
  EXPECT_THAT(Series(Range("gaps", {0}, {120'000})),
              ElementsAre(R"({__name__="gaps", x="1"} 5@60 6@120)",
                          R"({__name__="gaps", x="2"} 1@0 3@120)"));
}

// ------------------------------------------------------------------------------------------- names

TEST_F(NaiveEvaluatorTest, NamesGoAtOnceOrAtTheEnd) {
  store_.Add(Labels::Of({{"__name__", "other_total"}, {"job", "a"}}), kMinute,
             std::vector<double>(21, 1));
  const std::string_view query =
      "label_replace(rate({__name__=~'.+_total', job='a'}[5m]), 'n', '$1', '__name__', '(.+)')";
  EXPECT_EQ(ErrorOf(Instant(query)), "vector cannot contain metrics with the same labelset");
  options_.delayed_name_removal = true;
  EXPECT_THAT(Series(Instant(query)), ElementsAre(R"({job="a", n="other_total"} 0@600)",
                                                  R"({job="a", n="requests_total"} 1@600)"));
  EXPECT_EQ(ErrorOf(Instant("rate({__name__=~'.+_total', job='a'}[5m])")),
            "vector cannot contain metrics with the same labelset");
  EXPECT_THAT(Series(Instant("sum by (__name__) (requests_total)")),
              ElementsAre(R"({__name__="requests_total"} 660@600)"));
}

TEST_F(NaiveEvaluatorTest, TypeAndUnitGoWithTheName) {
  store_.Add(Labels::Of({{"__name__", "t"}, {"__type__", "gauge"}, {"__unit__", "s"}, {"x", "1"}}),
             kMinute, std::vector<double>(21, 4));
  EXPECT_THAT(Series(Instant("sqrt(t)")), ElementsAre(R"({x="1"} 2@600)"));
  EXPECT_THAT(Series(Instant("t > 1")),
              ElementsAre(R"({__name__="t", __type__="gauge", __unit__="s", x="1"} 4@600)"));
}

// ------------------------------------------------------------------------------------- annotations

TEST_F(NaiveEvaluatorTest, NotesWithPositionsInTheText) {
  store_.Add(Labels::Of({{"__name__", "level"}}), kMinute, std::vector<double>(21, 4));
  EXPECT_THAT(Instant("sum(\n  rate(level[5m]))")->annotations.infos,
              ElementsAre("metric might not be a counter, name does not end in "
                          "_total/_sum/_count/_bucket: \"level\" "
                          "(2:8)"));
  EXPECT_THAT(Range("quantile(2, requests_total)", {0}, {600'000})->annotations.warnings,
              ElementsAre("quantile value should be between 0 and 1, got 2 (1:10)"));
  EXPECT_THAT(Instant("rate(requests_total[5m])")->annotations.infos, IsEmpty());
}

TEST_F(NaiveEvaluatorTest, TheTypeLabelTellsCountersIfSwitchedOn) {
  store_.Add(Labels::Of({{"__name__", "level"}, {"__type__", "gauge"}}), kMinute,
             std::vector<double>(21, 4));
  store_.Add(Labels::Of({{"__name__", "ok"}, {"__type__", "counter"}}), kMinute,
             std::vector<double>(21, 4));
  options_.type_and_unit_labels = true;
  EXPECT_THAT(Instant("rate(level[5m])")->annotations.infos,
              ElementsAre("metric might not be a counter, __type__ label is not set to \"counter\" "
                          "or \"histogram\", "
                          "got \"gauge\": \"level\" (1:6)"));
  EXPECT_THAT(Instant("rate(ok[5m])")->annotations.infos, IsEmpty());
}

TEST_F(NaiveEvaluatorTest, AParameterThatVariesIsNotedByItsExtremes) {
  const auto result = Range("quantile(time() / 100, requests_total)", {0}, {600'000});
  EXPECT_THAT(result->annotations.warnings,
              ElementsAre("quantile value should be between 0 and 1, got 6 (1:10)"));
}

TEST_F(NaiveEvaluatorTest, SortInARangeQuery) {
  EXPECT_THAT(Range("sort(requests_total)", {0}, {60'000})->annotations.warnings,
              ElementsAre("sort is ineffective for range queries since results are always ordered "
                          "by labels (1:1)"));
  EXPECT_THAT(Instant("sort(requests_total)")->annotations.warnings, IsEmpty());
}

TEST_F(NaiveEvaluatorTest, RepairsOfHistogramsAreCountedOncePerPoint) {
  for (const auto& [le, count] :
       {std::pair("1", 10.0), std::pair("2", 5.0), std::pair("+Inf", 20.0)}) {
    store_.Add(Labels::Of({{"__name__", "h_bucket"}, {"le", le}}), kMinute,
               std::vector<double>(21, count));
  }
  const std::string_view text =
      "input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from "
      "buckets 2 to 2, with "
      "a max diff of 5, over ";
  const auto plain = Range("histogram_quantile(0.5, h_bucket)", {0}, {240'000});
  EXPECT_THAT(plain->annotations.infos,
              ElementsAre(HasSubstr(std::string(text) + "5 samples from 1970-01-01T00:00:00Z "
                                                        "to 1970-01-01T00:04:00Z (1:25)")));
  // Windows of a subquery overlap: its points, 0m to 4m, are still five.
  const auto nested =
      Range("max_over_time(histogram_quantile(0.5, h_bucket)[3m:1m])", {120'000}, {240'000});
  EXPECT_THAT(nested->annotations.infos, ElementsAre(HasSubstr("over 5 samples")));
  // What no step changes is evaluated once.
  const auto pinned = Range("histogram_quantile(0.5, h_bucket @ 60)", {0}, {240'000});
  EXPECT_THAT(pinned->annotations.infos, ElementsAre(HasSubstr("over 1 samples")));
}

TEST_F(NaiveEvaluatorTest, TheStoreIsHeard) {
  store_.set_warning("block 01ABC is unreadable");
  EXPECT_THAT(Instant("requests_total")->annotations.warnings,
              ElementsAre("block 01ABC is unreadable"));
  store_.set_error("disk on fire");
  const auto failed = Instant("requests_total");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), ErrorKind::kIo);
  EXPECT_EQ(failed.error().message(), "expanding series: disk on fire");
}

// ------------------------------------------------------------------------- what the store is asked

TEST_F(NaiveEvaluatorTest, AsksForWhatTheQueryCanTouch) {
  const auto queried = [&](std::string_view query) {
    EXPECT_TRUE(Range(query, {600'000}, {900'000}).ok()) << query;
    return std::pair(store_.queried().first.seconds(), store_.queried().second.seconds());
  };
  EXPECT_EQ(queried("requests_total"), std::pair(300.001, 900.0));
  EXPECT_EQ(queried("requests_total offset 1m"), std::pair(240.001, 840.0));
  EXPECT_EQ(queried("rate(requests_total[1m])"), std::pair(540.001, 900.0));
  EXPECT_EQ(queried("rate(requests_total[1m] @ 100 offset -10s)"), std::pair(50.001, 110.0));
  EXPECT_EQ(queried("max_over_time(rate(requests_total[1m])[10m:1m] offset 1m)"),
            std::pair(-119.999, 840.0));
  EXPECT_EQ(queried("max_over_time(requests_total[10m:1m] @ end())"), std::pair(0.001, 900.0));
  EXPECT_EQ(queried("rate(requests_total[1m] anchored)"), std::pair(240.001, 900.0));
  EXPECT_EQ(queried("rate(requests_total[1m] smoothed)"), std::pair(240.001, 1200.0));
  EXPECT_EQ(queried("requests_total smoothed"), std::pair(300.001, 1200.0));
  EXPECT_EQ(queried("requests_total + on(job) rate(requests_total[15m])"),
            std::pair(-299.999, 900.0));
  EXPECT_EQ(queried("info(rate(requests_total[1m]))"), std::pair(300.001, 900.0));
}

TEST_F(NaiveEvaluatorTest, TimesAtTheEndsOfTheScale) {
  EXPECT_THAT(Series(Instant("requests_total offset 200y", Timestamp::Min())), IsEmpty());
  EXPECT_THAT(Series(Instant("requests_total offset -200y", Timestamp::Max())), IsEmpty());
  EXPECT_THAT(Series(Instant("count_over_time(requests_total[200y])", Timestamp::Min())),
              IsEmpty());
  EXPECT_THAT(Series(Range("vector(1)", Timestamp{Timestamp::Max().ms - 1}, Timestamp::Max())),
              ElementsAre(HasSubstr("{} 1@")));
}

// ------------------------------------------------------------------------------ limits, statistics

TEST_F(NaiveEvaluatorTest, WhatSelectorsKeepIsLimited) {
  store_.Add(Labels::Of({{"__name__", "dense"}}), Duration(1), std::vector<double>(11'000, 1));
  options_.max_samples = 1000;
  std::string query = "dense";
  for (int i = 0; i < 100; ++i) {
    query += " + dense";
  }
  const QueryRange instant{.start = {11'000}, .end = {11'000}};
  EXPECT_EQ(ErrorOf(Evaluate(query, instant)),
            "query processing would load too many samples into memory in query execution");
  EXPECT_EQ(ErrorOf(Evaluate("dense + dense", instant)), "no error");
}

TEST_F(NaiveEvaluatorTest, SampleLimit) {
  const std::string_view too_many =
      "query processing would load too many samples into memory in query execution";
  const auto needs = [&](std::string_view query, std::uint64_t samples, const QueryRange& range) {
    options_.max_samples = samples;
    EXPECT_EQ(ErrorOf(Evaluate(query, range)), "no error") << query << " with " << samples;
    options_.max_samples = samples - 1;
    const auto refused = Evaluate(query, range);
    EXPECT_EQ(ErrorOf(refused), too_many) << query << " with " << samples - 1;
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind(), ErrorKind::kLimit);
  };
  const QueryRange instant{.start = {600'000}, .end = {600'000}};
  const QueryRange eleven_steps{.start = {0}, .end = {600'000}, .step = kMinute};
  needs("requests_total", 2, instant);
  needs("requests_total", 22, eleven_steps);
  needs("requests_total[10m]", 20, instant);
  needs("rate(requests_total[10m])", 12,
        instant);  // One series' window at a time, and two results.
  needs("requests_total + requests_total", 10,
        instant);  // Operands, the same at their step, the result.
  needs("sum(requests_total)", 2, instant);
  needs("sum(requests_total)", 12, eleven_steps);
}

TEST_F(NaiveEvaluatorTest, SampleStatistics) {
  const auto read = [&](std::string_view query) { return Instant(query)->statistics.samples_read; };
  EXPECT_EQ(read("1"), 0U);
  EXPECT_EQ(read("requests_total"), 2U);
  EXPECT_EQ(read("rate(requests_total[5m])"), 10U);
  EXPECT_EQ(read("requests_total[5m]"), 10U);
  EXPECT_EQ(read("timestamp(requests_total)"), 2U);
  // A subquery's windows count, not what filled them.
  EXPECT_EQ(read("max_over_time(rate(requests_total[5m])[3m:1m])"), 6U);
  EXPECT_EQ(read("rate(requests_total[5m])[3m:1m]"), 30U);
  // Every step counts what it would as a query of its own.
  EXPECT_EQ(Range("rate(requests_total[5m])", {600'000}, {720'000})->statistics.samples_read, 30U);
  EXPECT_EQ(Range("requests_total @ 60", {600'000}, {720'000})->statistics.samples_read, 6U);
  EXPECT_EQ(Instant("requests_total")->statistics.peak_samples, 2U);
}

TEST_F(NaiveEvaluatorTest, Timeout) {
  options_.timeout = Duration(-1);
  const auto result = Instant("requests_total");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::kTimeout);
  EXPECT_EQ(result.error().message(), "query timed out in expression evaluation");
}

TEST_F(NaiveEvaluatorTest, Cancellation) {
  cancel_.Cancel();
  const auto result = Range("requests_total", {0}, {600'000});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::kCancelled);
  EXPECT_EQ(result.error().message(), "query was canceled in expression evaluation");
}

// -------------------------------------------------------------------------------------- robustness

// Left operands nest as deep as the query is long.
TEST_F(NaiveEvaluatorTest, LongChainsOfOperators) {
  std::string sum = "1";
  std::string vector = "requests_total{job='a'}";
  for (int i = 0; i < 50'000; ++i) {
    sum += "+1";
  }
  for (int i = 0; i < 2'000; ++i) {
    vector += " + 1";
  }
  const auto result = Instant(sum);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(std::get<ScalarResult>(result->value).v, 50'001);
  EXPECT_THAT(Series(Instant(vector)), ElementsAre(R"({job="a"} 2600@600)"));
}

TEST_F(NaiveEvaluatorTest, LookbackIsAnOption) {
  store_.Add(Labels::Of({{"__name__", "once"}}), kMinute, {7});
  EXPECT_THAT(Series(Instant("once", {299'999})), ElementsAre(HasSubstr("7@299")));
  EXPECT_THAT(Series(Instant("once", {300'000})), IsEmpty());
  options_.lookback = Duration(60'000);
  EXPECT_THAT(Series(Instant("once", {60'000})), IsEmpty());
  EXPECT_THAT(Series(Instant("once", {59'999})), ElementsAre(HasSubstr("7@59")));
}

TEST_F(NaiveEvaluatorTest, DefaultSubqueryStepIsAnOption) {
  options_.default_subquery_step = Duration(30'000);
  EXPECT_THAT(Series(Instant("count_over_time(requests_total{job='a'}[2m:])")),
              ElementsAre(HasSubstr("} 4@600")));
}

TEST_F(NaiveEvaluatorTest, HistogramsAreMovedWhole) {
  FloatHistogram histogram;
  histogram.count = 3;
  histogram.sum = 6;
  histogram.positive_spans = {{0, 1}};
  histogram.positive_counts = {3};
  store_.Add(Labels::Of({{"__name__", "h"}}), {600'000}, histogram);
  const auto result = Instant("last_over_time(h[1m]) or vector(1)");
  ASSERT_TRUE(result.ok());
  const auto& vector = std::get<VectorResult>(result->value);
  ASSERT_EQ(vector.series.size(), 1U);
  ASSERT_NE(vector.series[0].points[0].histogram, nullptr);
  EXPECT_EQ(*vector.series[0].points[0].histogram, histogram);
  EXPECT_THAT(Series(Instant("h + 1")), IsEmpty());
  EXPECT_THAT(Instant("h + 1")->annotations.infos,
              ElementsAre("incompatible sample types encountered for binary operator \"+\": "
                          "histogram + float (1:1)"));
  EXPECT_THAT(Series(Instant("max(h)")), IsEmpty());
  EXPECT_THAT(Instant("max(h)")->annotations.infos,
              ElementsAre("ignored histogram in max aggregation (1:5)"));
}

}  // namespace
}  // namespace sonde::promql
