#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "tsdb/head.h"
#include "tsdb/metrics.h"
#include "tsdb/options.h"
#include "tsdb/wal_writer.h"

// The way of a batch into the store: into the write-ahead log first, then into the head, then
// visible.

namespace sonde::tsdb {

/// What one appender commits.
struct CommitBatch {
  std::vector<StoredRecord> records;  ///< For the log, in this order.
  std::vector<HeadSample> samples;    ///< The same samples, for the head.
};

/// Writes batches to the log and applies them, in one order that the log, the head and a later
/// replay share.
///
/// Threads that commit at the same time are served by one of them: it writes what all of them
/// brought with one write (and one sync, if each commit is synced), applies it, and wakes the
/// others. Thread-safe.
///
/// After an error nothing of the batch is visible, and what may have reached the file is cut off
/// before anything else is written; so a full disk fails the commits while it is full, and no
/// longer.
class CommitLog {
 public:
  struct Settings {
    WalCompression compression = WalCompression::kSnappy;
    FsyncPolicy fsync = FsyncPolicy::kInterval;
  };

  /// All references must outlive the log.
  CommitLog(Env& env, const Clock& clock, Logger logger, Metrics& metrics, Head& head,
            WalWriter& writer, Settings settings);
  CommitLog(const CommitLog&) = delete;
  CommitLog& operator=(const CommitLog&) = delete;

  /// Returns when the batch is in the log and visible, or failed.
  Status Commit(const CommitBatch& batch) EXCLUDES(queue_mutex_, wal_mutex_);
  /// Logs series that were made and got no samples yet, and metadata; then forces the log to the
  /// disk.
  Status Flush() EXCLUDES(queue_mutex_, wal_mutex_);
  /// Forces what was written so far to the disk, without stopping commits. `full_segments_only`:
  /// those that get no more bytes.
  Status Sync(bool full_segments_only = false) EXCLUDES(wal_mutex_);
  /// Ends the segment; returns the number of the next one.
  std::uint32_t CutSegment() EXCLUDES(wal_mutex_);
  /// Commits that are being written or wait for it.
  std::size_t waiting() const EXCLUDES(queue_mutex_);
  /// The number of the segment that is being written.
  std::uint32_t segment() const EXCLUDES(wal_mutex_);

  const WalCompression compression;

 private:
  struct Waiter {
    const CommitBatch* batch = nullptr;
    CondVar changed;
    bool done = false;
    Status status;
  };

  Status WriteAndApply(const std::vector<Waiter*>& group) EXCLUDES(wal_mutex_);
  Status Write(const std::vector<Waiter*>& group) REQUIRES(wal_mutex_);
  Status SyncLocked() REQUIRES(wal_mutex_);
  void NoteOutcome(const Status& status) REQUIRES(wal_mutex_);

  Env& env_;
  const Clock& clock_;
  const Logger logger_;
  Metrics& metrics_;
  Head& head_;
  const Settings settings_;

  mutable Mutex queue_mutex_;
  std::deque<Waiter*> queue_ GUARDED_BY(queue_mutex_);  // The first one is at work.

  mutable Mutex wal_mutex_ ACQUIRED_AFTER(queue_mutex_);
  WalWriter& writer_ GUARDED_BY(wal_mutex_);
  StoredRecord scratch_ GUARDED_BY(wal_mutex_);
  std::uint64_t last_commit_ GUARDED_BY(wal_mutex_) = 0;
  bool failing_ GUARDED_BY(wal_mutex_) = false;
  WalWriterStats reported_ GUARDED_BY(wal_mutex_);
};

}  // namespace sonde::tsdb
