#pragma once

#include <string>
#include <vector>

namespace sonde::app {

/// What `sonde probe run` was told.
struct ProbeCommand {
  std::string url;
  std::string suite = "basic";  ///< A name that ships, or a file.
  std::string model;            ///< Empty: the first that the endpoint lists.
  std::string api_key_file;
  std::string ca_file;
  std::string timeout = "1m";
  unsigned max_tokens = 512;
};

/// `sonde check probes FILE…`: 1 if one is no suite.
int RunCheckProbes(const std::vector<std::string>& files);

/// `sonde probe run`: asks each question of the suite once and prints a table. 0 if all answers are
/// right, else 1. Neither questions nor answers are printed.
int RunProbe(const ProbeCommand& command);

}  // namespace sonde::app
