#pragma once

#include "base/result.h"
#include "promql/ast.h"

namespace sonde::promql {

struct QueryRange;  // engine.h

/// Evaluates every duration expression in the tree and stores the results in the `value`s beside
/// them: step() is the query's step and range() its length, both 0 for an instant query. Errors are
/// kInvalid with the reference's text and position ("5:12: duration must be greater than 0": byte
/// offsets, not line and column).
Status ResolveDurations(Expr& expr, const QueryRange& range);

}  // namespace sonde::promql
