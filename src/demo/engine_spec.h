#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What a simulated engine is: the model that it serves, its limits, and what a step costs.
// docs/demo.md gives the sources and assumptions behind the numbers.

namespace sonde::demo {

/// The time of one engine step at full clock:
///
///   base + experts × (1 − e^(−sequences / expert_spread)) + per_sequence × sequences +
///   per_kv_token × KV tokens read
///        + per_prefill_token × tokens prefilled + per_attention_pair × Σ tokens prefilled ×
///        context
///
/// Weights are read once per step (base); a mixture of experts reads more of them the more
/// sequences ask (experts). Of all this, `memory_share` depends on the memory's clock alone and
/// does not slow down with the processors'.
struct StepCost {
  double base_us = 0;
  double experts_us = 0;
  double expert_spread = 1;
  double per_sequence_us = 0;
  double per_kv_token_us = 0;
  double per_prefill_token_us = 0;
  double per_attention_pair_us = 0;
  double memory_share = 0.3;
};

struct EngineSpec {
  std::string name;   ///< "deepseek-v3-0": unique in the cluster.
  std::string model;  ///< As clients ask for it.
  std::string node;   ///< The machine that it runs on.
  std::uint32_t gpus = 8;
  std::uint32_t kv_blocks =
      1024;  ///< Far fewer than such a machine has, so that a few requests are seen.
  std::uint32_t block_tokens = 64;
  std::uint32_t max_num_seqs = 32;
  std::uint32_t max_batched_tokens = 2048;
  std::uint32_t max_model_len = 32'768;
  bool reasons = false;           ///< Its answers begin with reasoning.
  double failure_ratio = 0.0005;  ///< Of requests: the engine breaks off in the middle.
  StepCost cost;
  std::uint64_t weights_bytes_per_gpu = 0;  ///< For the GPUs' memory in use.
};

/// The demo's cluster: two DeepSeek-V3 and two DeepSeek-R1 on eight H200 each, and a distilled 7B
/// model on one.
std::vector<EngineSpec> DemoCluster();

}  // namespace sonde::demo
