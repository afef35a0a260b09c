#pragma once

#include <string>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "collect/engine/mapping_file.h"

namespace sonde::app {

/// The mapping files that ship in this binary, by name.
Result<std::vector<collect::MappingFile>> ShippedMappings();

/// Reads and checks the shape of one file, of at most 1 MiB.
Result<collect::MappingFile> ReadMappingFile(Env& env, const std::string& path);

/// The shipped ones and those that `patterns` name (`sonde.mappings`), in the order in which later
/// ones replace earlier ones.
Result<std::vector<collect::MappingFile>> LoadMappings(Env& env,
                                                       const std::vector<std::string>& patterns);

}  // namespace sonde::app
