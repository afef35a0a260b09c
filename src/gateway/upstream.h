#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "gateway/cold_start.h"
#include "gateway/health.h"
#include "gateway/options.h"
#include "instrument/registry.h"
#include "net/http.h"
#include "net/http_client.h"

namespace sonde::gateway {

/// What an upstream serves. Immutable.
struct ModelList {
  std::vector<std::string> ids;  ///< Sorted.
  std::vector<std::string>
      json;                 ///< Its own description of each, as JSON objects; empty if configured.
  bool known = false;       ///< Configured, or learned.
  bool configured = false;  ///< Exactly these and no others.

  bool Has(std::string_view id) const;
  /// From the answer to GET /v1/models. kInvalid if it is not one.
  static Result<ModelList> Parse(std::string_view body);
};

/// One upstream: how to reach it, how it is, how much it has to do. Thread-safe; shared by the
/// settings that list it and by the requests that it is answering.
class Upstream {
 public:
  static Result<std::shared_ptr<Upstream>> Create(const UpstreamOptions& options,
                                                  const GatewayOptions& gateway,
                                                  instrument::Registry& registry);

  const std::string& name() const { return name_; }
  const UpstreamOptions& options() const { return options_; }
  net::HttpClient& client() { return client_; }
  /// Where a client's request goes: our base URL with the path and query that the client asked for.
  net::Url UrlFor(std::string_view target) const;

  std::shared_ptr<const ModelList> models() const EXCLUDES(mutex_);
  void SetModels(ModelList models) EXCLUDES(mutex_);

  std::uint32_t outstanding() const { return outstanding_.load(std::memory_order_relaxed); }
  /// Counts a request as outstanding while it lives.
  class Load {
   public:
    explicit Load(Upstream& upstream) : upstream_(upstream) {
      upstream_.outstanding_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Load() { upstream_.outstanding_.fetch_sub(1, std::memory_order_relaxed); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

   private:
    Upstream& upstream_;
  };

  Health health;
  ColdStart cold_start;

 private:
  Upstream(UpstreamOptions options, std::string name, net::Url base,
           net::HttpClientOptions client_options, instrument::Registry& registry);

  const UpstreamOptions options_;
  const std::string name_;
  const net::Url base_;  // Its path has neither a trailing slash nor "/v1".
  net::HttpClient client_;
  std::atomic<std::uint32_t> outstanding_{0};
  mutable Mutex mutex_;
  std::shared_ptr<const ModelList> models_ GUARDED_BY(mutex_);
};

/// The upstreams and limits in force. Immutable; requests keep the one that they began with.
struct Settings {
  GatewayOptions options;
  std::vector<std::shared_ptr<Upstream>> upstreams;

  /// An upstream says that it serves this model.
  bool Serves(std::string_view model) const;

  /// Why there is no upstream for a request.
  enum class NoUpstream : unsigned char { kNoneConfigured, kUnknownModel, kAllTried };
  struct Choice {
    std::shared_ptr<Upstream> upstream;  ///< Null: see `why`.
    NoUpstream why = NoUpstream::kNoneConfigured;
  };
  /// The least loaded upstream for `model` that is not among `tried`: of those that list it, else
  /// of those whose list is not binding; any, if `model` is empty. Ejected ones only if there is no
  /// other. `turn` breaks ties.
  Choice Choose(std::string_view model, const std::vector<Upstream*>& tried,
                std::uint64_t turn) const;
};

}  // namespace sonde::gateway
