#include "api/expression_service.h"

#include <string>

#include "api/params.h"
#include "base/json.h"
#include "promql/printer.h"

namespace sonde::api {

Answer FormatQueryAnswer(const net::Query& parameters, const promql::ParserOptions& options) {
  const auto expr = promql::ParseExpr(parameters.Get("query"), options);
  if (!expr) return Answer::Failure(InvalidParameter("query", expr.error()));
  std::string data;
  JsonWriter(data).String(promql::PrettyPrint(**expr));
  return Answer::Success(data);
}

Answer ParseQueryAnswer(const net::Query& parameters, const promql::ParserOptions& options) {
  const auto expr = promql::ParseExpr(parameters.Get("query"), options);
  if (!expr) return Answer::Failure(InvalidParameter("query", expr.error()));
  std::string data;
  promql::AppendJson(**expr, data);
  return Answer::Success(data);
}

}  // namespace sonde::api
