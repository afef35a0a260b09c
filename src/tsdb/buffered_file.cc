#include "tsdb/buffered_file.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kLargeBytes = 256 * 1024;

}  // namespace

Result<BufferedFile> BufferedFile::Create(Env& env, const Env::Path& path) {
  return BufferedFile(TRY(env.NewWritableFile(path)));
}

void BufferedFile::Align(std::uint64_t alignment) {
  const std::uint64_t over = position() % alignment;
  if (over != 0) buffer_.append(alignment - over, '\0');
}

Status BufferedFile::Flush() {
  TRY(file_->Append(buffer_));
  flushed_ += buffer_.size();
  buffer_.clear();
  return OkStatus();
}

Status BufferedFile::FlushIfLarge() {
  if (buffer_.size() < kLargeBytes) return OkStatus();
  return Flush();
}

Status BufferedFile::Finish() {
  TRY(Flush());
  TRY(file_->Sync());
  return file_->Close();
}

}  // namespace sonde::tsdb
