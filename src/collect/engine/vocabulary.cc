#include "collect/engine/vocabulary.h"

#include <algorithm>

namespace sonde::collect {
namespace {

using enum MetricType;

constexpr CanonicalMetric kMetrics[] = {
    {"deepseek_accelerator_clock_hertz", kGauge, "gpu uuid vendor domain",
     "Clock of the accelerator."},
    {"deepseek_accelerator_energy_joules_total", kCounter, "gpu uuid vendor",
     "Energy that the accelerator used."},
    {"deepseek_accelerator_memory_total_bytes", kGauge, "gpu uuid vendor",
     "Memory of the accelerator."},
    {"deepseek_accelerator_memory_used_bytes", kGauge, "gpu uuid vendor",
     "Memory of the accelerator in use."},
    {"deepseek_accelerator_power_watts", kGauge, "gpu uuid vendor",
     "Power that the accelerator draws."},
    {"deepseek_accelerator_temperature_celsius", kGauge, "gpu uuid vendor sensor",
     "Temperature of the accelerator."},
    {"deepseek_accelerator_throttle_seconds_total", kCounter, "gpu uuid vendor reason",
     "Time that the accelerator ran slower than it could."},
    {"deepseek_accelerator_utilization_ratio", kGauge, "gpu uuid vendor",
     "Share of time in which the accelerator worked."},
    {"deepseek_cached_prompt_tokens_total", kCounter, "tier",
     "Prompt tokens that were served from a prefix cache."},
    {"deepseek_engine_step_tokens", kHistogram, "",
     "Tokens handled in one step of the engine; its count is the engine's heartbeat."},
    {"deepseek_engine_step_tokens_count", kHistogram, "mode",
     "Steps of the engine: its heartbeat."},
    {"deepseek_generation_tokens_total", kCounter, "streaming", "Tokens generated."},
    {"deepseek_inference_latency_seconds", kHistogram, "streaming",
     "Time from a request's arrival to its last token."},
    {"deepseek_inter_token_latency_seconds", kHistogram, "", "Gap between two output tokens."},
    {"deepseek_kv_cache_capacity_tokens", kGauge, "", "Tokens that fit into the KV cache."},
    {"deepseek_kv_cache_usage_ratio", kGauge, "tier", "Share of the KV cache in use."},
    {"deepseek_preemptions_total", kCounter, "",
     "Requests that lost their place for lack of KV cache."},
    {"deepseek_prefix_cache_hit_tokens_total", kCounter, "tier",
     "Prompt tokens found in the prefix cache."},
    {"deepseek_prefix_cache_query_tokens_total", kCounter, "kind streaming",
     "Prompt tokens looked up in the prefix cache."},
    {"deepseek_prompt_tokens_total", kCounter, "kind streaming", "Prompt tokens received."},
    {"deepseek_request_decode_seconds", kHistogram, "",
     "Time from a request's first token to its last."},
    {"deepseek_request_generation_tokens", kHistogram, "", "Tokens generated for one request."},
    {"deepseek_request_inference_seconds", kHistogram, "",
     "Time of a request in prefill and decode."},
    {"deepseek_request_prefill_seconds", kHistogram, "", "Time of a request in prefill."},
    {"deepseek_request_prompt_tokens", kHistogram, "", "Prompt tokens of one request."},
    {"deepseek_request_queue_seconds", kHistogram, "",
     "Time of a request before it is first scheduled."},
    {"deepseek_requests_running", kGauge, "reason", "Requests in the running batch."},
    {"deepseek_requests_total", kCounter, "outcome finish_reason streaming", "Requests ended."},
    {"deepseek_requests_waiting", kGauge, "reason", "Requests that wait to be scheduled."},
    {"deepseek_spec_accepted_length_tokens", kGauge, "",
     "Mean tokens per step of speculative decoding."},
    {"deepseek_spec_accepted_tokens_total", kCounter, "", "Draft tokens that were accepted."},
    {"deepseek_spec_draft_tokens_total", kCounter, "", "Draft tokens that were proposed."},
    {"deepseek_spec_drafts_total", kCounter, "", "Steps of speculative decoding."},
    {"deepseek_time_per_output_token_seconds", kHistogram, "",
     "Mean gap between a request's output tokens after the first."},
    {"deepseek_time_to_first_token_seconds", kHistogram, "streaming",
     "Time from a request's arrival to its first token."},
};

}  // namespace

std::span<const CanonicalMetric> Vocabulary() {
  return kMetrics;
}

const CanonicalMetric* FindCanonicalMetric(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kMetrics), std::end(kMetrics), name,
      [](const CanonicalMetric& metric, std::string_view wanted) { return metric.name < wanted; });
  return found != std::end(kMetrics) && found->name == name ? found : nullptr;
}

}  // namespace sonde::collect
