#include "model/metadata.h"

#include <array>

namespace sonde {
namespace {

constexpr std::array<std::string_view, 8> kNames{"unknown",        "counter", "gauge", "histogram",
                                                 "gaugehistogram", "summary", "info",  "stateset"};

}  // namespace

std::string_view ToString(MetricType type) {
  return kNames[static_cast<std::size_t>(type)];
}

std::optional<MetricType> ParseMetricType(std::string_view word) {
  if (word == "untyped") return MetricType::kUnknown;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == word) return static_cast<MetricType>(i);
  }
  return std::nullopt;
}

}  // namespace sonde
