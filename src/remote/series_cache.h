#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/mutex.h"
#include "base/time.h"
#include "model/series_mapper.h"
#include "storage/storage.h"

// The remote-write cache: the 128-bit hash of a series' label bytes, as they stand in the request,
// gives its ref in the store. So a known series costs no decoding of labels, no allocation and one
// cache miss.
//
// Why the hash alone decides: docs/decisions/0052-remote-write-cache.md.

namespace sonde::remote {

/// A canonical series that is written beside a native one.
struct DerivedSeries {
  DerivedSeries(MappedSeries mapped_series, std::uint64_t initial_ref)
      : mapped(std::move(mapped_series)), ref(initial_ref) {}

  const MappedSeries mapped;
  std::atomic<std::uint64_t> ref;  ///< 0: not stored yet.
  std::atomic<bool> live{true};    ///< The last native value was a measurement.
};

/// A native series that gives canonical ones.
struct NativeSeries : std::enable_shared_from_this<NativeSeries> {
  std::atomic<std::uint64_t> ref{0};
  std::vector<std::unique_ptr<DerivedSeries>> derived;
};

/// What the cache knows about a series. One of the two is set.
struct CachedSeries {
  storage::SeriesRef ref;                ///< A series that maps to nothing.
  std::shared_ptr<NativeSeries> native;  ///< A series with canonical ones beside it.
};

/// A cache hit, valid as long as the snapshot that gave it.
struct CacheHit {
  storage::SeriesRef ref;  ///< 0: a miss.
  NativeSeries* native = nullptr;
  bool is_old = false;  ///< Found in the older generation: Keep it, or it will be forgotten.
};

struct SeriesCacheOptions {
  std::size_t max_series = 8'000'000;  ///< Above half of it the cache starts a new generation.
  Duration generation_age{3'600'000};  ///< A series that is not seen for two of these is forgotten.
};

/// Two generations of an open-addressed table. Thread-safe: a request takes a snapshot (one lock),
/// then reads without any; writing takes the lock. A read that meets a write of the same slot is a
/// miss, never a wrong answer.
class SeriesCache {
 public:
  explicit SeriesCache(const SeriesCacheOptions& options = {});
  ~SeriesCache();

  class Table;

  /// The tables as they were; for one request on one thread.
  class Snapshot {
   public:
    /// Starts to load the slot of `key` into the processor's cache.
    void Prefetch(const Hash128& key) const;
    CacheHit Find(const Hash128& key) const;

   private:
    friend class SeriesCache;
    std::shared_ptr<const Table> current_;
    std::shared_ptr<const Table> old_;
  };

  /// `now` decides whether a new generation is due.
  Snapshot TakeSnapshot(Timestamp now);

  /// Adds or replaces. Snapshots may or may not see it.
  void Put(const Hash128& key, const CachedSeries& series);
  /// Carries a series over from the old generation.
  void Keep(const Hash128& key);

  /// Forgets everything.
  void Clear();

  /// Series in the younger generation, and bytes that both use.
  std::size_t size() const;
  std::size_t bytes() const;

 private:
  void PutLocked(const Hash128& key, std::uint64_t word, std::shared_ptr<NativeSeries> native)
      REQUIRES(mutex_);
  void StartGeneration(std::size_t capacity) REQUIRES(mutex_);

  const SeriesCacheOptions options_;
  mutable Mutex mutex_;
  std::shared_ptr<Table> current_ GUARDED_BY(mutex_);
  std::shared_ptr<Table> old_ GUARDED_BY(mutex_);
  std::optional<Timestamp> generation_start_ GUARDED_BY(mutex_);
};

}  // namespace sonde::remote
