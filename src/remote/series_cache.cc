#include "remote/series_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sonde::remote {
namespace {

constexpr std::size_t kSmallestTable = 1024;
// A word is a ref, or a pointer to a NativeSeries with this bit set. 0: an empty slot.
constexpr std::uint64_t kIsNative = std::uint64_t{1} << 63;

std::uint64_t Mix(std::uint64_t word) {
  return std::rotl(word, 29) * 0x9E3779B97F4A7C15ULL;
}

}  // namespace

// Slots hold the key's halves xored with the word, so that a slot that is read while it is written
// does not look like the slot of any key.
class SeriesCache::Table {
 public:
  explicit Table(std::size_t capacity)
      : capacity_(capacity), slots_(std::make_unique<Slot[]>(capacity)) {}

  void Prefetch(const Hash128& key) const { __builtin_prefetch(&slots_[IndexOf(key.low)]); }

  // The word of `key`, or 0.
  std::uint64_t Find(const Hash128& key) const {
    for (std::size_t i = IndexOf(key.low);;) {
      const Slot& slot = slots_[i];
      const std::uint64_t word = slot.word.load(std::memory_order_acquire);
      if (word == 0) return 0;
      if ((slot.low.load(std::memory_order_relaxed) ^ word) == key.low &&
          (slot.high.load(std::memory_order_relaxed) ^ Mix(word)) == key.high) {
        return word;
      }
      if (++i == capacity_) i = 0;
    }
  }

  // The caller holds the cache's lock. True if the key is new.
  bool Put(const Hash128& key, std::uint64_t word) {
    std::size_t i = IndexOf(key.low);
    while (true) {
      Slot& slot = slots_[i];
      const std::uint64_t old = slot.word.load(std::memory_order_relaxed);
      const bool same = old != 0 && (slot.low.load(std::memory_order_relaxed) ^ old) == key.low &&
                        (slot.high.load(std::memory_order_relaxed) ^ Mix(old)) == key.high;
      if (old == 0 || same) {
        slot.low.store(key.low ^ word, std::memory_order_relaxed);
        slot.high.store(key.high ^ Mix(word), std::memory_order_relaxed);
        slot.word.store(word, std::memory_order_release);
        used_ += old == 0 ? 1 : 0;
        return old == 0;
      }
      if (++i == capacity_) i = 0;
    }
  }

  bool is_full() const { return used_ >= capacity_ / 4 * 3; }
  std::size_t used() const { return used_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t bytes() const { return capacity_ * sizeof(Slot); }

  // Copies all slots into a larger table. Both are ordered by hash, so this runs through them once.
  std::shared_ptr<Table> Grow(std::size_t capacity) const {
    auto larger = std::make_shared<Table>(capacity);
    for (std::size_t i = 0; i < capacity_; ++i) {
      const std::uint64_t word = slots_[i].word.load(std::memory_order_relaxed);
      if (word == 0) continue;
      larger->Put({slots_[i].low.load(std::memory_order_relaxed) ^ word,
                   slots_[i].high.load(std::memory_order_relaxed) ^ Mix(word)},
                  word);
    }
    larger->natives_ = natives_;
    return larger;
  }

  // Keeps alive what words point at (or pointed at, as a snapshot may still do).
  void Own(std::shared_ptr<NativeSeries> native) { natives_.push_back(std::move(native)); }

 private:
  struct Slot {
    std::atomic<std::uint64_t> low{0};
    std::atomic<std::uint64_t> high{0};
    std::atomic<std::uint64_t> word{0};
  };

  std::size_t IndexOf(std::uint64_t low) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>((static_cast<Wide>(low) * capacity_) >> 64);
  }

  const std::size_t capacity_;
  std::size_t used_ = 0;
  std::unique_ptr<Slot[]> slots_;
  std::vector<std::shared_ptr<NativeSeries>> natives_;
};

SeriesCache::SeriesCache(const SeriesCacheOptions& options)
    : options_(options), current_(std::make_shared<Table>(kSmallestTable)) {}

SeriesCache::~SeriesCache() = default;

void SeriesCache::Snapshot::Prefetch(const Hash128& key) const {
  current_->Prefetch(key);
}

CacheHit SeriesCache::Snapshot::Find(const Hash128& key) const {
  CacheHit hit;
  std::uint64_t word = current_->Find(key);
  if (word == 0 && old_ != nullptr) {
    word = old_->Find(key);
    hit.is_old = word != 0;
  }
  if ((word & kIsNative) == 0) {
    hit.ref.value = word;
    return hit;
  }
  hit.native = std::bit_cast<NativeSeries*>(word & ~kIsNative);
  hit.ref.value = hit.native->ref.load(std::memory_order_relaxed);
  return hit;
}

SeriesCache::Snapshot SeriesCache::TakeSnapshot(Timestamp now) {
  MutexLock lock(mutex_);
  if (!generation_start_) generation_start_ = now;
  if (now - *generation_start_ >= options_.generation_age) {
    generation_start_ = now;
    StartGeneration(std::max(kSmallestTable, current_->used() * 2));
  }
  Snapshot snapshot;
  snapshot.current_ = current_;
  snapshot.old_ = old_;
  return snapshot;
}

void SeriesCache::StartGeneration(std::size_t capacity) {
  old_ = std::exchange(current_, std::make_shared<Table>(capacity));
}

void SeriesCache::Put(const Hash128& key, const CachedSeries& series) {
  std::uint64_t word = series.ref.value;
  if (series.native != nullptr)
    word = std::bit_cast<std::uint64_t>(series.native.get()) | kIsNative;
  // A store that numbers its series beyond 2^63 is served without a cache.
  if (word == 0 || (series.native == nullptr && (word & kIsNative) != 0)) return;
  MutexLock lock(mutex_);
  PutLocked(key, word, series.native);
}

void SeriesCache::PutLocked(const Hash128& key, std::uint64_t word,
                            std::shared_ptr<NativeSeries> native) {
  if (current_->is_full()) {
    if (current_->used() >= options_.max_series / 2) {
      StartGeneration(current_->capacity());
    } else {
      current_ = current_->Grow(current_->capacity() / 2 * 3);
    }
  }
  if (native != nullptr) current_->Own(std::move(native));
  current_->Put(key, word);
}

void SeriesCache::Keep(const Hash128& key) {
  MutexLock lock(mutex_);
  if (old_ == nullptr) return;
  const std::uint64_t word = old_->Find(key);
  if (word == 0) return;
  std::shared_ptr<NativeSeries> native;
  if ((word & kIsNative) != 0)
    native = std::bit_cast<NativeSeries*>(word & ~kIsNative)->shared_from_this();
  PutLocked(key, word, std::move(native));
}

void SeriesCache::Clear() {
  MutexLock lock(mutex_);
  current_ = std::make_shared<Table>(kSmallestTable);
  old_ = nullptr;
}

std::size_t SeriesCache::size() const {
  MutexLock lock(mutex_);
  return current_->used();
}

std::size_t SeriesCache::bytes() const {
  MutexLock lock(mutex_);
  return current_->bytes() + (old_ == nullptr ? 0 : old_->bytes());
}

}  // namespace sonde::remote
