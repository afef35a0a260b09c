#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "collect/engine/engine_finder.h"
#include "gateway/gateway.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "scrape/scraper.h"

namespace sonde::app {

/// Turns engines that were found into scrape targets (job `engines`) and gateway upstreams, beside
/// those that the configuration names itself. An address that the configuration already scrapes, or
/// already has as an upstream, is left to it. Start once; Stop is idempotent. Thread-safe.
/// References outlive it.
class EngineWiring {
 public:
  struct Options {
    collect::EngineFinderOptions finder;
    Duration scrape_interval{5'000};
    gateway::GatewayOptions gateway;  ///< With the upstreams of the configuration.
    std::vector<std::shared_ptr<const scrape::ScrapeOptions>> configured_jobs;
  };

  /// `gateway` may be null (--no-gateway).
  EngineWiring(Options options, net::LoopGroup& loops, scrape::Scraper& scraper,
               gateway::Gateway* gateway, const Clock& clock, const Logger& logger,
               instrument::Registry& registry);
  ~EngineWiring();

  void Start();
  void Stop();

  /// The engines that are known now.
  std::vector<collect::FoundEngine> engines() const { return finder_.engines(); }

  /// Asks the engine that is scraped as `instance` for one token; calls `done` from a loop's thread
  /// with whether one came. An engine that is not known here is not asked, and nothing is called.
  void SendCanary(const std::string& instance, const std::string& model,
                  std::function<void(bool)> done);

  /// The configuration was read again. What the finder looks for stays as it was.
  Status Reload(gateway::GatewayOptions gateway,
                std::vector<std::shared_ptr<const scrape::ScrapeOptions>> jobs) EXCLUDES(mutex_);

 private:
  Status Apply(const std::vector<collect::FoundEngine>& engines) EXCLUDES(mutex_);

  scrape::Scraper& scraper_;
  gateway::Gateway* const gateway_;
  const Logger logger_;
  const Duration scrape_interval_;
  net::LoopGroup& loops_;
  const Clock& clock_;
  net::HttpClient client_;
  collect::EngineFinder finder_;
  bool started_ = false;

  Mutex mutex_;
  gateway::GatewayOptions gateway_options_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const scrape::ScrapeOptions>> configured_jobs_ GUARDED_BY(mutex_);
};

}  // namespace sonde::app
