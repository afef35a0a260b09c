#pragma once

#include <span>
#include <string_view>

#include "model/metadata.h"
#include "model/vocabulary_prefix.h"

// The canonical metrics that engines and accelerators are mapped to: docs/vocabulary.md as a table.
// A test holds the two together.

namespace sonde::collect {

struct CanonicalMetric {
  std::string_view name;  ///< With the default prefix.
  MetricType type;
  std::string_view labels;  ///< Beside those that every series has, separated by blanks.
  std::string_view help;
};

using ::sonde::kVocabularyPrefix;

/// Sorted by name.
std::span<const CanonicalMetric> Vocabulary();

/// The metric of this name (with the default prefix), or null.
const CanonicalMetric* FindCanonicalMetric(std::string_view name);

/// The same, and also found by a histogram's …_sum or …_count: what an engine without the histogram
/// may give of it.
const CanonicalMetric* FindCanonicalFamily(std::string_view name);

/// The unit that a canonical name ends in ("seconds", "bytes/second"); "" if it has none.
std::string_view UnitOf(std::string_view name);

/// The same, and also found by a histogram's …_sum or …_count: what an engine without the histogram
/// may give of it.
const CanonicalMetric* FindCanonicalFamily(std::string_view name);

/// The unit that a canonical name ends in ("seconds", "bytes/second"); "" if it has none.
std::string_view UnitOf(std::string_view name);

}  // namespace sonde::collect
