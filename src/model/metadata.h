#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde {

/// What an exposition says about a metric family. The numbers are those of the WAL's metadata
/// record and of remote write.
enum class MetricType : std::uint8_t {
  kUnknown = 0,
  kCounter = 1,
  kGauge = 2,
  kHistogram = 3,
  kGaugeHistogram = 4,
  kSummary = 5,
  kInfo = 6,
  kStateset = 7,
};

/// "counter", "gaugehistogram", …; "unknown".
std::string_view ToString(MetricType type);
/// The inverse; "untyped" is kUnknown. Nothing for other words.
std::optional<MetricType> ParseMetricType(std::string_view word);

struct Metadata {
  MetricType type = MetricType::kUnknown;
  std::string help;
  std::string unit;
  bool operator==(const Metadata&) const = default;
};

}  // namespace sonde
