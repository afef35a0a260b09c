#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// What a scalar of a configuration file means, by the rules of the reference's loader (Go):
// YAML 1.1 booleans, integers in any base, sizes in powers of two, URLs as Go's net/url reads them.

namespace sonde::config {

/// y, yes, true, on … and their opposites, in the spellings of YAML 1.1. Nothing for other words.
std::optional<bool> ParseYamlBool(std::string_view text);
/// Decimal, 0x, 0o, 0b, a leading 0 for octal, underscores; also a float without a fraction (1e3).
std::optional<std::int64_t> ParseYamlInt(std::string_view text);
/// Also .inf, -.inf and .nan.
std::optional<double> ParseYamlFloat(std::string_view text);

/// "15MB", "1GiB512MiB", "1.5KB", "0": always powers of 1024, may be negative. The error text is
/// the reference's.
Result<std::int64_t> ParseSize(std::string_view text);
/// The inverse: 15728640 → "15MiB".
std::string FormatSize(std::int64_t bytes);

/// A URL taken apart as far as validation needs it.
struct GoUrl {
  std::string scheme;  ///< Lower case; empty if the text has none.
  std::string host;    ///< With the port.
  std::string path;
};
/// kInvalid for what Go's url.Parse refuses: control characters, a bad escape in the host, a bad
/// port, no scheme before a colon. Almost everything else is a URL.
Result<GoUrl> ParseGoUrl(std::string_view text);

}  // namespace sonde::config
