#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "collect/engine/mapping_file.h"

// Names of native metrics as mapping files write them. Some exporters bake an index or a reason
// into the name (`npu_chip_info_bandwidth_rx_0_1`); a mapping file writes such a family as
// `npu_chip_info_bandwidth_rx_{udie:0-1}_{port:0-7}`, and what stands in braces becomes a label.

namespace sonde::collect {

/// A name without braces, and the labels that its braces gave.
struct NativeName {
  std::string name;
  StringPairs labels;
};

/// The names that `text` stands for, in order; itself alone if it has no braces. At most 1,000.
/// kInvalid says what is wrong: no such form, not a metric name, a range that runs backwards.
Result<std::vector<NativeName>> ExpandNativeName(std::string_view text);

}  // namespace sonde::collect
