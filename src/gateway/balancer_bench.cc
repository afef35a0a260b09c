#include <string>

#include <benchmark/benchmark.h>

#include "gateway/api_keys.h"
#include "gateway/balancer.h"

// What it costs to find a request's tenant and upstream.

namespace sonde::gateway {
namespace {

void Choose(benchmark::State& state, BalancePolicy policy, std::string_view prompt) {
  instrument::Registry registry;
  Settings settings;
  settings.options.balance.policy = policy;
  for (int i = 0; i < 16; ++i) {
    settings.upstreams.push_back(*Upstream::Create(
        {.name = "u" + std::to_string(i), .url = "http://h" + std::to_string(i), .models = {"m"}},
        settings.options, registry));
  }
  Balancer balancer(1);
  balancer.Configure(settings.options);
  std::int64_t now = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(balancer.Choose(
        settings, {.model = "m", .session = "s", .prompt = prompt, .tokens = 100}, {}, ++now));
  }
}

void BM_LeastTokensOf16(benchmark::State& state) {
  Choose(state, BalancePolicy::kLeastTokens, "");
}
BENCHMARK(BM_LeastTokensOf16);

void BM_SessionAffinityOf16(benchmark::State& state) {
  Choose(state, BalancePolicy::kSessionAffinity, "");
}
BENCHMARK(BM_SessionAffinityOf16);

void BM_PrefixAffinityOf16(benchmark::State& state) {
  Choose(state, BalancePolicy::kPrefixAffinity, std::string(16'384, 'p'));
}
BENCHMARK(BM_PrefixAffinityOf16);

void BM_KeyAmong10000(benchmark::State& state) {
  std::string file;
  for (int i = 0; i < 10'000; ++i)
    file += "t key-number-" + std::to_string(i) + "\n";
  const KeyTable keys(*ParseKeyFile(file));
  for (auto _ : state)
    benchmark::DoNotOptimize(keys.Find("key-number-5000"));
}
BENCHMARK(BM_KeyAmong10000);

}  // namespace
}  // namespace sonde::gateway
