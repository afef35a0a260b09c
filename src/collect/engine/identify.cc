#include "collect/engine/identify.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxScanBytes = 256U << 10;
constexpr std::size_t kMaxModels = 1'000;
constexpr std::size_t kMaxModelNameBytes = 256;

struct NamePrefix {
  std::string_view prefix, engine;
};

// The first of these that a page has wins: a worker of dynamo, or Triton, shows its engine's names
// beside its own, and the production stack's router shows names of vLLM that vLLM itself has not.
constexpr NamePrefix kMetricPrefixes[] = {
    {"vllm:healthy_pods_total", "production-stack"},
    {"vllm_healthy_pods_total", "production-stack"},
    {"vllm:current_qps", "production-stack"},
    {"vllm_current_qps", "production-stack"},
    {"sglang:", "sglang"},
    {"sglang_", "sglang"},
    {"vllm:", "vllm"},
    {"vllm_", "vllm"},
    {"ray_vllm_", "vllm"},
    {"llamacpp:", "llamacpp"},
    {"llamacpp_", "llamacpp"},
    {"lmdeploy:", "lmdeploy"},
    {"lmdeploy_", "lmdeploy"},
    {"trtllm_", "tensorrt-llm"},
    {"tgi_", "tgi"},
    {"nv_inference_", "triton"},
    {"nv_trt_llm_", "triton"},
    {"dynamo_frontend_", "dynamo"},
    {"dynamo_component_", "dynamo"},
    {"nv_llm_http_service_", "dynamo"},
    {"kvbm_", "dynamo"},
    {"smg_", "sglang-gateway"},
    {"sgl_router_", "sgl-router"},
    {"llm_d_epp_", "llm-d-router"},
    {"inference_objective_", "gaie"},
    {"inference_model_", "gaie"},
    {"inference_pool_", "gaie"},
    {"litellm_", "litellm"},
    {"aibrix_", "aibrix"},
    {"gen_ai_", "otel"},
};

// Who lists models under which name of an owner.
constexpr NamePrefix kOwners[] = {
    {"vllm", "vllm"},         {"sglang", "sglang"},         {"llamacpp", "llamacpp"},
    {"lmdeploy", "lmdeploy"}, {"tensorrt", "tensorrt-llm"}, {"library", "ollama"},
};

std::string_view FamilyOfLine(std::string_view line) {
  for (const std::string_view keyword : {"# TYPE ", "# HELP "}) {
    if (line.starts_with(keyword)) return line.substr(keyword.size());
  }
  return line.starts_with('#') ? std::string_view() : line;
}

// The string at `key` of a JSON object, or "".
std::string JsonString(const ProbeReply& reply, std::string_view key) {
  if (reply.status != 200) return {};
  const auto document = JsonDocument::Parse(reply.body);
  if (!document) return {};
  return std::string(document->root()[key].string().value_or(""));
}

std::string EngineOfOwner(std::string_view owner) {
  for (const NamePrefix& known : kOwners) {
    if (owner.starts_with(known.prefix)) return std::string(known.engine);
  }
  return {};
}

struct VersionPlace {
  std::string_view engine, path, key;
};

constexpr VersionPlace kVersions[] = {
    {"vllm", "/version", "version"},      {"sglang", "/get_server_info", "version"},
    {"llamacpp", "/props", "build_info"}, {"ollama", "/api/version", "version"},
    {"tgi", "/info", "version"},          {"tensorrt-llm", "/version", "version"},
};

std::string FindVersion(const std::string& base_url, std::string_view engine,
                        const ProbeFetch& fetch) {
  for (const VersionPlace& place : kVersions) {
    if (place.engine != engine) continue;
    std::string version = JsonString(fetch(base_url + std::string(place.path)), place.key);
    if (version.size() > 64) version.resize(64);
    return version;
  }
  return {};
}

// The servers that keep another list of models, or none under the usual path.
std::string EngineWithoutModels(const std::string& base_url, const ProbeFetch& fetch) {
  const std::string ollama = JsonString(fetch(base_url + "/api/version"), "version");
  return ollama.empty() ? std::string() : "ollama";
}

}  // namespace

std::string_view EngineOfMetrics(std::string_view page) {
  page = page.substr(0, kMaxScanBytes);
  const NamePrefix* best = std::end(kMetricPrefixes);
  while (!page.empty()) {
    const std::size_t end = page.find('\n');
    const std::string_view name = FamilyOfLine(page.substr(0, end));
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
    best = std::find_if(std::begin(kMetricPrefixes), best,
                        [&](const NamePrefix& known) { return name.starts_with(known.prefix); });
  }
  return best == std::end(kMetricPrefixes) ? std::string_view() : best->engine;
}

std::optional<ModelList> ParseModelList(std::string_view body) {
  const auto document = JsonDocument::Parse(body);
  if (!document) return std::nullopt;
  const JsonView data = document->root()["data"];
  if (!data.is_array()) return std::nullopt;
  ModelList list;
  for (std::size_t i = 0; i < std::min(data.size(), kMaxModels); ++i) {
    const auto id = data.at(i)["id"].string();
    if (!id || id->size() > kMaxModelNameBytes) return std::nullopt;
    if (i == 0) list.owned_by = std::string(data.at(i)["owned_by"].string().value_or(""));
    list.ids.emplace_back(*id);
  }
  return list;
}

ProbeResult ProbeEngine(const std::string& base_url, const ProbeFetch& fetch) {
  const ProbeReply models = fetch(base_url + "/v1/models");
  if (models.status == 0) return {};
  EngineIdentity identity;
  if (models.status == 200) {
    if (auto list = ParseModelList(models.body)) {
      identity.serves_api = true;
      identity.models = std::move(list->ids);
      identity.engine = EngineOfOwner(list->owned_by);
    }
  }
  // trtllm-serve answers /metrics with JSON; its exposition is elsewhere.
  for (const char* path : {"/metrics", "/prometheus/metrics"}) {
    const ProbeReply metrics = fetch(base_url + path);
    const std::string_view engine =
        metrics.status == 200 ? EngineOfMetrics(metrics.body) : std::string_view();
    if (!engine.empty()) {
      identity.engine = engine;
      identity.metrics_path = path;
      break;
    }
    const bool json =
        metrics.status == 200 && (metrics.body.starts_with('[') || metrics.body.starts_with('{'));
    if (!json) break;
  }
  if (!identity.serves_api && identity.metrics_path.empty()) {
    // 401: an API that wants a key, most likely behind a proxy; it can be configured, but not
    // recognised.
    identity.engine = EngineWithoutModels(base_url, fetch);
    if (identity.engine.empty()) return {ProbeOutcome::kNoEngine, {}};
    identity.serves_api = true;
  }
  if (identity.engine.empty()) identity.engine = "openai";
  identity.version = FindVersion(base_url, identity.engine, fetch);
  return {ProbeOutcome::kEngine, std::move(identity)};
}

std::optional<EngineIdentity> IdentifyEngine(const std::string& base_url, const ProbeFetch& fetch) {
  ProbeResult result = ProbeEngine(base_url, fetch);
  if (result.outcome != ProbeOutcome::kEngine) return std::nullopt;
  return std::move(result.identity);
}

}  // namespace sonde::collect
