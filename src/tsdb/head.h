#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/arena.h"
#include "tsdb/guests.h"
#include "tsdb/head_chunks.h"
#include "tsdb/series.h"
#include "tsdb/series_registry.h"
#include "tsdb/tombstones.h"

// The newest hours of all series, in memory. What is in here is in the write-ahead log too; the log
// is written by whoever calls Apply, before.

namespace sonde::tsdb {

/// A sample on its way into the head.
struct HeadSample {
  SeriesId series = 0;
  Timestamp t;
  std::uint64_t value = 0;  ///< Bits of the double.
};

/// What became of a group of samples.
struct ApplyCounts {
  std::uint64_t appended = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t out_of_order = 0;  ///< Somebody else's commit was faster.
  std::uint64_t new_chunks = 0;
};

/// A chunk of a head series as a reader took it along: a copy of the bytes, or a place in the
/// mapped files.
struct CopiedChunk {
  Timestamp min_time;
  Timestamp max_time;     ///< Inclusive; samples after it are not for this reader.
  HeadChunkRef ref = 0;   ///< 0 if `data` is set.
  std::string_view data;  ///< With kDecodeSlackBytes behind it.
};

/// The series of the head and their samples. Thread-safe, with the restrictions that the functions
/// name.
class Head {
 public:
  Head(ChunkRules rules, std::uint64_t max_series) : rules_(rules), registry_(max_series) {}
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  SeriesRegistry& registry() { return registry_; }
  const SeriesRegistry& registry() const { return registry_; }
  Guests& guests() { return guests_; }
  const ChunkRules& rules() const { return rules_; }

  // ------------------------------------------------------------------------------------------------
  // time

  /// False until the first sample came.
  bool has_samples() const { return max_time() != kNoTime; }
  /// Of the oldest and newest sample in the head; kNoTime (min: the largest time) without any.
  std::int64_t min_time() const { return min_time_.load(std::memory_order_relaxed); }
  std::int64_t max_time() const { return max_time_.load(std::memory_order_relaxed); }
  /// Samples before this are refused, see AppendableFrom.
  std::int64_t min_valid_time() const { return min_valid_time_.load(std::memory_order_relaxed); }
  void SetMinValidTime(std::int64_t t) { min_valid_time_.store(t, std::memory_order_relaxed); }
  /// The oldest time that an appender made now may append: not below what was cut into blocks, and
  /// at most half a chunk range behind the newest sample.
  std::int64_t AppendableFrom() const;
  /// The first sample of an empty head fixes where the head begins, before it is committed.
  void NoteFirstTime(std::int64_t t);
  void NoteTimes(std::int64_t min_time, std::int64_t max_time);

  // ------------------------------------------------------------------------------------------------
  // writing

  /// Makes a group of samples visible as one. One thread at a time; `commit` counts up from call to
  /// call. The samples must be in the log already, in this order.
  ApplyCounts Apply(std::span<const std::span<const HeadSample>> group, std::uint64_t commit);
  /// The same during the replay of the log: without isolation, and parallel calls for different
  /// series are fine.
  AppendOutcome Replay(SeriesId id, Timestamp t, std::uint64_t value);
  /// During the replay: the series' samples up to max_time lie in these chunks. In the order of
  /// time.
  void RestoreChunks(SeriesId id, std::span<const FullChunk> chunks);
  /// During the replay: takes restored samples back that the log has not shown yet. For a series
  /// that goes on under another number: those samples are younger than what comes now, and will
  /// come themselves.
  Status Rewind(SeriesId id, const HeadChunkFiles& files);

  /// During the replay: takes a series out at once, with its samples.
  void RemoveSeries(SeriesId id);

  // ------------------------------------------------------------------------------------------------
  // reading

  /// Appends the chunks of a series that hold samples in [min_time, max_time] which a reader that
  /// sees `visible_commit` may see. Bytes are copied to `arena`, or left out if it is null. The
  /// caller is a guest. Returns how many.
  std::size_t CopyChunks(SeriesId id, Timestamp min_time, Timestamp max_time,
                         std::uint64_t visible_commit, Arena* arena,
                         std::vector<CopiedChunk>& out) const;
  /// Ranges that Prometheus deleted, or null. Only the replay adds any.
  const Intervals* deleted(SeriesId id) const;
  void AddDeleted(SeriesId id, Interval interval) { AddInterval(deleted_[id], interval); }

  // ------------------------------------------------------------------------------------------------
  // maintenance, one thread

  /// Writes full chunks that are still in memory to `files`, and frees the memory. What could not
  /// be written stays.
  Status WriteFullChunks(HeadChunks& files);
  std::size_t full_chunks_in_memory() const EXCLUDES(pending_mutex_);

  struct Truncation {
    std::uint64_t chunks = 0;             ///< Dropped.
    std::uint64_t series = 0;             ///< Collected.
    std::vector<std::uint64_t> wal_refs;  ///< Of the series collected.
    std::uint32_t first_chunk_file =
        0;  ///< Head chunk files before this one are not needed; 0: none is.
  };
  /// Drops chunks that end before `t`, and series without chunks. No reader may be inside that came
  /// before blocks took over what is dropped. Moves min_time to what is left.
  Truncation TruncateBefore(std::int64_t t);
  /// Frees what earlier truncations took out and nobody can know any more.
  void ReclaimRetired();

  std::uint64_t chunks() const { return chunks_.load(std::memory_order_relaxed); }

 private:
  /// A boundary of a series' samples in time: those after `before` came with `commit` or later.
  struct Boundary {
    std::uint64_t commit = 0;
    std::int64_t before = kNoTime;
  };
  struct Retired {
    std::uint64_t mark = 0;
    SeriesRegistry::Removed removed;
    SeriesRegistry::Pages pages;
  };

  void NoteCommit(SeriesId id, Series& series, std::uint64_t commit, std::uint64_t seen_by_all)
      REQUIRES(series.lock) EXCLUDES(history_mutex_);
  std::int64_t VisibleUntil(SeriesId id, const Series& series, std::uint64_t visible_commit) const
      REQUIRES(series.lock) EXCLUDES(history_mutex_);
  Status WriteSome(HeadChunks& files, std::span<const SeriesId> ids, bool& complete);

  const ChunkRules rules_;
  Guests guests_;
  SeriesRegistry registry_;

  std::atomic<std::int64_t> min_time_{std::numeric_limits<std::int64_t>::max()};
  std::atomic<std::int64_t> max_time_{kNoTime};
  std::atomic<std::int64_t> min_valid_time_{kNoTime};
  std::atomic<std::uint64_t> chunks_{0};

  /// More boundaries than the one that a series holds: only for series that got several commits
  /// while one reader was inside.
  mutable Mutex history_mutex_;
  std::unordered_map<SeriesId, std::vector<Boundary>> history_ GUARDED_BY(history_mutex_);

  mutable Mutex pending_mutex_;
  std::vector<SeriesId> pending_full_ GUARDED_BY(pending_mutex_);  // With full chunks in memory.

  std::unordered_map<SeriesId, Intervals> deleted_;  // Written by the replay only.
  std::deque<Retired> retired_;                      // Of the maintenance thread.
};

}  // namespace sonde::tsdb
