#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/env.h"
#include "config/alertmanager_file.h"

// Reads the bytes as an alertmanager.yml: errors name the file, and what is accepted has a root
// route whose receiver exists.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 14) return 0;
  static sonde::PosixEnv env;  // Reads time zones.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = sonde::config::ParseAlertmanagerFile(env, text, "f");
  if (!file) {
    CHECK(file.error().message().starts_with("f:"));
    return 0;
  }
  CHECK(!file->options.receivers.empty());
  return 0;
}
