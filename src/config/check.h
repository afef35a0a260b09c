#pragma once

#include <functional>
#include <string>

#include "base/env.h"
#include "base/result.h"
#include "config/config.h"
#include "promql/parser.h"

namespace sonde::config {

struct CheckOptions {
  LoadOptions load;
  promql::ParserOptions parser = {};  ///< Of the expressions in rule files.
  bool syntax_only = false;           ///< Do not look at the files that the configuration names.
  /// Whether a job can scrape the targets of a group; handed in by app/, which knows
  /// scrape::MakeTarget. Null: not asked.
  std::function<Status(const scrape::ScrapeOptions& job, const discovery::TargetGroup& group)>
      check_group;
};

/// `sonde check config FILE`: loads the file and looks at everything that it names (certificates,
/// credentials, target files, rule files, mappings). Appends to `report` what a person should read.
/// Returns the exit code: 0, or 1 if the configuration cannot be used.
int CheckConfig(Env& env, const std::string& file, const CheckOptions& options,
                std::string& report);

}  // namespace sonde::config
