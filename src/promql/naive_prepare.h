#pragma once

#include <set>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "promql/ast.h"
#include "promql/engine.h"

namespace sonde::promql {

/// A query's expression, made ready once for evaluation at many times.
struct PreparedQuery {
  /// A copy in which durations are computed, `@ start()` and `@ end()` are timestamps, calls of
  /// start(), end(), range() and step() are numbers, and arguments stand without parentheses.
  ExprPtr expr;
  /// The outermost expressions whose value is the same at every step.
  std::set<const Expr*> step_invariant;
  /// The samples that the query can touch lie in [first, last]; first > last if it touches none.
  Timestamp first = Timestamp::Max();
  Timestamp last = Timestamp::Min();
};

/// Errors: kInvalid for a duration that is not positive and the like.
Result<PreparedQuery> PrepareQuery(const Expr& expr, const QueryRange& range,
                                   const EvalOptions& options);

/// The time that an `@` and an offset make of an evaluation time.
Timestamp ReferenceTime(Timestamp t, const AtModifier& at, const OffsetModifier& offset);

/// Where in time info() looks for info series: at the time of the first selector in its first
/// argument.
struct InfoReference {
  /// Of the selector or, without one, of the innermost subquery around it that has one.
  AtModifier at;
  /// The sum of the offsets up to there.
  Duration offset{0};
};
InfoReference FindInfoReference(const Expr& argument);

}  // namespace sonde::promql
