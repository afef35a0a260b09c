#include <cstddef>
#include <cstdint>
#include <string_view>

#include "alerting/matcher_syntax.h"
#include "alerting/time_interval.h"
#include "base/check.h"

// Matchers: what is read reads the same again from its own spelling. The same bytes as a time zone.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 12) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto zone = sonde::alerting::TimeZone::Parse(text)) {
    const auto civil = zone->ToCivil({1'795'536'000'000});
    CHECK(civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.day <= 31);
  }
  const auto parsed = sonde::alerting::ParseMatchers(text);
  if (!parsed) return 0;
  const auto again =
      sonde::alerting::ParseUtf8Matchers(sonde::alerting::FormatMatchers(parsed->matchers));
  CHECK(again);
  CHECK(*again == parsed->matchers);
  return 0;
}
