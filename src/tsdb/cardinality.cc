#include "tsdb/cardinality.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace sonde::tsdb {
namespace {

/// Keeps the `limit` largest of what it sees; equal counts by name, so that the answer does not
/// jump.
class Top {
 public:
  explicit Top(std::size_t limit) : limit_(limit) {}

  /// True if an entry with this count would be kept (names decide at the border).
  bool Wants(std::uint64_t count) const {
    return limit_ > 0 && (heap_.size() < limit_ || count >= heap_.front().count);
  }
  void Add(std::string name, std::uint64_t count) {
    heap_.push_back({std::move(name), count});
    std::ranges::push_heap(heap_, Before);
    if (heap_.size() > limit_) {
      std::ranges::pop_heap(heap_, Before);
      heap_.pop_back();
    }
  }
  std::vector<NamedCount> Take() {
    std::ranges::sort(heap_, Before);
    return std::move(heap_);
  }

 private:
  static bool Before(const NamedCount& a, const NamedCount& b) {
    return a.count != b.count ? a.count > b.count : a.name < b.name;
  }

  const std::size_t limit_;
  std::vector<NamedCount> heap_;
};

}  // namespace

Cardinality CountCardinality(const SeriesRegistry& registry, std::size_t limit) {
  Top metrics(limit);
  Top values(limit);
  Top bytes(limit);
  Top pairs(limit);
  Cardinality result;
  const LabelIndex& index = registry.index();
  FairReaderLock lock(index.mutex());
  for (const LabelIndex::Name& name : index.names()) {
    if (name.labels.empty()) continue;
    std::uint64_t size = 0;
    for (const LabelId label : name.labels) {
      const std::string_view value = PackedValue(index.packed_label(label));
      const std::uint64_t series = index.series_count(label);
      size += value.size() * series;
      if (name.name == kMetricName && metrics.Wants(series))
        metrics.Add(std::string(value), series);
      if (pairs.Wants(series)) pairs.Add(name.name + "=" + std::string(value), series);
    }
    result.label_pairs += name.labels.size();
    if (values.Wants(name.labels.size())) values.Add(name.name, name.labels.size());
    if (bytes.Wants(size)) bytes.Add(name.name, size);
  }
  result.series_by_metric = metrics.Take();
  result.values_by_label = values.Take();
  result.bytes_by_label = bytes.Take();
  result.series_by_pair = pairs.Take();
  return result;
}

}  // namespace sonde::tsdb
