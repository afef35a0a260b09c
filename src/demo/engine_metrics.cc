#include "demo/engine_metrics.h"

#include <algorithm>

#include "demo/page_writer.h"

namespace sonde::demo {
namespace {

// vLLM's ladders (seconds, tokens). The last of the 1-2-5 series is below the longest context.
constexpr double kFirstTokenBounds[] = {0.001, 0.005, 0.01, 0.02,  0.04,  0.06,  0.08, 0.1,
                                        0.25,  0.5,   0.75, 1.0,   2.5,   5.0,   7.5,  10.0,
                                        20.0,  40.0,  80.0, 160.0, 640.0, 2560.0};
constexpr double kTokenGapBounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,  0.3,  0.4, 0.5,
                                      0.75, 1.0,   2.5,  5.0,   7.5, 10.0, 20.0, 40.0, 80.0};
constexpr double kRequestBounds[] = {0.3,  0.5,   0.8,   1.0,   1.5,   2.0,    2.5,
                                     5.0,  10.0,  15.0,  20.0,  30.0,  40.0,   50.0,
                                     60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
constexpr double kIterationBounds[] = {1,   8,    16,   32,   64,   128,  256,
                                       512, 1024, 2048, 4096, 8192, 16384};
constexpr double kTokenBounds[] = {1,   2,    5,    10,   20,    50,    100,   200,
                                   500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
constexpr double kCountBounds[] = {1, 2, 5, 10, 20};

void WriteState(const EngineMetrics& metrics, PageWriter& page) {
  page.Family("vllm:num_requests_running", "Number of requests in model execution batches.",
              "gauge");
  page.Sample(metrics.running);
  page.Family("vllm:num_requests_waiting", "Number of requests waiting to be processed.", "gauge");
  page.Sample(metrics.waiting);
  page.Family(
      "vllm:num_requests_waiting_by_reason",
      "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling "
      "capacity; 'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked "
      "status). Sum of all reasons equals vllm:num_requests_waiting.",
      "gauge");
  page.Sample(metrics.waiting, {{"reason", "capacity"}});
  page.Sample(0, {{"reason", "deferred"}});
  page.Family(
      "vllm:engine_sleep_state",
      "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; "
      "weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.",
      "gauge");
  page.Sample(1, {{"sleep_state", "awake"}});
  page.Sample(0, {{"sleep_state", "weights_offloaded"}});
  page.Sample(0, {{"sleep_state", "discard_all"}});
  page.Family("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", "gauge");
  page.Sample(metrics.kv_usage);
}

void WriteCounters(const EngineMetrics& metrics, PageWriter& page) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    page.Family(name, help, "counter");
    page.Sample(static_cast<double>(value));
  };
  counter("vllm:prefix_cache_queries_total",
          "Prefix cache queries, in terms of number of queried tokens.", metrics.prefix_queries);
  counter("vllm:prefix_cache_hits_total", "Prefix cache hits, in terms of number of cached tokens.",
          metrics.prefix_hits);
  counter("vllm:num_preemptions_total", "Cumulative number of preemption from the engine.",
          metrics.preemptions);
  counter("vllm:prompt_tokens_total", "Number of prefill tokens processed.", metrics.prompt_tokens);
  page.Family("vllm:prompt_tokens_by_source_total", "Number of prompt tokens by source.",
              "counter");
  page.Sample(static_cast<double>(metrics.prompt_tokens - metrics.prompt_tokens_cached),
              {{"source", "local_compute"}});
  page.Sample(static_cast<double>(metrics.prompt_tokens_cached), {{"source", "local_cache_hit"}});
  page.Sample(0, {{"source", "external_kv_transfer"}});
  counter("vllm:prompt_tokens_cached_total", "Number of cached prompt tokens (local + external).",
          metrics.prompt_tokens_cached);
  counter("vllm:generation_tokens_total", "Number of generation tokens processed.",
          metrics.generation_tokens);
  page.Family("vllm:request_success_total", "Count of successfully processed requests.", "counter");
  for (std::size_t i = 0; i < kFinishReasons; ++i) {
    page.Sample(static_cast<double>(metrics.finished[i]),
                {{"finished_reason", ToString(static_cast<FinishReason>(i))}});
  }
}

void WriteHistograms(const EngineMetrics& m, PageWriter& page) {
  const auto histogram = [&](std::string_view name, std::string_view help,
                             const SimHistogram& values) {
    page.Family(name, help, "histogram");
    page.Histogram(values);
  };
  histogram("vllm:request_prompt_tokens", "Number of prefill tokens processed.",
            m.request_prompt_tokens);
  histogram("vllm:request_generation_tokens", "Number of generation tokens processed.",
            m.request_generation_tokens);
  histogram("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.",
            m.iteration_tokens);
  histogram("vllm:request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.", m.max_generation_tokens);
  histogram("vllm:request_params_n", "Histogram of the n request parameter.", m.params_n);
  histogram("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.",
            m.params_max_tokens);
  histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.",
            m.time_to_first_token);
  histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.",
            m.inter_token_latency);
  histogram("vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.", m.time_per_output_token);
  histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.",
            m.e2e_latency);
  histogram("vllm:request_queue_time_seconds",
            "Histogram of time spent in WAITING phase for request.", m.queue_time);
  histogram("vllm:request_inference_time_seconds",
            "Histogram of time spent in RUNNING phase for request.", m.inference_time);
  histogram("vllm:request_prefill_time_seconds",
            "Histogram of time spent in PREFILL phase for request.", m.prefill_time);
  histogram("vllm:request_decode_time_seconds",
            "Histogram of time spent in DECODE phase for request.", m.decode_time);
  histogram("vllm:request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
            m.prefill_computed_tokens);
}

}  // namespace

void SimHistogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  ++count_;
  sum_ += value;
}

std::string_view ToString(FinishReason reason) {
  static constexpr std::string_view kNames[kFinishReasons] = {"stop", "length", "abort", "error",
                                                              "repetition"};
  return kNames[static_cast<std::size_t>(reason)];
}

EngineMetrics::EngineMetrics()
    : request_prompt_tokens(kTokenBounds),
      request_generation_tokens(kTokenBounds),
      iteration_tokens(kIterationBounds),
      max_generation_tokens(kTokenBounds),
      params_n(kCountBounds),
      params_max_tokens(kTokenBounds),
      prefill_computed_tokens(kTokenBounds),
      time_to_first_token(kFirstTokenBounds),
      inter_token_latency(kTokenGapBounds),
      time_per_output_token(kTokenGapBounds),
      e2e_latency(kRequestBounds),
      queue_time(kRequestBounds),
      inference_time(kRequestBounds),
      prefill_time(kRequestBounds),
      decode_time(kRequestBounds) {}

void WriteVllmPage(const EngineSpec& spec, const EngineMetrics& metrics, const HttpCounts& http,
                   std::string& page) {
  PageWriter writer(page, {{"engine", "0"}, {"model_name", spec.model}});
  WriteState(metrics, writer);
  WriteCounters(metrics, writer);
  WriteHistograms(metrics, writer);

  PageWriter config(page, {{"engine", "0"}});
  config.Family("vllm:cache_config_info", "Information of the LLMEngine CacheConfig", "gauge");
  const std::string block_size = std::to_string(spec.block_tokens);
  const std::string blocks = std::to_string(spec.kv_blocks);
  config.Sample(1, {{"block_size", block_size},
                    {"cache_dtype", "fp8"},
                    {"enable_prefix_caching", "True"},
                    {"gpu_memory_utilization", "0.9"},
                    {"num_cpu_blocks", "None"},
                    {"num_gpu_blocks", blocks}});

  PageWriter server(page, {});
  server.Family("http_requests_total", "Total number of requests by method, status and handler.",
                "counter");
  for (const auto& [key, count] : http) {
    const std::string_view method =
        key.first.find("/completions") != std::string::npos ? "POST" : "GET";
    server.Sample(static_cast<double>(count),
                  {{"handler", key.first}, {"method", method}, {"status", key.second}});
  }
}

}  // namespace sonde::demo
