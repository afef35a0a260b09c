#include "gateway/path_metrics.h"

namespace sonde::gateway {

void PathMetrics::Rejected(std::string_view model, std::string_view tenant,
                           std::string_view reason) {
  // A family has one set of label names, also when tenants come with a reload; an empty value is no
  // label.
  registry_
      .GetCounter(prefix_ + "requests_rejected_total", "Requests that the gateway itself refused.",
                  {{"model", model}, {"reason", reason}, {"source", "gateway"}, {"tenant", tenant}})
      .Add();
}

void PathMetrics::Retried(std::string_view instance, std::string_view reason) {
  registry_
      .GetCounter("sonde_gateway_retries_total",
                  "Attempts of an upstream after which a request went on to another.",
                  {{"instance", instance}, {"reason", reason}})
      .Add();
}

void PathMetrics::Ejected(std::string_view instance) {
  registry_
      .GetCounter("sonde_gateway_ejections_total", "Times that requests ejected an upstream.",
                  {{"instance", instance}})
      .Add();
}

void PathMetrics::FirstToken(std::string_view instance, std::string_view model,
                             std::int64_t nanos) {
  registry_
      .GetHistogram("sonde_gateway_upstream_first_token_seconds",
                    "Time from a streamed request's arrival to its first token, by upstream.", {},
                    {{"instance", instance}, {"model", model}})
      .Observe(static_cast<double>(nanos) / 1e9);
}

}  // namespace sonde::gateway
