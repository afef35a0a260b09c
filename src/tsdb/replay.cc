#include "tsdb/replay.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/thread_pool.h"
#include "tsdb/bounded_queue.h"
#include "tsdb/ref_map.h"
#include "tsdb/replay_workers.h"
#include "tsdb/wal_files.h"
#include "tsdb/wal_reader.h"
#include "tsdb/wal_record.h"
#include "tsdb/wal_repair.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kBundleBytes = 256 * 1024;
constexpr std::size_t kBundlesAhead = 16;
constexpr std::size_t kSeriesPerBatch = 64;
// Full chunks go to their files when so many are in memory, so that a long log does not fill it.
constexpr std::size_t kMaxFullChunks = 200'000;

/// Some records of the log, in the order of reading.
struct Bundle {
  std::vector<std::string> records;
  std::int64_t segment = -1;  // The segment that was finished with this bundle, if not negative.
};

/// Turns records into series, and hands samples on to the workers.
class RecordReplayer {
 public:
  RecordReplayer(Head& head, MetadataTable& metadata, Metrics& metrics, const Logger& logger,
                 HeadChunks& files, ReplayOptions options, ReplayResult& result)
      : head_(head),
        metadata_(metadata),
        metrics_(metrics),
        logger_(logger),
        files_(files),
        options_(options),
        result_(result),
        workers_(head, options.threads <= 1 ? 0 : options.threads - 1) {}

  /// Chunks from the mapped files, in the order of writing.
  void AddChunk(std::uint64_t wal_ref, const FullChunk& chunk) {
    chunks_.push_back({wal_ref, chunk});
    max_ref_ = std::max(max_ref_, wal_ref);
  }
  void ChunksComplete() {
    std::ranges::stable_sort(chunks_, {}, &RestoredChunk::wal_ref);
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      const bool first = i == 0 || chunks_[i - 1].wal_ref != chunks_[i].wal_ref;
      if (first) first_chunk_.Set(chunks_[i].wal_ref, static_cast<std::uint32_t>(i + 1), false);
    }
  }

  void Add(std::string record) {
    const RecordType type = TypeOfRecord(record);
    Status status;
    if (type == RecordType::kSamples || type == RecordType::kSamplesV2) {
      workers_.AddRecord(std::move(record));
    } else if (type == RecordType::kSeries) {
      status = AddSeries(record);
    } else if (type == RecordType::kTombstones) {
      status = AddTombstones(record);
    } else if (type == RecordType::kMetadata) {
      status = AddMetadata(record);
    } else if (type == RecordType::kExemplars || IsHistogramRecord(type)) {
      status = SkipRecord(type, record);
    } else {
      metrics_.replay_skipped_records.Add();
    }
    if (!status) NoteMalformed(1);
  }
  /// Between records: writes full chunks out when there are many.
  void Housekeep() {
    if (head_.full_chunks_in_memory() < kMaxFullChunks) return;
    if (Status status = head_.WriteFullChunks(files_); !status) {
      logger_.Warn("Full chunks of the head could not be written", {{"err", status.error()}});
    }
  }
  void Finish() {
    const ReplayWorkers::Summary summary = workers_.Finish();
    result_.samples = summary.samples;
    if (summary.malformed_records > 0) NoteMalformed(summary.malformed_records);
    for (const auto& [ref, newest] : summary.newest_of_alias) {
      std::int64_t& until = result_.keep_until[ref];
      until = std::max(until, newest);
    }
    for (const std::uint64_t ref : summary.unknown_series) {
      max_ref_ = std::max(max_ref_, ref);
    }
    head_.registry().ReserveWalRef(max_ref_);
    if (summary.unknown_samples > 0) {
      metrics_.replay_unknown_series.Add(static_cast<double>(summary.unknown_series.size()));
      metrics_.replay_unknown_samples.Add(static_cast<double>(summary.unknown_samples));
      logger_.Warn(
          "Samples of the log belong to series that it does not know",
          {{"series", summary.unknown_series.size()}, {"samples", summary.unknown_samples}});
    }
    if (histograms_ > 0) {
      logger_.Warn(
          "The log holds native histograms, which this version does not read; they stay in it",
          {{"samples", histograms_}});
    }
  }

 private:
  struct RestoredChunk {
    std::uint64_t wal_ref;
    FullChunk chunk;
  };

  void NoteMalformed(std::uint64_t records) {
    result_.damaged_places += records;
    metrics_.wal_corruptions.Add(static_cast<double>(records));
    logger_.Warn("Records of the write-ahead log are malformed and were left out",
                 {{"records", records}});
  }

  Status AddSeries(std::string_view record) {
    SeriesRecordReader reader(record);
    bool more = true;
    while (more) {
      batch_.clear();
      while (batch_.size() < kSeriesPerBatch && (more = reader.Next())) {
        max_ref_ = std::max(max_ref_, reader.ref());
        if (reader.ref() == 0 || reader.labels().empty()) continue;
        batch_.push_back({reader.labels(), reader.ref(), 0, {}});
        // Labels that were put in order lie in a buffer of the reader, until the next series.
        if (!reader.in_record()) break;
      }
      head_.registry().Restore(batch_);
      for (const SeriesRegistry::Restored& restored : batch_) {
        AddRestored(restored.wal_ref, restored.entry);
      }
    }
    return reader.status();
  }

  void AddRestored(std::uint64_t ref, const SeriesRegistry::Entry& entry) {
    if (entry.series == nullptr) return;
    refs_.Set(ref, entry.id, false);
    if (entry.created) {
      ++result_.series;
      workers_.AddSeries(ref, entry.id);
    } else if (entry.series->wal_ref != ref) {
      AddAlias(ref, entry);
    }
    if (!chunks_.empty()) RestoreChunks(ref, entry);
  }

  // The series left the head once and came back under another number.
  void AddAlias(std::uint64_t ref, const SeriesRegistry::Entry& entry) {
    if (!result_.keep_until.try_emplace(ref, kNoTime).second) return;
    workers_.AddAlias(ref, entry.id, entry.series->wal_ref);
    if (chunks_.empty()) return;
    if (Status status = head_.Rewind(entry.id, *files_.files()); !status) {
      metrics_.mmap_corruptions.Add();
      logger_.Warn("A mapped chunk of the head is damaged", {{"err", status.error()}});
    }
  }

  void RestoreChunks(std::uint64_t ref, const SeriesRegistry::Entry& entry) {
    const RefMap::Entry first = first_chunk_.Find(ref);
    if (first.id == 0) return;
    restored_.clear();
    for (std::size_t i = first.id - 1; i < chunks_.size() && chunks_[i].wal_ref == ref; ++i) {
      restored_.push_back(chunks_[i].chunk);
    }
    // Samples of a series that was there before may still be on their way to it.
    if (!entry.created) workers_.Drain();
    head_.RestoreChunks(entry.id, restored_);
  }

  Status AddTombstones(std::string_view record) {
    std::vector<RefTombstone> tombstones;
    const Status status = DecodeTombstones(record, tombstones);
    for (const RefTombstone& tombstone : tombstones) {
      max_ref_ = std::max(max_ref_, tombstone.ref);
      const SeriesId id = refs_.Find(tombstone.ref).id;
      if (id == 0 || tombstone.max_time.ms < head_.min_valid_time()) continue;
      if (const auto alias = result_.keep_until.find(tombstone.ref);
          alias != result_.keep_until.end()) {
        alias->second = std::max(alias->second, tombstone.max_time.ms);
      }
      if (tombstone.min_time == Timestamp::Min() && tombstone.max_time == Timestamp::Max()) {
        // The series left the head at this point; a later record with its labels is a new one.
        workers_.Drain();
        head_.RemoveSeries(id);
      } else {
        head_.AddDeleted(id, {tombstone.min_time, tombstone.max_time});
      }
    }
    return status;
  }

  Status AddMetadata(std::string_view record) {
    std::vector<RefMetadata> entries;
    const Status status = DecodeMetadata(record, entries);
    std::string packed;
    for (const RefMetadata& entry : entries) {
      const SeriesId id = refs_.Find(entry.ref).id;
      if (id == 0) continue;
      packed.clear();
      head_.registry().AppendLabels(head_.registry()[id], packed);
      const Metadata metadata{entry.type, std::string(entry.help), std::string(entry.unit)};
      metadata_.Update(LabelsView::FromPacked(packed).metric_name(), metadata);
      if (options_.log_metadata) metadata_.UpdateSeries(id, metadata);
    }
    return status;
  }

  Status SkipRecord(RecordType type, std::string_view record) {
    std::vector<RefTime> times;
    const Status status = DecodeRefTimes(record, times);
    if (type == RecordType::kExemplars) {
      metrics_.replay_skipped_exemplars.Add(static_cast<double>(times.size()));
      return status;
    }
    metrics_.replay_skipped_histograms.Add(static_cast<double>(times.size()));
    histograms_ += times.size();
    for (const RefTime& at : times) {
      max_ref_ = std::max(max_ref_, at.ref);
      result_.foreign_series.insert(at.ref);
    }
    return status;
  }

  Head& head_;
  MetadataTable& metadata_;
  Metrics& metrics_;
  const Logger& logger_;
  HeadChunks& files_;
  const ReplayOptions options_;
  ReplayResult& result_;
  RefMap refs_;
  std::vector<SeriesRegistry::Restored> batch_;
  std::vector<RestoredChunk> chunks_;  // By series, then time.
  RefMap first_chunk_;                 // Series → position in chunks_ + 1.
  std::vector<FullChunk> restored_;
  std::uint64_t max_ref_ = 0;
  std::uint64_t histograms_ = 0;
  ReplayWorkers workers_;  // Last: it stops first.
};

/// Reads the files of the log into bundles, in order.
class SegmentReader {
 public:
  using Emit = std::function<void(Bundle)>;

  SegmentReader(Env& env, const Logger& logger, Emit emit)
      : env_(env), logger_(logger), emit_(std::move(emit)) {}

  void Read(const WalSegment& segment, bool in_checkpoint) {
    Bundle bundle;
    auto mapped = env_.MapFile(segment.path);
    if (!mapped) {
      logger_.Error("A segment of the write-ahead log cannot be read", {{"err", mapped.error()}});
      ++damaged_places_;
    } else {
      ReadRecords(segment, (*mapped)->bytes(), in_checkpoint, bundle);
    }
    bundle.segment = in_checkpoint ? -1 : static_cast<std::int64_t>(segment.number);
    emit_(std::move(bundle));
  }

  std::vector<DamagedSegment> TakeDamaged() { return std::move(damaged_); }
  std::uint64_t damaged_places() const { return damaged_places_; }

 private:
  void ReadRecords(const WalSegment& segment, std::string_view bytes, bool in_checkpoint,
                   Bundle& bundle) {
    WalSegmentReader reader(bytes);
    std::size_t bundled = 0;
    while (reader.Next()) {
      bundle.records.push_back(reader.TakeRecord());
      bundled += bundle.records.back().size();
      if (bundled < kBundleBytes) continue;
      emit_(std::move(bundle));
      bundle = {};
      bundled = 0;
    }
    if (!reader.damaged()) return;
    ++damaged_places_;
    logger_.Warn("The write-ahead log is damaged",
                 {{"segment", segment.path.string()}, {"err", reader.damage()}});
    if (!in_checkpoint) {
      damaged_.push_back({segment, reader.good_end(), reader.good_after_damage()});
    }
  }

  Env& env_;
  const Logger& logger_;
  const Emit emit_;
  std::vector<DamagedSegment> damaged_;
  std::uint64_t damaged_places_ = 0;
};

void AddBundle(Bundle bundle, RecordReplayer& replayer, ReplayProgress* progress) {
  for (std::string& record : bundle.records) {
    replayer.Add(std::move(record));
  }
  replayer.Housekeep();
  if (progress != nullptr && bundle.segment >= 0) {
    progress->current.store(bundle.segment, std::memory_order_relaxed);
  }
}

/// The files to read, in order.
struct LogFiles {
  std::vector<WalSegment> checkpoint;
  std::vector<WalSegment> segments;
};

Result<LogFiles> FindFiles(Env& env, const Env::Path& wal_dir, ReplayResult& result,
                           ReplayProgress* progress) {
  TRY(RemoveWalLeftovers(env, wal_dir));
  LogFiles files;
  files.segments = TRY(ListWalSegments(env, wal_dir));
  if (!files.segments.empty()) result.next_segment = files.segments.back().number + 1;
  const std::vector<WalCheckpoint> checkpoints = TRY(ListWalCheckpoints(env, wal_dir));
  if (!checkpoints.empty()) {
    const WalCheckpoint& last = checkpoints.back();
    files.checkpoint = TRY(ListWalSegments(env, last.path));
    std::erase_if(files.segments, [&](const WalSegment& s) { return s.number <= last.number; });
    result.next_segment = std::max(result.next_segment, last.number + 1);
  }
  if (progress != nullptr && !files.segments.empty()) {
    progress->min.store(files.segments.front().number, std::memory_order_relaxed);
    progress->current.store(files.segments.front().number, std::memory_order_relaxed);
    progress->max.store(files.segments.back().number, std::memory_order_relaxed);
  }
  return files;
}

Status LoadChunks(HeadChunks& head_chunks, const Head& head, RecordReplayer& replayer,
                  Metrics& metrics, const Logger& logger) {
  std::string damage;
  const std::int64_t min_valid = head.min_valid_time();
  TRY(head_chunks.Load(
      [&](HeadChunkRef ref, const HeadChunk& chunk) {
        if (chunk.out_of_order || chunk.encoding != ChunkEncoding::kXor) return;
        if (chunk.max_time.ms < min_valid) return;
        replayer.AddChunk(chunk.series_ref, FullChunk(chunk.min_time, chunk.max_time, ref));
      },
      damage));
  replayer.ChunksComplete();
  if (damage.empty()) return OkStatus();
  metrics.mmap_corruptions.Add();
  logger.Warn("Mapped chunks of the head are damaged; they are taken from the log",
              {{"err", damage}});
  return OkStatus();
}

}  // namespace

Result<ReplayResult> ReplayLog(Env& env, const Env::Path& wal_dir, HeadChunks& head_chunks,
                               Head& head, MetadataTable& metadata, Metrics& metrics,
                               const Logger& logger, ReplayProgress* progress,
                               ReplayOptions options) {
  ReplayResult result;
  const LogFiles files = TRY(FindFiles(env, wal_dir, result, progress));
  RecordReplayer replayer(head, metadata, metrics, logger, head_chunks, options, result);
  TRY(LoadChunks(head_chunks, head, replayer, metrics, logger));

  BoundedQueue<Bundle> queue(kBundlesAhead);
  const bool threaded = options.threads > 1;
  SegmentReader reader(env, logger, [&](Bundle bundle) {
    if (threaded) {
      queue.Put(std::move(bundle));
    } else {
      AddBundle(std::move(bundle), replayer, progress);
    }
  });
  const auto read_all = [&] {
    for (const WalSegment& segment : files.checkpoint) {
      reader.Read(segment, true);
    }
    for (const WalSegment& segment : files.segments) {
      reader.Read(segment, false);
    }
    queue.Close();
  };
  if (threaded) {
    const std::jthread thread([&] {
      SetThreadName("replay-read");
      read_all();
    });
    while (auto bundle = queue.Take()) {
      AddBundle(*std::move(bundle), replayer, progress);
    }
  } else {
    read_all();
  }
  replayer.Finish();
  result.damaged_places += reader.damaged_places();
  metrics.wal_corruptions.Add(static_cast<double>(reader.damaged_places()));
  if (Status status = RepairWal(env, wal_dir, reader.TakeDamaged(), files.segments); !status) {
    // Reading copes with damage; only Prometheus, started on this directory, would stop at it.
    logger.Warn("The write-ahead log could not be repaired", {{"err", status.error()}});
  }
  return result;
}

}  // namespace sonde::tsdb
