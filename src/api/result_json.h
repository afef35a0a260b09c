#pragma once

#include <string>

#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/engine.h"

// Query results as the API writes them (facts: docs/querying/api.md, "Expression query result
// formats").

namespace sonde::api {

/// Seconds; three decimals only where the milliseconds are not zero: 1435781430, 1435781430.781.
void AppendTimestamp(std::string& out, Timestamp t);
/// {"__name__":"up","job":"x"}
void AppendLabels(std::string& out, LabelsView labels);
/// {"count":"…","sum":"…","buckets":[[rule,"lower","upper","count"],…]}; empty buckets are left
/// out.
void AppendHistogram(std::string& out, const FloatHistogram& histogram);
/// The `data` object: resultType, result and, if asked, stats.
enum class StatsMode : unsigned char { kNone, kTimings, kAll };
std::string QueryData(const promql::QueryResult& result, StatsMode stats);

}  // namespace sonde::api
