#include "scrape/series_cache.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace sonde::scrape {

void SeriesCache::BeginPass() {
  if (pass_ == std::numeric_limits<std::uint32_t>::max()) {
    // After 4 billion pages the numbers begin anew: everything counts as seen and live in pass 1.
    for (CachedSeries& series : series_) {
      series.live = series.live == live_pass_ && live_pass_ != 0 ? 1 : 0;
      series.seen = 1;
    }
    live_pass_ = live_pass_ == 0 ? 0 : 1;
    pass_ = 1;
    last_good_pass_ = 1;
  }
  ++pass_;
  cursor_ = kNone;
  still_live_ = 0;
  live_in_pass_ = 0;
  seen_in_pass_ = 0;
}

CachedSeries* SeriesCache::Find(const Hash128& key) {
  std::uint32_t& link = cursor_ == kNone ? first_ : series_[cursor_].next;
  if (link != kNone && series_[link].key == key) {
    cursor_ = link;
    return &series_[link];
  }
  if (slots_.empty()) return nullptr;
  for (std::size_t slot = Slot(key);; slot = (slot + 1) & (slots_.size() - 1)) {
    const std::uint32_t index = slots_[slot];
    if (index == 0) return nullptr;
    if (series_[index - 1].key == key) {
      link = index - 1;
      cursor_ = index - 1;
      return &series_[index - 1];
    }
  }
}

CachedSeries& SeriesCache::Add(const Hash128& key, storage::SeriesRef ref) {
  CHECK(series_.size() < kNone - 1);
  if ((series_.size() + 1) * 2 > slots_.size())
    Rehash(std::max<std::size_t>(64, slots_.size() * 2));
  const auto index = static_cast<std::uint32_t>(series_.size());
  (cursor_ == kNone ? first_ : series_[cursor_].next) = index;
  cursor_ = index;
  CachedSeries series;
  series.key = key;
  series.ref = ref;
  series.seen = pass_;
  ++seen_in_pass_;
  series.next = kNone;
  series_.push_back(series);
  std::size_t slot = Slot(key);
  while (slots_[slot] != 0)
    slot = (slot + 1) & (slots_.size() - 1);
  slots_[slot] = index + 1;
  return series_.back();
}

void SeriesCache::SetDerived(CachedSeries& series, const std::vector<DerivedSeries>& derived) {
  const std::size_t count =
      std::min<std::size_t>(derived.size(), std::numeric_limits<std::uint16_t>::max());
  if (count <= series.derived_count) {
    std::copy_n(derived.begin(), count, derived_.begin() + series.derived);
  } else {
    series.derived = static_cast<std::uint32_t>(derived_.size());
    derived_.insert(derived_.end(), derived.begin(),
                    derived.begin() + static_cast<std::ptrdiff_t>(count));
  }
  series.derived_count = static_cast<std::uint16_t>(count);
}

void SeriesCache::FinishGoodPass() {
  live_pass_ = live_in_pass_ > 0 ? pass_ : 0;
  live_count_ = live_in_pass_;
  last_good_pass_ = pass_;
  // A few that come and go may stay: they are not live, and IsKnown says that they are not known.
  if (series_.size() - seen_in_pass_ > 64 + series_.size() / 8) Evict();
  good_size_ = series_.size();
}

bool SeriesCache::FinishBadPass() {
  live_pass_ = 0;
  live_count_ = 0;
  if (series_.size() <= good_size_ * 2 + kSpareOnBadPages) return false;
  Evict();
  return true;
}

void SeriesCache::Evict() {
  std::vector<CachedSeries> kept;
  std::vector<DerivedSeries> derived;
  std::vector<std::uint32_t> moved(series_.size(), kNone);
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (series_[i].seen != pass_) continue;
    moved[i] = static_cast<std::uint32_t>(kept.size());
    kept.push_back(series_[i]);
    CachedSeries& series = kept.back();
    const DerivedSeries* first = derived_.data() + series.derived;
    series.derived = static_cast<std::uint32_t>(derived.size());
    derived.insert(derived.end(), first, first + series.derived_count);
  }
  for (CachedSeries& series : kept) {
    if (series.next != kNone) series.next = moved[series.next];
  }
  first_ = first_ == kNone ? kNone : moved[first_];
  cursor_ = kNone;
  kept.shrink_to_fit();
  series_ = std::move(kept);
  derived_ = std::move(derived);
  std::size_t slots = 64;
  while (slots < series_.size() * 2)
    slots *= 2;
  Rehash(slots);
}

void SeriesCache::Rehash(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::size_t i = 0; i < series_.size(); ++i) {
    std::size_t slot = Slot(series_[i].key);
    while (slots_[slot] != 0)
      slot = (slot + 1) & (slots - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace sonde::scrape
