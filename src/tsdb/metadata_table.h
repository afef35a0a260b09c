#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "model/metadata.h"
#include "tsdb/series.h"

namespace sonde::tsdb {

/// What is known about metrics: type, unit and help, by metric name. Bounded: a name keeps its most
/// recent few variants, and there are at most kMaxNames names. Thread-safe.
class MetadataTable {
 public:
  static constexpr std::size_t kMaxNames = 100'000;
  static constexpr std::size_t kMaxVariants = 8;

  /// True if this was not known already.
  bool Update(std::string_view metric, const Metadata& metadata) EXCLUDES(mutex_);

  struct Entry {
    std::string metric;
    std::vector<Metadata> variants;  ///< Most recent first.
  };
  /// Of one metric, or of all if `metric` is empty; by name, at most `limit` names (0: all).
  std::vector<Entry> Get(std::string_view metric, std::size_t limit) const EXCLUDES(mutex_);

  /// For metadata records in the log: true if the series' last record said something else (or there
  /// was none).
  bool UpdateSeries(SeriesId id, const Metadata& metadata) EXCLUDES(mutex_);
  void ForgetSeries(const std::vector<SeriesId>& ids) EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::vector<Metadata>, std::less<>> metrics_ GUARDED_BY(mutex_);
  std::unordered_map<SeriesId, std::uint64_t> series_
      GUARDED_BY(mutex_);  // Hash of what was logged.
};

}  // namespace sonde::tsdb
