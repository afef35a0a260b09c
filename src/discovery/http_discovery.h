#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "discovery/http_access.h"
#include "discovery/options.h"
#include "discovery/target_group.h"

namespace sonde::discovery {

/// Asks one HTTP endpoint for its target groups, each of which gets the label `__meta_url`.
/// Thread-safe.
class HttpDiscovery {
 public:
  HttpDiscovery(HttpDiscoveryOptions options, HttpAccessContext context);

  /// One request. Errors: those of the client; kInvalid for a status other than 200, a Content-Type
  /// other than JSON, or a malformed list.
  Result<std::vector<TargetGroup>> Refresh(net::Fiber& fiber);

  const HttpDiscoveryOptions& options() const { return options_; }

 private:
  const HttpDiscoveryOptions options_;
  HttpAccess access_;
};

/// application/json, with no charset but UTF-8.
bool IsJsonContentType(std::string_view content_type);

}  // namespace sonde::discovery
