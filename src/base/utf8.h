#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sonde {

/// True if `s` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
bool IsValidUtf8(std::string_view s);

struct DecodedRune {
  char32_t rune;     ///< U+FFFD where the bytes are not UTF-8.
  std::size_t size;  ///< Bytes used: 1 to 4, and 1 for a bad byte. 0 only at the end of the input.
};

/// The first code point of `s`, as Go's utf8.DecodeRuneInString.
DecodedRune DecodeRune(std::string_view s);

/// Appends `rune` as UTF-8; an invalid one as U+FFFD.
void AppendRune(std::string& out, char32_t rune);

}  // namespace sonde
