#include <string>

#include "exposition_fuzz.h"
#include "wire/exposition_lint.h"

// The first byte chooses the format. A page without findings can be scraped.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sonde::wire::ExpositionFormat;
  if (size == 0) return 0;
  const auto format = (data[0] & 1) != 0 ? ExpositionFormat::kOpenMetrics : ExpositionFormat::kText;
  const auto input = sonde::fuzz::HeapCopy(data + 1, size - 1);
  const std::string_view page(input.data(), input.size());
  const auto findings = sonde::wire::LintExposition(page, format, 50);
  CHECK(findings.size() <= 50);
  for (const auto& finding : findings)
    CHECK(finding.line >= 1 && finding.column >= 1 && !finding.message.empty());
  if (findings.empty()) CHECK(sonde::fuzz::ParsePage(page, format).has_value());
  return 0;
}
