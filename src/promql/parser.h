#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "promql/ast.h"

namespace sonde::promql {

/// What of the language is switched on; the defaults are the reference server's.
struct ParserOptions {
  bool experimental_functions = false;  ///< promql-experimental-functions (and limitk, limit_ratio)
  bool duration_expressions = true;
  bool extended_range_selectors = false;  ///< anchored, smoothed
  bool binop_fill_modifiers = false;      ///< fill, fill_left, fill_right
  std::size_t max_bytes = 1 << 20;        ///< Longer queries are refused.
  int max_depth =
      512;  ///< Nesting of parentheses, calls and operators; deeper is refused, never a crash.
};

/// Parses and type-checks. Errors are kInvalid with the reference's text and position: "1:5: parse
/// error: unexpected …".
Result<ExprPtr> ParseExpr(std::string_view query, const ParserOptions& options = {});

/// Parses a bare selector as `match[]` parameters hold it: `up{job="x"}`. The matchers include the
/// name.
Result<std::vector<Matcher>> ParseMetricSelector(std::string_view text);

/// Parses `name{a="b"}` or `{a="b"}` as a label set (test files, API bodies).
Result<Labels> ParseMetric(std::string_view text);

}  // namespace sonde::promql
