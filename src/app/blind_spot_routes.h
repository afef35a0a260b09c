#pragma once

#include <functional>
#include <vector>

#include "api/sonde_routes.h"
#include "insight/blind_spot_watch.h"

namespace sonde::app {

/// GET /api/v1/sonde/blindspots: the report, looked up anew (docs/blind-spots.md). `watch` gives
/// null until there is one; what it gives must outlive the call.
std::vector<api::SondeRoute> BlindSpotRoutes(std::function<insight::BlindSpotWatch*()> watch);

}  // namespace sonde::app
