#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/metadata.h"
#include "model/series_mapper.h"

// A mapping file as data: how one engine's native series become series of the vocabulary. Format
// and meaning of each field: docs/mappings.md. config/ reads the YAML; engine/mapping_check.h says
// whether it makes sense; VocabularyMapper (engine/vocabulary_mapper.h) applies it.

namespace sonde::collect {

/// Names and values in the file's order.
using StringPairs = std::vector<std::pair<std::string, std::string>>;

/// What a label of the native series must be. A missing label has the value "". A value that ends
/// in `*` stands for all that begin so; here and in LabelValueMap.
struct LabelCondition {
  std::string label;
  std::vector<std::string> values;
  bool negated = false;  ///< The label must be none of `values`.
};

/// Gives a label a value that depends on another one: finished_reason="stop" → outcome="success".
struct LabelValueMap {
  std::string from;                     ///< Native label.
  std::string to;                       ///< Canonical label.
  StringPairs values;                   ///< Native value → canonical value.
  std::optional<std::string> fallback;  ///< For other values; absent: the series is not mapped.
};

/// Which series of a family a native one is.
enum class FamilyPart : unsigned char {
  kValue,     ///< The metric itself: counter, gauge, or a native histogram.
  kQuantile,  ///< Of a summary.
  kBucket,
  kSum,
  kCount,
};

/// Where something stands in its file, from 1; 0: unknown.
struct FilePlace {
  int line = 0;
  int column = 0;
};

/// One canonical metric from one native one.
struct MappingRule {
  /// Any of these names; "a:b" and "a_b" are the same. `{label:0-3}` and `{label:x|y}` in a name
  /// stand for each of the values, which become the label.
  std::vector<std::string> native;
  std::string as;                  ///< The canonical name, with the default prefix.
  std::optional<MetricType> type;  ///< Needed only for names that the vocabulary does not have.
  std::string help;
  std::optional<MetricType> native_type;  ///< Where the engine's own type is wrong or another.
  double scale = 1;                       ///< Canonical value = native value × scale.
  std::vector<LabelCondition> when;       ///< All must hold.
  StringPairs labels;                     ///< Native name → canonical name; "" drops the label.
  StringPairs set;                        ///< Labels with a fixed value; "" takes one away.
  std::vector<LabelValueMap> map;
  std::vector<std::string> keep;        ///< If not empty: of the other labels, only these stay.
  std::vector<std::string> value_from;  ///< The value is the product of these labels' values.
  std::optional<std::vector<std::string>> require;  ///< Instead of the file's.
  std::vector<FamilyPart> parts;                    ///< Only these; empty: all that there are.
  std::optional<ValueRule> valid;                   ///< Instead of the file's.
  std::vector<std::pair<double, double>> values;    ///< Native value → canonical value.
  std::optional<double> values_otherwise;           ///< For values that `values` lacks.
  std::string note;                                 ///< What a reader should know; for lists.
  FilePlace place;
};

struct MappingFile {
  std::string name;    ///< "vllm". A later file of the same name replaces an earlier one.
  std::string origin;  ///< Path, for messages.
  std::string title;   ///< What it is for, as people call it; for lists.
  std::vector<std::string>
      wrappers;                      ///< Prefixes that others put in front of native names: "ray_".
  std::vector<std::string> require;  ///< Labels that a native series must have to be this engine's.
  std::vector<std::vector<LabelCondition>>
      skip;            ///< A series for which all conditions of one entry hold is not mapped.
  StringPairs labels;  ///< As in a rule, for all rules; a rule's own come first.
  StringPairs set;
  std::optional<ValueRule> valid;  ///< Which native values are measurements.
  std::vector<MappingRule> rules;
};

}  // namespace sonde::collect
