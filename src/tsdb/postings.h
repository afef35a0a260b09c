#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/matcher.h"

// Which series match: sets of series numbers, as sorted lists. The head and every block keep, for
// each label name and value, the list of the series that have it; a selector is answered by set
// operations on those lists.

namespace sonde::tsdb {

/// A borrowed list of series numbers, ascending and unique: in memory, or big endian in a mapped
/// index.
class IdList {
 public:
  IdList() = default;
  explicit IdList(std::span<const std::uint32_t> ids)
      : data_(reinterpret_cast<const char*>(ids.data())), size_(ids.size()) {}
  /// `bytes` holds 4 bytes, big endian, for each number.
  static IdList BigEndian(std::string_view bytes) {
    IdList list;
    list.data_ = bytes.data();
    list.size_ = bytes.size() / 4;
    list.big_endian_ = true;
    return list;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint32_t operator[](std::size_t i) const {
    std::uint32_t id;
    std::memcpy(&id, data_ + i * 4, 4);
    return big_endian_ ? __builtin_bswap32(id) : id;
  }
  void AppendTo(std::vector<std::uint32_t>& out) const;

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  bool big_endian_ = false;
};

/// Keeps the ids that are in `list` too. `ids` must be ascending.
void IntersectWith(std::vector<std::uint32_t>& ids, const IdList& list);
/// Removes the ids that are in `list`.
void SubtractFrom(std::vector<std::uint32_t>& ids, const IdList& list);
/// All ids of all lists, ascending and unique.
std::vector<std::uint32_t> UnionOf(std::span<const IdList> lists);

/// What the head's index and a block's index have in common. Lists and views that it hands out live
/// as long as the caller's hold on the index (a lock, a mapping).
class LabelSource {
 public:
  /// One value of a label name; `handle` means something to the source only.
  using VisitValue = std::function<void(std::string_view value, std::uint64_t handle)>;

  virtual ~LabelSource() = default;

  virtual Result<IdList> AllIds() const = 0;
  /// Series with this label; an empty list if there is none.
  virtual Result<IdList> Ids(std::string_view name, std::string_view value) const = 0;
  virtual Result<IdList> IdsOf(std::uint64_t handle) const = 0;
  /// Every value of `name` that starts with `prefix`, in no particular order.
  virtual Status ForEachValue(std::string_view name, std::string_view prefix,
                              const VisitValue& visit) const = 0;
  virtual Status ForEachName(const std::function<void(std::string_view name)>& visit) const = 0;
  virtual Result<std::size_t> ValueCount(std::string_view name) const = 0;
  /// The value of a series' label, or "".
  virtual Result<std::string_view> ValueOf(std::uint32_t id, std::string_view name) const = 0;
};

/// The series that match all of `matchers`, ascending. A missing label counts as an empty value.
Result<std::vector<std::uint32_t>> SelectIds(const LabelSource& source,
                                             std::span<const Matcher> matchers);

/// The values of `name` among the series that match, unsorted, unique.
Result<std::vector<std::string_view>> SelectValues(const LabelSource& source, std::string_view name,
                                                   std::span<const Matcher> matchers);

}  // namespace sonde::tsdb
