#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "demo/engine_spec.h"

// What a simulated engine counts, and the page on which it shows it: vLLM's names, labels, buckets
// and help texts (V1 engine, 2026), each line with simulated="true".

namespace sonde::demo {

/// A histogram in Prometheus's classic form. Not thread-safe.
class SimHistogram {
 public:
  explicit SimHistogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void Observe(double value);
  std::span<const double> bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& counts() const {
    return counts_;
  }  ///< Per bucket; the last is +Inf.
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

enum class FinishReason : unsigned char { kStop, kLength, kAbort, kError, kRepetition };
inline constexpr std::size_t kFinishReasons = 5;
/// As vLLM's label has it: "stop", "length", "abort", "error", "repetition".
std::string_view ToString(FinishReason reason);

/// Not thread-safe: guarded by whoever guards the engine.
struct EngineMetrics {
  EngineMetrics();

  std::uint32_t running = 0;
  std::uint32_t waiting = 0;
  double kv_usage = 0;
  std::uint64_t prefix_queries = 0, prefix_hits = 0;  // Tokens.
  std::uint64_t preemptions = 0;
  std::uint64_t prompt_tokens = 0, prompt_tokens_cached = 0, generation_tokens = 0;
  std::uint64_t finished[kFinishReasons] = {};
  SimHistogram request_prompt_tokens, request_generation_tokens, iteration_tokens;
  SimHistogram max_generation_tokens, params_n, params_max_tokens, prefill_computed_tokens;
  SimHistogram time_to_first_token, inter_token_latency, time_per_output_token;
  SimHistogram e2e_latency, queue_time, inference_time, prefill_time, decode_time;
};

/// Requests by (handler, status class), as vLLM's HTTP layer counts them.
using HttpCounts = std::map<std::pair<std::string, std::string>, std::uint64_t>;

/// Appends the /metrics page of an engine, text format 0.0.4.
void WriteVllmPage(const EngineSpec& spec, const EngineMetrics& metrics, const HttpCounts& http,
                   std::string& page);

}  // namespace sonde::demo
