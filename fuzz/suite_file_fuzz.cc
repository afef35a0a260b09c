#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "collect/probe/suite.h"
#include "config/suite_file.h"

// Reads a suite, and judges the bytes themselves as the answer to each of its questions.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 14) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto suite = sonde::config::ParseSuiteFile(text, "f");
  if (!suite) {
    CHECK(suite.error().message().starts_with("f"));
    return 0;
  }
  CHECK(!suite->questions.empty());
  for (const sonde::collect::Question& question : suite->questions) {
    static_cast<void>(sonde::collect::IsRight(question, text));
    CHECK(!sonde::collect::IsRight(question, ""));
    if (question.exact) {
      // An expected text is right, unless it reads as reasoning or other expectations stand beside it.
      const std::string& expected = question.exact->texts.front();
      const bool plain = expected.find("think>") == std::string::npos &&
                         expected.find_first_not_of(" \t\r\n\v\f") != std::string::npos;
      if (plain && !question.regex && !question.number && !question.json)
        CHECK(sonde::collect::IsRight(question, expected));
    }
  }
  return 0;
}
