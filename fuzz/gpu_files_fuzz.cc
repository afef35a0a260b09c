#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "collect/gpu/amdgpu_metrics.h"
#include "collect/gpu/amdgpu_source.h"

// What the amdgpu driver writes into sysfs: error counts, lists of clocks, the table of
// metrics.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace collect = sonde::collect;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const collect::RasErrors errors = collect::ParseRasErrors(text);
  CHECK(!errors.corrected || *errors.corrected >= 0);
  CHECK(!errors.uncorrected || *errors.uncorrected >= 0);
  const auto active = collect::ParseActiveClock(text);
  const auto highest = collect::ParseHighestClock(text);
  CHECK(!active || *active >= 0);
  CHECK(!active || (highest && *active <= *highest));
  if (const auto metrics = collect::ParseAmdgpuMetrics(text)) {
    CHECK(metrics->links.size() <= 8);
    CHECK(!metrics->energy_joules || *metrics->energy_joules > 0);
    if (metrics->residency) {
      CHECK(!collect::ThrottlingBetween(*metrics->residency, *metrics->residency));
      const auto since_start = collect::ThrottlingBetween({}, *metrics->residency);
      CHECK(!since_start || (since_start->thermal >= 0 && since_start->thermal <= 1));
    }
  }
  return 0;
}
