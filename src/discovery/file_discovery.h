#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/log.h"
#include "discovery/options.h"
#include "discovery/target_group.h"
#include "instrument/registry.h"

namespace sonde::discovery {

/// Targets from files that match a list of patterns. Not thread-safe.
///
/// A file that cannot be read or is malformed keeps the groups that it had when it was last good,
/// is counted in `prometheus_sd_file_read_errors_total`, and is logged when it becomes bad. A file
/// that is gone has no groups.
class FileDiscovery {
 public:
  /// `parse_yaml` reads .yml and .yaml files; it is handed in because only config/ knows YAML.
  FileDiscovery(FileDiscoveryOptions options, Env& env, TargetGroupParser parse_yaml,
                instrument::Registry& registry, Logger logger);

  /// Reads all files again; the groups of all of them, each with the label `__meta_filepath`.
  std::vector<TargetGroup> Refresh();

  /// The directories in which something may change.
  std::vector<std::string> directories() const;
  const FileDiscoveryOptions& options() const { return options_; }
  void SetRefreshInterval(Duration interval) { options_.refresh_interval = interval; }

 private:
  struct File {
    std::vector<TargetGroup> groups;
    bool bad = false;
  };

  Result<std::vector<TargetGroup>> Read(const std::string& path);

  FileDiscoveryOptions options_;
  Env* env_;
  TargetGroupParser parse_yaml_;
  Logger logger_;
  instrument::Counter* read_errors_;
  std::map<std::string, File> files_;
};

}  // namespace sonde::discovery
