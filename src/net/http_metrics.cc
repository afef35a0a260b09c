#include "net/http_metrics.h"

#include <algorithm>
#include <utility>

namespace sonde::net {
namespace {

constexpr std::array<std::string_view, 9> kMethodNames = {
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "other"};
constexpr std::array<double, 17> kDurationBounds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

}  // namespace

HttpServerMetrics::HttpServerMetrics(instrument::Registry& registry, std::string name)
    : in_flight(registry.GetGauge("sonde_http_requests_in_flight",
                                  "Requests being answered by an HTTP server.",
                                  {{"server", name}})),
      connections(registry.GetGauge("sonde_http_connections", "Open connections of an HTTP server.",
                                    {{"server", name}})),
      accepted(registry.GetCounter("sonde_http_connections_accepted_total",
                                   "Connections accepted by an HTTP server.", {{"server", name}})),
      accept_errors(registry.GetCounter(
          "sonde_http_accept_errors_total",
          "Times that accepting a connection failed, for lack of file descriptors or memory.",
          {{"server", name}})),
      registry_(registry),
      name_(std::move(name)),
      duration_(
          registry.GetHistogram("sonde_http_request_duration_seconds",
                                "From the end of a request's header to the end of its answer.",
                                kDurationBounds, {{"server", name_}})) {}

void HttpServerMetrics::CountRequest(std::string_view method, int status, std::int64_t nanos) {
  const auto known = std::find(kMethodNames.begin(), kMethodNames.end() - 1, method);
  const auto index = static_cast<std::size_t>(known - kMethodNames.begin());
  const auto code = static_cast<std::size_t>(status >= 100 && status < 600 ? status : 0);
  // Two threads may both look it up; the registry gives both the same counter.
  instrument::Counter* counter = requests_[index][code].load(std::memory_order_acquire);
  if (counter == nullptr) {
    counter = &registry_.GetCounter(
        "sonde_http_requests_total", "Requests answered by an HTTP server.",
        {{"server", name_}, {"method", kMethodNames[index]}, {"code", std::to_string(code)}});
    requests_[index][code].store(counter, std::memory_order_release);
  }
  counter->Add();
  duration_.Observe(static_cast<double>(nanos) / 1e9);
}

void HttpServerMetrics::CountRejected(std::string_view reason) {
  registry_
      .GetCounter("sonde_http_rejected_total",
                  "Connections and requests that an HTTP server refused, by reason.",
                  {{"server", name_}, {"reason", reason}})
      .Add();
}

}  // namespace sonde::net
