#pragma once

#include <span>
#include <string>

#include "collect/engine/mapping_file.h"

namespace sonde::collect {

/// The vocabulary and where each metric comes from, as Markdown: docs/metrics.md, and what `sonde
/// map --list` prints. `files` are those in force (InForce), and have been checked.
std::string ListMetrics(std::span<const MappingFile> files);

}  // namespace sonde::collect
