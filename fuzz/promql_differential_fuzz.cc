// Bytes become a query, data and a time range; the planned evaluator must give what the naive one
// gives.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "promql/engine.h"
#include "promql/promqltest/generator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sonde;
  static const ManualClock clock;
  static const auto naive = promql::NewNaiveEvaluator(clock);
  static const auto planned = promql::NewEvaluator(clock);
  const std::string difference = promql::CompareEvaluators({data, size}, *naive, *planned);
  if (!difference.empty()) std::fprintf(stderr, "%s\n", difference.c_str());
  CHECK(difference.empty());
  return 0;
}
