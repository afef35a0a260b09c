#pragma once

#include <functional>
#include <string>
#include <vector>

#include "alerting/alertmanager.h"
#include "api/sonde_routes.h"
#include "base/clock.h"

namespace sonde::app {

/// What Alertmanager's API v2 says beside the pipeline's state.
struct AlertmanagerApi {
  std::function<alerting::Alertmanager*()> alertmanager;  ///< Null: not started yet (503).
  std::function<std::string()> config_yaml;
  const Clock& clock;
  Timestamp started;
};

/// Alertmanager's HTTP API below /api/v2 (docs/alerting.md). Error bodies are JSON strings, as
/// the reference has them.
std::vector<api::SondeRoute> AlertmanagerRoutes(const AlertmanagerApi& api);

}  // namespace sonde::app
