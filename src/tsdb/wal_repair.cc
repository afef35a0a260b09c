#include "tsdb/wal_repair.h"

#include "tsdb/wal_reader.h"
#include "tsdb/wal_writer.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kGroupBytes = 1 << 20;

Status CopyFile(Env& env, const Env::Path& to, std::string_view bytes) {
  const auto file = TRY(env.NewWritableFile(to));
  TRY(file->Append(bytes));
  TRY(file->Sync());
  return file->Close();
}

Status Rewrite(Env& env, const Env::Path& wal_dir, const WalSegment& segment) {
  const auto mapped = TRY(env.MapFile(segment.path));
  Env::Path kept = segment.path;
  kept += ".damaged";
  TRY(CopyFile(env, kept, mapped->bytes()));
  const Env::Path scratch = wal_dir / (WalSegmentName(segment.number) + ".repair.tmp");
  TRY(env.RemoveAll(scratch));
  TRY(env.CreateDir(scratch));
  // One segment as large as it needs: with fewer records and the same framing it is not larger than
  // before, but for compression, which is left as it is found only for what does not shrink.
  WalWriter writer(env, scratch, {.segment_bytes = std::uint64_t{1} << 40}, segment.number);
  WalSegmentReader reader(mapped->bytes());
  StoredRecord stored;
  std::size_t pending = 0;
  TRY(writer.Prepare());
  while (reader.Next()) {
    StoreRecord(reader.record(), WalCompression::kSnappy, stored);
    writer.Append(stored.bytes, stored.flags);
    pending += stored.bytes.size();
    if (pending < kGroupBytes) continue;
    TRY(writer.Commit());
    TRY(writer.Prepare());
    pending = 0;
  }
  TRY(writer.Commit());
  TRY(WalWriter::Sync(env, scratch, writer.unsynced()));
  writer.Close();
  TRY(env.Rename(scratch / WalSegmentName(segment.number), segment.path));
  TRY(env.RemoveAll(scratch));
  return env.SyncDir(wal_dir);
}

}  // namespace

Status RepairWal(Env& env, const Env::Path& wal_dir, std::span<const DamagedSegment> damaged,
                 std::span<const WalSegment> segments) {
  for (const DamagedSegment& d : damaged) {
    if (d.good_after_damage) {
      TRY(Rewrite(env, wal_dir, d.segment));
    } else {
      TRY(env.TruncateFile(d.segment.path, d.good_end));
    }
  }
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    for (std::uint32_t number = segments[i].number + 1; number < segments[i + 1].number; ++number) {
      // More than a crash can have lost: somebody put a file there.
      if (segments[i + 1].number - segments[i].number > 1000) break;
      const auto file = TRY(env.NewWritableFile(wal_dir / WalSegmentName(number)));
      TRY(file->Close());
    }
  }
  return OkStatus();
}

}  // namespace sonde::tsdb
