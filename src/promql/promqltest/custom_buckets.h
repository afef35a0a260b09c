#pragma once

#include <vector>

#include "base/result.h"
#include "promql/promqltest/script.h"

namespace sonde::promql {

/// The classic histograms (`…_bucket`, `…_count`, `…_sum`) among the series as native histograms
/// with custom buckets, one series for each, in order of labels. `values[i]` belongs to the i-th
/// step. Errors: counts that fall from one bucket to the next, or do not agree with `_count`.
Result<std::vector<LoadedSeries>> ToCustomBuckets(const std::vector<LoadedSeries>& series);

}  // namespace sonde::promql
