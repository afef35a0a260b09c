#pragma once

#include "config/schema.h"

namespace sonde::config {

/// Removes the keys that the block does not know, and those below it: what
/// `--ignore-unknown-fields` means. Before Validate.
void PruneUnknown(const Block& block, YamlNode& node);

}  // namespace sonde::config
