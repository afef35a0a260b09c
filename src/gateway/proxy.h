#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/access.h"
#include "gateway/balancer.h"
#include "gateway/metrics.h"
#include "gateway/path_metrics.h"
#include "gateway/retry_budget.h"
#include "gateway/tenants.h"
#include "gateway/upstream.h"
#include "net/event_loop.h"
#include "net/http_server.h"

namespace sonde::gateway {

/// The gateway's HTTP handler. Thread-safe; everything that it is given outlives it.
class Proxy {
 public:
  /// `settings` gives those in force now.
  Proxy(std::function<std::shared_ptr<const Settings>()> settings, GatewayMetrics& metrics,
        instrument::Registry& registry, const Clock& clock, const Logger& logger);

  /// Limits and tables for the requests that come from now on; what tenants have used stays used.
  void Configure(const GatewayOptions& options);

  void Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response);

 private:
  friend class ProxyCall;

  void AnswerOwn(std::string_view path, net::HttpResponse& response) const;
  /// The upstreams' lists of models in one, if several have told theirs.
  static bool AnswerModels(const Settings& settings, net::HttpResponse& response);
  std::string NewRequestId();

  const std::function<std::shared_ptr<const Settings>()> settings_;
  GatewayMetrics& metrics_;
  PathMetrics path_metrics_;
  const Clock& clock_;
  const Logger logger_;
  const std::uint64_t seed_;
  std::atomic<std::uint64_t> calls_{0};
  Balancer balancer_;
  TenantTable tenants_;
  RetryBudget retries_;
};

/// 401, as OpenAI's API says it.
void AnswerUnauthorized(net::HttpResponse& response, Identity::Refusal refusal);

/// Answers in the form of the OpenAI API's errors.
void AnswerError(net::HttpResponse& response, int status, std::string_view type,
                 std::string_view code, std::string_view message);

}  // namespace sonde::gateway
