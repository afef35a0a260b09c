#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "collect/engine/identify.h"

// What an unknown server on a well-known port answers: as metrics, as a list of models, and to
// every probe.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const std::string_view engine = sonde::collect::EngineOfMetrics(body);
  const auto models = sonde::collect::ParseModelList(body);
  int asked = 0;
  const auto found = sonde::collect::IdentifyEngine("http://h", [&](const std::string& url) {
    CHECK(url.starts_with("http://h/"));
    ++asked;
    return sonde::collect::ProbeReply{200, std::string(body)};
  });
  CHECK(asked <= 5);
  if (found) {
    CHECK(!found->engine.empty());
    CHECK(!engine.empty() || models.has_value() || !found->version.empty() ||
          !found->models.empty());
  }
  return 0;
}
