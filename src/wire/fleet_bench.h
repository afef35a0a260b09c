#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/number.h"

// A synthetic fleet of LLM servers, for benchmarks: the metric families, label counts and label
// lengths of a vLLM pod with four GPUs (about 470 series a pod, 7.5 labels and 170 bytes of label
// text a series). Deterministic.

namespace sonde::bench {

using LabelPairs = std::vector<std::pair<std::string, std::string>>;

struct FleetSeries {
  std::string family;
  std::string name;
  LabelPairs labels;  ///< Sorted by name, without __name__.
  double value = 0;
};

class Fleet {
 public:
  /// `with_target_labels` adds `instance` and `job`, as remote write has them and a scraped page
  /// has not.
  Fleet(std::size_t series, bool with_target_labels) : target_labels_(with_target_labels) {
    series_.reserve(series + 512);
    for (std::size_t pod = 0; series_.size() < series; ++pod)
      AddPod(pod);
    series_.resize(series);
  }

  std::vector<FleetSeries>& series() { return series_; }

  /// Every series moves on, most of them a little.
  void Step() {
    for (FleetSeries& s : series_) {
      if (Random() % 4 != 0) s.value += static_cast<double>(Random() % 50);
    }
  }

 private:
  std::uint64_t Random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

  std::string RandomWord(std::size_t size) {
    constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
    std::string word;
    for (std::size_t i = 0; i < size; ++i)
      word.push_back(kLetters[Random() % kLetters.size()]);
    return word;
  }

  void Add(std::string family, std::string name, LabelPairs own, bool integer = true) {
    LabelPairs labels = common_;
    labels.insert(labels.end(), own.begin(), own.end());
    std::sort(labels.begin(), labels.end());
    const double value = static_cast<double>(Random() % 1000000);
    series_.push_back(
        {std::move(family), std::move(name), std::move(labels), integer ? value : value / 1009});
  }

  void AddHistogram(const std::string& name, std::size_t buckets) {
    double bound = 0.001;
    for (std::size_t i = 0; i < buckets; ++i, bound *= 2.5) {
      std::string le;
      AppendFloatOpenMetrics(le, bound);
      Add(name, name + "_bucket", {{"le", le}});
    }
    Add(name, name + "_bucket", {{"le", "+Inf"}});
    Add(name, name + "_sum", {}, false);
    Add(name, name + "_count", {});
  }

  void AddPod(std::size_t pod) {
    constexpr std::string_view kModels[] = {
        "meta-llama/Llama-3.1-70B-Instruct", "deepseek-ai/DeepSeek-V3",
        "Qwen/Qwen2.5-Coder-32B-Instruct", "google/gemma-2-27b-it"};
    const std::string model(kModels[pod % 4]);
    const LabelPairs pod_labels{
        {"namespace", "llm-prod"},
        {"pod", "vllm-deepseek-v3-" + RandomWord(10) + "-" + RandomWord(5)}};
    common_ = pod_labels;
    if (target_labels_) {
      common_.push_back({"instance", "10.16." + std::to_string(pod / 250) + "." +
                                         std::to_string(pod % 250) + ":8000"});
      common_.push_back({"job", "vllm"});
    }
    for (int i = 0; i < 30; ++i)
      Add("http_requests_total", "http_requests_total",
          {{"handler", "/v1/" + RandomWord(12)}, {"method", "POST"}, {"status", "2xx"}});
    common_.push_back({"model_name", model});
    for (int gpu = 0; gpu < 4; ++gpu) {
      for (int i = 0; i < 20; ++i) {
        const std::string name = "DCGM_FI_DEV_METRIC_NUMBER_" + std::to_string(i);
        Add(name, name, {{"gpu", std::to_string(gpu)}}, i % 3 != 0);
      }
    }
    common_.push_back({"engine", std::to_string(pod % 2)});
    constexpr std::string_view kHistograms[] = {
        "vllm:time_to_first_token_seconds",  "vllm:time_per_output_token_seconds",
        "vllm:inter_token_latency_seconds",  "vllm:e2e_request_latency_seconds",
        "vllm:request_queue_time_seconds",   "vllm:request_inference_time_seconds",
        "vllm:request_prefill_time_seconds", "vllm:request_decode_time_seconds",
        "vllm:request_prompt_tokens",        "vllm:request_generation_tokens",
        "vllm:request_params_max_tokens",    "vllm:iteration_tokens_total"};
    for (const std::string_view name : kHistograms)
      AddHistogram(std::string(name), 20);
    for (int i = 0; i < 20; ++i) {
      const std::string name = "vllm:gauge_or_counter_number_" + std::to_string(i) + "_total";
      Add(name, name, {}, i % 4 != 0);
    }
  }

  bool target_labels_;
  std::uint64_t state_ = 88172645463325252ULL;
  LabelPairs common_;
  std::vector<FleetSeries> series_;
};

/// The fleet as a page of the text format: for each family HELP, TYPE and its lines.
inline std::string TextPage(const std::vector<FleetSeries>& series) {
  std::vector<std::string_view> order;
  std::map<std::string_view, std::string> families;
  for (const FleetSeries& s : series) {
    std::string& lines = families[s.family];
    if (lines.empty()) {
      order.push_back(s.family);
      lines = "# HELP " + s.family + " Synthetic metric for the benchmark.\n# TYPE " + s.family +
              (s.name == s.family ? " gauge\n" : " histogram\n");
    }
    lines += s.name;
    char separator = '{';
    for (const auto& [name, value] : s.labels) {
      lines.append(1, separator).append(name).append("=\"").append(value).append("\"");
      separator = ',';
    }
    lines += separator == '{' ? " " : "} ";
    AppendFloatG(lines, s.value);
    lines.push_back('\n');
  }
  std::string page;
  for (const std::string_view family : order)
    page += families[family];
  return page;
}

}  // namespace sonde::bench
