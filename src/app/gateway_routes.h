#pragma once

#include <vector>

#include "api/sonde_routes.h"
#include "base/log.h"
#include "gateway/gateway.h"

namespace sonde::app {

/// The gateway's upstreams over HTTP: GET /api/v1/sonde/gateway/upstreams, and PUT and DELETE of
/// /api/v1/sonde/gateway/upstreams/NAME/weight. docs/gateway.md says what they take and give.
/// `gateway` gives null while there is none (--no-gateway, or before it has started): 503.
std::vector<api::SondeRoute> GatewayRoutes(std::function<gateway::Gateway*()> gateway,
                                           const Logger& logger);

}  // namespace sonde::app
