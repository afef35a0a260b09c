#pragma once

#include <string>

#include "promql/ast.h"

namespace sonde::promql {

/// The canonical text, byte for byte the reference's Expr.String(): rule queries and error messages
/// are made of it.
std::string Print(const Expr& expr);

/// The multi-line form of /api/v1/format_query (Expr.Pretty).
std::string PrettyPrint(const Expr& expr);

/// The tree as /api/v1/parse_query gives it. Appends JSON.
void AppendJson(const Expr& expr, std::string& out);

}  // namespace sonde::promql
