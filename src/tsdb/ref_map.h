#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tsdb/series.h"

namespace sonde::tsdb {

/// Series numbers of the log → series of the head, for the replay. The log mostly counts up, so 64
/// consecutive numbers lie together, and the group that was used last is at hand. Not thread-safe.
class RefMap {
 public:
  struct Entry {
    SeriesId id = 0;     ///< 0: not known.
    bool alias = false;  ///< The series has another number of its own.
  };

  RefMap() : slots_(1024) {}

  Entry Find(std::uint64_t ref) const {
    const std::uint64_t base = ref >> 6;
    if (base != last_base_) {
      const std::uint32_t group = slots_[FindSlot(base)];
      if (group == 0) return {};
      last_base_ = base;
      last_group_ = group - 1;
    }
    const Group& group = groups_[last_group_];
    return {group.ids[ref & 63], (group.aliases >> (ref & 63) & 1) != 0};
  }
  void Set(std::uint64_t ref, SeriesId id, bool alias) {
    Group& group = MakeGroup(ref >> 6);
    const std::uint64_t bit = std::uint64_t{1} << (ref & 63);
    group.ids[ref & 63] = id;
    group.aliases = alias ? group.aliases | bit : group.aliases & ~bit;
  }

 private:
  struct Group {
    std::uint64_t base = 0;
    std::uint64_t aliases = 0;
    std::array<SeriesId, 64> ids{};
  };

  /// The slot of the group, or the free one where it belongs.
  std::size_t FindSlot(std::uint64_t base) const {
    std::size_t i = (base * 0x9E3779B97F4A7C15ULL >> 32) & (slots_.size() - 1);
    while (slots_[i] != 0 && groups_[slots_[i] - 1].base != base) {
      i = (i + 1) & (slots_.size() - 1);
    }
    return i;
  }
  Group& MakeGroup(std::uint64_t base) {
    if (base == last_base_) return groups_[last_group_];
    std::size_t slot = FindSlot(base);
    if (slots_[slot] == 0) {
      if ((groups_.size() + 1) * 2 > slots_.size()) {
        slots_.assign(slots_.size() * 2, 0);
        for (std::uint32_t i = 0; i < groups_.size(); ++i) {
          slots_[FindSlot(groups_[i].base)] = i + 1;
        }
        slot = FindSlot(base);
      }
      groups_.emplace_back().base = base;
      slots_[slot] = static_cast<std::uint32_t>(groups_.size());
    }
    last_base_ = base;
    last_group_ = slots_[slot] - 1;
    return groups_[last_group_];
  }

  std::vector<std::uint32_t> slots_;  // Group + 1; 0: free. Open addressing, a power of two.
  std::vector<Group> groups_;
  mutable std::uint64_t last_base_ = ~std::uint64_t{0};  // No reference has this base.
  mutable std::size_t last_group_ = 0;
};

}  // namespace sonde::tsdb
