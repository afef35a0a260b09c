// URLs, query strings and listen addresses: what was parsed can be written and parsed again to the
// same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sonde::net;  // NOLINT(google-build-using-namespace): a function of a test program
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = Url::Parse(text)) {
    CHECK(!url->host.empty() && url->port != 0 && url->path.starts_with('/'));
    const auto again = Url::Parse(url->ToString());
    CHECK(again && again->ToString() == url->ToString());
    CHECK(again->host == url->host && again->port == url->port && again->path == url->path &&
          again->tls == url->tls);
    CHECK(again->user.empty() && again->password.empty());
  }
  if (const auto query = Query::Parse(text)) {
    std::string written;
    for (const auto& [name, value] : *query) {
      written += "&" + PercentEncode(name) + "=" + PercentEncode(value);
    }
    const auto again = Query::Parse(written);
    CHECK(again);
    auto it = again->begin();
    for (const auto& [name, value] : *query) {
      CHECK(it->first == name && it->second == value);
      ++it;
    }
    CHECK(it == again->end());
  }
  if (const auto decoded = PercentDecode(text, false)) {
    CHECK(PercentDecode(PercentEncode(*decoded), false) == decoded);
  }
  static_cast<void>(ListenAddress::Parse(text).ok());
  return 0;
}
