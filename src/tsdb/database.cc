#include "tsdb/database.h"

#include <algorithm>
#include <utility>

#include "base/thread_pool.h"
#include "tsdb/checkpoint.h"
#include "tsdb/head_appender.h"
#include "tsdb/head_compaction.h"
#include "tsdb/querier.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

constexpr Duration kGaugeInterval = std::chrono::seconds(1);
constexpr Duration kMaintenanceInterval = std::chrono::seconds(15);
constexpr Duration kHeldUpInterval = std::chrono::seconds(1);

Error Impossible(std::string_view what) {
  return Error(ErrorKind::kInvalid, "storage options: " + std::string(what));
}

Status Check(const Options& options) {
  if (options.directory.empty()) return Impossible("no directory is given");
  if (options.block_range < std::chrono::minutes(1) ||
      options.block_range > std::chrono::hours(24 * 31)) {
    return Impossible("the block range must be between 1 minute and 31 days");
  }
  if (options.wal_segment_bytes % kWalPageBytes != 0 || options.wal_segment_bytes == 0 ||
      options.wal_segment_bytes > (std::uint64_t{256} << 20)) {
    return Impossible("the size of log segments must be a multiple of 32 KiB, at most 256 MiB");
  }
  if (options.retention.count() < 0) return Impossible("the retention is negative");
  if (options.samples_per_chunk < 4 || options.samples_per_chunk > 16'000) {
    return Impossible("chunks hold between 4 and 16000 samples");
  }
  return OkStatus();
}

Status RemoveSnapshots(Env& env, const Env::Path& dir) {
  // Prometheus's copy of its head at a shutdown. The log holds everything that is in it; and it is
  // not true any more once we have written.
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    if (entry.is_directory && entry.name.starts_with("chunk_snapshot.")) {
      TRY(env.RemoveAll(dir / entry.name));
    }
  }
  // So is what it noted about the numbers of series.
  const Env::Path state = dir / "wal" / "series_state.json";
  if (env.Exists(state)) TRY(env.RemoveFile(state));
  return OkStatus();
}

}  // namespace

Database::Database(Env& env, const Clock& clock, Logger logger, instrument::Registry& registry,
                   Options options)
    : env_(env),
      clock_(clock),
      logger_(std::move(logger)),
      options_(std::move(options)),
      metrics_(registry),
      head_(std::make_unique<Head>(
          ChunkRules{options_.block_range.count(), options_.samples_per_chunk},
          options_.max_series)),
      rng_(options_.random_seed ? *options_.random_seed : SystemSeed()) {
  metrics_.retention_seconds.Set(static_cast<double>(options_.retention.count()) / 1000);
}

Result<std::unique_ptr<Database>> Database::Open(Env& env, const Clock& clock, Logger logger,
                                                 instrument::Registry& registry, Options options,
                                                 ReplayProgress* progress) {
  TRY(Check(options));
  std::unique_ptr<Database> database(
      new Database(env, clock, std::move(logger), registry, std::move(options)));
  TRY(database->OpenFiles(progress));
  return database;
}

Status Database::OpenFiles(ReplayProgress* progress) {
  const Env::Path& dir = options_.directory;
  TRY(env_.CreateDir(dir));
  lock_ = TRY(env_.LockFile(dir / "lock"));
  MutexLock lock(maintenance_mutex_);
  block_store_ = std::make_unique<BlockStore>(env_, dir, options_.retention, metrics_, logger_);
  TRY(block_store_->RemoveLeftovers());
  TRY(env_.CreateDir(dir / "wal"));
  TRY(ReloadBlocks());
  const Timestamp floor = BlockStore::EndOf(*view().blocks);
  {
    MutexLock view_lock(view_mutex_);
    view_.head_floor = floor;
  }
  if (floor != Timestamp::Min()) head_->SetMinValidTime(floor.ms);
  head_chunks_ = TRY(HeadChunks::Open(env_, dir / "chunks_head", options_.head_chunk_file_bytes));
  TRY(ReplayInto(progress));
  TRY(RemoveSnapshots(env_, dir));
  UpdateGauges();
  return OkStatus();
}

Status Database::ReplayInto(ReplayProgress* progress) {
  const std::int64_t begin = clock_.MonotonicNanos();
  ReplayOptions replay;
  replay.threads =
      options_.replay_threads != 0 ? options_.replay_threads : std::thread::hardware_concurrency();
  replay.log_metadata = options_.wal_metadata;
  const Env::Path wal_dir = options_.directory / "wal";
  ReplayResult result = TRY(ReplayLog(env_, wal_dir, *head_chunks_, *head_, metadata_, metrics_,
                                      logger_, progress, replay));
  keep_until_ = std::move(result.keep_until);
  foreign_series_ = std::move(result.foreign_series);
  if (head_->has_samples() || result.series > 0) {
    // Series whose samples are all in blocks leave the head.
    const Head::Truncation truncation = head_->TruncateBefore(
        std::max(head_->min_valid_time(), std::min(head_->min_time(), head_->max_time())));
    for (const std::uint64_t ref : truncation.wal_refs) {
      keep_until_[ref] = head_->min_time();
    }
    head_->ReclaimRetired();
  }
  wal_ = std::make_unique<WalWriter>(env_, wal_dir,
                                     WalWriterOptions{.segment_bytes = options_.wal_segment_bytes},
                                     result.next_segment);
  log_ = std::make_unique<CommitLog>(
      env_, clock_, logger_, metrics_, *head_, *wal_,
      CommitLog::Settings{.compression = options_.wal_compression, .fsync = options_.fsync});
  const std::int64_t nanos = clock_.MonotonicNanos() - begin;
  metrics_.replay_seconds.Set(static_cast<double>(nanos) * 1e-9);
  logger_.Info("Replayed the write-ahead log", {{"series", result.series},
                                                {"samples", result.samples},
                                                {"damaged_places", result.damaged_places},
                                                {"duration", Duration(nanos / 1'000'000)}});
  return OkStatus();
}

Database::~Database() {
  Stop();
}

void Database::Start() {
  commit_thread_ = std::jthread([this](const std::stop_token& stop) { RunCommitThread(stop); });
  compact_thread_ = std::jthread([this](const std::stop_token& stop) { RunCompactThread(stop); });
}

void Database::Stop() {
  for (std::jthread* thread : {&commit_thread_, &compact_thread_}) {
    thread->request_stop();
  }
  {
    MutexLock lock(wake_mutex_);
    wake_.NotifyAll();
  }
  for (std::jthread* thread : {&commit_thread_, &compact_thread_}) {
    if (thread->joinable()) thread->join();
  }
  if (log_ == nullptr) return;
  if (Status status = log_->Flush(); !status) {
    logger_.Error("The write-ahead log could not be synced at the stop", {{"err", status.error()}});
  }
}

Database::View Database::view() const {
  MutexLock lock(view_mutex_);
  return view_;
}

void Database::SetBlocks(std::shared_ptr<const BlockList> blocks) {
  MutexLock lock(view_mutex_);
  view_.blocks = std::move(blocks);
}

Result<std::unique_ptr<storage::Querier>> Database::NewQuerier(Timestamp start,
                                                               Timestamp end) const {
  StoreQuerier::View seen;
  // In before looking: what is seen stays until the guest has left.
  seen.guest = std::make_unique<Guests::Reader>(head_->guests());
  const View now = view();
  for (const auto& block : *now.blocks) {
    if (block->Overlaps(start, end)) seen.blocks.push_back(block);
  }
  seen.head_floor = now.head_floor;
  return std::unique_ptr<storage::Querier>(
      std::make_unique<StoreQuerier>(*head_, head_chunks_.get(), std::move(seen), start, end));
}

std::unique_ptr<storage::Appender> Database::NewAppender() {
  return std::make_unique<HeadAppender>(
      HeadAppender::Context{*head_, *log_, metadata_, metrics_, options_.wal_metadata});
}

HeadStats Database::head_stats() const {
  HeadStats stats;
  stats.series = head_->registry().size();
  stats.chunks = head_->chunks();
  {
    const LabelIndex& index = head_->registry().index();
    FairReaderLock lock(index.mutex());
    stats.label_pairs = index.label_count();
  }
  if (head_->has_samples()) {
    stats.min_time = {head_->min_time()};
    stats.max_time = {head_->max_time()};
  }
  return stats;
}

Cardinality Database::cardinality(std::size_t limit) const {
  return CountCardinality(head_->registry(), limit);
}

std::vector<BlockMeta> Database::blocks() const {
  std::vector<BlockMeta> metas;
  for (const auto& block : *view().blocks) {
    metas.push_back(block->meta());
  }
  return metas;
}

void Database::UpdateGauges() {
  const HeadStats stats = head_stats();
  metrics_.head_series.Set(static_cast<double>(stats.series));
  metrics_.head_chunks.Set(static_cast<double>(stats.chunks));
  metrics_.head_min_time.Set(static_cast<double>(stats.min_time.ms));
  metrics_.head_max_time.Set(static_cast<double>(stats.max_time.ms));
  metrics_.head_min_time_seconds.Set(stats.min_time.seconds());
  metrics_.head_max_time_seconds.Set(stats.max_time.seconds());
  metrics_.head_active_appenders.Set(static_cast<double>(head_->guests().appenders_inside()));
  metrics_.isolation_low.Set(static_cast<double>(head_->guests().SeenByAll()));
  metrics_.isolation_high.Set(static_cast<double>(head_->guests().published()));
  const View now = view();
  const Timestamp lowest =
      now.blocks->empty() ? stats.min_time : now.blocks->front()->meta().min_time;
  metrics_.lowest_time.Set(static_cast<double>(lowest.ms));
  metrics_.lowest_time_seconds.Set(lowest.seconds());
}

// ------------------------------------------------------------------------------------------------
// maintenance

Status Database::DoWhatIsDue() {
  const std::size_t full = head_->full_chunks_in_memory();
  TRY(head_->WriteFullChunks(*head_chunks_));
  metrics_.mmap_chunks.Add(static_cast<double>(full));
  TRY(CompactHead());
  if (wal_truncation_due_ > wal_truncated_to_) TRY(TruncateWal(wal_truncation_due_));
  if (clock_.Now() - last_reload_ >= options_.block_reload_interval) TRY(ReloadBlocks());
  return OkStatus();
}

Status Database::RunMaintenance() {
  MutexLock lock(maintenance_mutex_);
  metrics_.compactions_triggered.Add();
  const Status status = DoWhatIsDue();
  head_->ReclaimRetired();
  metrics_.head_chunks_bytes.Set(
      static_cast<double>(DirectoryBytes(env_, options_.directory / "chunks_head").value_or(0)));
  metrics_.wal_storage_bytes.Set(
      static_cast<double>(DirectoryBytes(env_, options_.directory / "wal").value_or(0)));
  UpdateGauges();
  return status;
}

bool Database::HeadIsCompactable() const {
  // As Prometheus: one and a half ranges, so that a block is cut when no more samples come to it.
  return head_->has_samples() &&
         head_->max_time() - head_->min_time() > options_.block_range.count() / 2 * 3;
}

Status Database::CompactHead() {
  while (true) {
    switch (cut_.stage) {
      case Cut::Stage::kIdle:
        if (!HeadIsCompactable()) return OkStatus();
        cut_.max_time = {RangeEnd(head_->min_time(), options_.block_range.count())};
        // From now on nothing is accepted that belongs into the block; what is on its way is waited
        // for.
        head_->SetMinValidTime(std::max(head_->min_valid_time(), cut_.max_time.ms));
        cut_.mark = head_->guests().Mark();
        cut_.stage = Cut::Stage::kWaitForAppenders;
        break;
      case Cut::Stage::kWaitForAppenders:
        if (!head_->guests().AppendersLeft(cut_.mark)) return OkStatus();
        TRY(CutNextBlock());
        cut_.mark = head_->guests().Mark();
        cut_.stage = Cut::Stage::kWaitForReaders;
        break;
      case Cut::Stage::kWaitForReaders:
        // Readers from before the block still read its samples from the head.
        if (!head_->guests().ReadersLeft(cut_.mark)) return OkStatus();
        TRY(TruncateHead());
        wal_truncation_due_ = cut_.max_time;
        cut_.stage = Cut::Stage::kIdle;
        break;
    }
  }
}

Status Database::CutNextBlock() {
  const std::int64_t begin = clock_.MonotonicNanos();
  CutRequest request;
  request.min_time = view().head_floor;
  request.max_time = cut_.max_time;
  request.id = Ulid::Make(clock_.Now(), rng_);
  request.chunk_file_bytes = options_.block_chunk_file_bytes;
  metrics_.compaction_populating.Set(1);
  auto meta = CutBlock(env_, options_.directory, *head_, *head_chunks_, request);
  metrics_.compaction_populating.Set(0);
  if (!meta) {
    metrics_.compactions_failed.Add();
    return std::move(meta).error().Wrap("writing a block");
  }
  auto blocks = block_store_->Load();
  if (!blocks) {
    // As if it had not been written: it will be written again.
    if (*meta) (void)env_.RemoveAll(options_.directory / (*meta)->id.ToString()).ok();
    metrics_.compactions_failed.Add();
    return std::move(blocks).error();
  }
  {
    MutexLock lock(view_mutex_);
    view_.blocks = *blocks;
    view_.head_floor = cut_.max_time;
  }
  TRY(block_store_->RemoveDropped());
  last_reload_ = clock_.Now();
  const std::int64_t nanos = clock_.MonotonicNanos() - begin;
  if (!*meta) return OkStatus();
  metrics_.compactions.Add();
  metrics_.compaction_seconds.Observe(static_cast<double>(nanos) * 1e-9);
  logger_.Info("Wrote a block", {{"ulid", (*meta)->id.ToString()},
                                 {"mint", (*meta)->min_time},
                                 {"maxt", (*meta)->max_time},
                                 {"series", (*meta)->stats.series},
                                 {"samples", (*meta)->stats.samples},
                                 {"duration", Duration(nanos / 1'000'000)}});
  return OkStatus();
}

Status Database::TruncateHead() {
  const std::int64_t begin = clock_.MonotonicNanos();
  metrics_.head_truncations.Add();
  const Head::Truncation truncation = head_->TruncateBefore(cut_.max_time.ms);
  for (const std::uint64_t ref : truncation.wal_refs) {
    // Samples of the series may still be in the log: its labels must stay as long.
    keep_until_[ref] = head_->min_time();
  }
  metrics_.head_chunks_removed.Add(static_cast<double>(truncation.chunks));
  metrics_.head_series_removed.Add(static_cast<double>(truncation.series));
  const std::uint32_t first =
      truncation.first_chunk_file != 0 ? truncation.first_chunk_file : head_chunks_->current_file();
  const Status status = head_chunks_->Truncate(first);
  if (!status) metrics_.head_truncations_failed.Add();
  metrics_.head_gc_seconds.Observe(static_cast<double>(clock_.MonotonicNanos() - begin) * 1e-9);
  return status;
}

Status Database::TruncateWal(Timestamp min_time) {
  const Env::Path wal_dir = options_.directory / "wal";
  std::vector<WalSegment> segments = TRY(ListWalSegments(env_, wal_dir));
  const std::vector<WalCheckpoint> checkpoints = TRY(ListWalCheckpoints(env_, wal_dir));
  if (!checkpoints.empty()) {
    std::erase_if(segments,
                  [&](const WalSegment& s) { return s.number <= checkpoints.back().number; });
  }
  wal_truncated_to_ = min_time;
  if (segments.empty()) return OkStatus();
  // A new segment, so that a slow log does not keep more than it needs. The last one is never part
  // of a checkpoint, and of the others the older two thirds are: they hold what is in blocks now,
  // mostly.
  const std::uint32_t first = segments.front().number;
  const std::uint32_t last = segments.back().number;
  log_->CutSegment();
  if (last <= first) return OkStatus();
  const std::uint32_t covered = first + (last - 1 - first) * 2 / 3;
  if (covered <= first) return OkStatus();
  return WriteWalCheckpoint(first, covered, min_time);
}

Status Database::WriteWalCheckpoint(std::uint32_t first, std::uint32_t last, Timestamp min_time) {
  const Env::Path wal_dir = options_.directory / "wal";
  const std::int64_t begin = clock_.MonotonicNanos();
  metrics_.checkpoint_creations.Add();
  // Series records stay for series of the head, for those with samples in the log, and for what we
  // cannot read.
  std::erase_if(keep_until_, [&](const auto& entry) { return entry.second < min_time.ms; });
  std::vector<std::uint64_t> needed(foreign_series_.begin(), foreign_series_.end());
  for (const auto& [ref, until] : keep_until_) {
    needed.push_back(ref);
  }
  const std::vector<SeriesId> ids = head_->registry().All();
  for (const SeriesId id : ids) {
    needed.push_back(head_->registry()[id].wal_ref);
  }
  std::ranges::sort(needed);
  CheckpointRequest request;
  request.last_segment = last;
  request.min_time = min_time;
  request.compression = options_.wal_compression;
  request.segment_bytes = options_.wal_segment_bytes;
  request.keep = [&needed](std::uint64_t ref) { return std::ranges::binary_search(needed, ref); };
  auto stats = WriteCheckpoint(env_, wal_dir, request);
  if (!stats) {
    metrics_.checkpoint_creations_failed.Add();
    return std::move(stats).error().Wrap("writing a checkpoint");
  }
  metrics_.wal_corruptions.Add(static_cast<double>(stats->damaged_places));
  metrics_.wal_truncations.Add();
  metrics_.checkpoint_deletions.Add();
  if (Status status = RemoveBeforeCheckpoint(env_, wal_dir, last); !status) {
    // What stays is ignored because of the checkpoint, and removed with the next one.
    metrics_.wal_truncations_failed.Add();
    logger_.Warn("Old segments of the log could not be removed", {{"err", status.error()}});
  }
  const std::int64_t nanos = clock_.MonotonicNanos() - begin;
  metrics_.wal_truncate_seconds.Observe(static_cast<double>(nanos) * 1e-9);
  logger_.Info("Wrote a checkpoint of the log", {{"first", first},
                                                 {"last", last},
                                                 {"series", stats->series},
                                                 {"samples", stats->samples},
                                                 {"dropped_samples", stats->dropped_samples},
                                                 {"duration", Duration(nanos / 1'000'000)}});
  return OkStatus();
}

Status Database::ReloadBlocks() {
  SetBlocks(TRY(block_store_->Load()));
  last_reload_ = clock_.Now();
  return block_store_->RemoveDropped();
}

// ------------------------------------------------------------------------------------------------
// threads

void Database::WaitFor(const std::stop_token& stop, Duration time) {
  MutexLock lock(wake_mutex_);
  if (!stop.stop_requested()) (void)wake_.WaitFor(wake_mutex_, time);
}

void Database::RunCommitThread(const std::stop_token& stop) {
  SetThreadName("commit");
  bool failing = false;
  std::int64_t synced = clock_.MonotonicNanos();
  while (!stop.stop_requested()) {
    WaitFor(stop, std::min(options_.fsync_interval, kGaugeInterval));
    const std::int64_t now = clock_.MonotonicNanos();
    const bool due = options_.fsync != FsyncPolicy::kSegment &&
                     now - synced >= options_.fsync_interval.count() * 1'000'000;
    const Status status = due ? log_->Flush() : log_->Sync(true);
    if (due) synced = now;
    if (!status && !failing) {
      logger_.Error("The write-ahead log cannot be synced", {{"err", status.error()}});
    }
    failing = !status.ok();
    UpdateGauges();
  }
}

void Database::RunCompactThread(const std::stop_token& stop) {
  SetThreadName("compact");
  bool failing = false;
  while (!stop.stop_requested()) {
    bool held_up = false;
    {
      MutexLock lock(maintenance_mutex_);
      held_up = cut_.stage != Cut::Stage::kIdle && !failing;
    }
    WaitFor(stop, held_up ? kHeldUpInterval : kMaintenanceInterval);
    if (stop.stop_requested()) return;
    const Status status = RunMaintenance();
    if (!status && !failing) {
      logger_.Error("Maintenance of the store failed; it is tried again every 15 seconds",
                    {{"err", status.error()}});
    } else if (status.ok() && failing) {
      logger_.Info("Maintenance of the store works again");
    }
    failing = !status.ok();
  }
}

}  // namespace sonde::tsdb
