#pragma once

#include <string_view>

#include "base/result.h"
#include "rules/unit_test.h"

namespace sonde::config {

/// Parses a file of unit tests for rules (promtool's format). Errors are kInvalid (or kLimit), one
/// `FILE:LINE:COLUMN: message` on each line.
Result<rules::UnitTestFile> ParseRuleTestFile(std::string_view text, std::string_view file,
                                              bool ignore_unknown_fields);

}  // namespace sonde::config
