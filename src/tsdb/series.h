#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "tsdb/head_chunks.h"
#include "tsdb/xor_chunk.h"

// One series in the head, in 64 bytes plus its chunks. A million of them are the budget (DESIGN
// 13), so that every field here is counted; `docs/decisions/0031-head-memory.md` has the sum.

namespace sonde::tsdb {

/// A series' number in the head: given in ascending order, never twice in the life of the process.
/// 0 is none.
using SeriesId = std::uint32_t;

/// A lock of one byte. Held for well under a microsecond: for an append, or for copying a chunk.
class CAPABILITY("mutex") SeriesLock {
 public:
  void Lock() ACQUIRE() {
    // Acquire and release: what the holder wrote is seen by the next one.
    if (locked_.exchange(true, std::memory_order_acquire)) LockSlowly();
  }
  void Unlock() RELEASE() { locked_.store(false, std::memory_order_release); }

 private:
  void LockSlowly();

  std::atomic<bool> locked_{false};
};

class SCOPED_CAPABILITY ScopedSeriesLock {
 public:
  explicit ScopedSeriesLock(SeriesLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.Lock(); }
  ~ScopedSeriesLock() RELEASE() { lock_.Unlock(); }
  ScopedSeriesLock(const ScopedSeriesLock&) = delete;
  ScopedSeriesLock& operator=(const ScopedSeriesLock&) = delete;

 private:
  SeriesLock& lock_;
};

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

/// An XOR chunk in memory: this header and, in the same allocation, the chunk's bytes.
struct MemoryChunk {
  std::uint64_t value = 0;  ///< Bits of the last value.
  std::uint32_t delta = 0;  ///< Between the last two times; a chunk is shorter than 49 days.
  std::uint32_t until_cut =
      0;  ///< Milliseconds from the last sample to the time at which a new chunk begins.
  std::uint16_t bits = 0;      ///< Of the chunk, header included.
  std::uint16_t capacity = 0;  ///< Bytes.
  std::uint8_t leading = 0xFF;
  std::uint8_t trailing = 0;

  char* data() { return reinterpret_cast<char*>(this) + sizeof(MemoryChunk); }
  const char* data() const { return reinterpret_cast<const char*>(this) + sizeof(MemoryChunk); }
  std::string_view bytes() const { return {data(), (bits + 7U) / 8}; }
  std::uint32_t count() const { return ChunkSampleCount({data(), 2}); }
  /// Of the first sample; there is one.
  Timestamp min_time() const;
};
static_assert(sizeof(MemoryChunk) == 24);

using MemoryChunkPtr = std::unique_ptr<MemoryChunk, FreeMemory>;

/// A full chunk: in memory until it is written to chunks_head/, then in a mapped file.
class FullChunk {
 public:
  FullChunk(Timestamp min_time, Timestamp max_time, HeadChunkRef ref)
      : min_time_(min_time), max_time_(max_time), place_(ref) {}
  FullChunk(Timestamp min_time, Timestamp max_time, MemoryChunkPtr chunk)
      : min_time_(min_time),
        max_time_(max_time),
        place_(reinterpret_cast<std::uintptr_t>(chunk.release()) | kInMemory) {}

  Timestamp min_time() const { return min_time_; }
  Timestamp max_time() const { return max_time_; }  ///< Inclusive.
  bool in_memory() const { return (place_ & kInMemory) != 0; }
  const MemoryChunk& memory() const {
    return *reinterpret_cast<const MemoryChunk*>(place_ & ~kInMemory);
  }
  HeadChunkRef ref() const { return place_; }
  /// The chunk was written: its memory is freed.
  void MoveTo(HeadChunkRef ref);
  void Free();

 private:
  // File numbers have 31 bits at most, and user-space addresses 57: the top bit is free in both.
  static constexpr std::uint64_t kInMemory = std::uint64_t{1} << 63;

  Timestamp min_time_;
  Timestamp max_time_;
  std::uint64_t place_;
};

/// The full chunks of a series by time, in eight bytes when there are none.
class FullChunkList {
 public:
  FullChunkList() = default;
  ~FullChunkList() { Clear(); }
  FullChunkList(const FullChunkList&) = delete;
  FullChunkList& operator=(const FullChunkList&) = delete;

  bool empty() const { return block_ == nullptr; }
  std::span<FullChunk> chunks();
  std::span<const FullChunk> chunks() const;
  void PushBack(FullChunk chunk);
  void PopFront(std::size_t count);
  void PopBack();
  void Clear();

 private:
  struct Block {
    std::uint32_t size = 0;
    std::uint32_t capacity = 0;
  };
  std::unique_ptr<Block, FreeMemory> block_;  // Followed by `capacity` chunks.
};

inline constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();
/// Times beyond this (a million years) are refused, so that arithmetic on times cannot overflow.
inline constexpr std::int64_t kMaxTime = std::int64_t{1} << 55;

/// A series in the head. Owned by the SeriesRegistry; its memory is reclaimed when every reader and
/// appender that could know it has left (Guests).
struct Series {
  /// Guards what says so; fields without a remark do not change once the series can be found.
  mutable SeriesLock lock;
  bool dead GUARDED_BY(lock) = false;         ///< Collected: it takes no more samples.
  bool has_history GUARDED_BY(lock) = false;  ///< Older boundaries are in CommitHistory.
  std::uint8_t unused = 0;
  /// The youngest collection epoch in which an appender looked at the series; 0: not made yet.
  /// Written under the lock.
  std::atomic<std::uint32_t> touched{0};
  std::uint64_t wal_ref = 0;  ///< Its number in the write-ahead log.
  /// Numbers of its labels in the LabelIndex, in the order of names; the first element is how many.
  std::unique_ptr<std::uint32_t[]> labels;
  MemoryChunkPtr open
      GUARDED_BY(lock);  ///< Gets the samples; null without any, or if the last chunk is full.
  FullChunkList full GUARDED_BY(lock);
  /// Of the newest sample, or kNoTime. Written under the lock.
  std::atomic<std::int64_t> last_time{kNoTime};
  std::uint64_t last_commit GUARDED_BY(lock) = 0;  ///< The youngest commit that added samples.
  /// Newest time before that commit: what a reader that does not see the commit may see. During the
  /// replay: the newest time that the log has shown.
  std::int64_t visible_before GUARDED_BY(lock) = kNoTime;

  std::span<const std::uint32_t> pairs() const {
    return labels == nullptr ? std::span<const std::uint32_t>()
                             : std::span<const std::uint32_t>(labels.get() + 1, labels[0]);
  }
};
static_assert(sizeof(Series) == 64);

/// When chunks end.
struct ChunkRules {
  std::int64_t range_ms = 7'200'000;
  std::uint32_t samples = 120;
};

enum class AppendOutcome : unsigned char {
  kAppended,
  kAppendedToNewChunk,
  kDuplicate,  ///< The newest sample again.
  kOutOfOrder,
};

/// Appends a sample, cutting chunks exactly as Prometheus does. A full chunk goes to `series.full`.
AppendOutcome AppendSample(Series& series, Timestamp t, std::uint64_t value,
                           const ChunkRules& rules) REQUIRES(series.lock);

/// The end of the range of length `width` that holds `t` (towards zero, as Go divides).
inline std::int64_t RangeEnd(std::int64_t t, std::int64_t width) {
  return t / width * width + width;
}

}  // namespace sonde::tsdb
