#pragma once

#include <span>
#include <string_view>

namespace sonde {

/// A file that was linked into the binary (cmake/SondeEmbed.cmake). Everything lives as long as the
/// process.
struct EmbeddedFile {
  std::string_view path;  ///< Relative to its root, '/' between parts.
  std::string_view contents;
  std::string_view gzip;    ///< The same, compressed; empty if that does not pay.
  std::string_view digest;  ///< Of the contents, hexadecimal: an ETag.
};

}  // namespace sonde
