#include "remote/family_catalog.h"

#include <array>
#include <functional>

namespace sonde::remote {
namespace {

// What may follow a family's name in the names of its series.
constexpr std::array<std::string_view, 9> kSuffixes{
    "", "_total", "_bucket", "_count", "_sum", "_created", "_info", "_gcount", "_gsum"};

}  // namespace

std::vector<storage::SeriesRef> FamilyCatalog::Update(std::string_view family,
                                                      const Metadata& metadata) {
  std::vector<storage::SeriesRef> refs;
  MutexLock lock(mutex_);
  auto found = families_.find(family);
  if (found == families_.end()) {
    if (families_.size() >= max_families_) return refs;
    found = families_.emplace(family, Metadata{}).first;
  } else if (found->second == metadata) {
    return refs;
  }
  found->second = metadata;
  std::string name;
  for (const std::string_view suffix : kSuffixes) {
    name.assign(family).append(suffix);
    if (const auto series = series_.find(name); series != series_.end())
      refs.push_back(series->second);
  }
  return refs;
}

std::optional<FamilyCatalog::Known> FamilyCatalog::Register(std::string_view metric_name,
                                                            storage::SeriesRef ref) {
  MutexLock lock(mutex_);
  if (const auto known = series_.find(metric_name); known != series_.end()) {
    known->second = ref;
  } else if (series_.size() < max_families_ * kSuffixes.size()) {
    series_.emplace(metric_name, ref);
  }
  for (const std::string_view suffix : kSuffixes) {
    if (!metric_name.ends_with(suffix)) continue;
    const auto found = families_.find(metric_name.substr(0, metric_name.size() - suffix.size()));
    if (found != families_.end()) return Known{found->first, found->second};
  }
  return std::nullopt;
}

void FamilyCatalog::Forget(std::string_view family) {
  MutexLock lock(mutex_);
  if (const auto found = families_.find(family); found != families_.end()) families_.erase(found);
}

std::size_t FamilyCatalog::size() const {
  MutexLock lock(mutex_);
  return families_.size();
}

}  // namespace sonde::remote
