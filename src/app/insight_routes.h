#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/sonde_routes.h"
#include "base/clock.h"
#include "insight/progress_watch.h"
#include "promql/engine.h"
#include "storage/storage.h"

namespace sonde::app {

/// Where the handlers find what they show. Called only once the store is open.
struct InsightSources {
  std::function<std::vector<insight::EngineProgress>()> progress;
  std::function<const storage::Queryable&()> store;
  std::function<const promql::Evaluator&()> evaluator;
  std::string prefix;
  const Clock& clock;
};

/// GET /api/v1/sonde/progress and /api/v1/sonde/anatomy (docs/api.md).
std::vector<api::SondeRoute> InsightRoutes(InsightSources sources);

}  // namespace sonde::app
