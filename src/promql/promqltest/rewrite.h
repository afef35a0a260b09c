#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "promql/ast.h"

namespace sonde::promql {

/// The query with `@ t` on every selector and subquery that has no `@` yet (inside a subquery with
/// one, nothing is touched): it gives the same result at any evaluation time. Nothing if it holds a
/// function whose result depends on the evaluation time itself, as time() does.
std::optional<std::string> PinToTime(const Expr& expr, Timestamp t);

}  // namespace sonde::promql
