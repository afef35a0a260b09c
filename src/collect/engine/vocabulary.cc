#include "collect/engine/vocabulary.h"

#include <algorithm>

namespace sonde::collect {
namespace {

using enum MetricType;

constexpr CanonicalMetric kMetrics[] = {
    {"deepseek_accelerator_clock_hertz", kGauge, "gpu uuid vendor gpu_instance domain",
     "Clock of the accelerator."},
    {"deepseek_accelerator_compute_active_ratio", kGauge, "gpu uuid vendor gpu_instance",
     "Share of cycles in which the tensor or matrix units worked."},
    {"deepseek_accelerator_ecc_errors_total", kCounter,
     "gpu uuid vendor gpu_instance kind location",
     "Memory errors of the accelerator, corrected or not."},
    {"deepseek_accelerator_energy_joules_total", kCounter, "gpu uuid vendor gpu_instance",
     "Energy that the accelerator used."},
    {"deepseek_accelerator_fault_events_total", kCounter, "gpu uuid vendor gpu_instance code",
     "Faults that the accelerator's driver reported, by its code."},
    {"deepseek_accelerator_health", kGauge, "gpu uuid vendor gpu_instance",
     "1: the accelerator is healthy; 0: it is not."},
    {"deepseek_accelerator_link_bytes_total", kCounter,
     "gpu uuid vendor gpu_instance link direction", "Bytes between accelerators (NVLink, xGMI)."},
    {"deepseek_accelerator_memory_bandwidth_ratio", kGauge, "gpu uuid vendor gpu_instance",
     "Share of time in which the accelerator's memory was read or written."},
    {"deepseek_accelerator_memory_total_bytes", kGauge, "gpu uuid vendor gpu_instance",
     "Memory of the accelerator."},
    {"deepseek_accelerator_memory_used_bytes", kGauge, "gpu uuid vendor gpu_instance",
     "Memory of the accelerator in use."},
    {"deepseek_accelerator_network_bytes_per_second", kGauge, "gpu uuid vendor udie port direction",
     "Traffic of the accelerator's own network ports."},
    {"deepseek_accelerator_pcie_bytes_total", kCounter, "gpu uuid vendor gpu_instance direction",
     "Bytes between the accelerator and its host."},
    {"deepseek_accelerator_power_watts", kGauge, "gpu uuid vendor gpu_instance",
     "Power that the accelerator draws."},
    {"deepseek_accelerator_temperature_celsius", kGauge,
     "gpu uuid vendor gpu_instance sensor stack", "Temperature of the accelerator."},
    {"deepseek_accelerator_throttle_seconds_total", kCounter, "gpu uuid vendor gpu_instance reason",
     "Time that the accelerator ran slower than it could."},
    {"deepseek_accelerator_utilization_ratio", kGauge, "gpu uuid vendor gpu_instance",
     "Share of time in which the accelerator worked."},
    {"deepseek_api_balance", kGauge, "currency kind", "Money left on the account of a hosted API."},
    {"deepseek_cached_prompt_tokens_total", kCounter, "tier",
     "Prompt tokens that were served from a prefix cache."},
    {"deepseek_cost_total", kCounter, "tenant currency token_kind",
     "Money spent, at the price that was valid at the time."},
    {"deepseek_engine_batch_requests", kGauge, "rank", "Requests in the engine's last step."},
    {"deepseek_engine_busy_seconds_total", kCounter, "category",
     "Time in which the engine ran forward passes."},
    {"deepseek_engine_flops_total", kCounter, "",
     "Estimated floating-point operations of each accelerator."},
    {"deepseek_engine_sleep_state", kGauge, "state", "1 for the state that the engine is in."},
    {"deepseek_engine_step_tokens", kHistogram, "mode",
     "Tokens handled in one step of the engine; its count is the engine's heartbeat."},
    {"deepseek_feedback_total", kCounter, "tenant rating", "Ratings that users gave to answers."},
    {"deepseek_gateway_overhead_seconds", kHistogram, "hop stage",
     "Time that routers, tokenizers and proxies add."},
    {"deepseek_generation_tokens_total", kCounter, "kind streaming tenant worker",
     "Tokens generated."},
    {"deepseek_inference_latency_seconds", kHistogram, "streaming tenant worker",
     "Time from a request's arrival to its last token."},
    {"deepseek_inter_token_latency_seconds", kHistogram, "tenant",
     "Gap between two output tokens."},
    {"deepseek_kv_cache_capacity_tokens", kGauge, "", "Tokens that fit into the KV cache."},
    {"deepseek_kv_cache_evicted_tokens_total", kCounter, "tier reason cache_type",
     "Tokens that were dropped from the KV cache."},
    {"deepseek_kv_cache_usage_ratio", kGauge, "tier pool", "Share of the KV cache in use."},
    {"deepseek_kv_offload_bytes_total", kCounter, "direction tier cache_type",
     "Bytes moved between the tiers of the KV cache."},
    {"deepseek_kv_transfer_bytes", kHistogram, "connector",
     "Size of one transfer of KV cache from prefill to decode."},
    {"deepseek_kv_transfer_failures_total", kCounter, "connector stage",
     "Transfers of KV cache that failed."},
    {"deepseek_kv_transfer_seconds", kHistogram, "connector stage",
     "Duration of one transfer of KV cache from prefill to decode."},
    {"deepseek_lora_requests", kGauge, "adapter state", "Requests of one LoRA adapter."},
    {"deepseek_moe_balance_ratio", kGauge, "forward_mode",
     "Mean load of the expert-parallel ranks over the highest; 1 is even."},
    {"deepseek_moe_rank_tokens_total", kCounter, "layer rank",
     "Tokens routed to an expert-parallel rank."},
    {"deepseek_output_corrupted_total", kCounter, "kind",
     "Answers that are broken: not-a-number logits, repetition, a grammar given up."},
    {"deepseek_preemptions_total", kCounter, "",
     "Requests that lost their place for lack of KV cache."},
    {"deepseek_prefix_cache_hit_tokens_total", kCounter, "tier",
     "Prompt tokens found in the prefix cache."},
    {"deepseek_prefix_cache_query_tokens_total", kCounter, "tier kind streaming",
     "Prompt tokens looked up in the prefix cache."},
    {"deepseek_prompt_tokens_total", kCounter, "kind streaming tenant worker",
     "Prompt tokens received."},
    {"deepseek_request_decode_seconds", kHistogram, "",
     "Time from a request's first token to its last."},
    {"deepseek_request_generation_tokens", kHistogram, "tenant",
     "Tokens generated for one request."},
    {"deepseek_request_inference_seconds", kHistogram, "",
     "Time of a request in prefill and decode."},
    {"deepseek_request_prefill_seconds", kHistogram, "", "Time of a request in prefill."},
    {"deepseek_request_prompt_tokens", kHistogram, "tenant", "Prompt tokens of one request."},
    {"deepseek_request_queue_seconds", kHistogram, "outcome tenant",
     "Time of a request before it is first scheduled."},
    {"deepseek_requests_cancelled_total", kCounter, "stage", "Requests that the client gave up."},
    {"deepseek_requests_rejected_total", kCounter, "reason tenant",
     "Requests that were refused: overload, limits, quota."},
    {"deepseek_requests_running", kGauge, "reason tenant worker", "Requests in the running batch."},
    {"deepseek_requests_total", kCounter,
     "outcome code reason finish_reason streaming tenant worker", "Requests ended."},
    {"deepseek_requests_waiting", kGauge, "reason tenant worker",
     "Requests that wait to be scheduled."},
    {"deepseek_slo_good_requests_total", kCounter, "objective",
     "Requests that met every objective."},
    {"deepseek_spec_accepted_length_tokens", kGauge, "",
     "Mean tokens per step of speculative decoding."},
    {"deepseek_spec_accepted_tokens_total", kCounter, "", "Draft tokens that were accepted."},
    {"deepseek_spec_draft_tokens_total", kCounter, "", "Draft tokens that were proposed."},
    {"deepseek_spec_drafts_total", kCounter, "", "Steps of speculative decoding."},
    {"deepseek_startup_seconds", kGauge, "phase graph", "Duration of the engine's last start."},
    {"deepseek_time_per_output_token_seconds", kHistogram, "tenant",
     "Mean gap between a request's output tokens after the first."},
    {"deepseek_time_to_first_token_seconds", kHistogram, "streaming tenant",
     "Time from a request's arrival to its first token."},
    {"deepseek_weight_load_seconds", kGauge, "origin",
     "Duration of the engine's last load of weights."},
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

const CanonicalMetric* FindCanonicalFamily(std::string_view name) {
  if (const CanonicalMetric* metric = FindCanonicalMetric(name)) return metric;
  for (const std::string_view suffix : {"_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const CanonicalMetric* family =
        FindCanonicalMetric(name.substr(0, name.size() - suffix.size()));
    if (family != nullptr && family->type == kHistogram) return family;
  }
  return nullptr;
}

std::string_view UnitOf(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(sizeof("_total") - 1);
  if (name.ends_with("_bytes_per_second")) return "bytes/second";
  for (const std::string_view unit : {"seconds", "bytes", "tokens", "ratio", "celsius", "watts",
                                      "joules", "hertz", "requests", "flops"}) {
    if (name.ends_with(unit)) return unit;
  }
  return "";
}

}  // namespace sonde::collect
