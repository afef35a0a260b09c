#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/quote.h"
#include "config/fill.h"
#include "gateway/api_keys.h"

namespace sonde::config {
namespace {

constexpr std::uint64_t kMaxCredentialBytes = 1U << 20;

gateway::UpstreamOptions FillUpstream(const BlockView& view, const FillContext& context, Env& env,
                                      Diagnostics& diagnostics) {
  gateway::UpstreamOptions out;
  out.name = view.Text("name");
  out.url = view.Text("url");
  out.models = view.Strings("models");
  out.weight = view.Float("weight");
  if (view.Has("authorization")) {
    const BlockView authorization = view.Child("authorization");
    std::string credentials = authorization.Text("credentials");
    const std::string file = context.Resolve(authorization.Text("credentials_file"));
    if (!file.empty()) {
      auto text = env.ReadFile(file, kMaxCredentialBytes);
      if (text) {
        credentials = TrimSpace(*text);
      } else {
        diagnostics.Fail(authorization.MarkOf("credentials_file"),
                         fmt::format("credentials_file: {}", text.error().message()));
      }
    }
    const std::string type = authorization.Text("type");
    out.authorization = fmt::format("{} {}", type.empty() ? "Bearer" : type, credentials);
  }
  if (view.Has("tls_config")) out.tls = FillTls(view.Child("tls_config"), context);
  out.proxy_url = view.Text("proxy_url");
  out.health_path = view.Text("health_path");
  return out;
}

constexpr std::uint64_t kMaxKeyFileBytes = 64U << 20;
constexpr std::uint64_t kMaxCount = 1U << 30;

std::uint32_t Count(const BlockView& view, std::string_view key) {
  return static_cast<std::uint32_t>(std::min(view.Uint(key), kMaxCount));
}

gateway::BalanceOptions FillBalance(const BlockView& view) {
  using enum gateway::BalancePolicy;
  constexpr std::pair<std::string_view, gateway::BalancePolicy> kPolicies[] = {
      {"least_tokens", kLeastTokens},
      {"least_requests", kLeastRequests},
      {"random", kWeightedRandom},
      {"round_robin", kWeightedRoundRobin},
      {"session_affinity", kSessionAffinity},
      {"prefix_affinity", kPrefixAffinity},
  };
  gateway::BalanceOptions out;
  const std::string word = view.Text("policy");
  for (const auto& [name, policy] : kPolicies) {
    if (name == word) out.policy = policy;
  }
  out.max_load_factor = view.Float("max_load_factor");
  out.min_load = Count(view, "min_load");
  return out;
}

gateway::TenantLimits FillLimits(const BlockView& view) {
  gateway::TenantLimits out;
  out.requests_per_minute = view.Float("requests_per_minute");
  out.tokens_per_minute = view.Float("tokens_per_minute");
  out.concurrent_requests = Count(view, "concurrent_requests");
  return out;
}

gateway::AccessOptions FillAccess(const BlockView& view, const FillContext& context, Env& env,
                                  Diagnostics& diagnostics) {
  gateway::AccessOptions out;
  const std::string file = context.Resolve(view.Text("keys_file"));
  if (!file.empty()) {
    const auto text = env.ReadFile(file, kMaxKeyFileBytes);
    auto keys =
        text ? gateway::ParseKeyFile(*text) : Result<std::vector<gateway::ApiKey>>(text.error());
    if (keys) {
      out.keys = *std::move(keys);
    } else {
      diagnostics.Fail(view.MarkOf("keys_file"),
                       fmt::format("keys_file {}: {}", file, keys.error().message()));
    }
  }
  out.require_key = view.Bool("require_key");
  out.forward_key = view.Bool("forward_key");
  out.tenant_header = view.Text("tenant_header");
  out.default_limits = FillLimits(view.Child("default_limits"));
  for (const BlockView& tenant : view.Children("tenants")) {
    out.tenants.push_back({tenant.Text("name"), FillLimits(tenant)});
  }
  out.max_tenants = Count(view, "max_tenants");
  return out;
}

gateway::RetryOptions FillRetry(const BlockView& view) {
  gateway::RetryOptions out;
  out.max = Count(view, "max");
  for (const std::string& status : view.Strings("statuses")) {
    int code = 0;
    std::from_chars(status.data(), status.data() + status.size(), code);
    out.statuses.push_back(code);
  }
  out.broken = view.Bool("broken");
  out.budget = view.Float("budget");
  return out;
}

}  // namespace

gateway::GatewayOptions FillGateway(const BlockView& view, const FillContext& context, Env& env,
                                    Diagnostics& diagnostics) {
  gateway::GatewayOptions out;
  out.listen_address = view.Text("listen_address");
  if (view.Has("tls_server_config")) {
    const BlockView tls = view.Child("tls_server_config");
    out.tls.emplace();
    out.tls->certificate_file = context.Resolve(tls.Text("cert_file"));
    out.tls->key_file = context.Resolve(tls.Text("key_file"));
    const std::string type = tls.Text("client_auth_type");
    if (type != "NoClientCert")
      out.tls->client_ca_file = context.Resolve(tls.Text("client_ca_file"));
    out.tls->require_client_certificate = type == "RequireAndVerifyClientCert";
    out.tls->min_version = tls.Text("min_version");
    out.tls->max_version = tls.Text("max_version");
  }
  for (const BlockView& upstream : view.Children("upstreams")) {
    out.upstreams.push_back(FillUpstream(upstream, context, env, diagnostics));
  }
  out.max_models = Count(view, "max_models");
  out.connect_timeout = view.Time("connect_timeout");
  out.response_timeout = view.Time("response_timeout");
  out.idle_timeout = view.Time("idle_timeout");
  out.write_timeout = view.Time("write_timeout");
  out.upstream_keep_alive = view.Time("upstream_keep_alive");
  out.max_body_bytes = static_cast<std::uint64_t>(view.Size("max_body_size"));
  out.max_routing_bytes = static_cast<std::uint64_t>(view.Size("max_routing_size"));
  out.max_connections = Count(view, "max_connections");
  out.probe_interval = view.Time("probe_interval");
  out.probe_timeout = view.Time("probe_timeout");
  out.balance = FillBalance(view.Child("balance"));
  for (const BlockView& model : view.Children("model_balance")) {
    out.model_balance.push_back({model.Text("model"), FillBalance(model)});
  }
  out.session_header = view.Text("session_header");
  const BlockView prefixes = view.Child("prefix_cache");
  out.prefix_block_bytes = static_cast<std::uint32_t>(prefixes.Size("block_size"));
  out.prefix_blocks = Count(prefixes, "max_blocks");
  out.prefix_entries = Count(prefixes, "entries");
  const BlockView health = view.Child("health");
  out.health.failures = Count(health, "failures");
  out.health.ejection = health.Time("ejection");
  out.health.max_ejection = health.Time("max_ejection");
  out.health.slow_start = health.Time("slow_start");
  out.retry = FillRetry(view.Child("retry"));
  out.access = FillAccess(view.Child("access"), context, env, diagnostics);
  return out;
}

}  // namespace sonde::config
