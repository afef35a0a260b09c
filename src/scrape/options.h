#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "base/time.h"
#include "discovery/options.h"
#include "wire/exposition_format.h"

// What scraping can be told: one ScrapeOptions for each member of `scrape_configs`. Plain values
// with the reference's defaults; config/ fills and checks them.

namespace sonde::scrape {

enum class RelabelAction : unsigned char {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase,
};

/// One step of relabelling. Applied by scrape/relabel.h.
struct RelabelRule {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  std::optional<Regex> regex;  ///< Absent: `(.*)`.
  std::uint64_t modulus = 0;   ///< kHashMod: not 0.
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  bool legacy_names =
      false;  ///< Only [a-zA-Z_][a-zA-Z0-9_]* may come out as a label name; else any UTF-8.
};

/// One job: its targets and how to scrape them.
struct ScrapeOptions {
  std::string job_name;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  Duration interval{60'000};
  Duration timeout{10'000};
  std::vector<wire::ScrapeProtocol> protocols;  ///< Empty: the default ones.
  std::optional<wire::ScrapeProtocol> fallback_protocol;
  wire::NameEscaping escaping = wire::NameEscaping::kAllowUtf8;
  bool legacy_names = false;  ///< Refuse names beyond [a-zA-Z_:][a-zA-Z0-9_:]*.
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  std::vector<std::pair<std::string, std::vector<std::string>>> params;  ///< Query parameters.
  bool enable_compression = true;
  bool extra_scrape_metrics = false;
  bool map_to_vocabulary = true;  ///< Off for pages that have the canonical series already.

  // 0: no limit.
  std::uint64_t body_size_limit = 0;  ///< Bytes, uncompressed.
  std::uint64_t sample_limit = 0;     ///< Samples after relabelling.
  std::uint64_t target_limit = 0;
  std::uint64_t label_limit = 0;
  std::uint64_t label_name_length_limit = 0;
  std::uint64_t label_value_length_limit = 0;
  std::uint64_t keep_dropped_targets = 0;

  // Shown to target relabelling as labels, as the reference does; native histograms are not scraped
  // yet.
  bool native_histograms = false;
  bool classic_histograms_too = false;
  bool convert_classic_histograms = false;

  std::vector<RelabelRule> relabel_rules;
  std::vector<RelabelRule> metric_relabel_rules;
  discovery::HttpAccessOptions access;
  discovery::DiscoveryOptions discovery;

  std::string yaml;  ///< The block as `/api/v1/scrape_pools/config` shows it, secrets hidden.
  std::uint64_t fingerprint = 0;  ///< Of the block with its secrets: equal means unchanged.
};

}  // namespace sonde::scrape
