#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "storage/storage.h"
#include "tsdb/label_index.h"
#include "tsdb/paged_array.h"
#include "tsdb/series.h"

// All series of the head, by number, by labels and by matchers.

namespace sonde::tsdb {

/// Owns the series. Thread-safe. A `Series&` and the labels behind it stay valid while the caller
/// is a guest of the head (Guests): what is collected is reclaimed only when all guests who could
/// know it have left.
///
/// Order of locks: a shard, the label index, a series, the list of unlogged series.
class SeriesRegistry {
 public:
  /// `max_series` 0: no limit.
  explicit SeriesRegistry(std::uint64_t max_series);
  ~SeriesRegistry();
  SeriesRegistry(const SeriesRegistry&) = delete;
  SeriesRegistry& operator=(const SeriesRegistry&) = delete;

  struct Entry {
    SeriesId id = 0;
    Series* series = nullptr;  ///< Null with an error.
    bool created = false;
    storage::AppendError error = storage::AppendError::kNone;
  };
  /// The series with these labels, made if needed and then queued for the log. It will not be
  /// collected while an appender of collection epoch `epoch` stays.
  Entry GetOrCreate(LabelsView labels, std::uint32_t epoch);
  /// A series during the replay of the log: it has its number there already and is not logged
  /// again.
  struct Restored {
    LabelsView labels;
    std::uint64_t wal_ref = 0;
    std::uint64_t hash = 0;  ///< Filled in by Restore.
    Entry entry;             ///< The same.
  };
  /// Finds or makes many at once, in this order. The limit does not apply: what is stored is kept.
  void Restore(std::span<Restored> series);

  /// Null if there is no such series (any more).
  Series* Find(SeriesId id) const {
    Series* series = series_.Find(id);
    // Acquire: pairs with the release that ends the making of a series.
    return series != nullptr && series->touched.load(std::memory_order_acquire) != 0 ? series
                                                                                     : nullptr;
  }
  Series& operator[](SeriesId id) const { return series_[id]; }

  /// Appends the labels of a series in the packed form of Labels.
  void AppendLabels(const Series& series, std::string& packed) const;
  std::string_view packed_label(LabelId label) const { return index_.packed_label(label); }

  Result<std::vector<SeriesId>> Select(std::span<const Matcher> matchers) const;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers) const;
  Result<std::vector<std::string>> LabelValues(std::string_view name,
                                               std::span<const Matcher> matchers) const;
  /// All series that exist at the moment, ascending.
  std::vector<SeriesId> All() const;
  const LabelIndex& index() const { return index_; }

  std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  /// Numbers in the log continue behind this one.
  void ReserveWalRef(std::uint64_t wal_ref);

  // ------------------------------------------------------------------------------------------- log
  // of new series

  /// Series records for the series that were made since the last call. A series can be found only
  /// after it is in here, so that whoever writes these before any sample writes no sample of a
  /// series that the log does not know.
  std::vector<std::string> TakeUnlogged() EXCLUDES(unlogged_mutex_);
  bool HasUnlogged() const EXCLUDES(unlogged_mutex_);
  /// Gives records back that could not be written.
  void PutBackUnlogged(std::vector<std::string> records) EXCLUDES(unlogged_mutex_);

  // -------------------------------------------------------------------------------------------
  // collection

  /// What was taken out of the registry and must be freed later.
  struct Removed {
    std::vector<SeriesId> series;
    std::vector<LabelId> labels;
  };
  /// Takes out those of `candidates` (ascending) that have no chunk and were not touched in
  /// `oldest_epoch` or later.
  Removed Collect(std::span<const SeriesId> candidates, std::uint32_t oldest_epoch);
  using SeriesArray = PagedArray<Series, 5, 15>;
  using Pages = std::vector<std::unique_ptr<SeriesArray::Page>>;
  /// Frees it; nobody who could know it may be left. Returns memory to be dropped only when those
  /// who are inside now have left too: they may be looking an old number up in it.
  Pages Reclaim(const Removed& removed);

 private:
  struct Slot {
    std::uint32_t hash = 0;
    SeriesId id = 0;  // 0: free; kRemoved: a removed one was here.
  };
  struct Shard {
    Mutex mutex;
    std::vector<Slot> slots GUARDED_BY(mutex);  // Open addressing; a power of two.
    std::size_t used GUARDED_BY(mutex) = 0;
    std::size_t filled GUARDED_BY(mutex) = 0;
  };
  static constexpr SeriesId kRemoved = ~SeriesId{0};
  static constexpr std::size_t kShards = 64;

  Entry GetOrMake(LabelsView labels, std::uint64_t hash, std::uint32_t epoch,
                  std::uint64_t wal_ref);
  bool HasLabels(const Series& series, std::string_view packed) const;
  SeriesId FindInShard(const Shard& shard, std::uint32_t hash, std::string_view packed) const
      REQUIRES(shard.mutex);
  static void Insert(Shard& shard, std::uint32_t hash, SeriesId id) REQUIRES(shard.mutex);
  static void Rehash(Shard& shard) REQUIRES(shard.mutex);
  static void Erase(Shard& shard, std::uint32_t hash, SeriesId id) REQUIRES(shard.mutex);
  SeriesId Make(LabelsView labels, std::uint32_t epoch, std::uint64_t wal_ref);
  void QueueForLog(std::uint64_t wal_ref, LabelsView labels) EXCLUDES(unlogged_mutex_);
  bool Kill(SeriesId id, std::uint32_t oldest_epoch);

  const std::uint64_t max_series_;
  std::array<Shard, kShards> shards_;

  LabelIndex index_;
  // The rest is written under the index' lock.
  SeriesArray series_;
  std::vector<std::uint8_t> page_counts_;  // Series in each page of series_.
  SeriesId next_id_ = 1;
  std::uint64_t last_wal_ref_ = 0;
  std::vector<LabelId> scratch_;
  std::atomic<std::uint64_t> size_{0};

  mutable Mutex unlogged_mutex_;
  std::vector<std::string> unlogged_ GUARDED_BY(unlogged_mutex_);
};

}  // namespace sonde::tsdb
