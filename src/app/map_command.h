#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"

namespace sonde::app {

/// The flags of `sonde map`.
struct MapCommand {
  std::string prefix = "deepseek_";
  std::vector<std::string> mappings = {};  ///< Files or globs, as in `sonde.mappings`.
  std::string engine = {};                 ///< Only this mapping file's rules; "": all.
  std::vector<std::string> labels = {};    ///< NAME=VALUE, as the target's.
  bool openmetrics = false;                ///< Else the page's last line decides.
  bool only_mapped = false;                ///< An exposition of the canonical series alone.
  bool list = false;                       ///< Not a page, but what there is: docs/metrics.md.
};

/// What `sonde map` prints for `page`, and its last line for people. kInvalid with line:column if
/// the page is not well-formed, or says what is wrong with a mapping file or flag.
struct MapReport {
  std::string text;
  std::string summary;
};
Result<MapReport> MapText(Env& env, const MapCommand& command, std::string_view page);

/// `sonde map` on standard input, of at most 256 MiB. Returns the exit code.
int RunMap(const MapCommand& command);

/// What `sonde check mappings` prints: the shipped files' and each of `files`' verdict.
struct MappingsVerdict {
  std::string text;
  bool good = true;
};
MappingsVerdict CheckMappings(Env& env, const std::vector<std::string>& files);

/// `sonde check mappings [FILE…]`. Returns the exit code, 1 if a file cannot be used.
int RunCheckMappings(const std::vector<std::string>& files);

}  // namespace sonde::app
