#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "promql/annotations.h"
#include "promql/functions.h"
#include "promql/naive_value.h"

namespace sonde::promql {

/// One call of a function of range vectors, for one series at one step.
struct NaiveRangeCall {
  const Function& function;
  const NaiveWindow& window;
  std::span<const double> scalars;  ///< The other arguments, in order.
  Timestamp t;                      ///< The evaluation time.
  PositionRange at;                 ///< Of the first argument: where notes point.
};

/// The value for the series, or nothing. `window` holds at least one sample.
Result<std::optional<NaivePoint>> CallRangeFunction(const NaiveRangeCall& call,
                                                    AnnotationSet& notes);

}  // namespace sonde::promql
