#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

// Times as text in Alertmanager's JSON: RFC 3339.

namespace sonde::alerting {

/// Go's RFC3339Nano: "2026-11-24T16:00:00.25Z"; 0 is Go's zero time, "0001-01-01T00:00:00Z".
std::string FormatTime(Timestamp time);
/// With three digits always: "2026-11-24T16:00:00.250Z".
std::string FormatTimeMillis(Timestamp time);
/// Any RFC 3339 time, to the millisecond; Go's zero time is 0. Years 1 to 9999.
Result<Timestamp> ParseTime(std::string_view text);

}  // namespace sonde::alerting
