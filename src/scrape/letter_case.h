#pragma once

#include <string>
#include <string_view>

namespace sonde::scrape {

/// Each letter in its lower or upper case, by Unicode's simple mappings (one code point to one), as
/// Go's strings.ToLower and ToUpper. Bytes that are not UTF-8 become U+FFFD.
std::string ToLowerCase(std::string_view text);
std::string ToUpperCase(std::string_view text);

}  // namespace sonde::scrape
