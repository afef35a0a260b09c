#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tsdb/series_registry.h"

namespace sonde::tsdb {

struct NamedCount {
  std::string name;
  std::uint64_t count = 0;
};

/// Where the series of the head come from: the tables of /api/v1/status/tsdb. Largest first.
struct Cardinality {
  std::vector<NamedCount> series_by_metric;
  std::vector<NamedCount> values_by_label;
  std::vector<NamedCount> bytes_by_label;  ///< Bytes of the values, counted once for each series.
  std::vector<NamedCount> series_by_pair;  ///< "name=value".
  std::uint64_t label_pairs = 0;
};

Cardinality CountCardinality(const SeriesRegistry& registry, std::size_t limit);

}  // namespace sonde::tsdb
