#include "collect/engine/engine_roster.h"

#include <algorithm>

namespace sonde::collect {
namespace {

constexpr Duration kLongestPatience{600'000};
constexpr Duration kForgetAfter{600'000};
constexpr int kIdentifyAgain = 10;  // Rounds.

std::string WithoutSlash(std::string url) {
  while (!url.empty() && url.back() == '/')
    url.pop_back();
  return url;
}

}  // namespace

std::vector<std::uint16_t> WellKnownEnginePorts() {
  return {
      8000,   // vLLM, trtllm-serve, dynamo, llama-cpp-python
      30000,  // SGLang
      8080,   // llama.cpp, TGI
      11434,  // Ollama
      23333,  // lmdeploy
      8002,   // Triton's metrics
  };
}

std::string FoundEngine::instance() const {
  const std::size_t scheme = url.find("://");
  const std::string rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  return rest.substr(0, rest.find('/'));
}

EngineRoster::EngineRoster(const EngineFinderOptions& options) : interval_(options.interval) {
  for (const std::string& url : options.urls)
    addresses_[WithoutSlash(url)].configured = true;
  if (!options.autodetect) return;
  for (const std::uint16_t port : WellKnownEnginePorts()) {
    const bool ours = std::find(options.skip_ports.begin(), options.skip_ports.end(), port) !=
                      options.skip_ports.end();
    if (!ours) addresses_.try_emplace("http://127.0.0.1:" + std::to_string(port));
  }
  // "localhost" in the configuration is the same engine.
  std::erase_if(addresses_, [&](const auto& entry) {
    const auto port =
        entry.first.find("http://127.0.0.1:") == 0 ? entry.first.substr(17) : std::string();
    const auto named = addresses_.find("http://localhost:" + port);
    return !entry.second.configured && named != addresses_.end();
  });
}

std::vector<std::string> EngineRoster::Due(Timestamp now) const {
  std::vector<std::string> due;
  for (const auto& [url, address] : addresses_) {
    if (address.next_probe <= now) due.push_back(url);
  }
  return due;
}

bool EngineRoster::IsIdentified(const std::string& url, Timestamp now) const {
  const auto found = addresses_.find(url);
  if (found == addresses_.end() || !found->second.up) return false;
  const Address& address = found->second;
  if (address.identity.serves_api && address.identity.models.empty())
    return false;  // It is still loading.
  // Of a server without metrics nothing new is to be learned.
  return address.identity.metrics_path.empty() ||
         now - address.identified < kIdentifyAgain * interval_;
}

void EngineRoster::RecordHealthy(const std::string& url, Timestamp now) {
  const auto found = addresses_.find(url);
  if (found == addresses_.end()) return;
  found->second.next_probe = now + interval_ / 2;
  found->second.last_seen = now;
}

void EngineRoster::Record(const std::string& url, const ProbeResult& result, Timestamp now) {
  const auto found = addresses_.find(url);
  if (found == addresses_.end()) return;
  Address& address = found->second;
  // A little less than the interval, so that the next round is not missed by a hair.
  address.next_probe = now + interval_ / 2;
  address.up = result.outcome == ProbeOutcome::kEngine;
  if (address.up) {
    address.known = true;
    address.last_seen = now;
    address.identified = now;
    address.identity = result.identity;
    address.patience = Duration(0);
    return;
  }
  if (result.outcome == ProbeOutcome::kNoEngine && !address.configured && !address.known) {
    address.patience = std::clamp(address.patience * 2, interval_, kLongestPatience);
    address.next_probe = now + address.patience;
  }
  if (address.known && !address.configured && now - address.last_seen >= kForgetAfter) {
    address.known = false;
    address.identity = {};
  }
}

std::vector<FoundEngine> EngineRoster::engines() const {
  std::vector<FoundEngine> engines;
  for (const auto& [url, address] : addresses_) {
    if (!address.configured && !address.known) continue;
    engines.push_back({url, address.identity, address.configured, address.up});
  }
  return engines;
}

}  // namespace sonde::collect
