#include "app/features.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sonde::app {
namespace {

bool Has(const std::vector<std::string>& features, std::string_view name) {
  return std::ranges::find(features, name) != features.end();
}

// Those that mean something here, then those of Prometheus that do not: start scripts may name
// them.
constexpr std::array<std::string_view, 25> kKnown{"promql-experimental-functions",
                                                  "promql-extended-range-selectors",
                                                  "promql-binop-fill-modifiers",
                                                  "promql-delayed-name-removal",
                                                  "promql-duration-expr",
                                                  "use-start-timestamps",
                                                  "type-and-unit-labels",
                                                  "promql-at-modifier",
                                                  "promql-negative-offset",
                                                  "promql-per-step-stats",
                                                  "agent",
                                                  "auto-gomaxprocs",
                                                  "auto-gomemlimit",
                                                  "auto-reload-config",
                                                  "concurrent-rule-eval",
                                                  "created-timestamp-zero-ingestion",
                                                  "delayed-compaction",
                                                  "exemplar-storage",
                                                  "expand-external-labels",
                                                  "extra-scrape-metrics",
                                                  "memory-snapshot-on-shutdown",
                                                  "metadata-wal-records",
                                                  "native-histograms",
                                                  "new-service-discovery-manager",
                                                  "remote-write-receiver"};

}  // namespace

promql::ParserOptions ParserOptionsOf(const std::vector<std::string>& features) {
  promql::ParserOptions options;
  options.experimental_functions = Has(features, "promql-experimental-functions");
  options.extended_range_selectors = Has(features, "promql-extended-range-selectors");
  options.binop_fill_modifiers = Has(features, "promql-binop-fill-modifiers");
  return options;
}

void SetEvalFeatures(const std::vector<std::string>& features, promql::EvalOptions& options) {
  options.delayed_name_removal = Has(features, "promql-delayed-name-removal");
  options.use_start_timestamps = Has(features, "use-start-timestamps");
  options.type_and_unit_labels = Has(features, "type-and-unit-labels");
}

std::vector<std::string> UnknownFeatures(const std::vector<std::string>& features) {
  std::vector<std::string> unknown;
  for (const std::string& feature : features) {
    if (std::ranges::find(kKnown, feature) == kKnown.end()) unknown.push_back(feature);
  }
  return unknown;
}

}  // namespace sonde::app
