#include "promql/label_index.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "promql/label_functions.h"

namespace sonde::promql {
namespace {

bool IsMetadata(std::string_view name) {
  return name == kMetricName || name == kTypeLabel || name == kUnitLabel;
}

}  // namespace

LabelIndex::LabelIndex() : slots_(16) {}

LabelsView LabelIndex::at(std::size_t number) const {
  const Key& key = keys_[number];
  return LabelsView::FromPacked(std::string_view(bytes_).substr(key.offset, key.size));
}

// The slot that holds the key, or the empty one where it belongs.
std::size_t LabelIndex::SlotOf(std::string_view packed, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    const Key& key = keys_[slots_[slot] - 1];
    if (key.hash == hash && std::string_view(bytes_).substr(key.offset, key.size) == packed) break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

LabelIndex::Entry LabelIndex::FindOrAdd(LabelsView labels) {
  const std::string_view packed = labels.packed();
  const std::uint64_t hash = Xxh3(packed);
  std::size_t slot = SlotOf(packed, hash);
  if (slots_[slot] != 0) return {slots_[slot] - 1, false};
  if (keys_.size() * 2 >= slots_.size()) {
    Grow();
    slot = SlotOf(packed, hash);
  }
  CHECK(keys_.size() < UINT32_MAX);
  keys_.push_back({hash, bytes_.size(), packed.size()});
  bytes_.append(packed);
  slots_[slot] = static_cast<std::uint32_t>(keys_.size());
  return {keys_.size() - 1, true};
}

std::size_t LabelIndex::Find(LabelsView labels) const {
  const std::uint32_t number = slots_[SlotOf(labels.packed(), Xxh3(labels.packed()))];
  return number == 0 ? kNone : number - 1;
}

void LabelIndex::Grow() {
  std::vector<std::uint32_t> larger(slots_.size() * 2);
  const std::size_t mask = larger.size() - 1;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    std::size_t slot = keys_[i].hash & mask;
    while (larger[slot] != 0) {
      slot = (slot + 1) & mask;
    }
    larger[slot] = static_cast<std::uint32_t>(i + 1);
  }
  slots_ = std::move(larger);
}

LabelsView StripMetadata(LabelsView labels, std::string& scratch) {
  // Nearly always they come first, or are absent: then the rest need not be copied.
  auto first = labels.begin();
  const auto end = labels.end();
  while (first != end && IsMetadata((*first).name)) {
    ++first;
  }
  const bool more = std::any_of(first, end, [](LabelView label) { return IsMetadata(label.name); });
  if (!more) {
    std::size_t size = 0;
    for (auto it = labels.begin(); it != first; ++it) {
      const LabelView label = *it;
      size = static_cast<std::size_t>(label.value.data() + label.value.size() -
                                      labels.packed().data());
    }
    return LabelsView::FromPacked(labels.packed().substr(size));
  }
  scratch.clear();
  for (const LabelView label : labels) {
    if (!IsMetadata(label.name)) AppendPackedLabel(scratch, label.name, label.value);
  }
  return LabelsView::FromPacked(scratch);
}

LabelSelection::LabelSelection(std::span<const std::string> names, bool all_but)
    : names_(names.begin(), names.end()), all_but_(all_but) {
  if (all_but) names_.emplace_back(kMetricName);
  std::ranges::sort(names_);
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

LabelsView LabelSelection::Apply(LabelsView labels, std::string& scratch) const {
  if (selects_nothing()) return {};
  scratch.clear();
  auto name = names_.begin();
  for (const LabelView label : labels) {
    while (name != names_.end() && *name < label.name) {
      ++name;
    }
    const bool named = name != names_.end() && *name == label.name;
    if (named != all_but_) AppendPackedLabel(scratch, label.name, label.value);
    if (name == names_.end() && !all_but_) break;
  }
  return LabelsView::FromPacked(scratch);
}

}  // namespace sonde::promql
