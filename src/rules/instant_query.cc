#include "rules/instant_query.h"

#include <utility>
#include <variant>

namespace sonde::rules {

Result<std::vector<promql::ResultSeries>> InstantQuery::Ask(const promql::Expr& expr,
                                                            std::string_view text,
                                                            Timestamp at) const {
  promql::EvalOptions options = eval_;
  options.query = text;
  auto result = TRY(evaluator_.Evaluate(expr, {at, at, Duration(0)}, store_, options, cancel_));
  if (auto* vector = std::get_if<promql::VectorResult>(&result.value)) {
    return std::move(vector->series);
  }
  if (const auto* scalar = std::get_if<promql::ScalarResult>(&result.value)) {
    promql::ResultSeries series;
    series.points.push_back({at, scalar->v, nullptr});
    std::vector<promql::ResultSeries> out;
    out.push_back(std::move(series));
    return out;
  }
  return Error(ErrorKind::kInvalid, "rule result is not a vector or scalar");
}

Result<std::vector<promql::ResultSeries>> InstantQuery::Ask(std::string_view text,
                                                            Timestamp at) const {
  const promql::ExprPtr expr = TRY(promql::ParseExpr(text, parser_));
  return Ask(*expr, text, at);
}

}  // namespace sonde::rules
