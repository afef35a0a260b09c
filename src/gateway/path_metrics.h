#pragma once

#include <string>
#include <string_view>

#include "instrument/registry.h"

// What the gateway counts of the way that requests take: refusals, retries, ejections. The labels
// are bounded: models and tenants are those of GatewayMetrics, reasons and instances are few.

namespace sonde::gateway {

/// Thread-safe.
class PathMetrics {
 public:
  /// `prefix`: "deepseek_". `registry` must outlive it.
  PathMetrics(instrument::Registry& registry, std::string prefix)
      : registry_(registry), prefix_(std::move(prefix)) {}

  /// The gateway itself refused a request; `reason`: "key", "requests", "tokens",
  /// "concurrent_requests", "too_large" or "no_upstream". `tenant` may be empty.
  void Rejected(std::string_view model, std::string_view tenant, std::string_view reason);
  /// A request goes on to another upstream; `reason`: a status, or "broken", or "unreachable".
  void Retried(std::string_view instance, std::string_view reason);
  void Ejected(std::string_view instance);
  /// The first token of a stream, `nanos` after the request had come in full. Sum and count alone:
  /// to be compared with what the engine measured (docs/anatomy.md).
  void FirstToken(std::string_view instance, std::string_view model, std::int64_t nanos);

 private:
  instrument::Registry& registry_;
  const std::string prefix_;
};

}  // namespace sonde::gateway
