#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/time.h"

namespace sonde::app {

inline constexpr std::string_view kDefaultRetention = "30d";
inline constexpr std::string_view kDefaultGatewayAddress = "127.0.0.1:9798";

/// What `sonde serve` was started with. Defaults are those of the help text (docs/command-line.md).
struct ServeOptions {
  std::string config_file;        ///< Empty: none is needed.
  std::string alertmanager_file;  ///< An alertmanager.yml; empty: alerts are only listed.
  std::string storage_path = "data";
  std::string retention_time;              ///< Empty: the configuration's, else kDefaultRetention.
  std::string wal_compression = "snappy";  ///< snappy, zstd or none
  std::string fsync = "interval";          ///< always, interval or segment
  std::uint64_t wal_segment_bytes = 128ULL << 20;
  std::uint64_t max_series = 0;  ///< 0: no limit.

  std::vector<std::string> web_listen_addresses{"127.0.0.1:9797"};
  std::string gateway_listen_address;  ///< Empty: the configuration's.
  std::string external_url;            ///< Its path is the prefix that browsers see.
  std::string route_prefix;            ///< Where the API really is; "" = the path of external_url.
  std::string cors_origin = ".*";
  std::uint32_t max_connections = 4096;
  std::string read_timeout = "5m";
  bool enable_lifecycle = false;
  bool enable_admin_api = false;
  bool enable_remote_write = true;

  bool host = true;  ///< Collect this machine's metrics.
  bool self = true;  ///< Store Sonde's own metrics.
  bool gateway = true;
  bool engine_autodetect = true;     ///< Look for LLM engines on well-known local ports.
  std::vector<std::string> engines;  ///< URLs of engines to watch and to send requests to.

  std::string lookback_delta = "5m";
  std::string query_timeout = "2m";
  std::uint64_t max_concurrency = 20;
  std::uint64_t max_samples = 50'000'000;
  bool rule_packs = true;                     ///< Evaluate the rules that ship.
  std::string rules_outage_tolerance = "1h";  ///< How old a `for` state may be to be restored.
  std::string rules_grace_period = "10m";     ///< Least `for` whose state is restored.
  std::string rules_resend_delay = "1m";      ///< Between two sends of the same alert.
  std::vector<std::string> features;          ///< --enable-feature, as Prometheus names them.

  std::string log_level = "info";
  std::string log_format = "logfmt";

  /// Flags of Prometheus that were given and do nothing here: each is named in a warning at start.
  std::vector<std::string> ignored_flags;
  /// Every flag and its value in effect, for /api/v1/status/flags.
  std::vector<std::pair<std::string, std::string>> flags;
};

}  // namespace sonde::app
