#include "tsdb/checkpoint.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/metadata.h"
#include "tsdb/wal_files.h"
#include "tsdb/wal_reader.h"
#include "tsdb/wal_record.h"
#include "tsdb/wal_writer.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kGroupBytes = 1 << 20;

/// Decides, record by record, what goes into a checkpoint.
class CheckpointFilter {
 public:
  CheckpointFilter(WalWriter& writer, const CheckpointRequest& request, CheckpointStats& stats)
      : writer_(writer), request_(request), stats_(stats) {}

  Status Begin() { return writer_.Prepare(); }

  Status Add(std::string_view record) {
    switch (TypeOfRecord(record)) {
      case RecordType::kSeries:
        return AddSeries(record);
      case RecordType::kSamples:
        return AddSamples(record);
      case RecordType::kSamplesV2:
        return AddSamplesV2(record);
      case RecordType::kTombstones:
        return AddTombstones(record);
      case RecordType::kExemplars:
        return AddExemplars(record);
      case RecordType::kMetadata:
        return AddMetadata(record);
      default:
        return Write(record);
    }
  }

  Status Finish() {
    std::string record;
    for (const auto& [ref, metadata] : metadata_) {
      if (record.empty()) BeginRecord(record, RecordType::kMetadata);
      AppendMetadata(record, {ref, metadata.type, metadata.unit, metadata.help});
      if (record.size() < kGroupBytes) continue;
      TRY(Write(record));
      record.clear();
    }
    if (!record.empty()) TRY(Write(record));
    return writer_.Commit();
  }

 private:
  Status Write(std::string_view record) {
    StoreRecord(record, request_.compression, stored_);
    writer_.Append(stored_.bytes, stored_.flags);
    pending_ += stored_.bytes.size();
    if (pending_ < kGroupBytes) return OkStatus();
    pending_ = 0;
    TRY(writer_.Commit());
    return writer_.Prepare();
  }

  // A record that is malformed is left out: the replay could not use it either.
  Status NoteDamage() {
    ++stats_.damaged_places;
    return OkStatus();
  }

  Status AddSeries(std::string_view record) {
    scratch_.clear();
    BeginRecord(scratch_, RecordType::kSeries);
    SeriesRecordReader reader(record);
    std::uint64_t kept = 0;
    while (reader.Next()) {
      if (!request_.keep(reader.ref())) {
        ++stats_.dropped_series;
        continue;
      }
      AppendSeries(scratch_, reader.ref(), reader.labels());
      ++kept;
    }
    stats_.series += kept;
    if (!reader.status()) ++stats_.damaged_places;
    return kept == 0 ? OkStatus() : Write(scratch_);
  }

  Status AddSamples(std::string_view record) {
    samples_.clear();
    if (!DecodeSamples(record, samples_)) ++stats_.damaged_places;
    const auto old = static_cast<std::size_t>(std::ranges::count_if(
        samples_, [this](const RefSample& s) { return s.t < request_.min_time; }));
    stats_.dropped_samples += old;
    stats_.samples += samples_.size() - old;
    if (old == samples_.size()) return OkStatus();
    if (old == 0) return Write(record);
    rewritten_.Clear();
    for (const RefSample& s : samples_) {
      if (s.t < request_.min_time) continue;
      rewritten_.Append(s.ref, s.t.ms, std::bit_cast<std::uint64_t>(s.v));
    }
    return Write(rewritten_.record());
  }

  // Kept whole, with its start timestamps, as long as any sample of it is needed.
  Status AddSamplesV2(std::string_view record) {
    samples_.clear();
    if (!DecodeSamples(record, samples_)) return NoteDamage();
    const bool needed = std::ranges::any_of(
        samples_, [this](const RefSample& s) { return s.t >= request_.min_time; });
    return needed ? Write(record) : OkStatus();
  }

  Status AddExemplars(std::string_view record) {
    times_.clear();
    if (!DecodeRefTimes(record, times_)) return NoteDamage();
    const bool needed = std::ranges::any_of(
        times_, [this](const RefTime& at) { return at.t >= request_.min_time; });
    return needed ? Write(record) : OkStatus();
  }

  Status AddTombstones(std::string_view record) {
    std::vector<RefTombstone> tombstones;
    if (!DecodeTombstones(record, tombstones)) ++stats_.damaged_places;
    scratch_.clear();
    BeginRecord(scratch_, RecordType::kTombstones);
    bool any = false;
    for (const RefTombstone& tombstone : tombstones) {
      if (tombstone.max_time < request_.min_time || !request_.keep(tombstone.ref)) continue;
      AppendTombstone(scratch_, tombstone);
      any = true;
    }
    return any ? Write(scratch_) : OkStatus();
  }

  Status AddMetadata(std::string_view record) {
    std::vector<RefMetadata> entries;
    if (!DecodeMetadata(record, entries)) ++stats_.damaged_places;
    for (const RefMetadata& entry : entries) {
      if (!request_.keep(entry.ref)) continue;
      metadata_[entry.ref] = {entry.type, std::string(entry.help), std::string(entry.unit)};
    }
    return OkStatus();
  }

  WalWriter& writer_;
  const CheckpointRequest& request_;
  CheckpointStats& stats_;
  StoredRecord stored_;
  std::size_t pending_ = 0;
  std::string scratch_;
  std::vector<RefSample> samples_;
  std::vector<RefTime> times_;
  SampleRecordWriter rewritten_;
  std::map<std::uint64_t, Metadata> metadata_;  // The newest of each series.
};

Status FilterSegments(Env& env, std::span<const WalSegment> segments, CheckpointFilter& filter,
                      CheckpointStats& stats) {
  for (const WalSegment& segment : segments) {
    const auto mapped = TRY(env.MapFile(segment.path));
    WalSegmentReader reader(mapped->bytes());
    while (reader.Next()) {
      TRY(filter.Add(reader.record()));
    }
    if (reader.damaged()) ++stats.damaged_places;
  }
  return OkStatus();
}

}  // namespace

Result<CheckpointStats> WriteCheckpoint(Env& env, const Env::Path& wal_dir,
                                        const CheckpointRequest& request) {
  CheckpointStats stats;
  std::vector<WalSegment> sources;
  std::vector<WalSegment> segments = TRY(ListWalSegments(env, wal_dir));
  const std::vector<WalCheckpoint> checkpoints = TRY(ListWalCheckpoints(env, wal_dir));
  if (!checkpoints.empty()) {
    sources = TRY(ListWalSegments(env, checkpoints.back().path));
    std::erase_if(segments,
                  [&](const WalSegment& s) { return s.number <= checkpoints.back().number; });
  }
  std::erase_if(segments, [&](const WalSegment& s) { return s.number > request.last_segment; });
  sources.insert(sources.end(), segments.begin(), segments.end());

  const Env::Path dir = wal_dir / WalCheckpointName(request.last_segment);
  Env::Path temporary = dir;
  temporary += ".tmp";
  TRY(env.RemoveAll(temporary));
  TRY(env.CreateDir(temporary));
  // There is always a segment: an empty checkpoint directory would puzzle Prometheus.
  TRY(env.NewWritableFile(temporary / WalSegmentName(0)));
  WalWriter writer(env, temporary, {.segment_bytes = request.segment_bytes}, 0);
  CheckpointFilter filter(writer, request, stats);
  TRY(filter.Begin());
  TRY(FilterSegments(env, sources, filter, stats));
  TRY(filter.Finish());
  TRY(WalWriter::Sync(env, temporary, writer.unsynced()));
  TRY(env.SyncDir(temporary));
  writer.Close();
  TRY(env.Rename(temporary, dir));
  TRY(env.SyncDir(wal_dir));
  return stats;
}

Status RemoveBeforeCheckpoint(Env& env, const Env::Path& wal_dir, std::uint32_t last_segment) {
  // Oldest first: what is left after a crash in between is a log without a gap.
  const std::vector<WalSegment> segments = TRY(ListWalSegments(env, wal_dir));
  for (const WalSegment& segment : segments) {
    if (segment.number <= last_segment) TRY(env.RemoveFile(segment.path));
  }
  const std::vector<WalCheckpoint> checkpoints = TRY(ListWalCheckpoints(env, wal_dir));
  for (const WalCheckpoint& checkpoint : checkpoints) {
    if (checkpoint.number < last_segment) TRY(env.RemoveAll(checkpoint.path));
  }
  return OkStatus();
}

}  // namespace sonde::tsdb
