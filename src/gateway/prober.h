#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "gateway/upstream.h"
#include "net/event_loop.h"

namespace sonde::gateway {

struct ProbeOptions {
  Duration interval{5'000};
  Duration timeout{5'000};
  Duration models_interval{
      60'000};  ///< The list of models is asked for anew, even if requests show that all is well.

  bool operator==(const ProbeOptions&) const = default;
};

/// Asks `upstream` how it is and what it serves until the fiber is cancelled: after `interval`
/// without a request that went well, and when an ejection is over. How: GET /health, or GET
/// /v1/models where that does not exist; the latter only while no request is running.
void KeepProbing(net::Fiber& fiber, Upstream& upstream, const ProbeOptions& options,
                 const Clock& clock, const Logger& logger);

}  // namespace sonde::gateway
