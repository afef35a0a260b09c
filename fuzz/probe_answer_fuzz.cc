#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "collect/probe/account_prober.h"
#include "collect/probe/chat_answer.h"

// What a probed server answers: a stream or a JSON text, cut in two anywhere, and a balance.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 1 << 16) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = text.empty() ? 0 : data[0] % text.size();
  for (const bool streaming : {true, false}) {
    sonde::collect::ChatReader whole(streaming);
    whole.Feed(text);
    sonde::collect::ChatReader parts(streaming);
    parts.Feed(text.substr(0, cut));
    parts.Feed(text.substr(cut));
    const auto& a = whole.Finish();
    const auto& b = parts.Finish();
    CHECK(a.text == b.text && a.complete == b.complete && a.failed == b.failed &&
          a.malformed == b.malformed && a.generated == b.generated &&
          a.prompt_tokens == b.prompt_tokens);
  }
  const auto balance = sonde::collect::ParseBalance(text);
  if (balance) CHECK(balance->amounts.size() <= 16);
  return 0;
}
