#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "promql/parser.h"
#include "promql/promqltest/memory_store.h"
#include "promql/promqltest/runner.h"

// The queries of the dashboards that ship with LLM engines, on a store in memory: what is measured
// is the evaluator, not decoding, HTTP or JSON. Each runs with 43 engines (as bench/ does, for
// comparison with other servers) and with 240.

namespace sonde::promql {
namespace {

constexpr std::int64_t kInterval = 15'000;
constexpr std::int64_t kSamples = 6 * 240 + 240;  // Seven hours.
constexpr std::int64_t kEnd = kInterval * (kSamples - 1);
constexpr int kBuckets = 24;

// Engines with histograms, counters and gauges; four GPUs each.
class Cluster {
 public:
  explicit Cluster(int engines) : rng_(1) {
    for (int i = 0; i < engines; ++i) {
      AddEngine(i);
    }
  }

  const MemoryStore& store() const { return store_; }

 private:
  void AddEngine(int i) {
    const std::string instance = "10.16.0." + std::to_string(i) + ":8000";
    const std::string pod =
        "vllm-deepseek-" + std::to_string(i) + "-7d9f6c5b4-x" + std::to_string(i * 7919 % 97);
    const std::string model = "deepseek-ai/model-" + std::to_string(i % 8);
    const auto labels = [&](std::string_view name, std::string_view extra, std::string_view value) {
      return Labels::Of({{"__name__", name},
                         {"cluster", "prod-eu-west"},
                         {"container", "engine"},
                         {"endpoint", "metrics"},
                         {"instance", instance},
                         {"job", "vllm"},
                         {"model_name", model},
                         {"namespace", "llm-prod"},
                         {"node", "gpu-node-" + std::to_string(i / 2)},
                         {"pod", pod},
                         {extra, value}});
    };
    for (int b = 0; b < kBuckets; ++b) {
      const std::string le =
          b + 1 == kBuckets ? "+Inf" : std::to_string(1 << (b / 2)) + (b % 2 == 0 ? ".0" : ".5");
      AddCounter(labels("ttft_seconds_bucket", "le", le), b + 1);
    }
    AddCounter(labels("generation_tokens_total", "", ""), 150'000);
    AddGauge(labels("cache_usage_ratio", "", ""), false);
    AddConstant(labels("cache_config_info", "cache_dtype", i % 3 == 0 ? "fp8" : "auto"));
    for (int gpu = 0; gpu < 4; ++gpu) {
      AddGauge(labels("gpu_memory_used", "gpu", std::to_string(gpu)), true);
      AddGauge(labels("gpu_power_watts", "gpu", std::to_string(gpu)), false);
    }
  }

  void AddCounter(const Labels& series, std::uint64_t rate) {
    double value = 0;
    for (std::int64_t i = 0; i < kSamples; ++i) {
      value += static_cast<double>(rng_.Below(rate * 2));
      store_.Append(series, {i * kInterval}, value);
    }
  }
  void AddGauge(const Labels& series, bool whole) {
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const double v = whole ? static_cast<double>(70'000 + rng_.Below(4000)) : rng_.Uniform();
      store_.Append(series, {i * kInterval}, v);
    }
  }
  void AddConstant(const Labels& series) {
    for (std::int64_t i = 0; i < kSamples; ++i) {
      store_.Append(series, {i * kInterval}, 1);
    }
  }

  Rng rng_;
  MemoryStore store_;
};

const MemoryStore& StoreOf(std::int64_t engines) {
  static const Cluster small(43);
  static const Cluster large(240);
  return (engines == 43 ? small : large).store();
}

void RunWith(const Evaluator& evaluator, benchmark::State& state, const char* query,
             std::int64_t hours, std::int64_t step) {
  const MemoryStore& store = StoreOf(state.range(0));
  const auto expr = ParseExpr(query, ScriptParserOptions());
  CHECK(expr.ok());
  QueryRange range{.start = {kEnd}, .end = {kEnd}};
  if (hours > 0) {
    range.start = {kEnd - hours * 3'600'000};
    range.step = Duration(step);
  }
  QueryStatistics statistics;
  for (auto _ : state) {
    auto result = evaluator.Evaluate(**expr, range, store, {}, nullptr);
    CHECK(result.ok());
    statistics = result->statistics;
    benchmark::DoNotOptimize(result);
  }
  state.counters["window_samples"] = static_cast<double>(statistics.samples_read);
  state.counters["peak_samples"] = static_cast<double>(statistics.peak_samples);
}

void Run(benchmark::State& state, const char* query, std::int64_t hours, std::int64_t step) {
  const SystemClock clock;
  RunWith(*NewEvaluator(clock), state, query, hours, step);
}

// The oracle, to see what planning is worth.
void RunNaive(benchmark::State& state, const char* query, std::int64_t hours, std::int64_t step) {
  const SystemClock clock;
  RunWith(*NewNaiveEvaluator(clock), state, query, hours, step);
}

#define QUERY_BENCHMARK(name, query, hours, step) \
  BENCHMARK_CAPTURE(Run, name, query, hours, step)->Arg(43)->Arg(240)->Unit(benchmark::kMillisecond)

QUERY_BENCHMARK(quantile_by_model_1h,
                "histogram_quantile(0.99, sum by (le, model_name) (rate(ttft_seconds_bucket[5m])))",
                1, 15'000);
QUERY_BENCHMARK(quantile_by_model_6h,
                "histogram_quantile(0.99, sum by (le, model_name) (rate(ttft_seconds_bucket[5m])))",
                6, 60'000);
QUERY_BENCHMARK(sum_rate_by_instance_1h, "sum by (instance) (rate(generation_tokens_total[5m]))", 1,
                15'000);
constexpr const char* kSumRateByJob = "sum by (job) (rate(ttft_seconds_bucket[5m]))";
QUERY_BENCHMARK(sum_rate_by_job_1h, kSumRateByJob, 1, 15'000);
BENCHMARK_CAPTURE(RunNaive, sum_rate_by_job_1h, kSumRateByJob, 1, 15'000)
    ->Arg(43)
    ->Arg(240)
    ->Unit(benchmark::kMillisecond);
QUERY_BENCHMARK(topk_rate_1h, "topk(5, sum by (pod) (rate(generation_tokens_total[5m])))", 1,
                15'000);
QUERY_BENCHMARK(avg_over_time_6h, "avg_over_time(cache_usage_ratio[10m])", 6, 60'000);
QUERY_BENCHMARK(predict_linear_1h, "predict_linear(gpu_memory_used[1h], 4*3600)", 1, 60'000);
QUERY_BENCHMARK(quantile_over_time_1h, "quantile_over_time(0.95, gpu_memory_used[30m])", 1, 60'000);
QUERY_BENCHMARK(subquery_max_rate_1h,
                "max_over_time(sum by (model_name) (rate(generation_tokens_total[5m]))[30m:1m])", 1,
                60'000);
QUERY_BENCHMARK(
    join_group_left_1h,
    "sum by (cache_dtype, model_name) (gpu_power_watts * on (pod) group_left (cache_dtype) "
    "cache_config_info)",
    1, 15'000);
QUERY_BENCHMARK(
    ratio_1h,
    "sum by (pod) (rate(generation_tokens_total[5m])) / on (pod) sum by (pod) (gpu_power_watts)", 1,
    15'000);
QUERY_BENCHMARK(raw_select_1h, "gpu_memory_used", 1, 15'000);
QUERY_BENCHMARK(count_all_instant, "count({__name__=~\".+\"})", 0, 0);
QUERY_BENCHMARK(single_series_instant, "generation_tokens_total{instance=\"10.16.0.1:8000\"}", 0,
                0);

void ParseQuery(benchmark::State& state) {
  for (auto _ : state) {
    auto expr = ParseExpr(
        "histogram_quantile(0.99, sum by (le, model_name) "
        "(rate(ttft_seconds_bucket{job=~\"vllm|sglang\"}"
        "[5m]))) > on (model_name) group_left () slo_seconds offset 1h");
    benchmark::DoNotOptimize(expr);
  }
}
BENCHMARK(ParseQuery);

}  // namespace
}  // namespace sonde::promql
