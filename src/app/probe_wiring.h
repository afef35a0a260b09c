#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "collect/engine/engine_roster.h"
#include "collect/probe/account_prober.h"
#include "collect/probe/canary_prober.h"
#include "collect/probe/certificate_prober.h"
#include "collect/probe/options.h"
#include "collect/probe/suite.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "promql/engine.h"
#include "scrape/scraper.h"
#include "storage/storage.h"

namespace sonde::app {

/// The suites that ship, then those of `patterns`; a later one of the same name replaces an earlier
/// one. Errors name file, line and column, or the pattern that matches nothing.
Result<std::vector<collect::Suite>> LoadSuites(Env& env, const std::vector<std::string>& patterns);

/// Everything that probes: canaries, accounts, certificates. Start once; Stop is idempotent.
/// References outlive it.
class ProbeWiring {
 public:
  struct Context {
    net::LoopGroup& loops;
    ThreadPool& pool;
    Env& env;
    const Clock& clock;
    const Logger& logger;
    instrument::Registry& registry;
    const storage::Queryable& store;
    const promql::Evaluator& evaluator;
    const scrape::Scraper& scraper;
    std::function<std::vector<collect::FoundEngine>()> engines;
    const gateway::Gateway* gateway = nullptr;  ///< Null: --no-gateway.
    std::string gateway_address;                ///< That it listens on.
    bool gateway_tls = false;
    std::string vocabulary_prefix;
    /// The configuration in effect, whose https addresses count.
    std::function<std::shared_ptr<const config::Config>()> config;
  };

  /// kInvalid if a suite or a TLS file cannot be used.
  static Result<std::unique_ptr<ProbeWiring>> Make(const collect::ProbeOptions& options,
                                                   Context context);

  void Start();
  void Stop();

 private:
  explicit ProbeWiring(Context context) : context_(std::move(context)) {}

  collect::GatewayPlace Gateway() const;
  bool IsSaturated(const collect::CanaryEndpoint& endpoint, bool is_gateway) const;
  std::vector<collect::CertificateTarget> CertificateTargets() const;

  const Context context_;
  std::unique_ptr<collect::CanaryProber> canaries_;           // Null: none.
  std::unique_ptr<collect::AccountProber> accounts_;          // Null: none.
  std::unique_ptr<collect::CertificateProber> certificates_;  // Null: switched off.
};

}  // namespace sonde::app
