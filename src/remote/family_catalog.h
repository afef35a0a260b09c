#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "model/metadata.h"
#include "storage/storage.h"

namespace sonde::remote {

/// What remote write 1.0 says about metric families. It names families, while the store keeps
/// metadata for series: the catalog remembers both sides until they meet. Thread-safe; touched by
/// new series and metadata only, never by samples of known series.
class FamilyCatalog {
 public:
  explicit FamilyCatalog(std::size_t max_families) : max_families_(max_families) {}

  /// Takes what a request says about a family. Returns a series for each of the family's metric
  /// names that is known, for the caller to pass on; none if nothing changed. Above the limit new
  /// families are forgotten.
  std::vector<storage::SeriesRef> Update(std::string_view family, const Metadata& metadata);

  struct Known {
    std::string family;
    Metadata metadata;
  };
  /// Notes a new series, and returns what is known about its family.
  std::optional<Known> Register(std::string_view metric_name, storage::SeriesRef ref);

  /// What was passed on about the family did not reach the store: the next Update is to count as a
  /// change.
  void Forget(std::string_view family);

  std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  template <class T>
  using ByName = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

  const std::size_t max_families_;
  mutable Mutex mutex_;
  ByName<Metadata> families_ GUARDED_BY(mutex_);
  ByName<storage::SeriesRef> series_ GUARDED_BY(mutex_);  // The newest series of each metric name.
};

}  // namespace sonde::remote
