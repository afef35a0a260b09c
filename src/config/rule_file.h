#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/parser.h"
#include "rules/options.h"

// Rule files: Prometheus's format, read strictly (docs/rules.md).

namespace sonde::config {

struct RuleFileOptions {
  promql::ParserOptions parser;
  bool legacy_names = false;           ///< Names as Prometheus 2 knew them.
  bool ignore_unknown_fields = false;  ///< Keys that nobody knows are left out, not refused.
};

struct RuleFile {
  std::vector<rules::GroupOptions> groups;
  std::vector<std::string> warnings;  ///< `FILE:LINE:COLUMN: …`
};

/// Longest rule file that is read.
inline constexpr std::size_t kMaxRuleFileBytes = 16U << 20;

/// Parses and checks `text`: expressions and templates, too. Errors are kInvalid (or kLimit), one
/// `FILE:LINE:COLUMN: message` on each line, in the reference's words.
Result<RuleFile> ParseRuleFile(std::string_view text, std::string_view file,
                               const RuleFileOptions& options);

}  // namespace sonde::config
