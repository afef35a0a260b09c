#pragma once

#include "api/envelope.h"
#include "net/http.h"
#include "promql/parser.h"

// /api/v1/format_query and /api/v1/parse_query.

namespace sonde::api {

Answer FormatQueryAnswer(const net::Query& parameters, const promql::ParserOptions& options);
Answer ParseQueryAnswer(const net::Query& parameters, const promql::ParserOptions& options);

}  // namespace sonde::api
