#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/labels.h"

// Series as a fleet of LLM servers has them, for the benchmarks: for each pod some 470 series of
// 108 metrics, most of them buckets of histograms; 7.5 labels and 174 bytes of label text a series.

namespace sonde::tsdb {

inline std::vector<Labels> MakeBenchSeries(std::size_t count) {
  static constexpr const char* kModels[] = {"meta-llama/Llama-3.1-70B-Instruct",
                                            "Qwen/Qwen2.5-72B-Instruct",
                                            "deepseek-ai/DeepSeek-V3",
                                            "mistralai/Mixtral-8x22B-Instruct-v0.1",
                                            "google/gemma-2-27b-it",
                                            "microsoft/Phi-3-medium-128k-instruct"};
  static constexpr const char* kNamespaces[] = {"llm-prod", "llm-staging", "llm-batch", "research"};
  static constexpr const char* kHistograms[] = {
      "vllm:time_to_first_token_seconds",  "vllm:time_per_output_token_seconds",
      "vllm:inter_token_latency_seconds",  "vllm:e2e_request_latency_seconds",
      "vllm:request_queue_time_seconds",   "vllm:request_inference_time_seconds",
      "vllm:request_prefill_time_seconds", "vllm:request_decode_time_seconds",
      "vllm:request_prompt_tokens",        "vllm:request_generation_tokens",
      "vllm:request_params_max_tokens",    "vllm:iteration_tokens_total"};
  std::vector<Labels> series;
  series.reserve(count);
  Rng rng(42);
  for (std::uint32_t pod = 0; series.size() < count; ++pod) {
    std::string hash;
    for (int i = 0; i < 15; ++i) {
      hash += i == 10 ? '-' : "bcdfghjklmnpqrstvwxz2456789"[rng.Below(27)];
    }
    const std::string pod_name = "vllm-llama-3-1-70b-" + hash;
    const std::string instance = "10." + std::to_string(16 + pod / 62500) + "." +
                                 std::to_string(pod / 250 % 250) + "." +
                                 std::to_string(1 + pod % 250) + ":8000";
    const auto put = [&](const std::string& name, const char* job, const char* extra,
                         const std::string& extra_value, bool engine) {
      if (series.size() >= count) return;
      std::vector<LabelView> labels{{"__name__", name}, {"instance", instance},
                                    {"job", job},       {"namespace", kNamespaces[pod % 4]},
                                    {"pod", pod_name},  {"model_name", kModels[pod % 6]}};
      if (extra != nullptr) labels.push_back({extra, extra_value});
      if (engine) labels.push_back({"engine", "0"});
      series.push_back(Labels::FromPairs(labels));
    };
    for (int i = 0; i < 30; ++i) {
      put("process_metric_" + std::to_string(i) + "_seconds_total", "vllm", nullptr, "", false);
    }
    for (int gpu = 0; gpu < 4; ++gpu) {
      for (int i = 0; i < 20; ++i) {
        put("DCGM_FI_DEV_METRIC_" + std::to_string(i), "dcgm", "gpu", std::to_string(gpu), false);
      }
    }
    for (int i = 0; i < 22; ++i) {
      put("vllm:gauge_or_counter_" + std::to_string(i), "vllm", nullptr, "", true);
    }
    for (const char* histogram : kHistograms) {
      for (int bucket = 0; bucket < 24; ++bucket) {
        put(std::string(histogram) + "_bucket", "vllm", "le", std::to_string(0.01 * (1 << bucket)),
            true);
      }
      put(std::string(histogram) + "_sum", "vllm", nullptr, "", true);
      put(std::string(histogram) + "_count", "vllm", nullptr, "", true);
    }
  }
  return series;
}

}  // namespace sonde::tsdb
