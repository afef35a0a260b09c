#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/tls.h"

// What the gateway is told. Plain values with good defaults; config/ fills them.

namespace sonde::gateway {

/// One engine (or one service with many behind it) that speaks the OpenAI API.
struct UpstreamOptions {
  std::string name = {};  ///< The label `instance`; empty: host:port of the URL. Names must differ.
  std::string url = {};   ///< "http://10.0.0.1:8000", "https://api.deepseek.com"; a trailing "/v1"
                          ///< is the API's own.
  /// What it serves. If given, it gets requests for these and for no others; empty: it is asked
  /// (GET /v1/models).
  std::vector<std::string> models = {};
  double weight = 1;  ///< Its share of the load, relative to others with the same model.
  std::string authorization =
      {};  ///< "Bearer sk-…": sent with probes, in place of a gateway key that the client sent, and
           ///< where the client sends none of its own.
  std::optional<net::TlsClientOptions> tls = {};  ///< Nothing: the system's roots.
  std::string proxy_url = {};
  std::string health_path = {};  ///< What probes ask for; empty: /health, else /v1/models.

  bool operator==(const UpstreamOptions&) const = default;
};

/// How an upstream is chosen among those that can serve a request.
enum class BalancePolicy : unsigned char {
  kLeastTokens,         ///< The fewest tokens that it still has to read and write, by weight.
  kLeastRequests,       ///< The fewest running requests, by weight.
  kWeightedRandom,      ///< By chance, in proportion to the weights.
  kWeightedRoundRobin,  ///< In turn, smoothly interleaved in proportion to the weights.
  kSessionAffinity,     ///< The same session, the same upstream; kLeastTokens without a session.
  kPrefixAffinity,      ///< Where the longest beginning of the prompt was seen; else kLeastTokens.
};

struct BalanceOptions {
  BalancePolicy policy = BalancePolicy::kLeastTokens;
  /// Affinity gives way once the favourite has more running requests than `min_load` and than this
  /// many times its fair share of all.
  double max_load_factor = 1.25;
  std::uint32_t min_load = 4;

  bool operator==(const BalanceOptions&) const = default;
};

/// The policy of one model, in place of the gateway's.
struct ModelBalance {
  std::string model = {};
  BalanceOptions balance = {};

  bool operator==(const ModelBalance&) const = default;
};

/// When an upstream gets no requests, and how it returns.
struct HealthOptions {
  std::uint32_t failures = 5;  ///< So many in a row eject.
  Duration ejection{1'000};    ///< The first time; doubled each time until a request has gone well.
  Duration max_ejection{60'000};
  /// After an ejection its weight grows from a tenth to the whole within this time. 0: at once.
  Duration slow_start{30'000};

  bool operator==(const HealthOptions&) const = default;
};

/// When a request goes to another upstream. Only while nothing has been sent to the client and the
/// whole request is at hand. A refused connection always moves on: nothing was asked yet.
struct RetryOptions {
  std::uint32_t max = 2;                ///< For one request, beyond its first attempt.
  std::vector<int> statuses = {};       ///< 429, 500, 502, 503, 504; empty: answers pass through.
  bool broken = false;                  ///< Also if the connection broke before an answer began.
  double budget = 0.2;                  ///< Retries per request, over all requests.
  static constexpr double kBurst = 20;  ///< Retries that may be saved up.

  bool operator==(const RetryOptions&) const = default;
};

/// What a tenant may use. 0: as much as it likes.
struct TenantLimits {
  double requests_per_minute = 0;
  double tokens_per_minute = 0;  ///< Prompt and completion.
  std::uint32_t concurrent_requests = 0;

  bool operator==(const TenantLimits&) const = default;
  bool empty() const { return *this == TenantLimits{}; }
};

struct TenantOptions {
  std::string name = {};
  TenantLimits limits = {};

  bool operator==(const TenantOptions&) const = default;
};

/// A key of the gateway, as its SHA-256. The key itself is nowhere in memory.
struct ApiKey {
  std::array<unsigned char, 32> sha256 = {};
  std::string tenant = {};

  bool operator==(const ApiKey&) const = default;
};

/// Who asks, and how much they may.
struct AccessOptions {
  std::vector<ApiKey> keys = {};
  bool require_key = false;          ///< 401 for a request without a tenant.
  bool forward_key = false;          ///< Send a gateway key on to an upstream without its own.
  std::string tenant_header = {};    ///< Names the tenant of a request without key. Trusted.
  TenantLimits default_limits = {};  ///< Of tenants that `tenants` does not name.
  std::vector<TenantOptions> tenants = {};
  /// Tenants by header beyond this many share the name "other".
  std::uint32_t max_tenants = 100;

  bool operator==(const AccessOptions&) const = default;
  /// Requests have tenants.
  bool enabled() const { return !keys.empty() || require_key || !tenant_header.empty(); }
};

struct GatewayOptions {
  std::string listen_address = "127.0.0.1:9798";
  std::optional<net::TlsServerOptions> tls = {};
  std::vector<UpstreamOptions> upstreams = {};

  std::string vocabulary_prefix = "deepseek_";
  std::uint32_t max_models =
      100;  ///< Names that no upstream serves get a label value of their own up to this many.

  Duration connect_timeout{5'000};
  /// To the answer's header. The hosted DeepSeek API queues a request for up to 10 minutes.
  Duration response_timeout{900'000};
  Duration idle_timeout{660'000};  ///< Between two pieces of an answer; keep-alive comments count.
  Duration write_timeout{60'000};  ///< Without the client taking a byte.
  Duration upstream_keep_alive{
      4'000};  ///< Idle connections to upstreams; uvicorn closes its own after 5 s.
  std::uint64_t max_body_bytes = 256ULL << 20;
  /// How far a request is read to find its model. If it comes later, the request goes to any
  /// upstream.
  std::uint64_t max_routing_bytes = 16ULL << 20;
  std::uint32_t max_connections = 16'384;

  Duration probe_interval{5'000};
  Duration probe_timeout{5'000};

  BalanceOptions balance = {};
  std::vector<ModelBalance> model_balance = {};
  /// Names a session, before the body's `prompt_cache_key` and `user`.
  std::string session_header = "X-Session-Id";
  std::uint32_t prefix_block_bytes = 1024;  ///< Prompts are compared in steps of this length …
  std::uint32_t prefix_blocks = 64;         ///< … up to so many.
  std::uint32_t prefix_entries = 65'536;    ///< Blocks that are remembered; 48 bytes each.
  HealthOptions health = {};
  RetryOptions retry = {};
  AccessOptions access = {};
};

}  // namespace sonde::gateway
