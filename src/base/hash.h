#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde {

/// XXH64 with seed 0. Use it where Prometheus's value is visible from outside (label hashes).
std::uint64_t Xxh64(std::string_view bytes);

/// XXH3, 64 bits: the fastest for everything that stays inside.
std::uint64_t Xxh3(std::string_view bytes);

/// XXH3, 128 bits: wide enough to stand for the bytes themselves in a cache.
struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};
Hash128 Xxh3Wide(std::string_view bytes);

/// FNV-1a, 64 bits (fnv.New64a of Go), continued from `state`.
inline constexpr std::uint64_t kFnv64Offset = 14695981039346656037ULL;
constexpr std::uint64_t Fnv64a(std::string_view bytes, std::uint64_t state = kFnv64Offset) {
  for (const char c : bytes) {
    state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return state;
}

/// CRC-32C (Castagnoli, reflected, as in iSCSI), continued from `crc`. Uses SSE 4.2 where the CPU
/// has it.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t crc = 0);

/// The last 8 bytes of MD5(bytes) as a big-endian number: what `hashmod` relabelling uses.
std::uint64_t Md5Low64(std::string_view bytes);

/// SHA-256 in lower-case hexadecimal.
std::string Sha256Hex(std::string_view bytes);

}  // namespace sonde
