#include "app/server_options.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "app/features.h"
#include "base/duration.h"
#include "net/http.h"

namespace sonde::app {

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

std::string PathOf(const std::string& external_url) {
  const auto url = net::Url::Parse(external_url);
  std::string path = url ? url->path : external_url;
  while (path.ends_with('/'))
    path.pop_back();
  return path;
}

Result<tsdb::Options> StoreOptions(const ServeOptions& options, const config::Config& config) {
  tsdb::Options store;
  store.directory = options.storage_path;
  if (!options.retention_time.empty()) {
    auto retention = ParseDuration(options.retention_time);
    if (!retention) return std::move(retention).error().Wrap("--storage.tsdb.retention.time");
    store.retention = *retention;
  } else {
    store.retention = config.storage.retention.value_or(TRY(ParseDuration(kDefaultRetention)));
  }
  store.max_series = options.max_series;
  store.wal_segment_bytes = options.wal_segment_bytes;
  store.wal_compression = options.wal_compression == "none"   ? tsdb::WalCompression::kNone
                          : options.wal_compression == "zstd" ? tsdb::WalCompression::kZstd
                                                              : tsdb::WalCompression::kSnappy;
  store.fsync = options.fsync == "always"    ? tsdb::FsyncPolicy::kAlways
                : options.fsync == "segment" ? tsdb::FsyncPolicy::kSegment
                                             : tsdb::FsyncPolicy::kInterval;
  return store;
}

Result<api::QueryOptions> QueryOptionsOf(const ServeOptions& options,
                                         const config::Config& config) {
  api::QueryOptions query;
  query.parser = ParserOptionsOf(options.features);
  SetEvalFeatures(options.features, query.eval);
  auto lookback = ParseDuration(options.lookback_delta);
  if (!lookback) return std::move(lookback).error().Wrap("--query.lookback-delta");
  auto timeout = ParseDuration(options.query_timeout);
  if (!timeout) return std::move(timeout).error().Wrap("--query.timeout");
  query.eval.lookback = *lookback;
  query.eval.timeout = *timeout;
  query.eval.max_samples = options.max_samples;
  query.eval.default_subquery_step = config.global.evaluation_interval;
  return query;
}

insight::BlindSpotOptions BlindSpotOptionsOf(const gateway::SloOptions& slo) {
  insight::BlindSpotOptions options;
  Duration e2e{0};
  Duration ttft{0};
  for (const gateway::SloObjective& objective : slo.objectives) {
    e2e = std::max(e2e, objective.e2e);
    ttft = std::max(ttft, objective.ttft);
  }
  if (e2e > Duration(0)) options.e2e_objective = e2e;
  if (ttft > Duration(0)) options.ttft_objective = ttft;
  return options;
}

scrape::ScrapeOptions InternalJob(const char* name, Duration interval) {
  scrape::ScrapeOptions job;
  job.job_name = name;
  job.interval = interval;
  job.timeout = std::min(interval, Duration(10'000));
  return job;
}

}  // namespace sonde::app
