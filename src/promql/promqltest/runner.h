#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"
#include "promql/engine.h"
#include "promql/parser.h"

// Runs test scripts against an evaluator. Format, and what exactly is run and compared:
// docs/formats/promqltest.md.

namespace sonde::promql {

struct ScriptSummary {
  int passed = 0;
  int failed = 0;
  /// Of the failed cases, those whose data or expectations hold native histograms.
  int failed_with_histograms = 0;
};

/// Takes the text that is meant for the user; called with whole lines.
using Report = std::function<void(std::string_view text)>;

/// The language and the limits that scripts run with: everything is switched on.
ParserOptions ScriptParserOptions();
EvalOptions ScriptEvalOptions();

/// Runs the cases of one script, each `eval` statement being one, and reports those that fail with
/// what was expected and what came. A script that cannot be read counts as one failed case.
ScriptSummary RunScript(std::string_view name, std::string_view text, const Evaluator& evaluator,
                        const Report& report);

/// `sonde test promql FILE...`: runs the files and ends with "N passed, N failed". Returns the exit
/// status: 0 if all passed, else 1.
int RunPromqlTests(Env& env, std::span<const std::string> files, const Evaluator& evaluator,
                   const Report& report);

}  // namespace sonde::promql
