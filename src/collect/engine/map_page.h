#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "collect/engine/vocabulary_mapper.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "wire/exposition_format.h"

// What a page of metrics becomes when it is scraped: each native sample with the canonical ones
// that are stored beside it. For `sonde map` and for tests; a scrape itself does the same by series
// and remembers the answer (scrape/page_ingest.h).

namespace sonde::collect {

struct CanonicalSample {
  Labels labels;
  MetricType type = MetricType::kUnknown;
  std::string_view help;  ///< Lives as long as the mapper.
  double value = 0;
  /// Another native sample of the page has given this series already: the store keeps the first.
  bool repeated = false;
  /// …and with another value.
  bool conflicting = false;
};

struct NativeSample {
  Labels labels;  ///< With the target's.
  MetricType type = MetricType::kUnknown;
  double value = 0;
  std::optional<Timestamp> timestamp;  ///< If the page says when.
  std::vector<CanonicalSample> canonical;
  std::size_t unknown = 0;  ///< Canonical series without a value: the native one means "not known".
};

/// kText, or kOpenMetrics if the page ends with `# EOF`.
wire::ExpositionFormat SniffFormat(std::string_view page);

/// Maps every sample of `page`, in the page's order. `target` are the labels that a scrape would
/// add (`job`, `instance`); where the page has one of the same name, that moves to
/// exported_<name>. kInvalid with line:column if the page is not well-formed.
Result<std::vector<NativeSample>> MapPage(const VocabularyMapper& mapper, std::string_view page,
                                          wire::ExpositionFormat format, const Labels& target);

}  // namespace sonde::collect
