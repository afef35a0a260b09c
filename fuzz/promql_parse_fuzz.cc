// Queries as clients send them: every input is refused with a position or read, printed, read again
// and printed the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "promql/parser.h"
#include "promql/printer.h"
#include "promql/promqltest/runner.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sonde::promql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expr = ParseExpr(text, ScriptParserOptions());
  if (expr) {
    const std::string printed = Print(**expr);
    const auto again = ParseExpr(printed, ScriptParserOptions());
    // What rounds to no time at all cannot be written down: `a[0.0001]`. Nor can names that are not
    // UTF-8.
    if (again) CHECK(Print(**again) == printed);
    CHECK(Print(*Clone(**expr)) == printed);
    std::string json;
    AppendJson(**expr, json);
    CHECK(!PrettyPrint(**expr).empty());
  } else {
    CHECK(!expr.error().message().empty());
  }
  const auto selector = ParseMetricSelector(text);
  const auto labels = ParseMetric(text);
  CHECK(selector.ok() || !selector.error().message().empty());
  CHECK(labels.ok() || !labels.error().message().empty());
  return 0;
}
