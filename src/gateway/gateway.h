#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "gateway/options.h"
#include "instrument/registry.h"
#include "net/event_loop.h"

// The measuring point in the path of LLM requests: a reverse proxy for the OpenAI-compatible API.
// It passes bytes through unchanged, as soon as they are there, and watches them go by; what it
// measures and how is in docs/formats/gateway.md, what it is called in docs/vocabulary.md. Prompts
// and answers are never logged or stored.

namespace sonde::gateway {

/// What the gateway thinks of an upstream now.
struct UpstreamStatus {
  std::string name;
  std::string url;
  bool up = false;                ///< It answered the last time that it was asked.
  bool ejected = false;           ///< It gets no requests while another upstream can take them.
  std::uint32_t outstanding = 0;  ///< Requests that it is answering.
  std::int64_t outstanding_tokens = 0;  ///< Expected of these yet; an estimate.
  double configured_weight = 1;
  double weight = 1;                      ///< In force; 0: it gets no new requests.
  bool overridden = false;                ///< By SetWeight.
  std::optional<Duration> override_left;  ///< Nothing: until it is cleared.
  double share = 1;  ///< Of its weight; below 1 while it returns after an ejection.
  std::vector<std::string> models;
  std::string last_error;  ///< Why it is not up, or was ejected; empty if all is well.
};

/// Start once, then Stop. Thread-safe. `loops`, `clock`, `registry` and the logger's sink must
/// outlive it, and the registry must not be read after it has gone.
class Gateway {
 public:
  /// kInvalid if an option makes no sense (a URL, two upstreams of one name).
  static Result<std::unique_ptr<Gateway>> Create(net::LoopGroup& loops,
                                                 const GatewayOptions& options, const Clock& clock,
                                                 const Logger& logger,
                                                 instrument::Registry& registry);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Listens, and begins to ask the upstreams how they are. kUnavailable if the address is taken.
  Status Start();
  std::uint16_t port() const;

  /// Uses other upstreams and limits for the requests that come from now on. Running ones go on as
  /// they began; an upstream that stays keeps its connections and its health. Certificates and keys
  /// of TLS are read anew, for both sides. The listen address, whether it speaks TLS,
  /// max_connections, write_timeout and the metric names cannot change. kInvalid: nothing has
  /// changed.
  Status Reload(const GatewayOptions& options);

  std::vector<UpstreamStatus> Upstreams() const;

  /// Gives an upstream another weight than the configured one, until ClearWeight or until `ttl` has
  /// passed; 0 drains it: running requests go on, new ones go elsewhere. A reload keeps it, also
  /// while the upstream is away; a restart does not. kNotFound; kInvalid unless 0 ≤ weight ≤
  /// kMaxWeight and ttl > 0.
  Status SetWeight(std::string_view upstream, double weight, std::optional<Duration> ttl = {});
  /// Back to the configured weight. kNotFound if there is no such upstream.
  Status ClearWeight(std::string_view upstream);
  static constexpr double kMaxWeight = 1e6;

  /// No new requests; running ones get `grace` to end and are then cut off. Idempotent.
  void Stop(Duration grace = Duration(5'000));

 private:
  struct Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace sonde::gateway
