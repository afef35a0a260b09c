#pragma once

#include <string>
#include <vector>

namespace sonde::app {

/// `sonde check config FILE…`: prints what a person should know and returns the exit code, 1 if one
/// cannot be used.
int RunCheckConfig(const std::vector<std::string>& files, bool syntax_only);

/// `sonde check metrics [--openmetrics]` on standard input, of at most 256 MiB.
int RunCheckMetrics(bool openmetrics);

}  // namespace sonde::app
