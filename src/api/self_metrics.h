#pragma once

#include <string>

#include "instrument/registry.h"
#include "wire/exposition_format.h"

namespace sonde::api {

/// Sonde's own metrics as an exposition page: for /metrics and for Sonde's scrape of itself.
std::string SelfMetricsPage(const instrument::Registry& registry, const wire::ServedFormat& format);

/// Adds process_cpu_seconds_total, process_resident_memory_bytes and the other metrics that every
/// Prometheus client library exports about its process, and sonde_build_info. Read from /proc/self
/// when asked.
void AddProcessMetrics(instrument::Registry& registry, std::string_view version,
                       std::string_view revision);

}  // namespace sonde::api
