#pragma once

#include "base/result.h"
#include "promql/ast.h"
#include "promql/plan.h"

namespace sonde::promql {

constexpr bool IsTrim(BinaryOp op) {
  return op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower;
}
constexpr bool IsArithmetic(BinaryOp op) {
  return op <= BinaryOp::kAtan2;
}

double Arithmetic(BinaryOp op, double a, double b);
/// A comparison.
bool Holds(BinaryOp op, double a, double b);

/// `left op right` for two vectors; the operands' values may be taken away. fast_match.cc.
Result<SeriesList> MatchVectors(PlanRun& run, const Grid& grid, const BinaryExpr& binary,
                                SeriesList& left, SeriesList& right);

}  // namespace sonde::promql
