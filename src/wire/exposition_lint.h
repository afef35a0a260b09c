#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wire/exposition_format.h"

// What is wrong with a page, beyond what a scraper cares about: `sonde check metrics`.
//
// Rules: docs/formats/exposition.md, "Lint".

namespace sonde::wire {

/// One thing that is wrong.
struct LintFinding {
  std::size_t line = 0;    ///< From 1.
  std::size_t column = 0;  ///< From 1, in bytes.
  std::string
      family;  ///< The metric family that it is about; empty for a line that is no part of one.
  std::string message;
};

/// Everything that is wrong with a page, in its order; at most `max_findings`. kText: the rules of
/// the text format's documentation and the naming rules of `promtool check metrics`. kOpenMetrics:
/// the rules of the OpenMetrics 1.0 specification, nothing else. kProtobuf is not looked at.
std::vector<LintFinding> LintExposition(std::string_view page, ExpositionFormat format,
                                        std::size_t max_findings = 1000);

/// `sonde check metrics [--openmetrics]`: appends a line "line:column: family: message" for each
/// finding to `report`. Returns the exit status: 0 if there are none, else 1.
int CheckMetrics(std::string_view page, bool openmetrics, std::string& report);

}  // namespace sonde::wire
