#include "tsdb/block_chunks.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/hash.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0x85BD40DD;  // docs/formats/block.md, "Chunk files"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kMaxOverheadBytes = 10 + 1 + 4;

std::string FileName(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() <= 9 &&
         std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

BlockChunkWriter::BlockChunkWriter(Env& env, Env::Path dir, std::uint64_t max_file_bytes)
    : env_(env), dir_(std::move(dir)), max_file_bytes_(max_file_bytes) {}

Result<BlockChunkRef> BlockChunkWriter::Write(ChunkEncoding encoding, std::string_view data) {
  if (file_ && file_->position() + data.size() + kMaxOverheadBytes > max_file_bytes_) {
    TRY(file_->Finish());
    file_.reset();
  }
  if (!file_) {
    ++files_;
    file_ = TRY(BufferedFile::Create(env_, dir_ / FileName(files_)));
    PutBe32(file_->buffer(), kMagic);
    file_->buffer().push_back(static_cast<char>(kVersion));
    file_->buffer().append(3, '\0');
  }
  const BlockChunkRef ref = (static_cast<BlockChunkRef>(files_ - 1) << 32) |
                            static_cast<BlockChunkRef>(file_->position());
  std::string& out = file_->buffer();
  PutUvarint(out, data.size());
  const std::size_t checked = out.size();
  out.push_back(static_cast<char>(encoding));
  out.append(data);
  PutBe32(out, Crc32c(std::string_view(out).substr(checked)));
  TRY(file_->FlushIfLarge());
  return ref;
}

Status BlockChunkWriter::Finish() {
  if (file_) TRY(file_->Finish());
  return env_.SyncDir(dir_);
}

Result<BlockChunks> BlockChunks::Open(Env& env, const Env::Path& dir) {
  BlockChunks chunks;
  if (!env.Exists(dir)) return chunks;
  for (const DirEntry& entry : TRY(env.ListDir(dir))) {
    if (entry.is_directory || !IsFileName(entry.name)) continue;
    auto file = TRY(env.MapFile(dir / entry.name));
    const std::string_view bytes = file->bytes();
    if (bytes.size() < kHeaderBytes || LoadBe32(bytes.data()) != kMagic) {
      return Error(ErrorKind::kCorruption, (dir / entry.name).string() + " is no chunk file");
    }
    if (static_cast<std::uint8_t>(bytes[4]) != kVersion) {
      return Error(ErrorKind::kCorruption, (dir / entry.name).string() + " has an unknown version");
    }
    chunks.files_.push_back(std::move(file));
  }
  return chunks;
}

Result<ChunkView> BlockChunks::Read(BlockChunkRef ref) const {
  const std::uint64_t index = ref >> 32;
  const std::uint64_t offset = ref & 0xFFFFFFFF;
  const auto damaged = [&] {
    return Error(ErrorKind::kCorruption, "chunk file " +
                                             FileName(static_cast<std::uint32_t>(index + 1)) +
                                             " is damaged at byte " + std::to_string(offset));
  };
  if (index >= files_.size()) return damaged();
  const std::string_view file = files_[index]->bytes();
  if (offset < kHeaderBytes || offset >= file.size()) return damaged();
  ByteReader in(file.substr(offset));
  const std::uint64_t size = in.Uvarint();
  if (!in.ok() || size >= in.remaining()) return damaged();
  const std::string_view checked = in.Bytes(size + 1);
  const std::uint32_t checksum = in.Be32();
  if (!in.ok() || Crc32c(checked) != checksum) return damaged();
  ChunkView view;
  view.encoding = static_cast<ChunkEncoding>(checked[0]);
  view.data = checked.substr(1);
  view.readable = static_cast<std::size_t>(file.data() + file.size() - view.data.data());
  return view;
}

std::uint64_t BlockChunks::bytes() const {
  std::uint64_t total = 0;
  for (const auto& file : files_) {
    total += file->bytes().size();
  }
  return total;
}

}  // namespace sonde::tsdb
