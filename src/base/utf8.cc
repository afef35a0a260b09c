#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace sonde {

DecodedRune DecodeRune(std::string_view s) {
  constexpr DecodedRune kBad{0xFFFD, 1};
  if (s.empty()) return {0xFFFD, 0};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t size = 0;
  char32_t rune = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2;
    rune = first & 0x1F;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3;
    rune = first & 0x0F;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4;
    rune = first & 0x07;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return kBad;
  }
  if (s.size() < size) return kBad;
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned char next = byte(i);
    if (next < low || next > high) return kBad;
    low = 0x80;
    high = 0xBF;
    rune = (rune << 6) | (next & 0x3F);
  }
  return {rune, size};
}

bool IsValidUtf8(std::string_view s) {
  while (!s.empty()) {
    while (s.size() >= 8) {
      std::uint64_t word;
      std::memcpy(&word, s.data(), 8);
      if ((word & 0x8080808080808080ULL) != 0) break;
      s.remove_prefix(8);
    }
    if (s.empty()) return true;
    if (static_cast<unsigned char>(s[0]) < 0x80) {
      s.remove_prefix(1);
      continue;
    }
    const DecodedRune decoded = DecodeRune(s);
    if (decoded.size == 1) return false;
    s.remove_prefix(decoded.size);
  }
  return true;
}

void AppendRune(std::string& out, char32_t rune) {
  if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) rune = 0xFFFD;
  const auto put = [&](char32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xC0 | (rune >> 6));
    put(0x80 | (rune & 0x3F));
  } else if (rune < 0x10000) {
    put(0xE0 | (rune >> 12));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  } else {
    put(0xF0 | (rune >> 18));
    put(0x80 | ((rune >> 12) & 0x3F));
    put(0x80 | ((rune >> 6) & 0x3F));
    put(0x80 | (rune & 0x3F));
  }
}

}  // namespace sonde
