#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/options.h"

// Writing the write-ahead log. Format: docs/formats/wal.md.

namespace sonde::tsdb {

/// A record as it is stored: compressed only if that made it smaller.
struct StoredRecord {
  std::string bytes;
  std::uint8_t flags = 0;
};

/// Compresses `record` into `out`, whose memory is reused.
void StoreRecord(std::string_view record, WalCompression compression, StoredRecord& out);

struct WalWriterOptions {
  std::uint64_t segment_bytes = std::uint64_t{128} << 20;
};

struct WalWriterStats {
  std::uint64_t bytes = 0;     ///< Handed to the operating system.
  std::uint64_t pages = 0;     ///< Pages completed.
  std::uint64_t segments = 0;  ///< Segments begun.
};

/// Appends records to numbered segment files in one directory. One group of records after the
/// other:
///
///   TRY(writer.Prepare());
///   writer.Append(record); …
///   TRY(writer.Commit());
///
/// Commit writes the group with as few writes as there are segments in it (one, nearly always). If
/// it fails nothing of the group counts: the next Prepare cuts what reached the disk off again, and
/// goes on in a new segment.
///
/// Not thread-safe, except that what Unsynced hands out may be synced by another thread meanwhile.
class WalWriter {
 public:
  /// Will begin with segment `first_segment`; no file is created before the first Commit. `env`
  /// must outlive the writer.
  WalWriter(Env& env, Env::Path dir, WalWriterOptions options, std::uint32_t first_segment);
  ~WalWriter();
  WalWriter(const WalWriter&) = delete;
  WalWriter& operator=(const WalWriter&) = delete;

  /// Begins a group. An error says why a failed one could not be undone; then nothing may be
  /// appended.
  Status Prepare();
  /// Adds one record to the group.
  void Append(std::string_view stored, std::uint8_t flags);
  Status Commit();

  /// Ends the current segment if it holds anything: what follows goes to the next one.
  void CutSegment();
  /// The number of the segment that the next record goes to.
  std::uint32_t segment() const { return position_.segment; }
  /// Ends and closes the segment that is being written; what is left to sync is in Unsynced.
  void Close();

  /// Files with bytes that may not have reached the disk, oldest first, and whether the directory
  /// has new names.
  struct Unsynced {
    std::vector<std::shared_ptr<WritableFile>> full;  ///< Segments that get no more bytes.
    std::shared_ptr<WritableFile> current;            ///< Null if there is nothing to sync in it.
    bool directory = false;
    std::uint64_t mark = 0;

    bool empty() const { return full.empty() && current == nullptr && !directory; }
  };
  Unsynced unsynced() const;
  /// Makes everything that `unsynced` names durable. Touches nothing of a writer.
  static Status Sync(Env& env, const Env::Path& dir, const Unsynced& unsynced);
  /// Tells the writer that Sync succeeded.
  void MarkSynced(const Unsynced& unsynced);
  /// After the records were written but could not be synced: the group does not count, as if Commit
  /// had failed.
  void UndoLastCommit();

  const WalWriterStats& stats() const { return stats_; }
  const Env::Path& dir() const { return dir_; }

 private:
  struct Position {
    std::uint32_t segment = 0;
    std::uint64_t bytes = 0;  // In the segment.
  };
  struct Piece {
    std::uint32_t segment = 0;
    std::string bytes;
  };

  Status WritePieces();
  Status OpenSegment(std::uint32_t segment);
  void StartSegment();
  Status UndoFailedCommit();

  Env& env_;
  const Env::Path dir_;
  const WalWriterOptions options_;

  Position position_;   // Behind what was appended.
  Position committed_;  // Behind what was committed.
  Position before_last_commit_;
  std::vector<Piece>
      pieces_;           // Appended, not yet committed. The last one is the segment of position_.
  bool failed_ = false;  // The disk may hold more than committed_ says.

  std::shared_ptr<WritableFile> file_;  // Of segment file_segment_; null before the first write.
  std::uint32_t file_segment_ = 0;
  bool file_dirty_ = false;
  std::vector<std::shared_ptr<WritableFile>> retired_;  // Full segments that are not synced yet.
  bool directory_dirty_ = false;
  std::uint64_t mark_ = 0;
  WalWriterStats stats_;
};

}  // namespace sonde::tsdb
