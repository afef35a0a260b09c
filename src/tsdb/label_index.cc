#include "tsdb/label_index.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kFirstSlots = 1024;

std::uint32_t HashOf(std::string_view packed) {
  return static_cast<std::uint32_t>(Xxh3(packed));
}

/// Length of one packed string, prefix included.
std::size_t PackedSize(const char* p) {
  const auto size = static_cast<unsigned char>(*p);
  if (size < 255) return size + 1U;
  return 4U + (static_cast<unsigned char>(p[1]) |
               (static_cast<unsigned>(static_cast<unsigned char>(p[2])) << 8) |
               (static_cast<unsigned>(static_cast<unsigned char>(p[3])) << 16));
}

std::string_view Unprefixed(std::string_view packed) {
  return packed.substr(static_cast<unsigned char>(packed[0]) < 255 ? 1 : 4);
}

}  // namespace

std::string_view PackedName(std::string_view packed_label) {
  return Unprefixed(packed_label.substr(0, PackedSize(packed_label.data())));
}

std::string_view PackedValue(std::string_view packed_label) {
  return Unprefixed(packed_label.substr(PackedSize(packed_label.data())));
}

void SeriesIds::Append(SeriesId id) {
  if (capacity_ == 0 && size_ < kInline) {
    inline_[size_++] = id;
    return;
  }
  if (capacity_ == 0 || size_ == capacity_) {
    const std::uint32_t capacity = size_ < 8 ? 8 : size_ + size_ / 4;
    void* memory = std::realloc(capacity_ == 0 ? nullptr : heap_, capacity * sizeof(SeriesId));
    CHECK(memory != nullptr);
    if (capacity_ == 0) std::memcpy(memory, inline_, sizeof(inline_));
    heap_ = static_cast<SeriesId*>(memory);
    capacity_ = capacity;
  }
  heap_[size_++] = id;
}

void SeriesIds::Remove(std::span<const SeriesId> dead) {
  SeriesId* const ids = capacity_ == 0 ? inline_ : heap_;
  // Few against many: start where the first of them can be.
  std::uint32_t from = 0;
  if (!dead.empty()) {
    from = static_cast<std::uint32_t>(std::lower_bound(ids, ids + size_, dead.front()) - ids);
  }
  std::uint32_t kept = from;
  auto next = dead.begin();
  for (std::uint32_t i = from; i < size_; ++i) {
    while (next != dead.end() && *next < ids[i]) {
      ++next;
    }
    if (next == dead.end() || *next != ids[i]) ids[kept++] = ids[i];
  }
  size_ = kept;
  if (size_ == 0) Free();
}

void SeriesIds::Free() {
  if (capacity_ != 0) std::free(heap_);
  size_ = 0;
  capacity_ = 0;
}

LabelIndex::LabelIndex() : slots_(kFirstSlots) {}

LabelIndex::~LabelIndex() {
  FairWriterLock lock(mutex_);
  for (LabelId label = 1; label < next_label_; ++label) {
    std::free(labels_[label].packed);
    labels_[label].series.Free();
  }
  all_.Free();
}

LabelId LabelIndex::FindPacked(std::string_view packed, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.label == 0) return 0;
    if (slot.hash == hash && slot.label != kRemoved && packed_label(slot.label) == packed) {
      return slot.label;
    }
  }
}

void LabelIndex::Insert(std::uint32_t hash, LabelId label) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash & mask;
  while (slots_[i].label != 0) {
    i = (i + 1) & mask;
  }
  slots_[i] = {hash, label};
  ++filled_;
}

void LabelIndex::Rehash() {
  std::vector<Slot> old(std::max(kFirstSlots, std::bit_ceil(used_ * 2 + 2)));
  old.swap(slots_);
  filled_ = 0;
  for (const Slot& slot : old) {
    if (slot.label != 0 && slot.label != kRemoved) Insert(slot.hash, slot.label);
  }
}

LabelId LabelIndex::Add(std::string_view packed, std::uint32_t hash) {
  LabelId label = next_label_;
  if (free_.empty()) {
    ++next_label_;
  } else {
    label = free_.back();
    free_.pop_back();
  }
  IndexedLabel& entry = labels_.Make(label);
  entry = IndexedLabel();
  entry.packed = static_cast<char*>(std::malloc(packed.size()));
  CHECK(entry.packed != nullptr);
  std::memcpy(entry.packed, packed.data(), packed.size());
  entry.packed_size = static_cast<std::uint32_t>(packed.size());
  const auto [it, added] = name_numbers_.try_emplace(std::string(PackedName(packed)),
                                                     static_cast<std::uint32_t>(names_.size()));
  if (added) names_.push_back({it->first, {}});
  entry.name = it->second;
  names_[entry.name].labels.push_back(label);
  ++used_;
  symbol_bytes_ += packed.size();
  if ((filled_ + 1) * 4 > slots_.size() * 3) Rehash();
  Insert(hash, label);
  return label;
}

void LabelIndex::Intern(LabelsView labels, std::vector<LabelId>& out) {
  out.clear();
  const std::string_view packed = labels.packed();
  std::size_t at = 0;
  while (at < packed.size()) {
    const std::size_t begin = at;
    at += PackedSize(packed.data() + at);
    at += PackedSize(packed.data() + at);
    const std::string_view label = packed.substr(begin, at - begin);
    // Series come in bursts from one target: most labels are those of the series before.
    const std::size_t position = out.size();
    if (position < last_.size() && packed_label(last_[position]) == label) {
      out.push_back(last_[position]);
      continue;
    }
    const std::uint32_t hash = HashOf(label);
    LabelId id = FindPacked(label, hash);
    if (id == 0) id = Add(label, hash);
    out.push_back(id);
  }
  last_.assign(out.begin(), out.end());
}

void LabelIndex::AddSeries(SeriesId id, std::span<const LabelId> labels) {
  for (const LabelId label : labels) {
    labels_[label].series.Append(id);
  }
  all_.Append(id);
}

bool LabelIndex::RemoveSeries(LabelId label, std::span<const SeriesId> dead) {
  IndexedLabel& entry = labels_[label];
  if (entry.series.size() == 0) return false;  // Taken out before.
  entry.series.Remove(dead);
  if (entry.series.size() != 0) return false;
  const std::uint32_t hash = HashOf(entry.packed_label());
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    CHECK(slots_[i].label != 0);
    if (slots_[i].label != label) continue;
    slots_[i].label = kRemoved;
    break;
  }
  affected_names_.push_back(entry.name);
  --used_;
  symbol_bytes_ -= entry.packed_size;
  // It must not be found as the label of the last series any more.
  last_.clear();
  return true;
}

void LabelIndex::ForgetRemoved() {
  std::ranges::sort(affected_names_);
  affected_names_.erase(std::unique(affected_names_.begin(), affected_names_.end()),
                        affected_names_.end());
  for (const std::uint32_t name : affected_names_) {
    std::erase_if(names_[name].labels,
                  [this](LabelId label) { return labels_[label].series.size() == 0; });
  }
  affected_names_.clear();
}

void LabelIndex::Release(LabelId label) {
  IndexedLabel& entry = labels_[label];
  std::free(entry.packed);
  entry = IndexedLabel();
  free_.push_back(label);
}

LabelId LabelIndex::Find(std::string_view name, std::string_view value) const {
  if (name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) return 0;
  std::string packed;
  AppendPackedLabel(packed, name, value);
  return FindPacked(packed, HashOf(packed));
}

const LabelIndex::Name* LabelIndex::FindName(std::string_view name) const {
  const auto it = name_numbers_.find(std::string(name));
  return it == name_numbers_.end() || names_[it->second].labels.empty() ? nullptr
                                                                        : &names_[it->second];
}

}  // namespace sonde::tsdb
