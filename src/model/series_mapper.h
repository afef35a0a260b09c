#pragma once

#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"

// The seam between whoever ingests native series (scrape/, remote/) and whoever knows what they
// mean (collect/engine/): at ingest, canonical series are written beside the native ones
// (docs/vocabulary.md).

namespace sonde {

/// One canonical series that a native series gives.
struct MappedSeries {
  Labels labels;  ///< With the canonical __name__.
  MetricType type = MetricType::kUnknown;
  std::string_view help;  ///< Lives as long as the mapper.
  double scale = 1;       ///< Stored value = native value × scale.
  bool is_constant = false;
  double constant = 0;  ///< If `is_constant`: the stored value, whatever the native one is.
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
