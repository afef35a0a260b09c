#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "api/envelope.h"
#include "base/time.h"
#include "net/http.h"

// /api/v1/status/*: what this server is, how it was started, and how its store is doing. The values
// come from app/ as functions, so that api/ knows neither the command line nor the store's
// implementation.

namespace sonde::api {

struct NamedCount {
  std::string name;
  std::uint64_t value = 0;
};

/// Of the head block.
struct TsdbStatus {
  std::uint64_t series = 0;
  std::uint64_t label_pairs = 0;
  std::uint64_t chunks = 0;
  Timestamp min_time;
  Timestamp max_time;
  std::vector<NamedCount>
      series_by_metric;  ///< Each list: largest first, at most the limit asked for.
  std::vector<NamedCount> values_by_label;
  std::vector<NamedCount> memory_by_label;
  std::vector<NamedCount> series_by_label_pair;  ///< "name=value"
};

struct WalReplayStatus {
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t current = 0;
};

struct BuildStatus {
  std::string version;
  std::string revision;
  std::string branch;
  std::string build_user;
  std::string build_date;
  std::string compiler;
};

struct RuntimeStatus {
  Timestamp start_time;
  Timestamp server_time;
  std::string working_directory;
  std::string hostname;
  bool reload_success = true;
  Timestamp last_config_time;
  std::uint64_t corruptions = 0;
  std::uint64_t threads = 0;
  std::string storage_retention;
};

/// Thread-safe functions that answer at any time after the API has started.
struct StatusSources {
  BuildStatus build;
  std::vector<std::pair<std::string, std::string>>
      flags;  ///< Name without dashes → value in effect.
  std::function<RuntimeStatus()> runtime;
  std::function<std::string()> config_yaml;  ///< Secrets already replaced.
  std::function<TsdbStatus(std::size_t limit)> tsdb;
  std::function<std::vector<std::string>()> block_metas;  ///< meta.json of each block.
  std::function<WalReplayStatus()> wal_replay;
};

Answer BuildInfoAnswer(const BuildStatus& build);
Answer RuntimeInfoAnswer(const RuntimeStatus& runtime);
Answer FlagsAnswer(const StatusSources& sources);
Answer ConfigAnswer(const StatusSources& sources);
Answer TsdbAnswer(const StatusSources& sources, const net::Query& parameters);
Answer BlocksAnswer(const StatusSources& sources);
Answer WalReplayAnswer(const StatusSources& sources);

/// RFC 3339 with the milliseconds that are there: "2026-11-24T08:00:00.123Z".
std::string FormatRfc3339(Timestamp t);

}  // namespace sonde::api
