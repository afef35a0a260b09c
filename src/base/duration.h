#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

// Durations as Prometheus writes them in configuration, queries and its API: "1h30m", "250ms".
// Units y (365 d), w (7 d), d, h, m, s, ms: in that order, each at most once, no fractions.

namespace sonde {

/// Parses "1h30m"; "0" needs no unit. Empty, out of order, repeated or overflowing: kInvalid, with
/// Prometheus's message.
Result<Duration> ParseDuration(std::string_view text);

/// As model.Duration.String(): 5400000 ms → "1h30m", 0 → "0s"; weeks and years only where they are
/// exact. Negative durations get a leading '-'.
std::string FormatDuration(Duration duration);

}  // namespace sonde
