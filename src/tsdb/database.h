#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/result.h"
#include "instrument/registry.h"
#include "storage/storage.h"
#include "tsdb/block_store.h"
#include "tsdb/cardinality.h"
#include "tsdb/commit_log.h"
#include "tsdb/head.h"
#include "tsdb/head_chunks.h"
#include "tsdb/metadata_table.h"
#include "tsdb/metrics.h"
#include "tsdb/options.h"
#include "tsdb/replay.h"
#include "tsdb/wal_writer.h"

// The store. Its files are Prometheus's own (docs/formats/), so a directory can be moved between
// the two programs.
//
//   data/
//     lock                 held while the store is open
//     wal/                 segments and the newest checkpoint
//     chunks_head/         full chunks of the head
//     01HX…/               blocks

namespace sonde::tsdb {

struct HeadStats {
  std::uint64_t series = 0;
  std::uint64_t label_pairs = 0;
  std::uint64_t chunks = 0;
  Timestamp min_time;  ///< 0 without samples.
  Timestamp max_time;
};

/// Implements storage::Storage. Thread-safe, except for Start, Stop and RunMaintenance, which the
/// owner calls. Queriers and appenders must be gone before the database is.
///
/// Durability: an acknowledged commit survives the death of the process at any instant; what a
/// power cut can take is the choice of Options::fsync. After a failed write (a full disk) commits
/// fail with kIo until writing works again; nothing of a failed commit is visible, now or after a
/// restart, and what was stored before is untouched.
class Database final : public storage::Storage {
 public:
  /// Opens the directory, creating it if needed, and replays the log. Damage in the files costs
  /// what cannot be read, counted and logged, and is no error; kUnavailable if another process has
  /// the directory, kInvalid for impossible options. All references, and `progress` if it is not
  /// null, must outlive the database.
  static Result<std::unique_ptr<Database>> Open(Env& env, const Clock& clock, Logger logger,
                                                instrument::Registry& registry, Options options,
                                                ReplayProgress* progress = nullptr);
  ~Database() override;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Starts the threads `commit` (forces the log to the disk) and `compact` (maintenance).
  void Start();
  /// Stops them and forces the log to the disk. Idempotent; the destructor does the same.
  void Stop();

  // storage::Storage:
  Result<std::unique_ptr<storage::Querier>> NewQuerier(Timestamp start,
                                                       Timestamp end) const override;
  std::unique_ptr<storage::Appender> NewAppender() override;

  /// Everything that is due: writes full chunks out, cuts blocks, truncates head and log, looks for
  /// new and old blocks. What readers or appenders hold up is done by a later call. For tests; the
  /// thread `compact` calls it otherwise.
  Status RunMaintenance() EXCLUDES(maintenance_mutex_);
  /// Forces everything acknowledged so far to the disk.
  Status SyncWal() { return log_->Flush(); }

  /// Commits that are being written or wait for it.
  std::size_t commits_waiting() const { return log_->waiting(); }

  HeadStats head_stats() const;
  Cardinality cardinality(std::size_t limit) const;
  /// What the blocks say about themselves, oldest first.
  std::vector<BlockMeta> blocks() const;
  std::vector<MetadataTable::Entry> metadata(std::string_view metric, std::size_t limit) const {
    return metadata_.Get(metric, limit);
  }
  const Options& options() const { return options_; }

 private:
  /// What a new querier sees.
  struct View {
    std::shared_ptr<const BlockList> blocks = std::make_shared<BlockList>();
    Timestamp head_floor = Timestamp::Min();  ///< What is older is in blocks.
  };
  /// Where the cutting of a block stands.
  struct Cut {
    enum class Stage : unsigned char { kIdle, kWaitForAppenders, kWaitForReaders };
    Stage stage = Stage::kIdle;
    Timestamp max_time;
    std::uint64_t mark = 0;
  };

  Database(Env& env, const Clock& clock, Logger logger, instrument::Registry& registry,
           Options options);

  Status OpenFiles(ReplayProgress* progress);
  Status ReplayInto(ReplayProgress* progress) REQUIRES(maintenance_mutex_);
  View view() const EXCLUDES(view_mutex_);
  void SetBlocks(std::shared_ptr<const BlockList> blocks) EXCLUDES(view_mutex_);

  // Parts of RunMaintenance.
  Status CompactHead() REQUIRES(maintenance_mutex_);
  Status CutNextBlock() REQUIRES(maintenance_mutex_);
  Status TruncateHead() REQUIRES(maintenance_mutex_);
  Status DoWhatIsDue() REQUIRES(maintenance_mutex_);
  Status TruncateWal(Timestamp min_time) REQUIRES(maintenance_mutex_);
  Status WriteWalCheckpoint(std::uint32_t first, std::uint32_t last, Timestamp min_time)
      REQUIRES(maintenance_mutex_);
  Status ReloadBlocks() REQUIRES(maintenance_mutex_);
  bool HeadIsCompactable() const;
  void UpdateGauges();

  void RunCommitThread(const std::stop_token& stop);
  void RunCompactThread(const std::stop_token& stop);
  void WaitFor(const std::stop_token& stop, Duration time) EXCLUDES(wake_mutex_);

  Env& env_;
  const Clock& clock_;
  const Logger logger_;
  const Options options_;
  Metrics metrics_;
  std::unique_ptr<FileLock> lock_;

  MetadataTable metadata_;
  std::unique_ptr<HeadChunks> head_chunks_;  // Outlives the head, whose chunks refer to it.
  std::unique_ptr<Head> head_;
  std::unique_ptr<WalWriter> wal_;
  std::unique_ptr<CommitLog> log_;

  mutable Mutex view_mutex_;
  View view_ GUARDED_BY(view_mutex_);

  Mutex maintenance_mutex_;
  std::unique_ptr<BlockStore> block_store_ GUARDED_BY(maintenance_mutex_);
  Rng rng_ GUARDED_BY(maintenance_mutex_);
  Cut cut_ GUARDED_BY(maintenance_mutex_);
  Timestamp wal_truncated_to_ GUARDED_BY(maintenance_mutex_) = Timestamp::Min();
  Timestamp wal_truncation_due_ GUARDED_BY(maintenance_mutex_) = Timestamp::Min();
  std::unordered_map<std::uint64_t, std::int64_t> keep_until_ GUARDED_BY(maintenance_mutex_);
  std::unordered_set<std::uint64_t> foreign_series_ GUARDED_BY(maintenance_mutex_);
  Timestamp last_reload_ GUARDED_BY(maintenance_mutex_);

  Mutex wake_mutex_;
  CondVar wake_;
  std::jthread commit_thread_;
  std::jthread compact_thread_;
};

}  // namespace sonde::tsdb
