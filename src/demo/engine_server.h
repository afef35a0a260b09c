#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "demo/openai_api.h"
#include "demo/sim_clock.h"
#include "demo/simulated_node.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_server.h"

namespace sonde::demo {

/// The two listeners of a simulated node: the engine (OpenAI-compatible API, /metrics, /health,
/// /version), and the page of its GPUs. Every answer carries the header X-Sonde-Simulated: true.
///
/// Start once, then Stop. All references must outlive it.
class EngineServer {
 public:
  EngineServer(SimulatedNode& node, const SimClock& sim_clock, std::uint64_t seed,
               net::LoopGroup& loops, const Logger& logger, instrument::Registry& registry);
  ~EngineServer();

  /// Port 0: any. kUnavailable if a port is taken.
  Status Start(const std::string& host, std::uint16_t engine_port, std::uint16_t gpu_port);
  void Stop();
  std::uint16_t engine_port() const { return engine_.port(); }
  std::uint16_t gpu_port() const { return gpus_.port(); }

 private:
  void HandleEngine(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response);
  void HandleGpus(net::HttpRequest& request, net::HttpResponse& response);
  int Complete(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response,
               bool chat);
  int Answer(net::Fiber& fiber, const CompletionRequest& wanted, net::HttpResponse& response);
  Status Stream(net::Fiber& fiber, const AnswerWriter& writer, RequestId id, bool include_usage,
                net::HttpResponse& response);
  Result<RequestProgress> WaitForAll(net::Fiber& fiber, RequestId id);
  AnswerPlan PlanAnswer(const CompletionRequest& wanted, std::uint64_t number,
                        SimRequest& work) const;

  SimulatedNode& node_;
  const SimClock& sim_clock_;
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> requests_{0};
  net::HttpServer engine_;
  net::HttpServer gpus_;
};

}  // namespace sonde::demo
