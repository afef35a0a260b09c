#include "tsdb/xor_chunk.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "model/sample.h"

namespace sonde::tsdb {
namespace {

Error TooShort() {
  return Error(ErrorKind::kCorruption, "chunk ends within a sample");
}

/// Reads bits, most significant first, from bytes that are padded behind their end.
class BitReader {
 public:
  BitReader(const char* data, std::size_t bits) : data_(data), end_(bits) {}

  /// The next bits at the top of a word, at least 57 of them valid.
  std::uint64_t Peek() const {
    std::uint64_t word;
    std::memcpy(&word, data_ + (at_ >> 3), 8);
    return __builtin_bswap64(word) << (at_ & 7);
  }
  void Skip(unsigned bits) { at_ += bits; }
  /// `n` from 1 to 64.
  std::uint64_t Read(unsigned n) {
    if (n <= 57) {
      const std::uint64_t bits = Peek() >> (64 - n);
      at_ += n;
      return bits;
    }
    const std::uint64_t high = Read(32);
    return (high << (n - 32)) | Read(n - 32);
  }
  std::uint64_t ReadUvarint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const std::uint64_t byte = Read(8);
      if (shift < 64) value |= (byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  std::int64_t ReadVarint() {
    const std::uint64_t zigzag = ReadUvarint();
    return static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
  }
  /// Sign-extends with the asymmetric range of XOR chunks: 2^(n-1) itself is positive.
  static std::int64_t Extend(std::uint64_t bits, unsigned n) {
    auto value = static_cast<std::int64_t>(bits);
    if (bits > (1ULL << (n - 1))) value -= static_cast<std::int64_t>(1ULL << n);
    return value;
  }
  /// Two's complement of `n` bits.
  static std::int64_t ExtendTwos(std::uint64_t bits, unsigned n) {
    return static_cast<std::int64_t>(bits << (64 - n)) >> (64 - n);
  }
  /// False once more was consumed than there is. Checked once a sample: one sample consumes fewer
  /// bytes than kDecodeSlackBytes.
  bool ok() const { return at_ <= end_; }

 private:
  const char* data_;
  std::size_t at_ = 0;
  std::size_t end_;
};

/// The window of significant bits of the last XORed value.
struct Window {
  unsigned leading = 0;
  unsigned size = 64;
  unsigned trailing = 0;
};

/// Reads 5 bits of leading zeros and 6 of length. False if they do not fit into 64 bits.
inline bool ReadWindow(BitReader& in, Window& window) {
  const std::uint64_t bits = in.Read(11);
  window.leading = static_cast<unsigned>(bits >> 6);
  window.size = static_cast<unsigned>(bits & 63);
  if (window.size == 0) window.size = 64;
  if (window.leading + window.size > 64) return false;
  window.trailing = 64 - window.leading - window.size;
  return true;
}

// From one check to the next at most 145 bits are consumed, so that kDecodeSlackBytes behind the
// end cover a sample that starts at the last bit, and the word that is peeked at after it.
Status DecodeXor(const char* data, std::size_t size, std::uint32_t count, Timestamp* times,
                 double* values) {
  BitReader in(data + kChunkHeaderBytes, (size - kChunkHeaderBytes) * 8);
  std::int64_t time = in.ReadVarint();
  std::uint64_t value = in.Read(64);
  if (!in.ok()) return TooShort();
  times[0] = {time};
  values[0] = std::bit_cast<double>(value);
  std::uint64_t delta = 0;
  Window window;
  for (std::uint32_t i = 1; i < count; ++i) {
    if (i == 1) {
      delta = in.ReadUvarint();
      if (!in.ok()) return TooShort();
    } else {
      const std::uint64_t w = in.Peek();
      if (w >> 63 == 0) {
        in.Skip(1);
      } else if (w >> 62 == 0b10) {
        in.Skip(16);
        delta += static_cast<std::uint64_t>(BitReader::Extend((w >> 48) & 0x3FFF, 14));
      } else if (w >> 61 == 0b110) {
        in.Skip(20);
        delta += static_cast<std::uint64_t>(BitReader::Extend((w >> 44) & 0x1FFFF, 17));
      } else if (w >> 60 == 0b1110) {
        in.Skip(24);
        delta += static_cast<std::uint64_t>(BitReader::Extend((w >> 40) & 0xFFFFF, 20));
      } else {
        in.Skip(4);
        delta += in.Read(64);
      }
    }
    time = static_cast<std::int64_t>(static_cast<std::uint64_t>(time) + delta);
    const std::uint64_t w = in.Peek();
    if (w >> 63 == 0) {
      in.Skip(1);
    } else {
      in.Skip(2);
      if ((w >> 62 & 1) != 0 && !ReadWindow(in, window)) {
        return Error(ErrorKind::kCorruption, "chunk has a value wider than 64 bits");
      }
      value ^= in.Read(window.size) << window.trailing;
    }
    if (!in.ok()) return TooShort();
    times[i] = {time};
    values[i] = std::bit_cast<double>(value);
  }
  return OkStatus();
}

/// The decoder of XOR2 chunks. The XOR base is the last value that is no stale marker.
class Xor2Decoder {
 public:
  Xor2Decoder(const char* data, std::size_t size)
      : st_header_(static_cast<unsigned char>(data[kChunkHeaderBytes])),
        in_(data + kChunkHeaderBytes + 1, (size - kChunkHeaderBytes - 1) * 8) {}

  Status Decode(std::uint32_t count, Timestamp* times, double* values) {
    // Start timestamps are read over: nothing asks for them yet.
    const std::uint32_t first_change = st_header_ & 0x7F;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!Next(i)) return Error(ErrorKind::kCorruption, "chunk has a value wider than 64 bits");
      // Checked twice: a sample and its start timestamp together may be longer than the slack.
      if (!in_.ok()) return TooShort();
      if (i == 0 && (st_header_ & 0x80) != 0) in_.ReadVarint();
      if (first_change != 0 && i >= first_change) SkipVarbit();
      if (!in_.ok()) return TooShort();
      times[i] = {time_};
      values[i] = std::bit_cast<double>(stale_ ? kStaleNanBits : base_);
    }
    return OkStatus();
  }

 private:
  bool Next(std::uint32_t index) {
    stale_ = false;
    if (index == 0) {
      time_ = in_.ReadVarint();
      SetValue(in_.Read(64));
      return true;
    }
    if (index == 1) {
      delta_ = in_.ReadUvarint();
      return Advance() && ReadFormA();
    }
    const std::uint64_t w = in_.Peek();
    if (w >> 63 == 0) {
      in_.Skip(1);
      return Advance();
    }
    if (w >> 62 == 0b10) {
      in_.Skip(2);
      const bool new_window = in_.Read(1) != 0;
      return Advance() && ReadBits(new_window);
    }
    if (w >> 59 == 0b11111) {
      in_.Skip(5);
      stale_ = true;
      return Advance();
    }
    if (w >> 61 == 0b110) {
      in_.Skip(16);
      delta_ += static_cast<std::uint64_t>(BitReader::ExtendTwos((w >> 48) & 0x1FFF, 13));
    } else if (w >> 60 == 0b1110) {
      in_.Skip(24);
      delta_ += static_cast<std::uint64_t>(BitReader::ExtendTwos((w >> 40) & 0xFFFFF, 20));
    } else {
      in_.Skip(5);
      delta_ += in_.Read(64);
    }
    return Advance() && ReadFormA();
  }

  bool Advance() {
    time_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(time_) + delta_);
    return true;
  }

  // `0` same, `10` same window, `110` new window, `111` stale marker.
  bool ReadFormA() {
    const std::uint64_t w = in_.Peek();
    if (w >> 63 == 0) {
      in_.Skip(1);
      return true;
    }
    if (w >> 62 == 0b10) {
      in_.Skip(2);
      return ReadBits(false);
    }
    in_.Skip(3);
    if (w >> 61 == 0b110) return ReadBits(true);
    stale_ = true;
    return true;
  }

  bool ReadBits(bool new_window) {
    if (new_window && !ReadWindow(in_, window_)) return false;
    SetValue(base_ ^ (in_.Read(window_.size) << window_.trailing));
    return true;
  }

  void SetValue(std::uint64_t bits) {
    stale_ = bits == kStaleNanBits;
    if (!stale_) base_ = bits;
  }

  void SkipVarbit() {
    constexpr std::array<unsigned, 9> kBits = {0, 3, 6, 9, 12, 18, 25, 56, 64};
    const int ones = std::min(std::countl_one(in_.Peek()), 8);
    in_.Skip(static_cast<unsigned>(std::min(ones + 1, 8)) + kBits[static_cast<std::size_t>(ones)]);
  }

  const std::uint8_t st_header_;
  BitReader in_;
  Window window_;
  std::int64_t time_ = 0;
  std::uint64_t delta_ = 0;
  std::uint64_t base_ = 0;
  bool stale_ = false;
};

}  // namespace

void XorChunkBuilder::Reset() {
  if (data_.empty()) data_.resize(256);
  data_[0] = data_[1] = 0;
  bits_ = kChunkHeaderBytes * 8;
  count_ = 0;
  last_time_ = 0;
  state_ = XorState();
}

void XorChunkBuilder::Append(Timestamp time, double value) {
  CHECK(count_ < 65535);
  const std::size_t need = bits_ / 8 + 1 + kMaxXorSampleBytes + kXorSlackBytes;
  if (data_.size() < need) data_.resize(need * 2);
  AppendXor(data_.data(), bits_, state_, count_, last_time_, time.ms,
            std::bit_cast<std::uint64_t>(value));
  last_time_ = time.ms;
  ++count_;
  data_[0] = static_cast<char>(count_ >> 8);
  data_[1] = static_cast<char>(count_);
}

Status DecodeChunk(ChunkEncoding encoding, std::string_view chunk, std::size_t readable,
                   Timestamp* times, double* values) {
  if (!IsFloatEncoding(encoding)) {
    return Error(ErrorKind::kInvalid, "chunk encoding " +
                                          std::to_string(static_cast<unsigned>(encoding)) +
                                          " holds no floats that this version reads");
  }
  const std::uint32_t count = ChunkSampleCount(chunk);
  if (count == 0) return OkStatus();
  const std::size_t header = kChunkHeaderBytes + (encoding == ChunkEncoding::kXor2 ? 1 : 0);
  if (chunk.size() <= header) return TooShort();
  std::string padded;
  const char* data = chunk.data();
  if (readable < chunk.size() + kDecodeSlackBytes) {
    padded.reserve(chunk.size() + kDecodeSlackBytes);
    padded.assign(chunk).append(kDecodeSlackBytes, '\0');
    data = padded.data();
  }
  if (encoding == ChunkEncoding::kXor2) {
    return Xor2Decoder(data, chunk.size()).Decode(count, times, values);
  }
  return DecodeXor(data, chunk.size(), count, times, values);
}

}  // namespace sonde::tsdb
