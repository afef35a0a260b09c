#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

// Chunks of float samples: delta-of-delta timestamps and XORed values, bit by bit what Prometheus
// writes. Format: docs/formats/chunks.md.

namespace sonde::tsdb {

/// What a chunk's bytes mean. Sonde writes kXor and reads kXor and kXor2; the others are
/// recognised.
enum class ChunkEncoding : std::uint8_t {
  kNone = 0,
  kXor = 1,
  kHistogram = 2,
  kFloatHistogram = 3,
  kXor2 = 4,
  kHistogramSt = 5,
  kFloatHistogramSt = 6,
};

/// True for the encodings that DecodeChunk reads.
inline bool IsFloatEncoding(ChunkEncoding e) {
  return e == ChunkEncoding::kXor || e == ChunkEncoding::kXor2;
}
/// True for chunks of native histograms.
inline bool IsHistogramEncoding(ChunkEncoding e) {
  return e == ChunkEncoding::kHistogram || e == ChunkEncoding::kFloatHistogram ||
         e == ChunkEncoding::kHistogramSt || e == ChunkEncoding::kFloatHistogramSt;
}

/// Every chunk starts with its number of samples, 16 bits big endian.
inline constexpr std::size_t kChunkHeaderBytes = 2;
/// The most that one sample can add to an XOR chunk: 4 + 64 bits of time, 2 + 5 + 6 + 64 of value.
inline constexpr std::size_t kMaxXorSampleBytes = 19;
/// The encoder stores whole words: so many bytes behind a chunk's end must be writable.
inline constexpr std::size_t kXorSlackBytes = 9;

/// Where an XOR chunk under construction stands. The caller keeps the time of the last sample.
struct XorState {
  std::uint64_t value = 0;  ///< Bits of the last value.
  std::uint64_t delta = 0;  ///< Between the last two times.
  std::uint8_t leading =
      0xFF;  ///< Zero bits before the window of significant bits; 0xFF: none yet.
  std::uint8_t trailing = 0;
};

namespace internal {

/// Writes the low `n` (1 to 64) bits of `bits` at bit `at`; everything behind is overwritten.
inline void PutBits(char* data, std::uint32_t& at, std::uint64_t bits, unsigned n) {
  char* const p = data + (at >> 3);
  const unsigned used = at & 7;
  // The bits already in the first byte, at the top of the word.
  std::uint64_t word =
      used == 0
          ? 0
          : (static_cast<std::uint64_t>(static_cast<unsigned char>(*p) & (0xFF00U >> used)) << 56);
  if (used + n <= 64) {
    word |= bits << (64 - n - used);
    word = __builtin_bswap64(word);
    std::memcpy(p, &word, 8);
  } else {
    const unsigned rest = used + n - 64;
    word |= bits >> rest;
    word = __builtin_bswap64(word);
    std::memcpy(p, &word, 8);
    p[8] = static_cast<char>(bits << (8 - rest));
  }
  at += n;
}

inline void PutByteVarint(char* data, std::uint32_t& at, std::uint64_t v) {
  while (v >= 0x80) {
    PutBits(data, at, (v & 0x7F) | 0x80, 8);
    v >>= 7;
  }
  PutBits(data, at, v, 8);
}

inline void PutXorValue(char* data, std::uint32_t& at, XorState& state, std::uint64_t value) {
  const std::uint64_t x = value ^ state.value;
  state.value = value;
  if (x == 0) {
    PutBits(data, at, 0, 1);
    return;
  }
  const auto leading = static_cast<std::uint8_t>(std::min(std::countl_zero(x), 31));
  const auto trailing = static_cast<std::uint8_t>(std::countr_zero(x));
  if (state.leading != 0xFF && leading >= state.leading && trailing >= state.trailing) {
    const unsigned size = 64U - state.leading - state.trailing;
    const std::uint64_t bits = x >> state.trailing;
    if (size <= 62) {
      PutBits(data, at, (0b10ULL << size) | bits, size + 2);
    } else {
      PutBits(data, at, 0b10, 2);
      PutBits(data, at, bits, size);
    }
    return;
  }
  state.leading = leading;
  state.trailing = trailing;
  const unsigned size = 64U - leading - trailing;
  // 64 significant bits are written as 0: it does not fit, and 0 cannot occur.
  PutBits(data, at, (0b11ULL << 11) | (static_cast<std::uint64_t>(leading) << 6) | (size & 63), 13);
  PutBits(data, at, x >> trailing, size);
}

}  // namespace internal

/// Adds a sample behind bit `at` of the chunk at `data`. `count` is the number of samples before;
/// the caller writes the new count into the header. `data` must be writable for kMaxXorSampleBytes
/// + kXorSlackBytes more.
inline void AppendXor(char* data, std::uint32_t& at, XorState& state, std::uint32_t count,
                      std::int64_t last_time, std::int64_t time, std::uint64_t value) {
  const auto t = static_cast<std::uint64_t>(time);
  if (count == 0) {
    internal::PutByteVarint(data, at, (t << 1) ^ static_cast<std::uint64_t>(time >> 63));
    internal::PutBits(data, at, value, 64);
    state.value = value;
    return;
  }
  const std::uint64_t delta = t - static_cast<std::uint64_t>(last_time);
  if (count == 1) {
    internal::PutByteVarint(data, at, delta);
  } else {
    const auto change = static_cast<std::int64_t>(delta - state.delta);
    const auto bits = static_cast<std::uint64_t>(change);
    // The ranges are asymmetric: n bits hold -(2^(n-1)-1) … 2^(n-1).
    if (change == 0) {
      internal::PutBits(data, at, 0, 1);
    } else if (change >= -8191 && change <= 8192) {
      internal::PutBits(data, at, (0b10ULL << 14) | (bits & 0x3FFF), 16);
    } else if (change >= -65535 && change <= 65536) {
      internal::PutBits(data, at, (0b110ULL << 17) | (bits & 0x1FFFF), 20);
    } else if (change >= -524287 && change <= 524288) {
      internal::PutBits(data, at, (0b1110ULL << 20) | (bits & 0xFFFFF), 24);
    } else {
      internal::PutBits(data, at, 0b1111, 4);
      internal::PutBits(data, at, bits, 64);
    }
  }
  state.delta = delta;
  internal::PutXorValue(data, at, state, value);
}

/// Builds an XOR chunk in a string. Not thread-safe.
class XorChunkBuilder {
 public:
  XorChunkBuilder() { Reset(); }

  void Reset();
  /// `time` must be after that of the last sample; at most 65,535 samples.
  void Append(Timestamp time, double value);

  std::uint32_t count() const { return count_; }
  /// The chunk, count included. Valid until the next call.
  std::string_view bytes() const { return {data_.data(), (bits_ + 7) / 8}; }

 private:
  std::string data_;
  std::uint32_t bits_ = 0;
  std::uint32_t count_ = 0;
  std::int64_t last_time_ = 0;
  XorState state_;
};

/// The number of samples that a chunk says it has; 0 if it is too short to say.
inline std::uint32_t ChunkSampleCount(std::string_view chunk) {
  if (chunk.size() < kChunkHeaderBytes) return 0;
  return (static_cast<std::uint32_t>(static_cast<unsigned char>(chunk[0])) << 8) |
         static_cast<unsigned char>(chunk[1]);
}

/// So many bytes behind a chunk's end may be read (not used) by the decoder; see DecodeChunk.
inline constexpr std::size_t kDecodeSlackBytes = 32;

/// Decodes a whole chunk of floats into columns with room for ChunkSampleCount(chunk) samples.
/// `readable` is how many bytes can be read from chunk.data() on; with kDecodeSlackBytes behind the
/// chunk nothing is copied. kCorruption if the bytes end too early; kInvalid for an encoding
/// without floats.
Status DecodeChunk(ChunkEncoding encoding, std::string_view chunk, std::size_t readable,
                   Timestamp* times, double* values);

}  // namespace sonde::tsdb
