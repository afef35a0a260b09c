#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "rules/template.h"

// Parses the bytes as a template and expands it. Whatever they are: no crash, bounded, and an error
// that begins with its place.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 12) return 0;
  using sonde::rules::kMaxExpansionBytes;
  using sonde::rules::Template;
  using sonde::rules::TemplateScope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = Template::Parse(text);
  const auto starts_with_place = [](const std::string& message) {
    return !message.empty() && message[0] >= '1' && message[0] <= '9' &&
           message.find(':') != std::string::npos;
  };
  if (!parsed) {
    CHECK(starts_with_place(parsed.error().message()));
    return 0;
  }
  const sonde::Labels labels = sonde::Labels::Of({{"instance", "a:1"}, {"job", "b"}});
  TemplateScope scope;
  scope.labels = labels;
  scope.value = 0.5;
  scope.external_url = "http://x/y";
  scope.query = [](std::string_view) -> sonde::Result<std::vector<sonde::promql::ResultSeries>> {
    std::vector<sonde::promql::ResultSeries> series(1);
    series[0].labels = sonde::Labels::Of({{"job", "q"}});
    series[0].points.push_back({{0}, 1, nullptr});
    return series;
  };
  const auto expanded = parsed->Expand(scope);
  if (expanded) {
    CHECK(expanded->size() <= kMaxExpansionBytes);
  } else {
    CHECK(starts_with_place(expanded.error().message()));
  }
  return 0;
}
