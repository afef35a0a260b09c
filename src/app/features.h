#pragma once

#include <string>
#include <vector>

#include "promql/engine.h"
#include "promql/parser.h"

// --enable-feature: PromQL's switches, by Prometheus's names and with its defaults.

namespace sonde::app {

promql::ParserOptions ParserOptionsOf(const std::vector<std::string>& features);
void SetEvalFeatures(const std::vector<std::string>& features, promql::EvalOptions& options);
/// Those that neither we nor Prometheus know.
std::vector<std::string> UnknownFeatures(const std::vector<std::string>& features);

}  // namespace sonde::app
