#include "tsdb/commit_log.h"

#include <algorithm>
#include <utility>

namespace sonde::tsdb {
namespace {

constexpr std::size_t kMaxGroupBatches = 256;
constexpr std::size_t kMaxGroupSamples = 1 << 20;

}  // namespace

CommitLog::CommitLog(Env& env, const Clock& clock, Logger logger, Metrics& metrics, Head& head,
                     WalWriter& writer, Settings settings)
    : compression(settings.compression),
      env_(env),
      clock_(clock),
      logger_(std::move(logger)),
      metrics_(metrics),
      head_(head),
      settings_(settings),
      writer_(writer) {}

Status CommitLog::Commit(const CommitBatch& batch) {
  Waiter self;
  self.batch = &batch;
  std::vector<Waiter*> group;
  {
    MutexLock lock(queue_mutex_);
    queue_.push_back(&self);
    while (!self.done && queue_.front() != &self) {
      self.changed.Wait(queue_mutex_);
    }
    if (self.done) return std::move(self.status);
    // First in the queue: this thread works for all who wait now.
    std::size_t samples = 0;
    for (Waiter* waiter : queue_) {
      if (group.size() >= kMaxGroupBatches || samples > kMaxGroupSamples) break;
      group.push_back(waiter);
      samples += waiter->batch->samples.size();
    }
  }
  const Status status = WriteAndApply(group);
  MutexLock lock(queue_mutex_);
  for (Waiter* waiter : group) {
    queue_.pop_front();
    if (waiter == &self) continue;
    waiter->status = status;
    waiter->done = true;
    // Under the lock: the waiter is on its thread's stack and gone as soon as it can look.
    waiter->changed.NotifyOne();
  }
  if (!queue_.empty()) queue_.front()->changed.NotifyOne();
  return status;
}

Status CommitLog::Write(const std::vector<Waiter*>& group) {
  TRY(writer_.Prepare());
  std::vector<std::string> series = head_.registry().TakeUnlogged();
  // Series first: no sample is in the log before the series that it names.
  for (const std::string& record : series) {
    StoreRecord(record, settings_.compression, scratch_);
    writer_.Append(scratch_.bytes, scratch_.flags);
  }
  for (const Waiter* waiter : group) {
    for (const StoredRecord& record : waiter->batch->records) {
      writer_.Append(record.bytes, record.flags);
    }
  }
  Status status = writer_.Commit();
  if (status.ok() && settings_.fsync == FsyncPolicy::kAlways) {
    status = SyncLocked();
    if (!status) writer_.UndoLastCommit();
  }
  if (!status && !series.empty()) head_.registry().PutBackUnlogged(std::move(series));
  return status;
}

Status CommitLog::WriteAndApply(const std::vector<Waiter*>& group) {
  MutexLock lock(wal_mutex_);
  const Status status = Write(group);
  NoteOutcome(status);
  if (!status) return status;
  std::vector<std::span<const HeadSample>> samples;
  samples.reserve(group.size());
  for (const Waiter* waiter : group) {
    samples.emplace_back(waiter->batch->samples);
  }
  const ApplyCounts counts = head_.Apply(samples, ++last_commit_);
  metrics_.samples_appended.Add(static_cast<double>(counts.appended));
  if (counts.out_of_order > 0) {
    metrics_.samples_out_of_order.Add(static_cast<double>(counts.out_of_order));
  }
  if (counts.duplicates > 0) {
    metrics_.samples_duplicate.Add(static_cast<double>(counts.duplicates));
  }
  metrics_.head_chunks_created.Add(static_cast<double>(counts.new_chunks));
  metrics_.wal_commits.Add(static_cast<double>(group.size()));
  metrics_.wal_groups.Add();
  return status;
}

void CommitLog::NoteOutcome(const Status& status) {
  const WalWriterStats& stats = writer_.stats();
  metrics_.wal_bytes.Add(static_cast<double>(stats.bytes - reported_.bytes));
  metrics_.wal_pages.Add(static_cast<double>(stats.pages - reported_.pages));
  metrics_.wal_segment.Set(writer_.segment());
  reported_ = stats;
  if (!status) {
    metrics_.wal_writes_failed.Add();
    // Once for each episode: a full disk fails thousands of commits.
    if (!failing_) {
      logger_.Error("The write-ahead log cannot be written; samples are refused until it can",
                    {{"err", status.error()}});
    }
  } else if (failing_) {
    logger_.Info("The write-ahead log can be written again");
  }
  failing_ = !status.ok();
}

Status CommitLog::SyncLocked() {
  const std::int64_t begin = clock_.MonotonicNanos();
  const WalWriter::Unsynced unsynced = writer_.unsynced();
  TRY(WalWriter::Sync(env_, writer_.dir(), unsynced));
  writer_.MarkSynced(unsynced);
  metrics_.wal_fsync_seconds.Observe(static_cast<double>(clock_.MonotonicNanos() - begin) * 1e-9);
  return OkStatus();
}

Status CommitLog::Flush() {
  if (head_.registry().HasUnlogged()) TRY(Commit(CommitBatch()));
  return Sync();
}

Status CommitLog::Sync(bool full_segments_only) {
  WalWriter::Unsynced unsynced;
  Env::Path dir;
  {
    MutexLock lock(wal_mutex_);
    unsynced = writer_.unsynced();
    dir = writer_.dir();
  }
  if (full_segments_only) {
    unsynced.current = nullptr;
    if (unsynced.full.empty()) return OkStatus();
  }
  if (unsynced.empty()) return OkStatus();
  const std::int64_t begin = clock_.MonotonicNanos();
  TRY(WalWriter::Sync(env_, dir, unsynced));
  metrics_.wal_fsync_seconds.Observe(static_cast<double>(clock_.MonotonicNanos() - begin) * 1e-9);
  MutexLock lock(wal_mutex_);
  writer_.MarkSynced(unsynced);
  return OkStatus();
}

std::uint32_t CommitLog::CutSegment() {
  MutexLock lock(wal_mutex_);
  writer_.CutSegment();
  return writer_.segment();
}

std::size_t CommitLog::waiting() const {
  MutexLock lock(queue_mutex_);
  return queue_.size();
}

std::uint32_t CommitLog::segment() const {
  MutexLock lock(wal_mutex_);
  return writer_.segment();
}

}  // namespace sonde::tsdb
