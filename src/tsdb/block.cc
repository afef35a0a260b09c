#include "tsdb/block.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint64_t kMaxTombstonesBytes = 1U << 30;

}  // namespace

Result<std::shared_ptr<const Block>> Block::Open(Env& env, const Env::Path& dir) {
  BlockMeta meta = TRY(ReadBlockMeta(env, dir));
  const std::shared_ptr<Block> block(new Block(dir, std::move(meta)));
  // The version byte of the index is wrong where that of meta.json is 2.
  const int index_version = block->meta_.version == 2 ? 2 : 0;
  block->index_ = TRY(IndexReader::Open(env, dir / "index", index_version));
  block->chunks_ = TRY(BlockChunks::Open(env, dir / "chunks"));
  const Env::Path tombstones = dir / "tombstones";
  if (env.Exists(tombstones)) {
    const std::string bytes = TRY(env.ReadFile(tombstones, kMaxTombstonesBytes));
    auto map = ParseTombstones(bytes);
    if (!map) return std::move(map).error().Wrap(dir.string());
    block->tombstones_.swap(
        *map);  // An assignment makes gcc 12 warn about memory that it does not free.
  }
  block->bytes_ = TRY(DirectoryBytes(env, dir));
  return std::shared_ptr<const Block>(block);
}

const Intervals* Block::deleted(std::uint32_t series) const {
  if (tombstones_.empty()) return nullptr;
  const auto it = tombstones_.find(series);
  return it == tombstones_.end() ? nullptr : &it->second;
}

}  // namespace sonde::tsdb
