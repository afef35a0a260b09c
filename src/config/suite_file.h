#pragma once

#include <string_view>

#include "base/result.h"
#include "collect/probe/suite.h"

namespace sonde::config {

/// Reads a suite of canary questions (docs/probes.md, "Suites"). At most 1 MiB, and what
/// collect/probe/suite.h bounds. Errors are kInvalid or kLimit, one `origin:line:column: message` a
/// line.
Result<collect::Suite> ParseSuiteFile(std::string_view text, std::string_view origin);

}  // namespace sonde::config
