#include "app/serve_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <CLI/CLI.hpp>

namespace sonde::app {
namespace {

// Flags of Prometheus 2 and 3 that mean nothing here. They take a value unless marked.
struct IgnoredFlag {
  std::string_view name;
  bool has_value;
};
constexpr std::array kIgnored{
    IgnoredFlag{"web.console.templates", true},
    IgnoredFlag{"web.console.libraries", true},
    IgnoredFlag{"web.user-assets", true},
    IgnoredFlag{"web.page-title", true},
    IgnoredFlag{"web.enable-otlp-receiver", false},
    IgnoredFlag{"web.max-notifications-subscribers", true},
    IgnoredFlag{"web.remote-write-receiver.accepted-protobuf-messages", true},
    IgnoredFlag{"storage.tsdb.min-block-duration", true},
    IgnoredFlag{"storage.tsdb.max-block-duration", true},
    IgnoredFlag{"storage.tsdb.max-block-chunk-segment-size", true},
    IgnoredFlag{"storage.tsdb.retention.size", true},
    IgnoredFlag{"storage.tsdb.no-lockfile", false},
    IgnoredFlag{"storage.tsdb.allow-overlapping-blocks", false},
    IgnoredFlag{"storage.tsdb.head-chunks-write-queue-size", true},
    IgnoredFlag{"storage.tsdb.samples-per-chunk", true},
    IgnoredFlag{"storage.tsdb.delayed-compaction.max-percent", true},
    IgnoredFlag{"storage.remote.flush-deadline", true},
    IgnoredFlag{"storage.remote.read-sample-limit", true},
    IgnoredFlag{"storage.remote.read-concurrent-limit", true},
    IgnoredFlag{"storage.remote.read-max-bytes-in-frame", true},
    IgnoredFlag{"rules.max-concurrent-evals", true},
    IgnoredFlag{"alertmanager.notification-queue-capacity", true},
    IgnoredFlag{"alertmanager.notification-batch-size", true},
    IgnoredFlag{"alertmanager.drain-notification-queue-on-shutdown", false},
    IgnoredFlag{"alertmanager.timeout", true},
    IgnoredFlag{"scrape.adjust-timestamps", false},
    IgnoredFlag{"scrape.timestamp-tolerance", true},
    IgnoredFlag{"scrape.discovery-reload-interval", true},
    IgnoredFlag{"scrape.name-escaping-scheme", true},
    IgnoredFlag{"auto-gomaxprocs", false},
    IgnoredFlag{"auto-gomemlimit", false},
    IgnoredFlag{"auto-gomemlimit.ratio", true},
    IgnoredFlag{"config.auto-reload-interval", true},
};

constexpr const char* kStorage = "Storage";
constexpr const char* kWeb = "Web";
constexpr const char* kSources = "What is watched";
constexpr const char* kQuery = "Queries and rules";

// `--name` and `--no-name`, as Prometheus's flag library has them.
void AddSwitch(CLI::App& command, const std::string& name, bool& value, const std::string& help,
               const char* group) {
  command.add_flag("--" + name + ",!--no-" + name, value, help)->group(group)->take_last();
}

void AddStorageFlags(CLI::App& command, ServeOptions& o) {
  command
      .add_option("--storage.path,--storage.tsdb.path", o.storage_path, "Directory of the store")
      ->capture_default_str()
      ->group(kStorage);
  command
      .add_option("--storage.tsdb.retention.time,--storage.tsdb.retention", o.retention_time,
                  "How long samples are kept")
      ->default_str(std::string(kDefaultRetention))
      ->group(kStorage);
  command
      .add_option("--storage.tsdb.wal-compression-type", o.wal_compression,
                  "Compression of the write-ahead log")
      ->check(CLI::IsMember({"snappy", "zstd", "none"}))
      ->capture_default_str()
      ->group(kStorage);
  command
      .add_flag_callback(
          "--storage.tsdb.wal-compression", [&o] { o.wal_compression = "snappy"; },
          "As --storage.tsdb.wal-compression-type=snappy")
      ->group(kStorage);
  command
      .add_flag_callback(
          "--no-storage.tsdb.wal-compression", [&o] { o.wal_compression = "none"; },
          "As --storage.tsdb.wal-compression-type=none")
      ->group(kStorage);
  command
      .add_option("--storage.tsdb.wal-segment-size", o.wal_segment_bytes,
                  "Size of a segment of the log")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str()
      ->group(kStorage);
  command
      .add_option("--storage.fsync", o.fsync,
                  "When the log is forced to the disk: always (before every answer), interval "
                  "(each second), segment")
      ->check(CLI::IsMember({"always", "interval", "segment"}))
      ->capture_default_str()
      ->group(kStorage);
  command
      .add_option("--storage.max-series", o.max_series,
                  "Series in memory beyond which new ones are refused; 0: no limit")
      ->capture_default_str()
      ->group(kStorage);
}

void AddWebFlags(CLI::App& command, ServeOptions& o) {
  command
      .add_option("--web.listen-address", o.web_listen_addresses,
                  "Address of web UI and API; may be repeated")
      ->capture_default_str()
      ->group(kWeb);
  command
      .add_option("--gateway.listen-address", o.gateway_listen_address,
                  "Address of the LLM gateway")
      ->default_str(std::string(kDefaultGatewayAddress))
      ->group(kWeb);
  command
      .add_option("--web.external-url", o.external_url,
                  "URL under which browsers reach this server")
      ->group(kWeb);
  command
      .add_option("--web.route-prefix", o.route_prefix,
                  "Prefix of the paths here; default: the path of --web.external-url")
      ->group(kWeb);
  command
      .add_option("--web.cors.origin", o.cors_origin,
                  "Regular expression of origins that may call the API")
      ->capture_default_str()
      ->group(kWeb);
  command
      .add_option("--web.max-connections", o.max_connections,
                  "Open connections beyond which new ones are refused")
      ->capture_default_str()
      ->group(kWeb);
  command.add_option("--web.read-timeout", o.read_timeout, "How long an idle connection is kept")
      ->capture_default_str()
      ->group(kWeb);
  AddSwitch(command, "web.enable-lifecycle", o.enable_lifecycle, "Allow POST /-/reload and /-/quit",
            kWeb);
  AddSwitch(command, "web.enable-admin-api", o.enable_admin_api, "Allow the admin API", kWeb);
  AddSwitch(command, "web.enable-remote-write-receiver", o.enable_remote_write,
            "Accept POST /api/v1/write (on by default)", kWeb);
}

void AddQueryFlags(CLI::App& command, ServeOptions& o) {
  command
      .add_option("--query.lookback-delta", o.lookback_delta,
                  "How old a sample an instant selector may use")
      ->capture_default_str()
      ->group(kQuery);
  command.add_option("--query.timeout", o.query_timeout, "Time after which a query is stopped")
      ->capture_default_str()
      ->group(kQuery);
  command
      .add_option("--query.max-concurrency", o.max_concurrency,
                  "Queries evaluated at the same time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->group(kQuery);
  command
      .add_option("--query.max-samples", o.max_samples, "Samples that one query may hold in memory")
      ->capture_default_str()
      ->group(kQuery);
  AddSwitch(command, "rule-packs", o.rule_packs, "Evaluate the rules that ship", kQuery);
  command
      .add_option("--rules.alert.for-outage-tolerance", o.rules_outage_tolerance,
                  "How old the state of a pending alert may be to be restored after a restart")
      ->capture_default_str()
      ->group(kQuery);
  command
      .add_option("--rules.alert.for-grace-period", o.rules_grace_period,
                  "Least `for` of a rule whose pending alerts are restored after a restart")
      ->capture_default_str()
      ->group(kQuery);
  command
      .add_option("--rules.alert.resend-delay", o.rules_resend_delay,
                  "Least time between two sends of the same alert")
      ->capture_default_str()
      ->group(kQuery);
  command
      .add_option("--enable-feature", o.features,
                  "PromQL features by Prometheus's names, e.g. promql-experimental-functions")
      ->delimiter(',')
      ->group(kQuery);
}

}  // namespace

void AddServeFlags(CLI::App& command, ServeOptions& o) {
  command.add_option("--config.file", o.config_file,
                     "Configuration: a prometheus.yml, with a `sonde:` section where wanted");
  command.add_option("--alertmanager.config-file", o.alertmanager_file,
                     "An alertmanager.yml: where alerts are sent; without it they are only listed");
  AddStorageFlags(command, o);
  AddWebFlags(command, o);
  command
      .add_option("--engine", o.engines,
                  "URL of an LLM engine to watch and to send requests to; may be repeated")
      ->group(kSources);
  AddSwitch(command, "engine.autodetect", o.engine_autodetect,
            "Look for LLM engines on well-known local ports (on by default)", kSources);
  AddSwitch(command, "host", o.host, "Collect this machine's metrics (on by default)", kSources);
  AddSwitch(command, "self", o.self, "Store Sonde's own metrics (on by default)", kSources);
  AddSwitch(command, "gateway", o.gateway, "Run the LLM gateway (on by default)", kSources);
  AddQueryFlags(command, o);
  command.add_option("--log.level", o.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  command.add_option("--log.format", o.log_format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  for (const IgnoredFlag& flag : kIgnored) {
    const std::string name(flag.name);
    const auto remember = [&o, name] { o.ignored_flags.push_back(name); };
    // An empty group hides them from the help.
    if (flag.has_value) {
      command
          .add_option_function<std::string>("--" + name,
                                            [remember](const std::string&) { remember(); })
          ->group("");
    } else {
      command.add_flag_callback("--" + name, remember)->group("");
      command.add_flag_callback("--no-" + name, remember)->group("");
    }
  }
}

void CollectFlags(ServeOptions& o) {
  const auto yes = [](bool value) { return std::string(value ? "true" : "false"); };
  const auto join = [](const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values) {
      if (!all.empty()) all += ",";
      all += value;
    }
    return all;
  };
  const auto otherwise = [](const std::string& value, std::string_view fallback) {
    return value.empty() ? std::string(fallback) : value;
  };
  o.flags = {
      {"alertmanager.config-file", o.alertmanager_file},
      {"config.file", o.config_file},
      {"enable-feature", join(o.features)},
      {"engine", join(o.engines)},
      {"engine.autodetect", yes(o.engine_autodetect)},
      {"gateway", yes(o.gateway)},
      {"gateway.listen-address", otherwise(o.gateway_listen_address, kDefaultGatewayAddress)},
      {"host", yes(o.host)},
      {"log.format", o.log_format},
      {"log.level", o.log_level},
      {"query.lookback-delta", o.lookback_delta},
      {"query.max-concurrency", std::to_string(o.max_concurrency)},
      {"query.max-samples", std::to_string(o.max_samples)},
      {"query.timeout", o.query_timeout},
      {"rule-packs", yes(o.rule_packs)},
      {"rules.alert.for-grace-period", o.rules_grace_period},
      {"rules.alert.for-outage-tolerance", o.rules_outage_tolerance},
      {"rules.alert.resend-delay", o.rules_resend_delay},
      {"self", yes(o.self)},
      {"storage.fsync", o.fsync},
      {"storage.max-series", std::to_string(o.max_series)},
      {"storage.tsdb.path", o.storage_path},
      {"storage.tsdb.retention.time", otherwise(o.retention_time, kDefaultRetention)},
      {"storage.tsdb.wal-compression-type", o.wal_compression},
      {"storage.tsdb.wal-segment-size", std::to_string(o.wal_segment_bytes)},
      {"web.cors.origin", o.cors_origin},
      {"web.enable-admin-api", yes(o.enable_admin_api)},
      {"web.enable-lifecycle", yes(o.enable_lifecycle)},
      {"web.enable-remote-write-receiver", yes(o.enable_remote_write)},
      {"web.external-url", o.external_url},
      {"web.listen-address", join(o.web_listen_addresses)},
      {"web.max-connections", std::to_string(o.max_connections)},
      {"web.read-timeout", o.read_timeout},
      {"web.route-prefix", o.route_prefix},
  };
}

}  // namespace sonde::app
