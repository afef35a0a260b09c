#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"

// The seam between whoever ingests native series (scrape/, remote/) and whoever knows what they
// mean (collect/engine/): at ingest, canonical series are written beside the native ones
// (docs/vocabulary.md).

namespace sonde {

/// Which native values are measurements, and which canonical value stands for which native one.
/// An exporter that cannot read a sensor may write -1; a health code has to become 0 or 1.
struct ValueRule {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<double> invalid;                     ///< Values that mean "not known".
  std::vector<std::pair<double, double>> replace;  ///< Native → canonical. Empty: all stay.
  std::optional<double> otherwise;  ///< For values that `replace` lacks; absent: not known.

  /// The value before scaling; nothing if `native` is no measurement.
  std::optional<double> Apply(double native) const {
    // Written so that a NaN fails.
    if (!(native >= min && native <= max)) return std::nullopt;
    if (std::find(invalid.begin(), invalid.end(), native) != invalid.end()) return std::nullopt;
    if (replace.empty()) return native;
    for (const auto& [from, to] : replace) {
      if (from == native) return to;
    }
    return otherwise;
  }
};

/// What is stored for a native value by the fields of a MappedSeries; nothing: no value is known.
inline std::optional<double> CanonicalValue(double native, const ValueRule* rule, double scale,
                                            bool is_constant, double constant) {
  const std::optional<double> known =
      rule == nullptr ? std::optional<double>(native) : rule->Apply(native);
  if (!known) return std::nullopt;
  return is_constant ? constant : *known * scale;
}

/// One canonical series that a native series gives.
struct MappedSeries {
  Labels labels;  ///< With the canonical __name__.
  MetricType type = MetricType::kUnknown;
  std::string_view help;  ///< Lives as long as the mapper.
  double scale = 1;       ///< Stored value = native value × scale.
  bool is_constant = false;
  double constant = 0;  ///< If `is_constant`: the stored value, whatever the native one is.
  const ValueRule* rule = nullptr;  ///< Null: every value counts. Lives as long as the mapper.

  /// What to store beside `native`, which is no stale marker; nothing: the series has no value now.
  std::optional<double> Value(double native) const {
    return CanonicalValue(native, rule, scale, is_constant, constant);
  }
};

/// Turns a native series into canonical ones. Called once for each new series, never for each
/// sample; the result is cached by the caller beside the series. Implementations are thread-safe.
class SeriesMapper {
 public:
  virtual ~SeriesMapper() = default;

  /// `labels` are final (after relabelling, with `job` and `instance`). `type` is that of its
  /// family. Appends to `out`; most series map to nothing.
  virtual void Map(LabelsView labels, MetricType type, std::vector<MappedSeries>& out) const = 0;
};

}  // namespace sonde
