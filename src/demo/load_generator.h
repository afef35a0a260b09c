#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "demo/trace.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::demo {

/// One served instance, for when the gateway is down.
struct Endpoint {
  std::string model;
  std::string url;
};

struct LoadOptions {
  std::string gateway_url;
  std::vector<Endpoint> endpoints;
  double rate = 1;   ///< Times the trace's own.
  double speed = 1;  ///< And the simulation's.
  std::uint64_t seed = 1;
  std::uint32_t max_in_flight = 512;  ///< Beyond, arrivals are dropped (and counted).
  double leave_ratio = 0.01;          ///< Clients that go away in the middle.
  double mistake_ratio = 0.002;       ///< Clients that ask for a model that does not exist.
  double stream_ratio = 0.9;          ///< The others take the answer in one piece.
};

/// What the clients saw since the start.
struct LoadStats {
  std::uint64_t sent = 0, succeeded = 0, failed = 0, left = 0, dropped = 0;
  std::uint64_t direct = 0;  ///< Past the gateway, because it did not answer.
  std::uint64_t tokens = 0;
  double first_token_seconds = 0;  ///< Sum over `first_tokens` streams, in real time.
  std::uint64_t first_tokens = 0;
};

/// Which model request `number` of the load asks for: half the first one's share, and so on by
/// weight. Same for the same seed.
std::string PickModel(const std::vector<Endpoint>& endpoints, std::uint64_t seed,
                      std::uint64_t number);

/// The body of a request to /v1/chat/completions.
std::string RequestBody(const std::string& model, const TraceRequest& request, std::uint64_t number,
                        bool stream, std::uint64_t seed);

/// Simulated clients: send the trace's requests to the gateway, at the trace's times, and read the
/// answers as clients do.
///
/// If the gateway cannot be reached, a request goes to an engine directly; the next one tries the
/// gateway again. Start once; Stop cancels what is in flight and waits. All references must outlive
/// it.
class LoadGenerator {
 public:
  LoadGenerator(LoadOptions options, const Trace& trace, net::LoopGroup& loops,
                net::HttpClient& client, const Clock& clock, const Logger& logger);
  ~LoadGenerator();
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;

  void Start();
  void Stop();
  LoadStats stats() const EXCLUDES(mutex_);

 private:
  struct Attempt;

  void Arrivals(net::Fiber& fiber);
  void Launch(std::uint64_t number, const TraceRequest& request);
  void Run(net::Fiber& fiber, const Attempt& attempt);
  Result<std::unique_ptr<net::HttpClientResponse>> Send(net::Fiber& fiber, const Attempt& attempt);
  void Count(void (*change)(LoadStats&)) EXCLUDES(mutex_);
  bool ReadAnswer(net::Fiber& fiber, const Attempt& attempt, std::int64_t sent_nanos,
                  net::HttpClientResponse& response);
  void SetGatewayUp(bool up) EXCLUDES(mutex_);
  const std::string& DirectUrl(const std::string& model) EXCLUDES(mutex_);

  const LoadOptions options_;
  const Trace& trace_;
  net::LoopGroup& loops_;
  net::HttpClient& client_;
  const Clock& clock_;
  const Logger logger_;
  net::FiberHandle arrivals_;
  std::atomic<bool> started_{false};
  std::atomic<std::uint32_t> in_flight_{0};

  mutable Mutex mutex_;
  LoadStats stats_ GUARDED_BY(mutex_);
  bool gateway_up_ GUARDED_BY(mutex_) = true;
  std::map<std::string, std::size_t> next_direct_ GUARDED_BY(mutex_);
  std::vector<net::FiberHandle> requests_ GUARDED_BY(mutex_);
};

}  // namespace sonde::demo
