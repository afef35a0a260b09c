#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

// Snappy (block format), zstd and gzip, with a bound on what comes out: a small body must not be
// able to become a large one.

namespace sonde {

/// Appends the snappy block of `raw`.
void SnappyCompress(std::string_view raw, std::string& out);
/// Replaces `out`; kLimit if the block says that it is larger than `max_bytes`, kCorruption if it
/// is damaged.
Status SnappyDecompress(std::string_view block, std::uint64_t max_bytes, std::string& out);

/// Appends one zstd frame.
void ZstdCompress(std::string_view raw, std::string& out, int level = 3);
Status ZstdDecompress(std::string_view frame, std::uint64_t max_bytes, std::string& out);

/// Appends one gzip member.
void GzipCompress(std::string_view raw, std::string& out, int level = 6);
Status GzipDecompress(std::string_view bytes, std::uint64_t max_bytes, std::string& out);

enum class Encoding : unsigned char { kIdentity, kGzip, kDeflate, kZstd };

/// Compresses or decompresses a body piece by piece, as it streams past. Not thread-safe.
class StreamCodec {
 public:
  virtual ~StreamCodec() = default;
  /// Consumes all of `in` and appends what comes out; with `finish` the end of the stream too.
  virtual Status Push(std::string_view in, bool finish, std::string& out) = 0;
};

/// `encoding` must not be kIdentity. `level` 0: 6 for gzip and deflate, 3 for zstd.
std::unique_ptr<StreamCodec> NewCompressor(Encoding encoding, int level = 0);
/// Pushing what makes the output longer than `max_bytes` in all is kLimit, and stops there: a few
/// bytes may not become gigabytes.
std::unique_ptr<StreamCodec> NewDecompressor(Encoding encoding,
                                             std::uint64_t max_bytes = UINT64_MAX);

}  // namespace sonde
