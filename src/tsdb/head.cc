#include "tsdb/head.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kPrefetchAhead = 8;
constexpr std::size_t kWriteBatchBytes = 1 << 20;
constexpr std::size_t kSeriesPerWrite = 4096;

/// Lowers or raises an atomic to `value`.
void StoreMin(std::atomic<std::int64_t>& atomic, std::int64_t value) {
  std::int64_t old = atomic.load(std::memory_order_relaxed);
  while (value < old && !atomic.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
}
void StoreMax(std::atomic<std::int64_t>& atomic, std::int64_t value) {
  std::int64_t old = atomic.load(std::memory_order_relaxed);
  while (value > old && !atomic.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

std::int64_t Head::AppendableFrom() const {
  const std::int64_t max = max_time();
  const std::int64_t window = max == kNoTime ? kNoTime : max - rules_.range_ms / 2;
  return std::max(min_valid_time(), window);
}

void Head::NoteFirstTime(std::int64_t t) {
  std::int64_t none = kNoTime;
  if (max_time_.compare_exchange_strong(none, t, std::memory_order_relaxed)) {
    StoreMin(min_time_, t);
  }
}

void Head::NoteTimes(std::int64_t min_time, std::int64_t max_time) {
  StoreMin(min_time_, min_time);
  StoreMax(max_time_, max_time);
}

void Head::NoteCommit(SeriesId id, Series& series, std::uint64_t commit,
                      std::uint64_t seen_by_all) {
  if (series.last_commit == commit) return;
  if (series.last_commit > seen_by_all) {
    // Somebody inside does not see the last commit: its boundary is still needed.
    MutexLock lock(history_mutex_);
    history_[id].push_back({series.last_commit, series.visible_before});
    series.has_history = true;
  } else if (series.has_history) {
    MutexLock lock(history_mutex_);
    history_.erase(id);
    series.has_history = false;
  }
  series.last_commit = commit;
  series.visible_before = series.last_time.load(std::memory_order_relaxed);
}

std::int64_t Head::VisibleUntil(SeriesId id, const Series& series,
                                std::uint64_t visible_commit) const {
  if (series.last_commit <= visible_commit) return series.last_time.load(std::memory_order_relaxed);
  std::int64_t until = series.visible_before;
  if (!series.has_history) return until;
  MutexLock lock(history_mutex_);
  const auto it = history_.find(id);
  if (it == history_.end()) return until;
  for (const Boundary& boundary : it->second) {
    if (boundary.commit > visible_commit) until = std::min(until, boundary.before);
  }
  return until;
}

ApplyCounts Head::Apply(std::span<const std::span<const HeadSample>> group, std::uint64_t commit) {
  ApplyCounts counts;
  const std::uint64_t seen_by_all = guests_.SeenByAll();
  std::int64_t min_time = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_time = kNoTime;
  std::vector<SeriesId> filled;
  for (const std::span<const HeadSample> samples : group) {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (i + kPrefetchAhead < samples.size()) {
        __builtin_prefetch(&registry_[samples[i + kPrefetchAhead].series], 1);
      }
      const HeadSample& sample = samples[i];
      Series& series = registry_[sample.series];
      ScopedSeriesLock lock(series.lock);
      if (sample.t.ms > series.last_time.load(std::memory_order_relaxed)) {
        NoteCommit(sample.series, series, commit, seen_by_all);
      }
      switch (AppendSample(series, sample.t, sample.value, rules_)) {
        case AppendOutcome::kAppendedToNewChunk:
          ++counts.new_chunks;
          if (!series.full.empty() && series.full.chunks().back().in_memory()) {
            filled.push_back(sample.series);
          }
          [[fallthrough]];
        case AppendOutcome::kAppended:
          ++counts.appended;
          min_time = std::min(min_time, sample.t.ms);
          max_time = std::max(max_time, sample.t.ms);
          break;
        case AppendOutcome::kDuplicate:
          ++counts.duplicates;
          break;
        case AppendOutcome::kOutOfOrder:
          ++counts.out_of_order;
          break;
      }
    }
  }
  if (counts.appended > 0) NoteTimes(min_time, max_time);
  chunks_.fetch_add(counts.new_chunks, std::memory_order_relaxed);
  if (!filled.empty()) {
    MutexLock lock(pending_mutex_);
    pending_full_.insert(pending_full_.end(), filled.begin(), filled.end());
  }
  guests_.Publish(commit);
  return counts;
}

AppendOutcome Head::Replay(SeriesId id, Timestamp t, std::uint64_t value) {
  Series& series = registry_[id];
  ScopedSeriesLock lock(series.lock);
  if (series.dead) return AppendOutcome::kOutOfOrder;
  series.visible_before = std::max(series.visible_before, t.ms);
  const AppendOutcome outcome = AppendSample(series, t, value, rules_);
  if (outcome == AppendOutcome::kAppendedToNewChunk) {
    chunks_.fetch_add(1, std::memory_order_relaxed);
    if (!series.full.empty() && series.full.chunks().back().in_memory()) {
      MutexLock pending_lock(pending_mutex_);
      pending_full_.push_back(id);
    }
  }
  return outcome;
}

void Head::RestoreChunks(SeriesId id, std::span<const FullChunk> chunks) {
  Series& series = registry_[id];
  ScopedSeriesLock lock(series.lock);
  for (const FullChunk& chunk : chunks) {
    // Another number of the same series may have brought chunks that overlap; the samples are in
    // the log as well.
    if (chunk.min_time().ms <= series.last_time.load(std::memory_order_relaxed)) continue;
    if (series.open != nullptr) break;
    series.full.PushBack(chunk);
    series.last_time.store(chunk.max_time().ms, std::memory_order_relaxed);
    NoteTimes(chunk.min_time().ms, chunk.max_time().ms);
    chunks_.fetch_add(1, std::memory_order_relaxed);
  }
}

Status Head::Rewind(SeriesId id, const HeadChunkFiles& files) {
  Series& series = registry_[id];
  ScopedSeriesLock lock(series.lock);
  const std::int64_t seen = series.visible_before;
  if (series.last_time.load(std::memory_order_relaxed) <= seen) return OkStatus();
  std::vector<Timestamp> times;
  std::vector<double> values;
  while (!series.full.empty() && series.full.chunks().back().max_time().ms > seen) {
    const FullChunk last = series.full.chunks().back();
    if (last.min_time().ms <= seen && !last.in_memory()) {
      const ChunkView view = TRY(files.Read(last.ref()));
      times.resize(ChunkSampleCount(view.data));
      values.resize(times.size());
      TRY(DecodeChunk(view.encoding, view.data, view.readable, times.data(), values.data()));
    }
    series.full.PopBack();
    chunks_.fetch_sub(1, std::memory_order_relaxed);
  }
  const auto left = std::as_const(series.full).chunks();
  series.last_time.store(left.empty() ? kNoTime : left.back().max_time().ms,
                         std::memory_order_relaxed);
  for (std::size_t i = 0; i < times.size() && times[i].ms <= seen; ++i) {
    AppendSample(series, times[i], std::bit_cast<std::uint64_t>(values[i]), rules_);
  }
  return OkStatus();
}

void Head::RemoveSeries(SeriesId id) {
  Series& series = registry_[id];
  {
    ScopedSeriesLock lock(series.lock);
    series.full.Clear();
    series.open.reset();
  }
  Retired retired;
  retired.removed = registry_.Collect(std::span(&id, 1), std::numeric_limits<std::uint32_t>::max());
  retired.mark = guests_.Mark();
  retired_.push_back(std::move(retired));
}

std::size_t Head::CopyChunks(SeriesId id, Timestamp min_time, Timestamp max_time,
                             std::uint64_t visible_commit, Arena* arena,
                             std::vector<CopiedChunk>& out) const {
  const std::size_t before = out.size();
  const Series& series = registry_[id];
  ScopedSeriesLock lock(series.lock);
  const Timestamp until{VisibleUntil(id, series, visible_commit)};
  const Timestamp end = std::min(max_time, until);
  for (const FullChunk& chunk : series.full.chunks()) {
    if (chunk.max_time() < min_time || chunk.min_time() > end) continue;
    CopiedChunk copy{chunk.min_time(), std::min(chunk.max_time(), until), 0, {}};
    if (!chunk.in_memory()) {
      copy.ref = chunk.ref();
    } else if (arena != nullptr) {
      copy.data = arena->Copy(chunk.memory().bytes(), kDecodeSlackBytes);
    }
    out.push_back(copy);
  }
  if (series.open != nullptr && series.last_time.load(std::memory_order_relaxed) >= min_time.ms) {
    const Timestamp open_min = series.open->min_time();
    if (open_min <= end) {
      const Timestamp last{series.last_time.load(std::memory_order_relaxed)};
      std::string_view bytes;
      if (arena != nullptr) bytes = arena->Copy(series.open->bytes(), kDecodeSlackBytes);
      out.push_back({open_min, std::min(last, until), 0, bytes});
    }
  }
  return out.size() - before;
}

const Intervals* Head::deleted(SeriesId id) const {
  if (deleted_.empty()) return nullptr;
  const auto it = deleted_.find(id);
  return it == deleted_.end() ? nullptr : &it->second;
}

std::size_t Head::full_chunks_in_memory() const {
  MutexLock lock(pending_mutex_);
  return pending_full_.size();
}

Status Head::WriteSome(HeadChunks& files, std::span<const SeriesId> ids, bool& complete) {
  struct Place {
    SeriesId id;
    Timestamp min_time;
  };
  std::vector<HeadChunk> chunks;
  std::vector<Place> places;
  std::vector<HeadChunkRef> refs;
  std::size_t bytes = 0;
  complete = true;
  for (const SeriesId id : ids) {
    const Series* series = registry_.Find(id);
    if (series == nullptr) continue;
    if (bytes > kWriteBatchBytes) {
      complete = false;
      break;
    }
    ScopedSeriesLock lock(series->lock);
    for (const FullChunk& chunk : series->full.chunks()) {
      if (!chunk.in_memory()) continue;
      // The bytes stay without the lock: only this thread frees full chunks.
      chunks.push_back({series->wal_ref, chunk.min_time(), chunk.max_time(), ChunkEncoding::kXor,
                        false, chunk.memory().bytes()});
      places.push_back({id, chunk.min_time()});
      bytes += chunks.back().data.size();
    }
  }
  if (chunks.empty()) return OkStatus();
  TRY(files.Write(chunks, refs));
  // Published before a series refers to it: readers take the files along after the references.
  TRY(files.Publish());
  for (std::size_t i = 0; i < places.size(); ++i) {
    Series& series = registry_[places[i].id];
    ScopedSeriesLock lock(series.lock);
    for (FullChunk& chunk : series.full.chunks()) {
      if (chunk.min_time() == places[i].min_time) chunk.MoveTo(refs[i]);
    }
  }
  return OkStatus();
}

Status Head::WriteFullChunks(HeadChunks& files) {
  std::vector<SeriesId> ids;
  {
    MutexLock lock(pending_mutex_);
    ids.swap(pending_full_);
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::span<const SeriesId> left(ids);
  while (!left.empty()) {
    const auto some = left.first(std::min(left.size(), kSeriesPerWrite));
    bool complete = true;
    if (Status status = WriteSome(files, some, complete); !status) {
      MutexLock lock(pending_mutex_);
      pending_full_.insert(pending_full_.end(), left.begin(), left.end());
      return status;
    }
    // An incomplete batch is looked at again: what was written is not in memory any more.
    if (complete) left = left.subspan(some.size());
  }
  return OkStatus();
}

Head::Truncation Head::TruncateBefore(std::int64_t t) {
  Truncation result;
  std::vector<SeriesId> candidates;
  std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
  const std::vector<SeriesId> all = registry_.All();
  for (const SeriesId id : all) {
    Series& series = registry_[id];
    ScopedSeriesLock lock(series.lock);
    const std::span<const FullChunk> full = std::as_const(series.full).chunks();
    std::size_t drop = 0;
    while (drop < full.size() && full[drop].max_time().ms < t) {
      ++drop;
    }
    result.chunks += drop;
    series.full.PopFront(drop);
    if (series.open != nullptr && series.last_time.load(std::memory_order_relaxed) < t) {
      series.open.reset();
      ++result.chunks;
    }
    const std::span<const FullChunk> kept = std::as_const(series.full).chunks();
    for (const FullChunk& chunk : kept) {
      if (chunk.in_memory()) continue;
      const auto file = static_cast<std::uint32_t>(chunk.ref() >> 32);
      if (result.first_chunk_file == 0 || file < result.first_chunk_file) {
        result.first_chunk_file = file;
      }
      break;
    }
    if (!kept.empty()) {
      oldest = std::min(oldest, kept.front().min_time().ms);
    } else if (series.open != nullptr) {
      oldest = std::min(oldest, series.open->min_time().ms);
    } else {
      candidates.push_back(id);
    }
  }
  chunks_.fetch_sub(result.chunks, std::memory_order_relaxed);
  Retired retired;
  retired.removed = registry_.Collect(candidates, guests_.BeginCollection());
  for (const SeriesId id : retired.removed.series) {
    result.wal_refs.push_back(registry_[id].wal_ref);
  }
  result.series = retired.removed.series.size();
  retired.mark = guests_.Mark();
  if (result.series > 0) retired_.push_back(std::move(retired));

  if (!has_samples()) return result;
  // The head begins with what is left, but not inside the window in which samples may still come.
  std::int64_t min_time = t;
  if (oldest > t && oldest != std::numeric_limits<std::int64_t>::max()) {
    min_time = std::max(t, std::min(oldest, AppendableFrom()));
  }
  min_time_.store(min_time, std::memory_order_relaxed);
  StoreMax(max_time_, min_time);
  StoreMax(min_valid_time_, min_time);
  return result;
}

void Head::ReclaimRetired() {
  while (!retired_.empty() && guests_.ReadersLeft(retired_.front().mark) &&
         guests_.AppendersLeft(retired_.front().mark)) {
    Retired retired = std::move(retired_.front());
    retired_.pop_front();
    if (!retired.pages.empty()) continue;  // Freed here.
    retired.pages = registry_.Reclaim(retired.removed);
    retired.removed = {};
    retired.mark = guests_.Mark();
    if (!retired.pages.empty()) retired_.push_back(std::move(retired));
  }
}

}  // namespace sonde::tsdb
