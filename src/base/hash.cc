#include "base/hash.h"

#include <array>
#include <cstring>

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace sonde {
namespace {

// Slicing-by-8 tables for the reflected polynomial 0x1EDC6F41.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables MakeCrcTables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    }
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t previous = tables[t - 1][i];
      tables[t][i] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = MakeCrcTables();

std::uint32_t Crc32cPortable(const char* data, std::size_t size, std::uint32_t crc) {
  const auto& t = kCrcTables;
  while (size >= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    word ^= crc;
    crc = t[7][word & 0xFF] ^ t[6][(word >> 8) & 0xFF] ^ t[5][(word >> 16) & 0xFF] ^
          t[4][(word >> 24) & 0xFF] ^ t[3][(word >> 32) & 0xFF] ^ t[2][(word >> 40) & 0xFF] ^
          t[1][(word >> 48) & 0xFF] ^ t[0][word >> 56];
    data += 8;
    size -= 8;
  }
  for (; size > 0; --size, ++data) {
    crc = (crc >> 8) ^ t[0][(crc ^ static_cast<unsigned char>(*data)) & 0xFF];
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t Crc32cSse42(const char* data, std::size_t size,
                                                            std::uint32_t crc) {
  std::uint64_t state = crc;
  while (size >= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    state = _mm_crc32_u64(state, word);
    data += 8;
    size -= 8;
  }
  crc = static_cast<std::uint32_t>(state);
  for (; size > 0; --size, ++data) {
    crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*data));
  }
  return crc;
}
#endif

struct Digest {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
};

Digest ComputeDigest(const EVP_MD* algorithm, std::string_view bytes) {
  Digest digest;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), &digest.size, algorithm,
                   nullptr) == 1);
  return digest;
}

}  // namespace

std::uint64_t Xxh64(std::string_view bytes) {
  return XXH64(bytes.data(), bytes.size(), 0);
}

std::uint64_t Xxh3(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Hash128 Xxh3Wide(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t crc) {
  crc = ~crc;
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return ~Crc32cSse42(bytes.data(), bytes.size(), crc);
#endif
  return ~Crc32cPortable(bytes.data(), bytes.size(), crc);
}

std::uint64_t Md5Low64(std::string_view bytes) {
  const Digest digest = ComputeDigest(EVP_md5(), bytes);
  CHECK(digest.size == 16);
  std::uint64_t value = 0;
  for (std::size_t i = 8; i < 16; ++i) {
    value = (value << 8) | digest.bytes[i];
  }
  return value;
}

std::string Sha256Hex(std::string_view bytes) {
  const Digest digest = ComputeDigest(EVP_sha256(), bytes);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size * 2UL);
  for (unsigned i = 0; i < digest.size; ++i) {
    text.push_back(kHex[digest.bytes[i] >> 4]);
    text.push_back(kHex[digest.bytes[i] & 15]);
  }
  return text;
}

}  // namespace sonde
