#include "tsdb/wal_writer.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/compress.h"
#include "base/hash.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

std::uint64_t PageLeft(std::uint64_t bytes) {
  return kWalPageBytes - bytes % kWalPageBytes;
}

/// Bytes of record that still fit into a segment of `segment_bytes` that holds `bytes`.
std::uint64_t RecordRoom(std::uint64_t bytes, std::uint64_t segment_bytes) {
  if (bytes >= segment_bytes) return 0;
  std::uint64_t room = 0;
  const std::uint64_t page = PageLeft(bytes);
  if (page != kWalPageBytes) {
    if (page >= kWalFragmentHeaderBytes) room += page - kWalFragmentHeaderBytes;
    bytes += page;
  }
  const std::uint64_t pages = bytes < segment_bytes ? (segment_bytes - bytes) / kWalPageBytes : 0;
  return room + pages * (kWalPageBytes - kWalFragmentHeaderBytes);
}

void AppendFragment(std::string& out, WalFragment type, std::uint8_t flags, std::string_view part) {
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(type) | flags));
  PutBe16(out, static_cast<std::uint16_t>(part.size()));
  PutBe32(out, Crc32c(part));
  out.append(part);
}

}  // namespace

void StoreRecord(std::string_view record, WalCompression compression, StoredRecord& out) {
  out.bytes.clear();
  out.flags = 0;
  if (compression == WalCompression::kSnappy) {
    SnappyCompress(record, out.bytes);
    out.flags = kWalSnappyFlag;
  } else if (compression == WalCompression::kZstd) {
    ZstdCompress(record, out.bytes, 1);
    out.flags = kWalZstdFlag;
  }
  if (out.flags == 0 || out.bytes.size() >= record.size()) {
    out.bytes.assign(record);
    out.flags = 0;
  }
}

WalWriter::WalWriter(Env& env, Env::Path dir, WalWriterOptions options, std::uint32_t first_segment)
    : env_(env), dir_(std::move(dir)), options_(options) {
  CHECK(options_.segment_bytes % kWalPageBytes == 0 && options_.segment_bytes > 0);
  position_.segment = first_segment;
  committed_ = before_last_commit_ = position_;
}

WalWriter::~WalWriter() = default;

Status WalWriter::Prepare() {
  if (failed_) TRY(UndoFailedCommit());
  return OkStatus();
}

void WalWriter::StartSegment() {
  if (position_.bytes == 0) return;
  const std::uint64_t padding = PageLeft(position_.bytes);
  if (padding != kWalPageBytes) {
    if (pieces_.empty()) pieces_.push_back({position_.segment, {}});
    pieces_.back().bytes.append(padding, '\0');
    ++stats_.pages;
  }
  position_ = {position_.segment + 1, 0};
  pieces_.push_back({position_.segment, {}});
}

void WalWriter::Append(std::string_view stored, std::uint8_t flags) {
  DCHECK(!failed_);
  if (stored.size() > RecordRoom(position_.bytes, options_.segment_bytes)) StartSegment();
  if (pieces_.empty()) pieces_.push_back({position_.segment, {}});
  std::string& out = pieces_.back().bytes;
  bool first = true;
  while (true) {
    std::uint64_t page = PageLeft(position_.bytes);
    if (page < kWalFragmentHeaderBytes) {
      out.append(page, '\0');
      position_.bytes += page;
      ++stats_.pages;
      page = kWalPageBytes;
    }
    const std::string_view part =
        stored.substr(0, std::min<std::uint64_t>(stored.size(), page - kWalFragmentHeaderBytes));
    stored.remove_prefix(part.size());
    WalFragment type = first ? WalFragment::kFirst : WalFragment::kMiddle;
    if (stored.empty()) type = first ? WalFragment::kFull : WalFragment::kLast;
    AppendFragment(out, type, flags, part);
    position_.bytes += kWalFragmentHeaderBytes + part.size();
    if (position_.bytes % kWalPageBytes == 0) ++stats_.pages;
    if (stored.empty()) return;
    first = false;
  }
}

void WalWriter::CutSegment() {
  if (position_.bytes > 0) StartSegment();
}

Status WalWriter::OpenSegment(std::uint32_t segment) {
  std::unique_ptr<WritableFile> file = TRY(env_.NewWritableFile(dir_ / WalSegmentName(segment)));
  if (file_ != nullptr && file_dirty_) retired_.push_back(std::move(file_));
  file_ = std::move(file);
  file_segment_ = segment;
  file_dirty_ = true;
  directory_dirty_ = true;
  ++stats_.segments;
  return OkStatus();
}

Status WalWriter::WritePieces() {
  for (const Piece& piece : pieces_) {
    if (piece.bytes.empty()) continue;
    if (file_ == nullptr || file_segment_ != piece.segment) TRY(OpenSegment(piece.segment));
    TRY(file_->Append(piece.bytes));
    file_dirty_ = true;
    stats_.bytes += piece.bytes.size();
  }
  return OkStatus();
}

Status WalWriter::Commit() {
  const Status status = WritePieces();
  ++mark_;
  if (!status) {
    failed_ = true;
    pieces_.clear();
    return status;
  }
  before_last_commit_ = committed_;
  committed_ = position_;
  // Keeps the memory of the usual single piece.
  if (pieces_.size() == 1) {
    pieces_.front().bytes.clear();
    if (pieces_.front().bytes.capacity() > (4U << 20)) pieces_.clear();
  } else {
    pieces_.clear();
  }
  return OkStatus();
}

void WalWriter::UndoLastCommit() {
  committed_ = before_last_commit_;
  pieces_.clear();
  failed_ = true;
}

Status WalWriter::UndoFailedCommit() {
  // Later segments first: at any instant the log is one that a crash could have left.
  const std::uint32_t last = std::max(file_segment_, position_.segment);
  for (std::uint32_t segment = last; segment > committed_.segment; --segment) {
    const Env::Path path = dir_ / WalSegmentName(segment);
    if (env_.Exists(path)) TRY(env_.RemoveFile(path));
    if (segment == 0) break;
  }
  const Env::Path path = dir_ / WalSegmentName(committed_.segment);
  if (env_.Exists(path) && TRY(env_.FileSize(path)) > committed_.bytes) {
    TRY(env_.TruncateFile(path, committed_.bytes));
  }
  // An open file would go on behind the cut; a new segment begins instead. What is in the old one
  // still has to be synced, so it is kept open for that.
  if (file_ != nullptr && file_segment_ <= committed_.segment) retired_.push_back(file_);
  file_.reset();
  position_ = committed_.bytes == 0 ? committed_ : Position{committed_.segment + 1, 0};
  committed_ = before_last_commit_ = position_;
  pieces_.clear();
  failed_ = false;
  return OkStatus();
}

void WalWriter::Close() {
  if (file_ != nullptr && file_dirty_) retired_.push_back(std::move(file_));
  file_.reset();
}

WalWriter::Unsynced WalWriter::unsynced() const {
  return {retired_, file_dirty_ ? file_ : nullptr, directory_dirty_, mark_};
}

Status WalWriter::Sync(Env& env, const Env::Path& dir, const Unsynced& unsynced) {
  // In the order of the log, so that a power cut never leaves a hole before something that was
  // synced.
  for (const auto& file : unsynced.full) {
    TRY(file->Sync());
  }
  if (unsynced.current != nullptr) TRY(unsynced.current->Sync());
  if (unsynced.directory) TRY(env.SyncDir(dir));
  return OkStatus();
}

void WalWriter::MarkSynced(const Unsynced& unsynced) {
  std::erase_if(retired_, [&](const auto& file) {
    return std::ranges::find(unsynced.full, file) != unsynced.full.end();
  });
  if (unsynced.mark != mark_) return;  // More was written meanwhile.
  if (unsynced.current != nullptr) file_dirty_ = false;
  if (unsynced.directory) directory_dirty_ = false;
}

}  // namespace sonde::tsdb
