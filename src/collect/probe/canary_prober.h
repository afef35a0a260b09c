#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "collect/engine/engine_roster.h"
#include "collect/probe/canary_board.h"
#include "collect/probe/fiber_crew.h"
#include "collect/probe/options.h"
#include "collect/probe/suite.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::collect {

/// At most so many models of one endpoint are probed; more have to be named.
inline constexpr std::size_t kMaxProbedModels = 8;

/// A service on the internet, whose tokens cost money: https to a public name.
bool IsHosted(const std::string& url);
/// A server that loads a model when it is asked for (Ollama, llama.cpp as a router): probing every
/// model that it lists would push out those that are used.
bool LoadsOnDemand(const EngineIdentity& identity);

/// What a canary of the configuration means at this moment: one entry for each model of each place.
/// Pure: `engines` as found; `gateway` with the models that it serves and that may be probed
/// without being named.
struct GatewayPlace {
  std::string url;
  std::vector<std::string> free_models;
};
std::vector<CanaryEndpoint> EndpointsOf(const CanaryOptions& canary,
                                        const std::vector<FoundEngine>& engines,
                                        const GatewayPlace& gateway);

/// Lets one canary at a time to a place, and one through the gateway only while no other runs,
/// since nobody knows which engine it will reach. Not thread-safe: for fibers of one loop.
class CanaryGate {
 public:
  /// False: not now; try again soon.
  bool TryEnter(const std::string& place, bool is_gateway);
  void Leave(const std::string& place, bool is_gateway);

 private:
  std::set<std::string> busy_;
  bool gateway_waiting_ = false;  // Nobody else begins, so that its turn comes.
  bool gateway_busy_ = false;
};

/// Sends the canaries of the configuration, each on its own jittered schedule.
///
/// Everything runs on one loop; thread-safe. Start once; Stop is idempotent and waits for what is
/// under way. References outlive it.
class CanaryProber {
 public:
  struct Sources {
    std::function<std::vector<FoundEngine>()> engines;
    std::function<GatewayPlace()> gateway;
    /// Whether the engine (by `instance`), or every engine of the model for the gateway, has more
    /// to do than it can. Called on the pool.
    std::function<bool(const CanaryEndpoint& endpoint, bool is_gateway)> saturated;
  };
  struct Context {
    net::EventLoop& loop;
    ThreadPool& pool;  ///< Where files are read and `saturated` is asked.
    Env& env;
    const Clock& clock;
    Logger logger;
    instrument::Registry& registry;
    std::string prefix = "deepseek_";
    std::uint64_t seed = 0;
  };

  /// kInvalid if a canary names a suite that is not there, or TLS files that cannot be used.
  static Result<std::unique_ptr<CanaryProber>> Make(std::vector<CanaryOptions> canaries,
                                                    std::vector<Suite> suites, Sources sources,
                                                    Context context);
  ~CanaryProber();

  void Start();
  void Stop();

 private:
  struct Canary {
    std::size_t number = 0;
    CanaryOptions options;
    std::vector<std::shared_ptr<const Suite>> suites;
    std::unique_ptr<net::HttpClient> client;
    std::vector<std::string> listed_models;  // By its URL, the last time that it answered.
  };

  CanaryProber(Sources sources, Context context);

  void Run(net::Fiber& fiber, Canary& canary);
  /// One round over all endpoints.
  Status Round(net::Fiber& fiber, Canary& canary);
  std::vector<CanaryEndpoint> Resolve(net::Fiber& fiber, Canary& canary,
                                      const std::string& authorization);
  void RunSuite(net::Fiber& fiber, const Canary& canary, const Suite& suite,
                const CanaryEndpoint& endpoint);

  const Sources sources_;
  const Context context_;
  const std::shared_ptr<CanaryBoard> board_;
  Rng rng_;          // Used by the loop only.
  CanaryGate gate_;  // Likewise.
  std::vector<std::unique_ptr<Canary>> canaries_;
  bool started_ = false;
  FiberCrew crew_;  // Last: its fibers use the others.
};

}  // namespace sonde::collect
