#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "gateway/api_keys.h"
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
  std::uint64_t id() const { return id_; }  ///< A hash of the name; never 0.
  const UpstreamOptions& options() const { return options_; }
  net::HttpClient& client() { return client_; }
  /// Where a client's request goes: our base URL with the path and query that the client asked for.
  net::Url UrlFor(std::string_view target) const;

  std::shared_ptr<const ModelList> models() const EXCLUDES(mutex_);
  void SetModels(ModelList models) EXCLUDES(mutex_);

  std::uint32_t outstanding() const { return outstanding_.load(std::memory_order_relaxed); }
  /// What its running requests are expected to make it read and write yet.
  std::int64_t outstanding_tokens() const {
    return std::max<std::int64_t>(outstanding_tokens_.load(std::memory_order_relaxed), 0);
  }

  /// Tokens of streams that have come back from it.
  std::uint64_t tokens_returned() const { return tokens_returned_.load(std::memory_order_relaxed); }

  /// Counts a request, and the tokens that are expected of it, as outstanding while it lives. One
  /// fiber's.
  class Load {
   public:
    Load(Upstream& upstream, std::int64_t prompt_tokens, std::int64_t output_tokens)
        : upstream_(upstream), prompt_(prompt_tokens), output_(output_tokens) {
      upstream_.outstanding_.fetch_add(1, std::memory_order_relaxed);
      upstream_.outstanding_tokens_.fetch_add(prompt_ + output_, std::memory_order_relaxed);
    }
    ~Load() {
      upstream_.outstanding_.fetch_sub(1, std::memory_order_relaxed);
      upstream_.outstanding_tokens_.fetch_sub(prompt_ + output_, std::memory_order_relaxed);
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    /// The first token is there: the prompt has been read.
    void PromptDone() {
      upstream_.outstanding_tokens_.fetch_sub(prompt_, std::memory_order_relaxed);
      prompt_ = 0;
    }
    /// So many more tokens have been written; those beyond what was expected do not count.
    void Wrote(std::uint64_t tokens) {
      upstream_.tokens_returned_.fetch_add(tokens, std::memory_order_relaxed);
      const auto done = static_cast<std::int64_t>(
          std::min(tokens, static_cast<std::uint64_t>(std::max<std::int64_t>(output_, 0))));
      if (done == 0) return;
      upstream_.outstanding_tokens_.fetch_sub(done, std::memory_order_relaxed);
      output_ -= done;
    }

   private:
    Upstream& upstream_;
    std::int64_t prompt_;
    std::int64_t output_;
  };

  static constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();
  /// A weight in place of the configured one until `until` (monotonic nanoseconds); 0: no new
  /// requests.
  void OverrideWeight(double weight, std::int64_t until) {
    override_until_.store(until, std::memory_order_relaxed);
    override_weight_.store(weight, std::memory_order_release);
  }
  void ClearWeight() { override_weight_.store(kNoOverride, std::memory_order_release); }
  bool weight_overridden(std::int64_t now) const {
    return !std::isnan(override_weight_.load(std::memory_order_acquire)) &&
           now < override_until_.load(std::memory_order_relaxed);
  }
  std::int64_t weight_override_until() const {
    return override_until_.load(std::memory_order_relaxed);
  }
  /// The weight in force.
  double weight(std::int64_t now) const {
    const double weight = override_weight_.load(std::memory_order_acquire);
    return std::isnan(weight) || now >= override_until_.load(std::memory_order_relaxed)
               ? options_.weight
               : weight;
  }

  /// For the balancer: how far its turns have come.
  std::atomic<double> turn_time{0};
  /// What tells whether its TLS files are still the same (TlsFilesState).
  const std::string tls_files;
  Health health;
  ColdStart cold_start;

 private:
  Upstream(UpstreamOptions options, std::string name, net::Url base, const HealthOptions& health,
           net::HttpClientOptions client_options, instrument::Registry& registry);

  const UpstreamOptions options_;
  const std::string name_;
  const std::uint64_t id_;
  const net::Url base_;  // Its path has neither a trailing slash nor "/v1".
  net::HttpClient client_;
  static constexpr double kNoOverride = std::numeric_limits<double>::quiet_NaN();
  std::atomic<std::uint32_t> outstanding_{0};
  std::atomic<std::int64_t> outstanding_tokens_{0};
  std::atomic<std::uint64_t> tokens_returned_{0};
  std::atomic<double> override_weight_{kNoOverride};
  std::atomic<std::int64_t> override_until_{0};
  mutable Mutex mutex_;
  std::shared_ptr<const ModelList> models_ GUARDED_BY(mutex_);
};

/// Sizes and times of the files that `tls` names: another text when one of them was renewed.
std::string TlsFilesState(const std::optional<net::TlsClientOptions>& tls);

/// The upstreams and limits in force. Immutable; requests keep the one that they began with.
struct Settings {
  GatewayOptions options;
  std::vector<std::shared_ptr<Upstream>> upstreams;
  KeyTable keys{{}};

  /// An upstream says that it serves this model.
  bool Serves(std::string_view model) const;
  /// The model's own, or the gateway's.
  const BalanceOptions& BalanceFor(std::string_view model) const;
};

}  // namespace sonde::gateway
