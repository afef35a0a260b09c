#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/fault_env.h"
#include "config/config.h"

// Loads a configuration. One that is accepted must say the same when its normalised text is loaded:
// then the emitter quotes what has to be quoted, and defaults are what they seem.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  sonde::FaultEnv env;
  const sonde::config::LoadOptions options;
  const auto config = sonde::config::Parse(env, text, "fuzz.yml", options);
  if (!config) {
    CHECK(config.error().message().find("fuzz.yml:") == 0);
    return 0;
  }
  const auto again = sonde::config::Parse(env, (*config)->yaml, "fuzz.yml", options);
  CHECK(again.ok());
  CHECK((*again)->yaml == (*config)->yaml);
  CHECK((*again)->scrape.size() == (*config)->scrape.size());
  return 0;
}
