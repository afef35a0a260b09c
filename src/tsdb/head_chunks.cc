#include "tsdb/head_chunks.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/hash.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint32_t kMagic = 0x0130BC91;  // docs/formats/head_chunks.md, "Header"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kFixedEntryBytes = 8 + 8 + 8 + 1;  // Series, two times, encoding.
constexpr std::uint8_t kOutOfOrderFlag = 0x80;

std::string FileName(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

std::uint32_t ParseFileName(std::string_view name) {
  if (name.empty() || name.size() > 9) return 0;
  std::uint32_t number = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number;
}

bool HasHeader(std::string_view file) {
  return file.size() >= kHeaderBytes && LoadBe32(file.data()) == kMagic &&
         static_cast<std::uint8_t>(file[4]) == kVersion;
}

struct Entry {
  HeadChunk chunk;
  std::size_t size = 0;
};

enum class Parsed : unsigned char { kEntry, kEnd, kDamaged };

/// Reads the entry at `offset`. A series 0 with times 0 is the zeroed rest of a file that was
/// allocated in advance.
Parsed ParseEntry(std::string_view file, std::size_t offset, Entry& entry) {
  if (offset >= file.size()) return Parsed::kEnd;
  const std::string_view rest = file.substr(offset);
  ByteReader in(rest);
  entry.chunk.series_ref = in.Be64();
  entry.chunk.min_time = {static_cast<std::int64_t>(in.Be64())};
  entry.chunk.max_time = {static_cast<std::int64_t>(in.Be64())};
  const std::uint8_t encoding = in.Byte();
  if (!in.ok() || (entry.chunk.series_ref == 0 && entry.chunk.min_time.ms == 0 &&
                   entry.chunk.max_time.ms == 0)) {
    const bool zeros =
        std::ranges::all_of(rest.substr(0, kFixedEntryBytes), [](char c) { return c == '\0'; });
    return zeros ? Parsed::kEnd : Parsed::kDamaged;
  }
  entry.chunk.encoding = static_cast<ChunkEncoding>(encoding & ~kOutOfOrderFlag);
  entry.chunk.out_of_order = (encoding & kOutOfOrderFlag) != 0;
  entry.chunk.data = in.UvarintString();
  const std::size_t checked = in.offset();
  const std::uint32_t checksum = in.Be32();
  if (!in.ok() || entry.chunk.data.size() < kChunkHeaderBytes ||
      Crc32c(rest.substr(0, checked)) != checksum) {
    return Parsed::kDamaged;
  }
  entry.size = in.offset();
  return Parsed::kEntry;
}

void PutEntry(std::string& out, const HeadChunk& chunk) {
  const std::size_t begin = out.size();
  PutBe64(out, chunk.series_ref);
  PutBe64(out, static_cast<std::uint64_t>(chunk.min_time.ms));
  PutBe64(out, static_cast<std::uint64_t>(chunk.max_time.ms));
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(chunk.encoding) |
                                  (chunk.out_of_order ? kOutOfOrderFlag : 0)));
  PutUvarintString(out, chunk.data);
  PutBe32(out, Crc32c(std::string_view(out).substr(begin)));
}

}  // namespace

Result<ChunkView> HeadChunkFiles::Read(HeadChunkRef ref) const {
  const auto it = files_.find(static_cast<std::uint32_t>(ref >> 32));
  if (it == files_.end()) {
    return Error(ErrorKind::kCorruption,
                 "head chunk file " + FileName(static_cast<std::uint32_t>(ref >> 32)) + " is gone");
  }
  const std::string_view file = it->second->bytes();
  Entry entry;
  if (ParseEntry(file, static_cast<std::uint32_t>(ref), entry) != Parsed::kEntry) {
    return Error(ErrorKind::kCorruption, "head chunk file " + FileName(it->first) +
                                             " is damaged at byte " +
                                             std::to_string(static_cast<std::uint32_t>(ref)));
  }
  const char* const file_end = file.data() + file.size();
  return ChunkView{entry.chunk.encoding, entry.chunk.data,
                   static_cast<std::size_t>(file_end - entry.chunk.data.data())};
}

HeadChunks::HeadChunks(Env& env, Env::Path dir, std::uint64_t max_file_bytes)
    : env_(env),
      dir_(std::move(dir)),
      max_file_bytes_(max_file_bytes),
      files_(std::make_shared<HeadChunkFiles>()) {}

Env::Path HeadChunks::PathOf(std::uint32_t file) const {
  return dir_ / FileName(file);
}

Result<std::unique_ptr<HeadChunks>> HeadChunks::Open(Env& env, Env::Path dir,
                                                     std::uint64_t max_file_bytes) {
  std::unique_ptr<HeadChunks> chunks(new HeadChunks(env, std::move(dir), max_file_bytes));
  TRY(env.CreateDir(chunks->dir_));
  std::vector<std::uint32_t> numbers;
  for (const DirEntry& entry : TRY(env.ListDir(chunks->dir_))) {
    const std::uint32_t number = ParseFileName(entry.name);
    if (number > 0 && !entry.is_directory) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  auto files = std::make_shared<HeadChunkFiles>();
  for (const std::uint32_t number : numbers) {
    if (chunks->current_ != 0 && number != chunks->current_ + 1) {
      // Chunks of a series build on each other: with a file missing the later ones would hide
      // samples of the log.
      TRY(env.RemoveFile(chunks->PathOf(number)));
      continue;
    }
    files->files_[number] = TRY(env.MapFile(chunks->PathOf(number)));
    chunks->current_ = number;
  }
  MutexLock lock(chunks->mutex_);
  chunks->files_ = std::move(files);
  return chunks;
}

Status HeadChunks::Load(const std::function<void(HeadChunkRef, const HeadChunk&)>& visit,
                        std::string& damage) {
  const auto files = this->files();
  for (const auto& [number, mapped] : files->files_) {
    const std::string_view bytes = mapped->bytes();
    // A file that was made and not written yet: nothing can be behind it.
    if (bytes.size() < kHeaderBytes && number == current_) return CutOff(number, 0);
    std::size_t offset = kHeaderBytes;
    Parsed parsed = HasHeader(bytes) ? Parsed::kEntry : Parsed::kDamaged;
    if (parsed == Parsed::kDamaged) offset = 0;
    while (parsed == Parsed::kEntry) {
      Entry entry;
      parsed = ParseEntry(bytes, offset, entry);
      if (parsed != Parsed::kEntry) break;
      if (entry.chunk.out_of_order && first_out_of_order_ == 0) first_out_of_order_ = number;
      visit((static_cast<HeadChunkRef>(number) << 32) | offset, entry.chunk);
      offset += entry.size;
    }
    if (parsed == Parsed::kDamaged) {
      damage = PathOf(number).string() + " is damaged at byte " + std::to_string(offset);
      return CutOff(number, offset);
    }
  }
  return OkStatus();
}

Status HeadChunks::CutOff(std::uint32_t file, std::uint64_t size) {
  auto files = std::make_shared<HeadChunkFiles>(*this->files());
  // From the end, so that no gap can be left by a crash in between.
  for (std::uint32_t number = current_; number > file; --number) {
    TRY(env_.RemoveFile(PathOf(number)));
    files->files_.erase(number);
    current_ = number - 1;
  }
  if (size <= kHeaderBytes) {
    TRY(env_.RemoveFile(PathOf(file)));
    files->files_.erase(file);
    current_ = files->files_.empty() ? 0 : file - 1;
  } else {
    // The mapping of the longer file must not be used any more: its tail is not backed by the file.
    TRY(env_.TruncateFile(PathOf(file), size));
    files->files_[file] = TRY(env_.MapFile(PathOf(file)));
  }
  MutexLock lock(mutex_);
  files_ = std::move(files);
  return OkStatus();
}

Status HeadChunks::OpenNextFile() {
  // The old file is whole before anything can follow it: a power cut must not leave a hole between
  // chunks.
  if (writer_ != nullptr) {
    TRY(writer_->Sync());
    TRY(env_.SyncDir(dir_));
  }
  std::unique_ptr<WritableFile> file = TRY(env_.NewWritableFile(PathOf(current_ + 1)));
  std::string header;
  PutBe32(header, kMagic);
  header.push_back(static_cast<char>(kVersion));
  header.append(3, '\0');
  ++current_;
  good_bytes_ = 0;
  writer_ = std::move(file);
  failed_ = true;
  TRY(writer_->Append(header));
  failed_ = false;
  good_bytes_ = header.size();
  return OkStatus();
}

Status HeadChunks::UndoFailedWrite() {
  if (good_bytes_ <= kHeaderBytes) {
    writer_.reset();
    if (env_.Exists(PathOf(current_))) TRY(env_.RemoveFile(PathOf(current_)));
    --current_;
  } else {
    // The open file would go on behind the cut: the next write begins a new one.
    if (TRY(env_.FileSize(PathOf(current_))) > good_bytes_) {
      TRY(env_.TruncateFile(PathOf(current_), good_bytes_));
    }
    TRY(writer_->Sync());
    TRY(env_.SyncDir(dir_));
    writer_.reset();
  }
  failed_ = false;
  return OkStatus();
}

Status HeadChunks::Write(std::span<const HeadChunk> chunks, std::vector<HeadChunkRef>& refs) {
  if (failed_) TRY(UndoFailedWrite());
  buffer_.clear();
  const std::size_t first_ref = refs.size();
  for (const HeadChunk& chunk : chunks) {
    refs.push_back(buffer_.size());
    PutEntry(buffer_, chunk);
  }
  const auto fail = [&](Status status) {
    refs.resize(first_ref);
    return status;
  };
  if (writer_ == nullptr || good_bytes_ + buffer_.size() > max_file_bytes_) {
    if (Status status = OpenNextFile(); !status) return fail(std::move(status));
  }
  failed_ = true;
  if (Status status = writer_->Append(buffer_); !status) return fail(std::move(status));
  failed_ = false;
  for (std::size_t i = first_ref; i < refs.size(); ++i) {
    refs[i] += (static_cast<HeadChunkRef>(current_) << 32) | good_bytes_;
  }
  good_bytes_ += buffer_.size();
  if (first_unpublished_ == 0) first_unpublished_ = current_;
  first_unpublished_ = std::min(first_unpublished_, current_);
  return OkStatus();
}

Status HeadChunks::Publish() {
  if (first_unpublished_ == 0) return OkStatus();
  auto files = std::make_shared<HeadChunkFiles>(*this->files());
  for (std::uint32_t number = first_unpublished_; number <= current_; ++number) {
    files->files_[number] = TRY(env_.MapFile(PathOf(number)));
  }
  first_unpublished_ = 0;
  MutexLock lock(mutex_);
  files_ = std::move(files);
  return OkStatus();
}

std::shared_ptr<const HeadChunkFiles> HeadChunks::files() const {
  MutexLock lock(mutex_);
  return files_;
}

Status HeadChunks::Truncate(std::uint32_t first_needed) {
  auto files = std::make_shared<HeadChunkFiles>(*this->files());
  if (first_out_of_order_ != 0) first_needed = std::min(first_needed, first_out_of_order_);
  while (!files->files_.empty()) {
    const std::uint32_t number = files->files_.begin()->first;
    // The file being written stays, whatever is in it.
    if (number >= first_needed || number == current_) break;
    TRY(env_.RemoveFile(PathOf(number)));
    files->files_.erase(number);
  }
  MutexLock lock(mutex_);
  files_ = std::move(files);
  return OkStatus();
}

}  // namespace sonde::tsdb
