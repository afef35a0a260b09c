#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"

// Label sets as keys, without an allocation for each.

namespace sonde::promql {

/// Numbers distinct label sets 0, 1, 2 … in the order of their first appearance.
class LabelIndex {
 public:
  LabelIndex();

  struct Entry {
    std::size_t number = 0;
    bool is_new = false;
  };
  Entry FindOrAdd(LabelsView labels);

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  /// kNone if it is not there.
  std::size_t Find(LabelsView labels) const;

  std::size_t size() const { return keys_.size(); }
  /// Valid until the next FindOrAdd.
  LabelsView at(std::size_t number) const;

 private:
  struct Key {
    std::uint64_t hash = 0;
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  std::size_t SlotOf(std::string_view packed, std::uint64_t hash) const;
  void Grow();

  std::string bytes_;  // The keys, packed, one behind the other.
  std::vector<Key> keys_;
  std::vector<std::uint32_t> slots_;  // Number + 1, or 0; linear probing.
};

/// Without `__name__`, `__type__` and `__unit__`. The view is of `labels` or of `scratch`.
LabelsView StripMetadata(LabelsView labels, std::string& scratch);

/// Some label names, made ready to pick those labels out of sets.
class LabelSelection {
 public:
  /// The named labels or, with `all_but`, all others except `__name__`.
  LabelSelection(std::span<const std::string> names, bool all_but);

  /// The view is of `scratch`, or of nothing.
  LabelsView Apply(LabelsView labels, std::string& scratch) const;

  /// True if it leaves no label of any set.
  bool selects_nothing() const { return !all_but_ && names_.empty(); }

 private:
  std::vector<std::string> names_;  // Sorted, unique.
  bool all_but_;
};

}  // namespace sonde::promql
