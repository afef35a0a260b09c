#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/envelope.h"
#include "model/metadata.h"
#include "net/http.h"
#include "scrape/scraper.h"

// What is scraped and what it says about its metrics: /api/v1/targets, /targets/metadata,
// /targets/relabel_steps, /scrape_pools, /scrape_pools/config, /metadata.

namespace sonde::api {

/// Metadata of metrics that did not come by a scrape (remote write, canonical series): the store's
/// memory of them.
struct StoredMetadata {
  std::string metric;
  std::vector<Metadata> variants;
};
/// `metric` empty: of all.
using MetadataSource = std::function<std::vector<StoredMetadata>(std::string_view metric)>;

Answer TargetsAnswer(const scrape::TargetsView& pools, const net::Query& parameters);
Answer TargetMetadataAnswer(const scrape::TargetsView& pools, const net::Query& parameters);
Answer RelabelStepsAnswer(const scrape::TargetsView& pools, const net::Query& parameters);
Answer ScrapePoolsAnswer(const scrape::TargetsView& pools);
Answer ScrapePoolConfigAnswer(const scrape::TargetsView& pools, const net::Query& parameters);
Answer MetadataAnswer(const scrape::TargetsView& pools, const MetadataSource& stored,
                      const net::Query& parameters);

}  // namespace sonde::api
