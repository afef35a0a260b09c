#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "gateway/api_keys.h"
#include "gateway/prefix_table.h"

// Reads a key file. One that is accepted has names that can be label values, and says the same when
// it is written with digests. The same bytes are looked through for a prompt.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view prompt = sonde::gateway::PromptOf(text, 4096);
  CHECK(prompt.empty() || (prompt.front() == '"' && text.substr(0, 4096).ends_with(prompt)));
  CHECK(sonde::gateway::PrefixHashes(prompt, 64, 8, 1).size() <= 8);

  const auto keys = sonde::gateway::ParseKeyFile(text);
  if (!keys) {
    CHECK(!keys.error().message().empty());
    return 0;
  }
  std::string again;
  for (const sonde::gateway::ApiKey& key : *keys) {
    CHECK(sonde::gateway::IsTenantName(key.tenant));
    again += key.tenant + " sha256:";
    for (const unsigned char byte : key.sha256) {
      again += "0123456789abcdef"[byte >> 4];
      again += "0123456789abcdef"[byte & 15];
    }
    again += '\n';
  }
  const auto same = sonde::gateway::ParseKeyFile(again);
  // A tenant that begins with '#' does not exist: a comment does.
  CHECK(same.ok() && *same == *keys);
  return 0;
}
