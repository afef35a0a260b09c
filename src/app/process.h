#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

// What the subcommands ask of the process they run in.

namespace sonde::app {

/// Writes all of `text`, without a newline of its own. `file` is stdout or stderr; a write that
/// fails is lost, as with any program whose reader has left.
inline void Print(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

/// For config::LoadOptions::environment.
inline std::optional<std::string> EnvironmentVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace sonde::app
