#include "tsdb/series.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <thread>

#include "base/bytes.h"
#include "base/check.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kFirstChunkBytes = 64;  // Of the allocation, header included.
// A chunk that is larger takes no more samples, as in Prometheus: 1024 less one sample of the
// largest size.
constexpr std::size_t kMaxChunkBytesBeforeAppend = 1005;

/// The next larger size that allocators have a class for (jemalloc: four to each doubling).
std::size_t NextAllocation(std::size_t bytes) {
  const std::size_t step = bytes < 128 ? 16 : std::bit_floor(bytes) / 4;
  return (bytes / step + 1) * step;
}

/// Milliseconds within a chunk; 49 days at most, which only ranges around 1970 can exceed.
std::uint32_t ToOffset(std::int64_t ms) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(ms, 0, std::numeric_limits<std::uint32_t>::max()));
}

MemoryChunkPtr NewChunk(std::int64_t t, const ChunkRules& rules) {
  void* memory = std::malloc(kFirstChunkBytes);
  CHECK(memory != nullptr);
  MemoryChunkPtr chunk(new (memory) MemoryChunk);
  chunk->capacity = kFirstChunkBytes - sizeof(MemoryChunk);
  chunk->bits = kChunkHeaderBytes * 8;
  chunk->data()[0] = chunk->data()[1] = 0;
  chunk->until_cut = ToOffset(RangeEnd(t, rules.range_ms) - t);
  return chunk;
}

void Grow(MemoryChunkPtr& chunk, std::size_t bytes) {
  std::size_t allocation = sizeof(MemoryChunk) + chunk->capacity;
  while (allocation < sizeof(MemoryChunk) + bytes) {
    allocation = NextAllocation(allocation);
  }
  void* memory = std::realloc(chunk.release(), allocation);
  CHECK(memory != nullptr);
  chunk.reset(static_cast<MemoryChunk*>(memory));
  chunk->capacity = static_cast<std::uint16_t>(allocation - sizeof(MemoryChunk));
}

/// Spreads the samples of what is left of the range evenly over chunks, from the pace so far.
std::int64_t PredictEnd(std::int64_t start, std::int64_t last, std::int64_t end) {
  const double n = static_cast<double>(end - start) / (static_cast<double>(last - start + 1) * 4);
  if (n <= 1) return end;
  return static_cast<std::int64_t>(static_cast<double>(start) +
                                   static_cast<double>(end - start) / std::floor(n));
}

bool MustCut(MemoryChunk& chunk, std::int64_t last, std::int64_t t, const ChunkRules& rules) {
  if (chunk.bytes().size() > kMaxChunkBytesBeforeAppend) return true;
  const std::uint32_t count = chunk.count();
  if (count == rules.samples / 4) {
    chunk.until_cut =
        ToOffset(PredictEnd(chunk.min_time().ms, last, last + chunk.until_cut) - last);
  }
  return t - last >= chunk.until_cut || count >= 2 * rules.samples;
}

void Encode(MemoryChunkPtr& chunk, std::int64_t last, std::int64_t t, std::uint64_t value) {
  // Into a buffer first: so the chunk needs no room behind its end for whole words.
  char buffer[kMaxXorSampleBytes + 1 + kXorSlackBytes];
  const std::uint32_t begin = chunk->bits;
  if (begin % 8 != 0) buffer[0] = chunk->data()[begin / 8];
  std::uint32_t at = begin % 8;
  const std::uint32_t count = chunk->count();
  XorState state{chunk->value, chunk->delta, chunk->leading, chunk->trailing};
  AppendXor(buffer, at, state, count, last, t, value);
  const std::uint32_t bits = begin / 8 * 8 + at;
  if ((bits + 7) / 8 > chunk->capacity) Grow(chunk, (bits + 7) / 8);
  std::memcpy(chunk->data() + begin / 8, buffer, (at + 7) / 8);
  chunk->value = state.value;
  chunk->delta = static_cast<std::uint32_t>(state.delta);
  chunk->leading = state.leading;
  chunk->trailing = state.trailing;
  chunk->bits = static_cast<std::uint16_t>(bits);
  chunk->data()[0] = static_cast<char>((count + 1) >> 8);
  chunk->data()[1] = static_cast<char>(count + 1);
}

}  // namespace

void SeriesLock::LockSlowly() {
  constexpr int kSpins = 100;
  while (true) {
    for (int i = 0; i < kSpins; ++i) {
      // Reads until it looks free: an exchange would take the line from the holder.
      if (!locked_.load(std::memory_order_relaxed) &&
          !locked_.exchange(true, std::memory_order_acquire)) {
        return;
      }
    }
    std::this_thread::yield();
  }
}

Timestamp MemoryChunk::min_time() const {
  ByteReader in({data() + kChunkHeaderBytes, bytes().size() - kChunkHeaderBytes});
  return {in.Varint()};
}

void FullChunk::MoveTo(HeadChunkRef ref) {
  Free();
  place_ = ref;
}

void FullChunk::Free() {
  if (in_memory()) std::free(reinterpret_cast<void*>(place_ & ~kInMemory));
  place_ = 0;
}

std::span<FullChunk> FullChunkList::chunks() {
  if (block_ == nullptr) return {};
  return {reinterpret_cast<FullChunk*>(block_.get() + 1), block_->size};
}

std::span<const FullChunk> FullChunkList::chunks() const {
  if (block_ == nullptr) return {};
  return {reinterpret_cast<const FullChunk*>(block_.get() + 1), block_->size};
}

void FullChunkList::PushBack(FullChunk chunk) {
  static_assert(sizeof(Block) % alignof(FullChunk) == 0);
  static_assert(std::is_trivially_copyable_v<FullChunk>);
  if (block_ == nullptr || block_->size == block_->capacity) {
    const std::uint32_t size = block_ == nullptr ? 0 : block_->size;
    const std::uint32_t capacity = size < 4 ? size + 1 : size + size / 2;
    void* memory = std::realloc(block_.release(), sizeof(Block) + capacity * sizeof(FullChunk));
    CHECK(memory != nullptr);
    block_.reset(size == 0 ? new (memory) Block : static_cast<Block*>(memory));
    block_->capacity = capacity;
  }
  ++block_->size;
  new (&chunks().back()) FullChunk(chunk);
}

void FullChunkList::PopFront(std::size_t count) {
  if (count == 0) return;
  const std::span<FullChunk> all = chunks();
  for (FullChunk& chunk : all.first(count)) {
    chunk.Free();
  }
  if (count == all.size()) {
    block_.reset();
    return;
  }
  std::copy(all.begin() + static_cast<std::ptrdiff_t>(count), all.end(), all.begin());
  block_->size -= static_cast<std::uint32_t>(count);
}

void FullChunkList::PopBack() {
  chunks().back().Free();
  if (--block_->size == 0) block_.reset();
}

void FullChunkList::Clear() {
  PopFront(chunks().size());
}

AppendOutcome AppendSample(Series& series, Timestamp t, std::uint64_t value,
                           const ChunkRules& rules) {
  const std::int64_t last = series.last_time.load(std::memory_order_relaxed);
  if (t.ms <= last) {
    // Without an open chunk the newest sample lies in a mapped one, and comes again from the log at
    // a restart.
    const bool same = t.ms == last && (series.open == nullptr || series.open->value == value);
    return same ? AppendOutcome::kDuplicate : AppendOutcome::kOutOfOrder;
  }
  AppendOutcome outcome = AppendOutcome::kAppended;
  if (series.open != nullptr && MustCut(*series.open, last, t.ms, rules)) {
    const Timestamp min_time = series.open->min_time();
    series.full.PushBack(FullChunk(min_time, {last}, std::move(series.open)));
  }
  if (series.open == nullptr) {
    series.open = NewChunk(t.ms, rules);
    outcome = AppendOutcome::kAppendedToNewChunk;
  }
  if (outcome == AppendOutcome::kAppended) {
    series.open->until_cut -= static_cast<std::uint32_t>(t.ms - last);
  }
  Encode(series.open, last, t.ms, value);
  series.last_time.store(t.ms, std::memory_order_relaxed);
  return outcome;
}

}  // namespace sonde::tsdb
