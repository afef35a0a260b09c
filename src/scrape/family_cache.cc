#include "scrape/family_cache.h"

#include <algorithm>
#include <utility>

namespace sonde::scrape {

std::shared_ptr<const FamilyMetadata> MetadataPool::Intern(std::string_view family,
                                                           const Metadata& metadata) {
  const Key key{std::string(family), metadata.type, metadata.help, metadata.unit};
  const MutexLock lock(mutex_);
  std::weak_ptr<const FamilyMetadata>& known = known_[key];
  if (auto shared = known.lock()) return shared;
  auto made = std::make_shared<const FamilyMetadata>(FamilyMetadata{std::string(family), metadata});
  known = made;
  if (known_.size() >= sweep_at_) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(1024, known_.size() * 2);
  }
  return made;
}

std::size_t MetadataPool::size() const {
  const MutexLock lock(mutex_);
  return known_.size();
}

void FamilyCache::BeginPass() {
  ++pass_;
  cursor_ = kNone;
}

FamilyCache::Family& FamilyCache::Find(std::string_view family, std::size_t& index) {
  if (cursor_ != kNone && families_[cursor_].data->family == family) {
    index = cursor_;
    return families_[cursor_];
  }
  const std::uint32_t predicted = cursor_ == kNone ? first_ : families_[cursor_].next;
  std::uint32_t found = kNone;
  if (predicted != kNone && families_[predicted].data->family == family) {
    found = predicted;
  } else if (const auto known = by_name_.find(family); known != by_name_.end()) {
    found = known->second;
  } else {
    found = static_cast<std::uint32_t>(families_.size());
    families_.push_back({pool_.Intern(family, {}), 0, pass_, kNone});
    by_name_.emplace(family, found);
    changed_ = true;
  }
  (cursor_ == kNone ? first_ : families_[cursor_].next) = found;
  cursor_ = found;
  index = found;
  return families_[found];
}

void FamilyCache::Update(Family& entry, const Metadata& metadata) {
  entry.data = pool_.Intern(entry.data->family, metadata);
  entry.changed = pass_;
  changed_ = true;
}

std::size_t FamilyCache::SetType(std::string_view family, MetricType type) {
  std::size_t index = 0;
  Family& entry = Find(family, index);
  entry.seen = pass_;
  if (entry.data->metadata.type == type) return index;
  Metadata metadata = entry.data->metadata;
  metadata.type = type;
  Update(entry, metadata);
  return index;
}

std::size_t FamilyCache::SetHelp(std::string_view family, std::string_view help) {
  std::size_t index = 0;
  Family& entry = Find(family, index);
  entry.seen = pass_;
  if (entry.data->metadata.help == help) return index;
  Metadata metadata = entry.data->metadata;
  metadata.help = help;
  Update(entry, metadata);
  return index;
}

std::size_t FamilyCache::SetUnit(std::string_view family, std::string_view unit) {
  std::size_t index = 0;
  Family& entry = Find(family, index);
  entry.seen = pass_;
  if (entry.data->metadata.unit == unit) return index;
  Metadata metadata = entry.data->metadata;
  metadata.unit = unit;
  Update(entry, metadata);
  return index;
}

void FamilyCache::EndPass(bool good) {
  if (!good) {
    // Bad pages can name new families for ever.
    if (families_.size() > good_size_ * 2 + kSpareOnBadPages) {
      families_.clear();
      by_name_.clear();
      first_ = kNone;
      cursor_ = kNone;
    }
    return;
  }
  bool old = false;
  for (const Family& family : families_)
    old = old || pass_ - family.seen > kKeepPasses;
  if (old) {
    std::erase_if(families_,
                  [this](const Family& family) { return pass_ - family.seen > kKeepPasses; });
    by_name_.clear();
    first_ = families_.empty() ? kNone : 0;
    cursor_ = kNone;
    for (std::uint32_t i = 0; i < families_.size(); ++i) {
      families_[i].next = i + 1 < families_.size() ? i + 1 : kNone;
      by_name_.emplace(families_[i].data->family, i);
    }
  }
  good_size_ = families_.size();
  if (!changed_ && !old) return;
  changed_ = false;
  auto fresh = std::make_shared<std::vector<std::shared_ptr<const FamilyMetadata>>>();
  fresh->reserve(families_.size());
  for (const Family& family : families_)
    fresh->push_back(family.data);
  const MutexLock lock(mutex_);
  list_ = std::move(fresh);
}

FamilyCache::List FamilyCache::list() const {
  const MutexLock lock(mutex_);
  return list_;
}

}  // namespace sonde::scrape
