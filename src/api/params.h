#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/matcher.h"
#include "net/http.h"

// Parameters of the Prometheus HTTP API (facts: docs/querying/api.md): times, durations, match[]
// selectors.

namespace sonde::api {

/// The two instants that clients send to mean "from ever" and "for ever".
Timestamp MinTime();
Timestamp MaxTime();

/// Unix seconds as a float (rounded to milliseconds) or RFC 3339, plus the reference's spellings of
/// MinTime and MaxTime.
Result<Timestamp> ParseTime(std::string_view text);
/// Seconds as a float, or "5m". Negative and zero are allowed here.
Result<Duration> ParseDurationParam(std::string_view text);

/// Parameter `name`, or `fallback` if it is absent or empty. Errors: `invalid parameter "name": …`.
Result<Timestamp> TimeParam(const net::Query& query, std::string_view name, Timestamp fallback);
/// A non-negative count; 0 if absent.
Result<std::size_t> LimitParam(const net::Query& query);
/// All match[] selectors; each must hold a matcher that does not match the empty string.
Result<std::vector<std::vector<Matcher>>> MatchParams(const net::Query& query);

/// `error` as the API words it: `invalid parameter "name": …`.
Error InvalidParameter(std::string_view name, const Error& error);

}  // namespace sonde::api
