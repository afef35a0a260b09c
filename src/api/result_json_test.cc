#include "api/result_json.h"

#include <limits>

#include <gtest/gtest.h>

#include "model/sample.h"

namespace sonde::api {
namespace {

promql::QueryResult Result(auto value) {
  promql::QueryResult result;
  result.value = std::move(value);
  return result;
}

TEST(ResultJsonTest, Timestamps) {
  const auto format = [](std::int64_t ms) {
    std::string out;
    AppendTimestamp(out, {ms});
    return out;
  };
  EXPECT_EQ(format(0), "0");
  EXPECT_EQ(format(1000), "1");
  EXPECT_EQ(format(1001), "1.001");
  EXPECT_EQ(format(1010), "1.010");
  EXPECT_EQ(format(1435781430781), "1435781430.781");
  EXPECT_EQ(format(-1), "-0.001");
  EXPECT_EQ(format(-1001), "-1.001");
}

TEST(ResultJsonTest, Scalars) {
  EXPECT_EQ(QueryData(Result(promql::ScalarResult{{1500}, 0.1}), StatsMode::kNone),
            R"({"resultType":"scalar","result":[1.500,"0.1"]})");
  EXPECT_EQ(QueryData(Result(promql::StringResult{{0}, "a\"b"}), StatsMode::kNone),
            R"({"resultType":"string","result":[0,"a\"b"]})");
}

TEST(ResultJsonTest, VectorsAndSpecialValues) {
  promql::VectorResult vector;
  vector.series.push_back(
      {Labels::Of({{"__name__", "up"}, {"path", "<&>"}}), {{{1000}, StaleNan(), nullptr}}});
  vector.series.push_back({Labels(), {{{1000}, std::numeric_limits<double>::infinity(), nullptr}}});
  EXPECT_EQ(
      QueryData(Result(std::move(vector)), StatsMode::kNone),
      R"({"resultType":"vector","result":[{"metric":{"__name__":"up","path":"<&>"},"value":[1,"NaN"]},)"
      R"({"metric":{},"value":[1,"+Inf"]}]})");
  EXPECT_EQ(QueryData(Result(promql::VectorResult{}), StatsMode::kNone),
            R"({"resultType":"vector","result":[]})");
}

TEST(ResultJsonTest, MatricesSplitFloatsAndHistograms) {
  auto histogram = std::make_shared<FloatHistogram>();
  histogram->count = 12;
  histogram->sum = 18.4;
  histogram->schema = 0;
  histogram->zero_threshold = 0.001;
  histogram->zero_count = 2;
  histogram->positive_spans = {{0, 2}, {1, 1}};
  histogram->positive_counts = {1, 0, 3};
  histogram->negative_spans = {{0, 1}};
  histogram->negative_counts = {6};
  promql::MatrixResult matrix;
  matrix.series.push_back(
      {Labels::Of({{"a", "b"}}), {{{1000}, 1e21, nullptr}, {{2000}, 0, histogram}}});
  EXPECT_EQ(
      QueryData(Result(std::move(matrix)), StatsMode::kNone),
      R"({"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"1e+21"]],"histograms":[[2,)"
      R"({"count":"12","sum":"18.4","buckets":[[1,"-1","-0.5","6"],[3,"-0.001","0.001","2"],)"
      R"([0,"0.5","1","1"],[0,"4","8","3"]]}]]}]})");
}

TEST(ResultJsonTest, CustomBuckets) {
  FloatHistogram histogram;
  histogram.schema = kCustomBucketsSchema;
  histogram.count = 6;
  histogram.sum = 1;
  histogram.custom_values = {1, 2.5};
  histogram.positive_spans = {{0, 3}};
  histogram.positive_counts = {1, 2, 3};
  std::string out;
  AppendHistogram(out, histogram);
  EXPECT_EQ(
      out,
      R"({"count":"6","sum":"1","buckets":[[3,"-Inf","1","1"],[0,"1","2.5","2"],[0,"2.5","+Inf","3"]]})");
}

TEST(ResultJsonTest, Statistics) {
  promql::QueryResult result = Result(promql::ScalarResult{{0}, 1});
  result.statistics = {.samples_read = 7,
                       .peak_samples = 3,
                       .queue_seconds = 0.5,
                       .prepare_seconds = 0.25,
                       .eval_seconds = 1,
                       .sort_seconds = 0};
  EXPECT_EQ(
      QueryData(result, StatsMode::kTimings),
      R"({"resultType":"scalar","result":[0,"1"],"stats":{"timings":{"evalTotalTime":1.25,"resultSortTime":0,)"
      R"("queryPreparationTime":0.25,"innerEvalTime":1,"execQueueTime":0.5,"execTotalTime":1.75},)"
      R"("samples":{"totalQueryableSamples":7,"peakSamples":3}}})");
}

}  // namespace
}  // namespace sonde::api
