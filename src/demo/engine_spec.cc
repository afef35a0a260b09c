#include "demo/engine_spec.h"

namespace sonde::demo {
namespace {

// 671 B parameters, 37 B active, FP8, tensor parallel over 8 × H200 (141 GB, 4.8 TB/s).
StepCost LargeModelCost() {
  StepCost cost;
  cost.base_us = 17'000;  // Attention and shared weights, all-reduce in 61 layers, launch overhead.
  cost.experts_us = 9'000;  // All 256 routed experts instead of the 8 of one token.
  cost.expert_spread = 24;
  cost.per_sequence_us = 60;
  cost.per_kv_token_us = 0.020;    // 70 kB of latent KV per token, read by every rank.
  cost.per_prefill_token_us = 65;  // About 15,000 tokens/s of prefill.
  cost.per_attention_pair_us = 0.00012;
  cost.memory_share = 0.3;
  return cost;
}

// 7 B dense, BF16, one H200.
StepCost SmallModelCost() {
  StepCost cost;
  cost.base_us = 5'200;
  cost.per_sequence_us = 45;
  cost.per_kv_token_us = 0.014;  // 57 kB of grouped-query KV per token.
  cost.per_prefill_token_us = 24;
  cost.per_attention_pair_us = 0.00003;
  cost.memory_share = 0.3;
  return cost;
}

EngineSpec Large(std::string name, std::string model, std::string node, bool reasons) {
  EngineSpec spec;
  spec.name = std::move(name);
  spec.model = std::move(model);
  spec.node = std::move(node);
  spec.reasons = reasons;
  spec.cost = LargeModelCost();
  spec.weights_bytes_per_gpu = 86ULL << 30;
  return spec;
}

}  // namespace

std::vector<EngineSpec> DemoCluster() {
  std::vector<EngineSpec> cluster = {
      Large("deepseek-v3-0", "deepseek-v3", "sim-node-1", false),
      Large("deepseek-v3-1", "deepseek-v3", "sim-node-2", false),
      Large("deepseek-r1-0", "deepseek-r1", "sim-node-3", true),
      Large("deepseek-r1-1", "deepseek-r1", "sim-node-4", true),
  };
  EngineSpec small;
  small.name = "deepseek-r1-distill-qwen-7b-0";
  small.model = "deepseek-r1-distill-qwen-7b";
  small.node = "sim-node-5";
  small.gpus = 1;
  small.kv_blocks = 2048;
  small.max_num_seqs = 64;
  small.max_batched_tokens = 8192;
  small.reasons = true;
  small.cost = SmallModelCost();
  small.weights_bytes_per_gpu = 15ULL << 30;
  cluster.push_back(std::move(small));
  return cluster;
}

}  // namespace sonde::demo
