#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"

// One line of a test script that describes a series: `http_requests{job="api"} 0+10x5 _ stale
// {{schema:0 count:3}}`. Rule unit tests write their input series the same way. Format:
// docs/formats/promqltest.md, "Series".

namespace sonde::promql {

struct DescribedValue {
  bool omitted = false;  ///< `_`
  double v = 0;
  std::optional<FloatHistogram> histogram{};
  bool has_reset_hint = false;  ///< The histogram's hint was written, so it is to be compared.
};

struct SeriesDescription {
  Labels labels;
  std::vector<DescribedValue> values;
};

/// Most values that one line may stand for: `0x9999999999` is refused.
inline constexpr std::size_t kMaxDescribedValues = 1'000'000;

/// Errors are kInvalid and name the column: "1:12: parse error: …".
Result<SeriesDescription> ParseSeriesDescription(std::string_view line);

/// The start timestamps of a series, as offsets from its samples' times: `-1m -1m+15sx4 _`.
Result<std::vector<std::optional<Duration>>> ParseStartOffsets(std::string_view items);

}  // namespace sonde::promql
