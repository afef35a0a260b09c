#include <set>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/scalar.h"
#include "config/schema_blocks.h"
#include "config/schema_sd.h"
#include "gateway/api_keys.h"

// `sonde.gateway`: the proxy in front of LLM engines.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kUpstreamFields[] = {
    {"name", kString},
    {"url", kString, nullptr, kAlways},
    {"models", kStrings},
    {"weight", kFloat, "1"},
    {"authorization", kBlock, nullptr, kNone, &kAuthorizationBlock},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"proxy_url", kUrl},
    {"health_path", kString},
};
void CheckUpstream(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpUrl(view, "url", diagnostics);
  const double weight = view.Float("weight");
  if (!(weight > 0 && weight <= 1e6)) {
    diagnostics.Fail(view.MarkOf("weight"), "weight must be larger than 0 and at most 1000000");
  }
  const std::string health_path = view.Text("health_path");
  if (!health_path.empty() && health_path.front() != '/') {
    diagnostics.Fail(view.MarkOf("health_path"), "health_path must begin with /");
  }
  if (MoreThanOne(view.Child("authorization"), {"credentials", "credentials_file"})) {
    diagnostics.Fail(
        view.MarkOf("authorization"),
        "at most one of authorization credentials & credentials_file must be configured");
  }
}
constexpr Block kUpstreamBlock = {"gateway_upstream", "sonde.upstream", kUpstreamFields,
                                  CheckUpstream};

constexpr Field kTlsServerFields[] = {
    {"cert_file", kString, nullptr, kFile},      {"key_file", kString, nullptr, kFile},
    {"client_ca_file", kString, nullptr, kFile}, {"client_auth_type", kString, "NoClientCert"},
    {"min_version", kString, "TLS12"},           {"max_version", kString},
};
void CheckTlsServer(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "cert_file", "tls_server_config needs a cert_file", diagnostics);
  Require(view, "key_file", "tls_server_config needs a key_file", diagnostics);
  const std::string type = view.Text("client_auth_type");
  if (!IsOneOf(type, {"NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"})) {
    diagnostics.Fail(
        view.MarkOf("client_auth_type"),
        fmt::format("client_auth_type must be NoClientCert, VerifyClientCertIfGiven or "
                    "RequireAndVerifyClientCert, got {}",
                    QuoteGo(type)));
  }
  if (type != "NoClientCert") {
    Require(view, "client_ca_file", "client_auth_type needs a client_ca_file", diagnostics);
  }
  for (const char* key : {"min_version", "max_version"}) {
    if (!IsOneOf(view.Text(key), {"", "TLS10", "TLS11", "TLS12", "TLS13"})) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("unknown TLS version: {}", view.Text(key)));
    }
  }
}
constexpr Block kTlsServerBlock = {"tls_server_config", "sonde.tls_server_config", kTlsServerFields,
                                   CheckTlsServer};

constexpr Field kBalanceFields[] = {
    {"policy", kString, "least_tokens"},
    {"max_load_factor", kFloat, "1.25"},
    {"min_load", kUint, "4", kAlways},
};
void CheckBalance(const BlockView& view, Diagnostics& diagnostics) {
  const std::string policy = view.Text("policy");
  if (!IsOneOf(policy, {"least_tokens", "least_requests", "random", "round_robin",
                        "session_affinity", "prefix_affinity"})) {
    diagnostics.Fail(view.MarkOf("policy"),
                     fmt::format("policy must be least_tokens, least_requests, random, "
                                 "round_robin, session_affinity or prefix_affinity, got {}",
                                 QuoteGo(policy)));
  }
  if (!(view.Float("max_load_factor") >= 1)) {
    diagnostics.Fail(view.MarkOf("max_load_factor"), "max_load_factor must be at least 1");
  }
}
constexpr Block kBalanceBlock = {"gateway_balance", "sonde.balance", kBalanceFields, CheckBalance};
constexpr Field kModelBalanceFields[] = {
    {"model", kString, nullptr, kAlways},
    {nullptr, kInline, nullptr, kNone, &kBalanceBlock},
};
void CheckModelBalance(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "model", "model_balance needs a model", diagnostics);
  CheckBalance(view, diagnostics);
}
constexpr Block kModelBalanceBlock = {"gateway_model_balance", "sonde.model_balance",
                                      kModelBalanceFields, CheckModelBalance};

constexpr Field kPrefixCacheFields[] = {
    {"block_size", kSize, "1KiB"},
    {"max_blocks", kUint, "64"},
    {"entries", kUint, "65536"},
};
void CheckPrefixCache(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Size("block_size") < 64 || view.Size("block_size") > (1 << 20)) {
    diagnostics.Fail(view.MarkOf("block_size"), "block_size must be from 64B to 1MiB");
  }
  if (view.Uint("max_blocks") < 1 || view.Uint("max_blocks") > 4096) {
    diagnostics.Fail(view.MarkOf("max_blocks"), "max_blocks must be from 1 to 4096");
  }
  if (view.Uint("entries") < 1 || view.Uint("entries") > (1U << 24)) {
    diagnostics.Fail(view.MarkOf("entries"), "entries must be from 1 to 16777216");
  }
}
constexpr Block kPrefixCacheBlock = {"gateway_prefix_cache", "sonde.prefix_cache",
                                     kPrefixCacheFields, CheckPrefixCache};

constexpr Field kHealthFields[] = {
    {"failures", kUint, "5"},
    {"ejection", kDuration, "1s"},
    {"max_ejection", kDuration, "1m"},
    {"slow_start", kDuration, "30s", kAlways},
};
void CheckHealth(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Uint("failures") < 1) {
    diagnostics.Fail(view.MarkOf("failures"), "failures must be at least 1");
  }
  if (view.Time("ejection") <= Duration(0)) {
    diagnostics.Fail(view.MarkOf("ejection"), "ejection must be longer than 0");
  }
  if (view.Time("max_ejection") < view.Time("ejection")) {
    diagnostics.Fail(view.MarkOf("max_ejection"), "max_ejection must not be shorter than ejection");
  }
}
constexpr Block kHealthBlock = {"gateway_health", "sonde.health", kHealthFields, CheckHealth};

constexpr Field kRetryFields[] = {
    {"max", kUint, "2", kAlways},
    {"statuses", kStrings},
    {"broken", kBool},
    {"budget", kFloat, "0.2", kAlways},
};
void CheckRetry(const BlockView& view, Diagnostics& diagnostics) {
  for (const std::string& status : view.Strings("statuses")) {
    if (!IsOneOf(status, {"408", "425", "429", "500", "502", "503", "504"})) {
      diagnostics.Fail(view.MarkOf("statuses"),
                       fmt::format("statuses may be 408, 425, 429, 500, 502, 503 and 504, got {}",
                                   QuoteGo(status)));
    }
  }
  if (!(view.Float("budget") >= 0 && view.Float("budget") <= 10)) {
    diagnostics.Fail(view.MarkOf("budget"), "budget must be from 0 to 10");
  }
  if (view.Uint("max") > 10) {
    diagnostics.Fail(view.MarkOf("max"), "max must be at most 10");
  }
}
constexpr Block kRetryBlock = {"gateway_retry", "sonde.retry", kRetryFields, CheckRetry};

constexpr Field kLimitsFields[] = {
    {"requests_per_minute", kFloat},
    {"tokens_per_minute", kFloat},
    {"concurrent_requests", kUint},
};
void CheckLimits(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* key : {"requests_per_minute", "tokens_per_minute"}) {
    if (!(view.Float(key) >= 0 && view.Float(key) <= 1e15)) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be from 0 to 1e15", key));
    }
  }
}
constexpr Block kLimitsBlock = {"gateway_limits", "sonde.limits", kLimitsFields, CheckLimits};
constexpr Field kTenantFields[] = {
    {"name", kString, nullptr, kAlways},
    {nullptr, kInline, nullptr, kNone, &kLimitsBlock},
};
void CheckTenant(const BlockView& view, Diagnostics& diagnostics) {
  if (!gateway::IsTenantName(view.Text("name"))) {
    diagnostics.Fail(view.MarkOf("name"),
                     fmt::format("a tenant's name has 1 to 64 letters, digits and ._:@/-, got {}",
                                 QuoteGo(view.Text("name"))));
  }
  CheckLimits(view, diagnostics);
}
constexpr Block kTenantBlock = {"gateway_tenant", "sonde.tenant", kTenantFields, CheckTenant};

constexpr Field kAccessFields[] = {
    {"keys_file", kString, nullptr, kFile},
    {"require_key", kBool},
    {"forward_key", kBool},
    {"tenant_header", kString},
    {"default_limits", kBlock, nullptr, kNone, &kLimitsBlock},
    {"tenants", kBlocks, nullptr, kNone, &kTenantBlock, "empty or null section in tenants"},
    {"max_tenants", kUint, "100", kAlways},
};
void CheckAccess(const BlockView& view, Diagnostics& diagnostics) {
  std::set<std::string> names;
  for (const BlockView& tenant : view.Children("tenants")) {
    if (!names.insert(tenant.Text("name")).second) {
      diagnostics.Fail(tenant.MarkOf("name"),
                       fmt::format("tenant {} stands twice", QuoteGo(tenant.Text("name"))));
    }
  }
  const bool named = !view.Text("keys_file").empty() || !view.Text("tenant_header").empty();
  if (view.Bool("require_key") && !named) {
    diagnostics.Fail(view.MarkOf("require_key"),
                     "require_key needs a keys_file or a tenant_header: nobody could ask");
  }
  if (!names.empty() && !named) {
    diagnostics.Fail(view.MarkOf("tenants"),
                     "tenants need a keys_file or a tenant_header to be told apart by");
  }
  if (view.Uint("max_tenants") > 10'000) {
    diagnostics.Fail(view.MarkOf("max_tenants"), "max_tenants must be at most 10000");
  }
}
constexpr Block kAccessBlock = {"gateway_access", "sonde.access", kAccessFields, CheckAccess};

constexpr Field kGatewayFields[] = {
    {"listen_address", kString, "127.0.0.1:9798"},
    {"tls_server_config", kBlock, nullptr, kNone, &kTlsServerBlock},
    {"upstreams", kBlocks, nullptr, kNone, &kUpstreamBlock, "empty or null section in upstreams"},
    {"max_models", kUint, "100"},
    {"connect_timeout", kDuration, "5s"},
    {"response_timeout", kDuration, "15m"},
    {"idle_timeout", kDuration, "11m"},
    {"write_timeout", kDuration, "1m"},
    {"upstream_keep_alive", kDuration, "4s"},
    {"max_body_size", kSize, "256MiB"},
    {"max_routing_size", kSize, "16MiB"},
    {"max_connections", kUint, "16384"},
    {"probe_interval", kDuration, "5s"},
    {"probe_timeout", kDuration, "5s"},
    {"balance", kBlock, nullptr, kNone, &kBalanceBlock},
    {"model_balance", kBlocks, nullptr, kNone, &kModelBalanceBlock,
     "empty or null section in model_balance"},
    {"session_header", kString, "X-Session-Id"},
    {"prefix_cache", kBlock, nullptr, kNone, &kPrefixCacheBlock},
    {"health", kBlock, nullptr, kNone, &kHealthBlock},
    {"retry", kBlock, nullptr, kNone, &kRetryBlock},
    {"access", kBlock, nullptr, kNone, &kAccessBlock},
};
void CheckGateway(const BlockView& view, Diagnostics& diagnostics) {
  std::set<std::string> names;
  for (const BlockView& upstream : view.Children("upstreams")) {
    std::string name = upstream.Text("name");
    if (name.empty()) {
      const auto url = ParseGoUrl(upstream.Text("url"));
      if (url) name = url->host;
    }
    if (!name.empty() && !names.insert(name).second) {
      diagnostics.Fail(upstream.MarkOf("name"),
                       fmt::format("two upstreams are called {}", QuoteGo(name)));
    }
  }
  std::set<std::string> models;
  for (const BlockView& model : view.Children("model_balance")) {
    if (!models.insert(model.Text("model")).second) {
      diagnostics.Fail(model.MarkOf("model"),
                       fmt::format("model {} stands twice", QuoteGo(model.Text("model"))));
    }
  }
  for (const char* key : {"max_body_size", "max_routing_size"}) {
    if (view.Size(key) <= 0)
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be larger than 0", key));
  }
  for (const char* key : {"connect_timeout", "response_timeout", "idle_timeout", "write_timeout",
                          "probe_interval", "probe_timeout"}) {
    if (view.Time(key) <= Duration(0)) {
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} must be longer than 0", key));
    }
  }
}
}  // namespace

const Block kGatewayBlock = {"gateway", "sonde.gateway", kGatewayFields, CheckGateway};

}  // namespace sonde::config
