#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/buffered_file.h"
#include "tsdb/head_chunks.h"

// The files in a block's chunks/ directory. Format: docs/formats/block.md, "Chunk files".

namespace sonde::tsdb {

/// Where a chunk lies in a block: file index (from 0: one less than in its name) << 32 | offset.
using BlockChunkRef = std::uint64_t;

/// Writes chunks one after the other. Not thread-safe; after an error the directory is to be
/// removed.
class BlockChunkWriter {
 public:
  /// `dir` must exist.
  BlockChunkWriter(Env& env, Env::Path dir, std::uint64_t max_file_bytes);

  Result<BlockChunkRef> Write(ChunkEncoding encoding, std::string_view data);
  /// Syncs what was written, and the directory.
  Status Finish();

 private:
  Env& env_;
  const Env::Path dir_;
  const std::uint64_t max_file_bytes_;
  std::uint32_t files_ = 0;
  std::optional<BufferedFile> file_;
};

/// The mapped chunk files of a block. Immutable and thread-safe.
class BlockChunks {
 public:
  static Result<BlockChunks> Open(Env& env, const Env::Path& dir);

  /// kCorruption if `ref` does not name a chunk with a right checksum.
  Result<ChunkView> Read(BlockChunkRef ref) const;
  std::uint64_t bytes() const;

 private:
  std::vector<std::unique_ptr<MappedFile>> files_;
};

}  // namespace sonde::tsdb
