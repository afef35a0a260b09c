#include "tsdb/block_writer.h"

#include "tsdb/tombstones.h"

namespace sonde::tsdb {
namespace {

Env::Path TemporaryDir(const Env::Path& data_dir, const Ulid& id) {
  return data_dir / (id.ToString() + std::string(kCreationSuffix));
}

Status WriteSyncedFile(Env& env, const Env::Path& path, std::string_view contents) {
  const auto file = TRY(env.NewWritableFile(path));
  TRY(file->Append(contents));
  TRY(file->Sync());
  return file->Close();
}

}  // namespace

Result<std::unique_ptr<BlockWriter>> BlockWriter::Create(Env& env, const Env::Path& data_dir,
                                                         Ulid id,
                                                         std::span<const std::string_view> symbols,
                                                         std::uint64_t max_chunk_file_bytes) {
  const Env::Path dir = TemporaryDir(data_dir, id);
  TRY(env.RemoveAll(dir));
  TRY(env.CreateDir(dir / "chunks"));
  auto index = IndexWriter::Create(env, dir / "index", symbols);
  if (!index) {
    (void)env.RemoveAll(dir).ok();
    return std::move(index).error();
  }
  return std::unique_ptr<BlockWriter>(
      new BlockWriter(env, data_dir, id, *std::move(index),
                      BlockChunkWriter(env, dir / "chunks", max_chunk_file_bytes)));
}

BlockWriter::~BlockWriter() {
  // Best effort: what stays is removed at the next start.
  if (!finished_) (void)env_.RemoveAll(TemporaryDir(data_dir_, id_)).ok();
}

Status BlockWriter::AddSeries(std::span<const SymbolPair> labels,
                              std::span<const BlockChunk> chunks) {
  index_chunks_.clear();
  for (const BlockChunk& chunk : chunks) {
    const BlockChunkRef ref = TRY(chunks_.Write(chunk.encoding, chunk.data));
    index_chunks_.push_back({chunk.min_time.ms, chunk.max_time.ms, ref});
    stats_.samples += chunk.samples;
  }
  stats_.chunks += chunks.size();
  ++stats_.series;
  return index_.AddSeries(labels, index_chunks_);
}

Result<BlockMeta> BlockWriter::Finish(BlockMeta meta) {
  meta.id = id_;
  meta.stats = stats_;
  meta.stats.float_samples = stats_.samples;
  if (meta.sources.empty()) meta.sources = {id_};
  const Env::Path dir = TemporaryDir(data_dir_, id_);
  TRY(chunks_.Finish());
  TRY(index_.Finish());
  TRY(WriteSyncedFile(env_, dir / "tombstones", EmptyTombstonesFile()));
  TRY(WriteSyncedFile(env_, dir / "meta.json", FormatBlockMeta(meta)));
  // The files and their names before the directory's name: a block that can be seen is whole.
  TRY(env_.SyncDir(dir));
  TRY(env_.Rename(dir, data_dir_ / id_.ToString()));
  finished_ = true;
  TRY(env_.SyncDir(data_dir_));
  return meta;
}

}  // namespace sonde::tsdb
