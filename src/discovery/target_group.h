#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace sonde::discovery {

/// Targets that were found together and share labels.
struct TargetGroup {
  std::string source;           ///< Unique within its provider: "targets.json:0".
  Labels labels;                ///< Common to all, `__meta_*` included. A target's own labels win.
  std::vector<Labels> targets;  ///< Each with at least `__address__`.
  bool operator==(const TargetGroup&) const = default;
};

/// Reads the text of a file of target groups: a list of {targets, labels}. `file` stands in error
/// messages. What they return has no `source` yet.
using TargetGroupParser =
    std::function<Result<std::vector<TargetGroup>>(std::string_view text, std::string_view file)>;

/// The JSON form, as files and HTTP answers hold it. An unknown key, a null group or a label that
/// is not a string is an error, as in the reference.
Result<std::vector<TargetGroup>> ParseTargetGroupsJson(std::string_view text,
                                                       std::string_view file);

}  // namespace sonde::discovery
