#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/schema.h"

// From validated blocks to the structs of the modules.

namespace sonde::config {

/// What filling needs beside the block itself.
struct FillContext {
  std::string directory;  ///< Of the file that holds the block; relative paths start there.
  std::function<std::optional<std::string>(const std::string& name)> environment;

  /// `path` against `directory`; absolute and empty ones as they are.
  std::string Resolve(const std::string& path) const;
  std::string Getenv(const char* name) const;
};

Labels FillLabels(const YamlNode* mapping);
std::vector<discovery::TargetGroup> FillTargetGroups(const std::vector<BlockView>& groups);
net::TlsClientOptions FillTls(const BlockView& view, const FillContext& context);
discovery::HttpAccessOptions FillHttpAccess(const BlockView& view, const FillContext& context);
std::vector<scrape::RelabelRule> FillRelabelRules(const BlockView& owner, std::string_view key,
                                                  bool legacy_names);
scrape::ScrapeOptions FillScrape(const BlockView& view, const BlockView& global,
                                 const FillContext& context);
GlobalOptions FillGlobal(const BlockView& global, const FillContext& context,
                         Diagnostics& diagnostics);
/// `global_interval`: the pages of this machine and of Sonde itself are made as often, but not less
/// often than each 15 s. Credentials of upstreams that stand in files are read here; one that
/// cannot be read is an error.
SondeOptions FillSonde(const BlockView& view, Duration global_interval, const FillContext& context,
                       Env& env, Diagnostics& diagnostics);

/// `sonde.probes`; credentials in files are not read here. schema_probes.cc
collect::ProbeOptions FillProbes(const BlockView& view, const FillContext& context);
/// The same for `sonde.gateway` alone; its key file is read here, too.
gateway::GatewayOptions FillGateway(const BlockView& view, const FillContext& context, Env& env,
                                    Diagnostics& diagnostics);

/// Writes what a scrape block inherits (intervals, limits, protocols) into it, so that it shows in
/// the text.
void InheritFromGlobal(YamlNode& scrape, const BlockView& global);
/// The same for `global` itself: the timeout follows the interval.
void CompleteGlobal(YamlNode& root);

}  // namespace sonde::config
