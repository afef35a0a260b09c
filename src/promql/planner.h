#pragma once

#include "promql/naive_prepare.h"
#include "promql/plan.h"

// From a prepared query to its plan.

namespace sonde::promql {

/// The plan of the whole query, by its type. The query must outlive the plan.
ScalarPlan MakeScalarPlan(const PreparedQuery& query);
VectorPlan MakeVectorPlan(const PreparedQuery& query);
RangePlan MakeRangePlan(const PreparedQuery& query);

}  // namespace sonde::promql
