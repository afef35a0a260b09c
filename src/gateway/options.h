#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "gateway/measure_options.h"
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
      {};  ///< "Bearer sk-…": sent with probes, and where the client sends none of its own.
  std::optional<net::TlsClientOptions> tls = {};  ///< Nothing: the system's roots.
  std::string proxy_url = {};

  bool operator==(const UpstreamOptions&) const = default;
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

  SloOptions slo = {};
  std::vector<PriceOptions> prices = {};
  FeedbackOptions feedback = {};
};

}  // namespace sonde::gateway
