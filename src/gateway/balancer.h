#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "gateway/options.h"
#include "gateway/prefix_table.h"
#include "gateway/upstream.h"

// Which upstream gets a request. docs/gateway.md, "Balancing", says it in words.

namespace sonde::gateway {

/// What of a request decides where it goes. Views live for the length of the call.
struct RouteRequest {
  std::string_view model = {};
  std::string_view session = {};  ///< Empty: none.
  std::string_view prompt = {};   ///< Its beginning, for prefix affinity.
  std::int64_t tokens = 0;        ///< Expected of it, prompt and output.
};

/// Chooses, and remembers what the policies need. Thread-safe; lives as long as the gateway, so
/// that a reload forgets no prefix.
class Balancer {
 public:
  explicit Balancer(std::uint64_t seed) : seed_(seed) {}

  /// Sizes of the tables. A table whose size changes begins anew.
  void Configure(const GatewayOptions& options) EXCLUDES(mutex_);

  /// Why there is no upstream for a request.
  enum class NoUpstream : unsigned char { kNoneConfigured, kUnknownModel, kAllTried, kDrained };
  struct Choice {
    std::shared_ptr<Upstream> upstream;  ///< Null: see `why`.
    NoUpstream why = NoUpstream::kNoneConfigured;
  };
  /// The upstream for a request that is not among `tried`, by the model's policy: of those that
  /// list the model, else of those whose list is not binding; any, if the request has no model.
  /// Ejected ones only if there is no other; those of weight 0 never.
  Choice Choose(const Settings& settings, const RouteRequest& request,
                const std::vector<Upstream*>& tried, std::int64_t now);

  /// How many tokens an answer will have, if a request allows `max_tokens`: the mean of recent
  /// answers, but no more than that.
  std::int64_t ExpectedOutput(std::optional<std::int64_t> max_tokens) const;
  void NoteOutput(std::uint64_t tokens);

 private:
  struct Candidate {
    Upstream* upstream;
    std::size_t index;  // In the settings.
    double weight;      // In force.
    double share;       // Less while it returns.
  };
  using Candidates = std::vector<Candidate>;

  static Candidates Fitting(const Settings& settings, std::string_view model,
                            const std::vector<Upstream*>& tried, std::uint64_t turn,
                            std::int64_t now, NoUpstream& why);
  const Candidate& Pick(const Settings& settings, const Candidates& candidates,
                        const RouteRequest& request, std::uint64_t turn);
  const Candidate& InTurn(const Candidates& candidates) EXCLUDES(mutex_);
  const Candidate& ByPrefix(const Settings& settings, const Candidates& candidates,
                            const RouteRequest& request, const BalanceOptions& balance)
      EXCLUDES(mutex_);

  const std::uint64_t seed_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<double> mean_output_{256};
  Mutex mutex_;
  double turn_time_ GUARDED_BY(mutex_) = 0;
  std::uint32_t prefix_entries_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<PrefixTable> prefixes_ GUARDED_BY(mutex_);
};

}  // namespace sonde::gateway
