#pragma once

#include <string>

#include "base/result.h"
#include "promql/engine.h"
#include "promql/promqltest/script.h"

// Compares what a query gave with what its script expects.

namespace sonde::promql {

/// OK if the result is the expected one; else kInvalid with what differs.
Status CompareResult(const EvalCommand& eval, const QueryResult& result);

/// OK if the annotations are the expected ones. Their positions are those of `query`.
Status CompareAnnotations(const EvalCommand& eval, std::string_view query,
                          const Annotations& annotations);

/// OK if the query failed as expected. `error` is the message.
Status CompareFailure(const EvalCommand& eval, std::string_view error);

/// OK if series are sorted by their labels.
Status CheckSorted(const MatrixResult& matrix);

/// The expected and the actual result, one series a line, for people.
std::string DescribeExpected(const EvalCommand& eval);
std::string DescribeResult(const QueryResult& result);

}  // namespace sonde::promql
