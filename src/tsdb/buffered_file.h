#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"

namespace sonde::tsdb {

/// Collects what is written into large writes. Not thread-safe. After an error every later call
/// fails too; the file is then half written and to be removed.
class BufferedFile {
 public:
  static Result<BufferedFile> Create(Env& env, const Env::Path& path);

  /// Appends to the buffer; what is appended to `buffer()` counts as well.
  void Append(std::string_view bytes) { buffer_.append(bytes); }
  std::string& buffer() { return buffer_; }
  /// Zeros up to the next multiple of `alignment`.
  void Align(std::uint64_t alignment);
  /// Bytes appended so far.
  std::uint64_t position() const { return flushed_ + buffer_.size(); }
  /// Hands the buffer on once it is large; call it between records.
  Status FlushIfLarge();
  /// Writes what is left, syncs and closes.
  Status Finish();

 private:
  explicit BufferedFile(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
  Status Flush();

  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  std::uint64_t flushed_ = 0;
};

}  // namespace sonde::tsdb
