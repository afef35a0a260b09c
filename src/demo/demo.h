#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "demo/incident.h"
#include "demo/load_generator.h"
#include "demo/options.h"
#include "demo/sim_clock.h"
#include "demo/simulated_node.h"
#include "demo/trace.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::demo {

class EngineServer;

/// The configuration for `sonde serve` that scrapes the demo's engines and GPUs and sends the
/// gateway's requests to them, as YAML.
std::string DemoConfiguration(const DemoOptions& options, const std::vector<EngineSpec>& cluster);

/// `sonde demo`: the simulated cluster on loopback ports, and the clients that use it.
///
/// Start once, then Stop, which is idempotent. All references must outlive it.
class Demo {
 public:
  /// kInvalid for options that make no sense.
  static Result<std::unique_ptr<Demo>> Make(DemoOptions options, const Clock& clock,
                                            const Logger& logger, instrument::Registry& registry);
  ~Demo();
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  /// kUnavailable if a port is taken.
  Status Start();
  void Stop();

  /// What a person should know, in a few lines: that all is simulated, where it is, what happens
  /// when.
  std::string Description() const;
  LoadStats stats() const { return clients_->stats(); }
  const std::vector<std::unique_ptr<SimulatedNode>>& nodes() const { return nodes_; }

 private:
  Demo(DemoOptions options, Trace trace, Incident incident, const Clock& clock,
       const Logger& logger, instrument::Registry& registry);
  void Tick(net::Fiber& fiber);
  void Report(net::Fiber& fiber);

  const DemoOptions options_;
  const std::vector<EngineSpec> cluster_;
  const Trace trace_;
  const Incident incident_;
  const Clock& clock_;
  const Logger logger_;
  const SimClock sim_clock_;
  std::vector<std::unique_ptr<SimulatedNode>> nodes_;
  net::LoopGroup loops_;
  std::vector<std::unique_ptr<EngineServer>> servers_;
  net::HttpClient client_;
  std::unique_ptr<LoadGenerator> clients_;
  std::vector<net::FiberHandle> fibers_;
  bool running_ = false;
};

}  // namespace sonde::demo
