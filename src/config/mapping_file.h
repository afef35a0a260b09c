#pragma once

#include <string_view>

#include "base/result.h"
#include "collect/engine/mapping_file.h"
#include "config/schema.h"

// Reads a mapping file: packs/mappings/*.yaml, and those of `sonde.mappings`. Format:
// docs/mappings.md.

namespace sonde::config {

/// The file's keys.
extern const Block kMappingFileBlock;

/// Parses and checks the shape of `text`. Errors are kInvalid (or kLimit) and begin with
/// `origin:line:column:`. What the names mean is checked by collect::VocabularyMapper::Compile.
Result<collect::MappingFile> ParseMappingFile(std::string_view text, std::string_view origin);

}  // namespace sonde::config
