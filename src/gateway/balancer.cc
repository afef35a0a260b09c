#include "gateway/balancer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "base/random.h"

namespace sonde::gateway {
namespace {

/// Requests beyond which affinity gives way for `upstream`.
template <class Candidate>
bool IsOverloaded(const Candidate& candidate, const std::vector<Candidate>& candidates,
                  const BalanceOptions& balance) {
  double running = 1;
  double weights = 0;
  for (const Candidate& other : candidates) {
    running += other.upstream->outstanding();
    weights += other.weight * other.share;
  }
  const double fair = running * candidate.weight * candidate.share / weights;
  const double limit =
      std::max(std::ceil(balance.max_load_factor * fair), static_cast<double>(balance.min_load));
  return candidate.upstream->outstanding() + 1 > limit;
}

/// The least loaded; of equals the first.
template <class Candidate, class Load>
const Candidate& Least(const std::vector<Candidate>& candidates, Load load) {
  const Candidate* best = nullptr;
  double best_load = 0;
  for (const Candidate& candidate : candidates) {
    const double its = load(candidate) / (candidate.weight * candidate.share);
    if (best != nullptr && its >= best_load) continue;
    best = &candidate;
    best_load = its;
  }
  return *best;
}

template <class Candidate>
const Candidate& LeastTokens(const std::vector<Candidate>& candidates, std::int64_t tokens) {
  return Least(candidates, [tokens](const Candidate& candidate) {
    // Each request weighs something, also one of which nothing is expected.
    return static_cast<double>(candidate.upstream->outstanding_tokens() + tokens +
                               candidate.upstream->outstanding() + 1);
  });
}

template <class Candidate>
const Candidate& ByChance(const std::vector<Candidate>& candidates, double chance) {
  double weights = 0;
  for (const Candidate& candidate : candidates)
    weights += candidate.weight * candidate.share;
  double at = chance * weights;
  for (const Candidate& candidate : candidates) {
    at -= candidate.weight * candidate.share;
    if (at < 0) return candidate;
  }
  return candidates.back();
}

/// Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): each key orders the upstreams by
/// −weight / ln(hash), so that a change of one upstream moves its own keys only. The first that is
/// not overloaded gets it (bounded loads).
template <class Candidate>
const Candidate& BySession(const std::vector<Candidate>& candidates, const RouteRequest& request,
                           const BalanceOptions& balance) {
  const std::uint64_t key = Xxh3(request.session);
  const Candidate* best = nullptr;
  double best_score = 0;
  for (const Candidate& candidate : candidates) {
    std::array<char, 16> bytes;
    const std::uint64_t id = candidate.upstream->id();
    std::memcpy(bytes.data(), &key, 8);
    std::memcpy(bytes.data() + 8, &id, 8);
    const double uniform =
        (static_cast<double>(Xxh3({bytes.data(), bytes.size()}) >> 11) + 0.5) * 0x1.0p-53;
    const double score = -candidate.weight / std::log(uniform);
    if (best != nullptr && score <= best_score) continue;
    if (IsOverloaded(candidate, candidates, balance)) continue;
    best = &candidate;
    best_score = score;
  }
  return best != nullptr ? *best : LeastTokens(candidates, request.tokens);
}

}  // namespace

void Balancer::Configure(const GatewayOptions& options) {
  const bool wanted = options.balance.policy == BalancePolicy::kPrefixAffinity ||
                      std::ranges::any_of(options.model_balance, [](const ModelBalance& model) {
                        return model.balance.policy == BalancePolicy::kPrefixAffinity;
                      });
  MutexLock lock(mutex_);
  if (!wanted) {
    prefixes_.reset();
  } else if (prefixes_ == nullptr || prefix_entries_ != options.prefix_entries) {
    prefixes_ = std::make_shared<PrefixTable>(options.prefix_entries);
    prefix_entries_ = options.prefix_entries;
  }
}

Balancer::Candidates Balancer::Fitting(const Settings& settings, std::string_view model,
                                       const std::vector<Upstream*>& tried, std::uint64_t turn,
                                       std::int64_t now, NoUpstream& why) {
  const auto& upstreams = settings.upstreams;
  // Better fits have smaller ranks: 0 lists the model, 1 might serve it; 2 and 3 are the same, but
  // ejected.
  int best_rank = 4;
  Candidates candidates;
  why = upstreams.empty() ? NoUpstream::kNoneConfigured : NoUpstream::kUnknownModel;
  // What stands first wins ties, so each call begins elsewhere.
  for (std::size_t i = 0; i < upstreams.size(); ++i) {
    const std::size_t index = (i + turn) % upstreams.size();
    Upstream& upstream = *upstreams[index];
    const auto models = upstream.models();
    const bool lists = model.empty() || models->Has(model);  // Without a model any will do.
    if (!lists && models->configured) continue;
    const double weight = upstream.weight(now);
    if (!(weight > 0)) {
      if (why == NoUpstream::kUnknownModel) why = NoUpstream::kDrained;
      continue;
    }
    why = NoUpstream::kAllTried;
    if (std::ranges::find(tried, &upstream) != tried.end()) continue;
    const int rank = (lists ? 0 : 1) + (upstream.health.ejected() ? 2 : 0);
    if (rank > best_rank) continue;
    if (rank < best_rank) candidates.clear();
    best_rank = rank;
    candidates.push_back({&upstream, index, weight, upstream.health.Share(now)});
  }
  return candidates;
}

/// Stride scheduling (Waldspurger and Weihl 1995): whoever is least far in its own time is next,
/// and its time goes on by 1 / weight.
const Balancer::Candidate& Balancer::InTurn(const Candidates& candidates) {
  MutexLock lock(mutex_);
  const Candidate* best = nullptr;
  double best_time = 0;
  for (const Candidate& candidate : candidates) {
    // Who was away does not catch up.
    const double time =
        std::max(candidate.upstream->turn_time.load(std::memory_order_relaxed), turn_time_);
    if (best != nullptr && time >= best_time) continue;
    best = &candidate;
    best_time = time;
  }
  turn_time_ = best_time;
  best->upstream->turn_time.store(best_time + 1 / (best->weight * best->share),
                                  std::memory_order_relaxed);
  return *best;
}

const Balancer::Candidate& Balancer::ByPrefix(const Settings& settings,
                                              const Candidates& candidates,
                                              const RouteRequest& request,
                                              const BalanceOptions& balance) {
  std::shared_ptr<PrefixTable> prefixes;
  {
    MutexLock lock(mutex_);
    prefixes = prefixes_;
  }
  if (prefixes == nullptr) return LeastTokens(candidates, request.tokens);
  const auto hashes = PrefixHashes(request.prompt, settings.options.prefix_block_bytes,
                                   settings.options.prefix_blocks, Xxh3(request.model));
  const Candidate* best = nullptr;
  for (std::size_t i = hashes.size(); i-- > 0 && best == nullptr;) {
    const PrefixTable::Holders holders = prefixes->Find(hashes[i]);
    Candidates fitting;
    for (const Candidate& candidate : candidates) {
      if (std::ranges::find(holders, candidate.upstream->id()) != holders.end() &&
          !IsOverloaded(candidate, candidates, balance)) {
        fitting.push_back(candidate);
      }
    }
    if (fitting.empty()) continue;
    const Upstream* chosen = LeastTokens(fitting, request.tokens).upstream;
    best = &*std::ranges::find_if(candidates,
                                  [&](const Candidate& c) { return c.upstream == chosen; });
  }
  if (best == nullptr) best = &LeastTokens(candidates, request.tokens);
  prefixes->Note(hashes, best->upstream->id());
  return *best;
}

const Balancer::Candidate& Balancer::Pick(const Settings& settings, const Candidates& candidates,
                                          const RouteRequest& request, std::uint64_t turn) {
  const BalanceOptions& balance = settings.BalanceFor(request.model);
  switch (balance.policy) {
    case BalancePolicy::kLeastRequests:
      return Least(candidates, [](const Candidate& candidate) {
        return static_cast<double>(candidate.upstream->outstanding() + 1);
      });
    case BalancePolicy::kWeightedRandom:
      return ByChance(candidates, Rng(seed_ + turn).Uniform());
    case BalancePolicy::kWeightedRoundRobin:
      return InTurn(candidates);
    case BalancePolicy::kSessionAffinity:
      if (request.session.empty()) break;
      return BySession(candidates, request, balance);
    case BalancePolicy::kPrefixAffinity:
      return ByPrefix(settings, candidates, request, balance);
    case BalancePolicy::kLeastTokens:
      break;
  }
  return LeastTokens(candidates, request.tokens);
}

Balancer::Choice Balancer::Choose(const Settings& settings, const RouteRequest& request,
                                  const std::vector<Upstream*>& tried, std::int64_t now) {
  const std::uint64_t turn = turns_.fetch_add(1, std::memory_order_relaxed);
  Choice choice;
  const Candidates candidates = Fitting(settings, request.model, tried, turn, now, choice.why);
  if (candidates.empty()) return choice;
  choice.upstream = settings.upstreams[Pick(settings, candidates, request, turn).index];
  return choice;
}

std::int64_t Balancer::ExpectedOutput(std::optional<std::int64_t> max_tokens) const {
  const auto mean = static_cast<std::int64_t>(mean_output_.load(std::memory_order_relaxed));
  return max_tokens ? std::clamp<std::int64_t>(*max_tokens, 0, mean) : mean;
}

void Balancer::NoteOutput(std::uint64_t tokens) {
  // Of two at once one may be lost; a mean does not mind.
  const double mean = mean_output_.load(std::memory_order_relaxed);
  mean_output_.store(mean + (static_cast<double>(tokens) - mean) / 32, std::memory_order_relaxed);
}

}  // namespace sonde::gateway
