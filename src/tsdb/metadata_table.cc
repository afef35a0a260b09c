#include "tsdb/metadata_table.h"

#include <algorithm>

#include "base/hash.h"

namespace sonde::tsdb {

bool MetadataTable::Update(std::string_view metric, const Metadata& metadata) {
  MutexLock lock(mutex_);
  auto it = metrics_.find(metric);
  if (it == metrics_.end()) {
    if (metrics_.size() >= kMaxNames) return false;
    it = metrics_.emplace(std::string(metric), std::vector<Metadata>()).first;
  }
  std::vector<Metadata>& variants = it->second;
  const auto known = std::ranges::find(variants, metadata);
  if (known == variants.begin() && !variants.empty()) return false;
  const bool added = known == variants.end();
  if (!added) variants.erase(known);
  variants.insert(variants.begin(), metadata);
  if (variants.size() > kMaxVariants) variants.pop_back();
  return added;
}

std::vector<MetadataTable::Entry> MetadataTable::Get(std::string_view metric,
                                                     std::size_t limit) const {
  std::vector<Entry> entries;
  MutexLock lock(mutex_);
  if (!metric.empty()) {
    const auto it = metrics_.find(metric);
    if (it != metrics_.end()) entries.push_back({it->first, it->second});
    return entries;
  }
  for (const auto& [name, variants] : metrics_) {
    if (limit != 0 && entries.size() >= limit) break;
    entries.push_back({name, variants});
  }
  return entries;
}

bool MetadataTable::UpdateSeries(SeriesId id, const Metadata& metadata) {
  std::string text = metadata.help;
  text.push_back('\0');
  text += metadata.unit;
  text.push_back(static_cast<char>(metadata.type));
  const std::uint64_t hash = Xxh3(text);
  MutexLock lock(mutex_);
  const auto [it, added] = series_.try_emplace(id, hash);
  if (!added && it->second == hash) return false;
  it->second = hash;
  return true;
}

void MetadataTable::ForgetSeries(const std::vector<SeriesId>& ids) {
  MutexLock lock(mutex_);
  for (const SeriesId id : ids) {
    series_.erase(id);
  }
}

}  // namespace sonde::tsdb
