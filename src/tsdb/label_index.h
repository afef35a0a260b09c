#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "tsdb/fair_mutex.h"
#include "tsdb/paged_array.h"
#include "tsdb/postings.h"
#include "tsdb/series.h"

// The labels of the series in the head. Every label, a name with a value, is kept once and has a
// number; a series is a list of such numbers; and each label has the list of the series that carry
// it.

namespace sonde::tsdb {

/// The number of a label (name and value). Reused after the label is gone and nobody can know it
/// any more.
using LabelId = std::uint32_t;

/// The series that have a label: ascending, growing at the end. Up to two need no allocation.
/// Trivial on purpose: it lives in the label's 32 bytes; Free gives the memory back.
class SeriesIds {
 public:
  std::span<const SeriesId> ids() const { return {capacity_ == 0 ? inline_ : heap_, size_}; }
  std::uint32_t size() const { return size_; }
  void Append(SeriesId id);
  /// Removes those that are in `dead` (ascending).
  void Remove(std::span<const SeriesId> dead);
  void Free();

 private:
  static constexpr std::uint32_t kInline = 2;

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;  // 0: inline.
  union {
    SeriesId inline_[kInline] = {0, 0};
    SeriesId* heap_;
  };
};

/// One label. `packed` (name and value in the packed form of Labels) does not change while anybody
/// can know the label.
struct IndexedLabel {
  std::uint32_t name = 0;
  std::uint32_t packed_size = 0;
  char* packed = nullptr;
  SeriesIds series;

  std::string_view packed_label() const { return {packed, packed_size}; }
};
static_assert(sizeof(IndexedLabel) == 32);

/// Labels and their series. Adding, removing and looking up need the lock `mutex()`; `packed_label`
/// does not, because a label that a caller can know stays where it is (see SeriesRegistry).
class LabelIndex {
 public:
  LabelIndex();
  ~LabelIndex();
  LabelIndex(const LabelIndex&) = delete;
  LabelIndex& operator=(const LabelIndex&) = delete;

  FairSharedMutex& mutex() const RETURN_CAPABILITY(mutex_) { return mutex_; }

  /// Numbers of the labels of a series, adding those that are new.
  void Intern(LabelsView labels, std::vector<LabelId>& out) REQUIRES(mutex_);
  /// `id` must be above all ids before.
  void AddSeries(SeriesId id, std::span<const LabelId> labels) REQUIRES(mutex_);

  /// Takes the series `dead` (ascending) out of the list of `label`. If the list is empty then, the
  /// label is taken out of the index, and its number must be given to Release once nobody can know
  /// it any more.
  bool RemoveSeries(LabelId label, std::span<const SeriesId> dead) REQUIRES(mutex_);
  void RemoveFromAll(std::span<const SeriesId> dead) REQUIRES(mutex_) { all_.Remove(dead); }
  /// Forgets labels that were taken out; `names` of them lose their empty entries.
  void ForgetRemoved() REQUIRES(mutex_);
  void Release(LabelId label) REQUIRES(mutex_);

  std::string_view packed_label(LabelId label) const { return labels_[label].packed_label(); }
  std::uint32_t series_count(LabelId label) const REQUIRES_SHARED(mutex_) {
    return labels_[label].series.size();
  }

  /// One name and the labels that have it.
  struct Name {
    std::string name;
    std::vector<LabelId> labels;
  };
  /// Names without labels are left over from collected series.
  std::span<const Name> names() const REQUIRES_SHARED(mutex_) { return names_; }
  std::span<const SeriesId> all_series() const REQUIRES_SHARED(mutex_) { return all_.ids(); }
  std::span<const SeriesId> series(LabelId label) const REQUIRES_SHARED(mutex_) {
    return labels_[label].series.ids();
  }
  /// 0 if no series has the label.
  LabelId Find(std::string_view name, std::string_view value) const REQUIRES_SHARED(mutex_);
  const Name* FindName(std::string_view name) const REQUIRES_SHARED(mutex_);
  std::size_t label_count() const REQUIRES_SHARED(mutex_) { return used_; }
  /// Bytes of all names and values.
  std::uint64_t symbol_bytes() const REQUIRES_SHARED(mutex_) { return symbol_bytes_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    LabelId label = 0;  // 0: free; kRemoved: a removed one was here.
  };
  static constexpr LabelId kRemoved = ~LabelId{0};

  LabelId FindPacked(std::string_view packed, std::uint32_t hash) const REQUIRES_SHARED(mutex_);
  LabelId Add(std::string_view packed, std::uint32_t hash) REQUIRES(mutex_);
  void Insert(std::uint32_t hash, LabelId label) REQUIRES(mutex_);
  void Rehash() REQUIRES(mutex_);

  mutable FairSharedMutex mutex_;
  PagedArray<IndexedLabel, 10, 12> labels_;  // Written under the lock.
  LabelId next_label_ GUARDED_BY(mutex_) = 1;
  std::vector<LabelId> free_ GUARDED_BY(mutex_);
  std::size_t used_ GUARDED_BY(mutex_) = 0;
  std::uint64_t symbol_bytes_ GUARDED_BY(mutex_) = 0;
  std::vector<Slot> slots_ GUARDED_BY(mutex_);  // Open addressing; a power of two.
  std::size_t filled_ GUARDED_BY(mutex_) = 0;   // Slots that are not free.
  std::vector<Name> names_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::uint32_t> name_numbers_ GUARDED_BY(mutex_);
  std::vector<std::uint32_t> affected_names_ GUARDED_BY(mutex_);
  SeriesIds all_ GUARDED_BY(mutex_);
  std::vector<LabelId> last_
      GUARDED_BY(mutex_);  // Labels of the last series interned, by position.
};

/// The value in a packed label.
std::string_view PackedValue(std::string_view packed_label);
std::string_view PackedName(std::string_view packed_label);

}  // namespace sonde::tsdb
