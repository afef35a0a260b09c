#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sonde {

/// RFC 4648, with padding.
std::string Base64Encode(std::string_view bytes);
/// The inverse; white space is skipped. Nothing if the text is not base64 or lacks its padding.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace sonde
