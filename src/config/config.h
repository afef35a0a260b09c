#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "base/time.h"
#include "collect/options.h"
#include "collect/probe/options.h"
#include "discovery/target_group.h"
#include "gateway/options.h"
#include "insight/options.h"
#include "model/labels.h"
#include "scrape/options.h"

// `prometheus.yml`, read strictly into the Options structs that the modules own. The language is
// that of Prometheus (docs/configuration.md), with one more section, `sonde:`.

namespace sonde::config {

/// `global`, as far as it is not handed down into other structs.
struct GlobalOptions {
  Duration scrape_interval{60'000};
  Duration scrape_timeout{10'000};
  Duration evaluation_interval{60'000};
  Duration rule_query_offset{0};
  bool legacy_names = false;  ///< metric_name_validation_scheme: names of Prometheus 2 only.
  Labels external_labels;
};

/// `storage`: what the file says; the command line wins (app/).
struct StorageOptions {
  std::optional<Duration> retention;
};

/// `sonde.host`, `sonde.gpu` and `sonde.self`: pages that Sonde makes itself.
struct PageOptions {
  bool enabled = true;
  Duration interval{15'000};
};

/// `sonde.prices`: where prices come from. The table and the files stand in `prices`, in this
/// order.
struct PriceSourceOptions {
  bool builtin = true;                            ///< Those that ship come last.
  std::vector<std::string> currencies = {"USD"};  ///< Prices in others are left out.
  std::vector<gateway::PriceOptions> prices;

  /// The gateway's list: `prices` and, if wanted, `shipped`, in the currencies that are asked for.
  std::vector<gateway::PriceOptions> WithShipped(
      const std::vector<gateway::PriceOptions>& shipped) const;
};

/// `sonde`.
struct SondeOptions {
  PageOptions host;
  collect::HostOptions host_collector;
  PageOptions gpu;
  collect::GpuOptions gpu_collector;  ///< With the vocabulary's prefix.
  PageOptions self;
  collect::EngineFinderOptions engines;
  Duration engine_scrape_interval{5'000};
  gateway::GatewayOptions gateway;  ///< With the vocabulary's prefix; without prices.
  PriceSourceOptions prices;
  std::string vocabulary_prefix = "deepseek_";
  std::vector<std::string> mapping_files;
  collect::ProbeOptions probes;
  std::uint64_t max_body_bytes = 256ULL
                                 << 20;  ///< Of one scrape, where no body_size_limit says less.
  std::uint64_t max_bodies_in_memory_bytes = 1ULL << 30;  ///< Of all scrapes together.
  insight::ProgressOptions progress;
  bool rule_packs = true;  ///< Evaluate the rules that ship (packs/rules).
};

/// A whole configuration. Immutable once loaded; handed around as shared_ptr<const Config>, and
/// replaced as one.
struct Config {
  std::string file;  ///< Empty: built-in defaults.
  GlobalOptions global;
  std::vector<std::shared_ptr<const scrape::ScrapeOptions>> scrape;  ///< Job names are unique.
  std::vector<std::string> rule_files;  ///< Patterns, resolved against the file's folder.
  StorageOptions storage;
  SondeOptions sonde;

  std::vector<std::string>
      warnings;      ///< `FILE:LINE:COLUMN: …`: accepted, but not active in this version.
  std::string yaml;  ///< What `/api/v1/status/config` shows: defaults filled in, secrets hidden.
};

struct LoadOptions {
  /// Environment variables: `${NAME}` in external_labels, and proxies.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  /// The agent has no alerting, rules or remote read.
  bool agent = false;
};

/// Reads and checks a file, with the files of `scrape_config_files`. Errors: kNotFound or kIo for
/// the file itself; else kInvalid, one `FILE:LINE:COLUMN: message` on each line. Nothing of what
/// runs changes: the caller swaps the snapshot.
Result<std::shared_ptr<const Config>> Load(Env& env, const std::string& file,
                                           const LoadOptions& options);

/// The same for a text that is already there; relative paths in it are against `file`'s folder.
Result<std::shared_ptr<const Config>> Parse(Env& env, std::string_view text,
                                            const std::string& file, const LoadOptions& options);

/// The YAML form of a file of target groups (file_sd_configs). A discovery::TargetGroupParser.
Result<std::vector<discovery::TargetGroup>> ParseTargetGroupsYaml(std::string_view text,
                                                                  std::string_view file);

}  // namespace sonde::config
