#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/rule_file.h"
#include "config/rule_test_file.h"

// Reads the bytes as a rule file and as a file of unit tests: errors name the file.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 14) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool ignore : {false, true}) {
    sonde::config::RuleFileOptions options;
    options.ignore_unknown_fields = ignore;
    const auto file = sonde::config::ParseRuleFile(text, "f", options);
    if (!file) CHECK(file.error().message().starts_with("f:"));
    const auto test = sonde::config::ParseRuleTestFile(text, "f", ignore);
    if (!test) CHECK(test.error().message().starts_with("f:"));
  }
  return 0;
}
