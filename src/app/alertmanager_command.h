#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"

namespace sonde::app {

/// What `sonde check alertmanager-config` prints, and whether all files can be used.
struct AlertmanagerVerdict {
  std::string text;
  bool good = true;
};
AlertmanagerVerdict CheckAlertmanagerConfigs(Env& env, const std::vector<std::string>& files);

/// What `sonde routes show` prints: the tree, a node a line.
AlertmanagerVerdict ShowRoutes(Env& env, const std::string& file);

/// What `sonde routes test LABEL=VALUE…` prints: the receivers, separated by commas.
/// `verify` not empty: bad unless these are the receivers.
AlertmanagerVerdict TestRoutes(Env& env, const std::string& file,
                               const std::vector<std::string>& labels, std::string_view verify);

/// The subcommands: print and return the exit code.
int RunCheckAlertmanager(const std::vector<std::string>& files);
int RunRoutesShow(const std::string& file);
int RunRoutesTest(const std::string& file, const std::vector<std::string>& labels,
                  const std::string& verify);

}  // namespace sonde::app
