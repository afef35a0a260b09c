// Test scripts and the series descriptions in them (rule unit tests hold the latter, too).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "promql/promqltest/script.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sonde::promql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto script = ParseScript(text);
  CHECK(script.ok() || !script.error().message().empty());
  const auto series = ParseSeriesDescription(text);
  CHECK(series.ok() || !series.error().message().empty());
  const auto starts = ParseStartOffsets(text);
  CHECK(starts.ok() || !starts.error().message().empty());
  return 0;
}
