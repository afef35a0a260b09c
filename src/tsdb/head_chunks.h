#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/xor_chunk.h"

// Full chunks of the head, written to files in chunks_head/ and read through a mapping, so that
// they cost memory only while somebody looks at them. Format: docs/formats/head_chunks.md. The
// files are a shortcut, never the only copy: what is lost here comes back from the write-ahead log.

namespace sonde::tsdb {

/// A chunk's bytes in a mapped file.
struct ChunkView {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  std::string_view data;
  std::size_t readable = 0;  ///< Bytes that can be read from data.data() on, see DecodeChunk.
};

/// Where a head chunk lies: file number << 32 | offset. File numbers begin with 1.
using HeadChunkRef = std::uint64_t;

/// The mapped files as of one instant. Immutable and thread-safe; keeps the bytes readable when the
/// files are removed.
class HeadChunkFiles {
 public:
  /// kCorruption if `ref` does not name a chunk with a right checksum.
  Result<ChunkView> Read(HeadChunkRef ref) const;

 private:
  friend class HeadChunks;
  std::map<std::uint32_t, std::shared_ptr<const MappedFile>> files_;
};

/// A chunk as it is in a file.
struct HeadChunk {
  std::uint64_t series_ref = 0;  ///< The number of the series in the write-ahead log.
  Timestamp min_time;
  Timestamp max_time;  ///< Inclusive.
  ChunkEncoding encoding = ChunkEncoding::kXor;
  bool out_of_order = false;
  std::string_view data;
};

/// The files of chunks_head/. One thread at a time may call what changes them; `files` is
/// thread-safe.
class HeadChunks {
 public:
  /// Maps what is there. Files behind a gap in the numbers are removed. `env` must outlive the
  /// object.
  static Result<std::unique_ptr<HeadChunks>> Open(Env& env, Env::Path dir,
                                                  std::uint64_t max_file_bytes);

  HeadChunks(const HeadChunks&) = delete;
  HeadChunks& operator=(const HeadChunks&) = delete;

  /// Calls `visit` for every chunk, in the order of writing. At the first damaged byte it stops,
  /// cuts that file off there, removes the files behind it, and puts what was wrong into `damage`.
  Status Load(const std::function<void(HeadChunkRef, const HeadChunk&)>& visit,
              std::string& damage);

  /// Writes chunks (about a megabyte at most) and appends their references to `refs`. After an
  /// error none of them counts. They can be read after the next Publish.
  Status Write(std::span<const HeadChunk> chunks, std::vector<HeadChunkRef>& refs);
  /// Maps what was written.
  Status Publish() EXCLUDES(mutex_);
  std::shared_ptr<const HeadChunkFiles> files() const EXCLUDES(mutex_);

  /// Removes the files before `first_needed`. Files with out-of-order chunks of Prometheus, and
  /// those behind them, stay: this version could not write them again.
  Status Truncate(std::uint32_t first_needed) EXCLUDES(mutex_);
  /// The file that is being written, or the last one.
  std::uint32_t current_file() const { return current_; }

 private:
  HeadChunks(Env& env, Env::Path dir, std::uint64_t max_file_bytes);

  Env::Path PathOf(std::uint32_t file) const;
  Status OpenNextFile();
  Status UndoFailedWrite();
  Status CutOff(std::uint32_t file, std::uint64_t size) EXCLUDES(mutex_);

  Env& env_;
  const Env::Path dir_;
  const std::uint64_t max_file_bytes_;

  std::uint32_t current_ = 0;  // 0: no file yet.
  std::unique_ptr<WritableFile>
      writer_;                    // Of file current_; null until the first write after a start.
  std::uint64_t good_bytes_ = 0;  // Of file current_.
  bool failed_ = false;           // The file may be longer than good_bytes_.
  std::uint32_t first_unpublished_ = 0;   // File with chunks that are not mapped yet; 0: none.
  std::uint32_t first_out_of_order_ = 0;  // Number of the first file with such chunks; 0: none.
  std::string buffer_;

  mutable Mutex mutex_;
  std::shared_ptr<const HeadChunkFiles> files_ GUARDED_BY(mutex_);
};

}  // namespace sonde::tsdb
