#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/block_chunks.h"
#include "tsdb/block_meta.h"
#include "tsdb/index_reader.h"
#include "tsdb/tombstones.h"

namespace sonde::tsdb {

/// A block on disk, mapped. Immutable and thread-safe; stays readable when its directory is
/// removed. Shared by the list of blocks and the queries that read it.
class Block {
 public:
  /// kCorruption (or kInvalid for meta.json) with the path if it cannot be read.
  static Result<std::shared_ptr<const Block>> Open(Env& env, const Env::Path& dir);

  const BlockMeta& meta() const { return meta_; }
  const Env::Path& dir() const { return dir_; }
  const IndexReader& index() const { return *index_; }
  const BlockChunks& chunks() const { return chunks_; }
  /// Deleted ranges of a series, or null.
  const Intervals* deleted(std::uint32_t series) const;
  /// Of all its files.
  std::uint64_t bytes() const { return bytes_; }

  /// True if the block can hold samples in [min_time, max_time].
  bool Overlaps(Timestamp min_time, Timestamp max_time) const {
    return meta_.min_time <= max_time && min_time < meta_.max_time;
  }

 private:
  Block(Env::Path dir, BlockMeta meta) : dir_(std::move(dir)), meta_(std::move(meta)) {}

  const Env::Path dir_;
  const BlockMeta meta_;
  std::unique_ptr<const IndexReader> index_;
  BlockChunks chunks_;
  TombstoneMap tombstones_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sonde::tsdb
