#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "demo/openai_api.h"
#include "demo/sim_text.h"
#include "demo/trace.h"

// What a client sends to a simulated engine, and a trace.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const bool chat : {false, true}) {
    const auto request = sonde::demo::ParseCompletionRequest(body, chat);
    if (!request) {
      CHECK(!request.error().message().empty());
      continue;
    }
    const auto blocks = sonde::demo::PrefixHashes(request->prompt, 64).size();
    CHECK(blocks <= sonde::demo::CountTokens(request->prompt) / 64);
  }
  const auto trace = sonde::demo::Trace::Parse(body);
  if (trace) CHECK(!trace->requests().empty());
  return 0;
}
