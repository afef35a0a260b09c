#pragma once

#include <functional>

#include "api/sonde_routes.h"
#include "gateway/gateway.h"

namespace sonde::app {

/// POST /api/v1/feedback: what somebody thinks of an answer, joined to its request.
/// docs/feedback.md. `gateway` gives the gateway that runs, or null.
api::SondeRoute FeedbackRoute(std::function<gateway::Gateway*()> gateway);

}  // namespace sonde::app
