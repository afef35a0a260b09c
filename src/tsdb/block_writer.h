#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/block_chunks.h"
#include "tsdb/block_meta.h"
#include "tsdb/index_writer.h"

// Making a block: everything is written into a directory of a temporary name, synced, and renamed.
// So a block exists whole or not at all. Format: docs/formats/block.md.

namespace sonde::tsdb {

/// A chunk to be written.
struct BlockChunk {
  Timestamp min_time;
  Timestamp max_time;  ///< Inclusive.
  std::uint32_t samples = 0;
  ChunkEncoding encoding = ChunkEncoding::kXor;
  std::string_view data;
};

/// Names that a block has before it is whole and while it is removed; directories so named are
/// leftovers.
inline constexpr std::string_view kCreationSuffix = ".tmp-for-creation";
inline constexpr std::string_view kDeletionSuffix = ".tmp-for-deletion";

/// Writes one block. Not thread-safe. Destruction without Finish removes what was written.
class BlockWriter {
 public:
  /// `symbols` as IndexWriter wants them. `env` and `symbols` must outlive the writer.
  static Result<std::unique_ptr<BlockWriter>> Create(Env& env, const Env::Path& data_dir, Ulid id,
                                                     std::span<const std::string_view> symbols,
                                                     std::uint64_t max_chunk_file_bytes);
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  /// Series in the order of their labels, chunks in the order of time.
  Status AddSeries(std::span<const SymbolPair> labels, std::span<const BlockChunk> chunks);
  /// The block exists under its name when this returns OK. The id and the counts of `meta` are
  /// filled in.
  Result<BlockMeta> Finish(BlockMeta meta);

  std::uint64_t samples() const { return stats_.samples; }

 private:
  BlockWriter(Env& env, Env::Path data_dir, Ulid id, IndexWriter index, BlockChunkWriter chunks)
      : env_(env),
        data_dir_(std::move(data_dir)),
        id_(id),
        index_(std::move(index)),
        chunks_(std::move(chunks)) {}

  Env& env_;
  const Env::Path data_dir_;
  const Ulid id_;
  IndexWriter index_;
  BlockChunkWriter chunks_;
  BlockStats stats_;
  std::vector<IndexChunk> index_chunks_;
  bool finished_ = false;
};

}  // namespace sonde::tsdb
