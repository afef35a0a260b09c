#pragma once

#include <vector>

#include "base/result.h"
#include "collect/engine/mapping_file.h"

// Whether a mapping file makes sense: names that exist, labels that can be set, types that fit.
// Its shape (keys, types of values) has been checked by config/ before.

namespace sonde::collect {

/// The metric type of the native family that a rule reads; kUnknown: any.
MetricType NativeTypeOf(const MappingRule& rule);

/// The series of the native family that a rule reads.
std::vector<FamilyPart> PartsOf(const MappingRule& rule);

/// "_bucket", "_sum", "_count", or "".
std::string_view SuffixOf(FamilyPart part);

/// kInvalid has a line for each rule that is wrong (at most 20), which begins with
/// `origin:line:column:` and says what to do.
Status CheckMappingFile(const MappingFile& file);

}  // namespace sonde::collect
