#pragma once

#include "api/status.h"

namespace sonde::app {

/// What this binary was built from.
api::BuildStatus BuildInfo();
/// "sonde, version 0.1.0 (revision …)" and the lines below it, as `sonde version` prints them.
std::string VersionText();

}  // namespace sonde::app
