#include "base/compress.h"

#include <algorithm>
#include <array>

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"

namespace sonde {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: 32 KiB window, gzip header and trailer.
constexpr int kZlibWindow = 15;

Error TooLarge(std::uint64_t max_bytes) {
  return Error(ErrorKind::kLimit,
               "decompressed body is larger than " + std::to_string(max_bytes) + " bytes");
}

Error Damaged(std::string_view format, std::string_view why) {
  return Error(ErrorKind::kCorruption, std::string(format) + ": " + std::string(why));
}

class ZlibCompressor final : public StreamCodec {
 public:
  ZlibCompressor(int level, int window) {
    CHECK(deflateInit2(&stream_, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~ZlibCompressor() override { deflateEnd(&stream_); }

  Status Push(std::string_view in, bool finish, std::string& out) override {
    // zlib does not write through next_in.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(
        in.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): zlib's interface
    stream_.avail_in = static_cast<uInt>(in.size());
    std::array<char, 16384> buffer;
    // Without `finish` everything is flushed: a stream's reader must not wait for our buffer to
    // fill.
    const int flush = finish ? Z_FINISH : Z_SYNC_FLUSH;
    int code = Z_OK;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = buffer.size();
      code = deflate(&stream_, flush);
      CHECK(code != Z_STREAM_ERROR);
      out.append(buffer.data(), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return OkStatus();
  }

 private:
  z_stream stream_{};
};

class ZlibDecompressor final : public StreamCodec {
 public:
  ZlibDecompressor(int window, std::uint64_t max_bytes) : max_bytes_(max_bytes) {
    CHECK(inflateInit2(&stream_, window) == Z_OK);
  }
  ~ZlibDecompressor() override { inflateEnd(&stream_); }

  Status Push(std::string_view in, bool finish, std::string& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(
        in.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast): zlib's interface
    stream_.avail_in = static_cast<uInt>(in.size());
    std::array<char, 16384> buffer;
    while (true) {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = buffer.size();
      const int code = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t size = buffer.size() - stream_.avail_out;
      if (size > max_bytes_ - written_) return TooLarge(max_bytes_);
      written_ += size;
      out.append(buffer.data(), size);
      if (code == Z_STREAM_END) {
        ended_ = true;
        if (stream_.avail_in == 0) break;
        // Several gzip members may follow each other (RFC 1952, 2.2).
        CHECK(inflateReset(&stream_) == Z_OK);
        ended_ = false;
        continue;
      }
      if (code != Z_OK && code != Z_BUF_ERROR) {
        return Damaged("gzip", stream_.msg != nullptr ? stream_.msg : "invalid data");
      }
      if (stream_.avail_out != 0) break;
    }
    if (finish && !ended_) return Damaged("gzip", "unexpected end of data");
    return OkStatus();
  }

 private:
  const std::uint64_t max_bytes_;
  std::uint64_t written_ = 0;
  z_stream stream_{};
  bool ended_ = false;
};

class ZstdCompressor final : public StreamCodec {
 public:
  explicit ZstdCompressor(int level) : stream_(ZSTD_createCStream()) {
    CHECK(stream_ != nullptr);
    CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(stream_, ZSTD_c_compressionLevel, level)) == 0);
  }
  ~ZstdCompressor() override { ZSTD_freeCStream(stream_); }

  Status Push(std::string_view in, bool finish, std::string& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    std::array<char, 16384> buffer;
    std::size_t left = 0;
    do {
      ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
      left = ZSTD_compressStream2(stream_, &output, &input, finish ? ZSTD_e_end : ZSTD_e_flush);
      CHECK(ZSTD_isError(left) == 0);
      out.append(buffer.data(), output.pos);
    } while (left != 0 || input.pos < input.size);
    return OkStatus();
  }

 private:
  ZSTD_CStream* stream_;
};

class ZstdDecompressor final : public StreamCodec {
 public:
  explicit ZstdDecompressor(std::uint64_t max_bytes)
      : max_bytes_(max_bytes), stream_(ZSTD_createDStream()) {
    CHECK(stream_ != nullptr);
    // 8 MiB of window are what RFC 8878 asks a decoder to support; more would be the sender's
    // memory bomb.
    CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 23)) == 0);
  }
  ~ZstdDecompressor() override { ZSTD_freeDStream(stream_); }

  Status Push(std::string_view in, bool finish, std::string& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    std::array<char, 16384> buffer;
    while (true) {
      ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
      const std::size_t before = input.pos;
      const std::size_t hint = ZSTD_decompressStream(stream_, &output, &input);
      if (ZSTD_isError(hint) != 0) return Damaged("zstd", ZSTD_getErrorName(hint));
      if (output.pos > max_bytes_ - written_) return TooLarge(max_bytes_);
      written_ += output.pos;
      out.append(buffer.data(), output.pos);
      if (input.pos > before || output.pos > 0) complete_ = hint == 0;
      if (input.pos == input.size && output.pos < output.size) break;
    }
    if (finish && !complete_) return Damaged("zstd", "unexpected end of data");
    return OkStatus();
  }

 private:
  const std::uint64_t max_bytes_;
  std::uint64_t written_ = 0;
  ZSTD_DStream* stream_;
  bool complete_ = false;
};

}  // namespace

void SnappyCompress(std::string_view raw, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + snappy::MaxCompressedLength(raw.size()));
  std::size_t size = 0;
  snappy::RawCompress(raw.data(), raw.size(), out.data() + start, &size);
  out.resize(start + size);
}

Status SnappyDecompress(std::string_view block, std::uint64_t max_bytes, std::string& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) {
    return Damaged("snappy", "corrupt input");
  }
  if (size > max_bytes) return TooLarge(max_bytes);
  // A block cannot shrink data below about 1/21 (a copy of 64 bytes takes 3); a header that
  // promises more lies.
  if (size / 64 > block.size()) return Damaged("snappy", "corrupt input");
  out.resize(size);
  if (!snappy::RawUncompress(block.data(), block.size(), out.data())) {
    return Damaged("snappy", "corrupt input");
  }
  return OkStatus();
}

void ZstdCompress(std::string_view raw, std::string& out, int level) {
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(raw.size()));
  const std::size_t size =
      ZSTD_compress(out.data() + start, out.size() - start, raw.data(), raw.size(), level);
  CHECK(ZSTD_isError(size) == 0);
  out.resize(start + size);
}

Status ZstdDecompress(std::string_view frame, std::uint64_t max_bytes, std::string& out) {
  out.clear();
  return ZstdDecompressor(max_bytes).Push(frame, true, out);
}

void GzipCompress(std::string_view raw, std::string& out, int level) {
  ZlibCompressor codec(level, kGzipWindow);
  static_cast<void>(codec.Push(raw, true, out).ok());  // Compression into memory cannot fail.
}

Status GzipDecompress(std::string_view bytes, std::uint64_t max_bytes, std::string& out) {
  out.clear();
  return ZlibDecompressor(kGzipWindow, max_bytes).Push(bytes, true, out);
}

std::unique_ptr<StreamCodec> NewCompressor(Encoding encoding, int level) {
  CHECK(encoding != Encoding::kIdentity);
  if (encoding == Encoding::kZstd) return std::make_unique<ZstdCompressor>(level == 0 ? 3 : level);
  return std::make_unique<ZlibCompressor>(level == 0 ? 6 : level,
                                          encoding == Encoding::kGzip ? kGzipWindow : kZlibWindow);
}

std::unique_ptr<StreamCodec> NewDecompressor(Encoding encoding, std::uint64_t max_bytes) {
  CHECK(encoding != Encoding::kIdentity);
  if (encoding == Encoding::kZstd) return std::make_unique<ZstdDecompressor>(max_bytes);
  return std::make_unique<ZlibDecompressor>(encoding == Encoding::kGzip ? kGzipWindow : kZlibWindow,
                                            max_bytes);
}

}  // namespace sonde
