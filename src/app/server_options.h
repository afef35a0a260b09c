#pragma once

#include <string>

#include "api/query_service.h"
#include "app/serve_options.h"
#include "base/result.h"
#include "config/config.h"
#include "insight/blind_spot_watch.h"
#include "scrape/options.h"
#include "tsdb/options.h"

// From flags and configuration to what the parts of the server are told. Flags win; an error names
// the flag.

namespace sonde::app {

Result<tsdb::Options> StoreOptions(const ServeOptions& options, const config::Config& config);
Result<api::QueryOptions> QueryOptionsOf(const ServeOptions& options, const config::Config& config);
/// Histograms have to reach the laxest objective.
insight::BlindSpotOptions BlindSpotOptionsOf(const gateway::SloOptions& slo);
/// The job of a page that Sonde makes itself.
scrape::ScrapeOptions InternalJob(const char* name, Duration interval);

std::string HostName();
/// "/sonde" of "http://proxy/sonde/"; "" for the root.
std::string PathOf(const std::string& external_url);

}  // namespace sonde::app
