#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/metadata.h"

// A mapping file as data: how one engine's native series become series of the vocabulary. Format
// and meaning of each field: docs/mappings.md. config/ reads the YAML; VocabularyMapper
// (engine/vocabulary_mapper.h) checks and applies it.

namespace sonde::collect {

/// Names and values in the file's order.
using StringPairs = std::vector<std::pair<std::string, std::string>>;

/// What a label of the native series must be. A missing label has the value "".
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

/// One canonical metric from one native one.
struct MappingRule {
  std::vector<std::string> native;  ///< Any of these names; "a:b" and "a_b" are the same.
  std::string as;                   ///< The canonical name, with the default prefix.
  std::optional<MetricType> type;   ///< Needed only for names that the vocabulary does not have.
  std::string help;
  std::optional<MetricType> native_type;  ///< Where the engine's own type is wrong.
  double scale = 1;                       ///< Canonical value = native value × scale.
  std::vector<LabelCondition> when;       ///< All must hold.
  StringPairs labels;                     ///< Native name → canonical name; "" drops the label.
  StringPairs set;                        ///< Labels with a fixed value.
  std::vector<LabelValueMap> map;
  std::vector<std::string> keep;        ///< If not empty: of the other labels, only these stay.
  std::vector<std::string> value_from;  ///< The value is the product of these labels' values.
  std::optional<std::vector<std::string>> require;  ///< Instead of the file's.
};

struct MappingFile {
  std::string name;    ///< "vllm". A later file of the same name replaces an earlier one.
  std::string origin;  ///< Path, for messages.
  std::vector<std::string>
      wrappers;                      ///< Prefixes that others put in front of native names: "ray_".
  std::vector<std::string> require;  ///< Labels that a native series must have to be this engine's.
  std::vector<std::vector<LabelCondition>>
      skip;            ///< A series for which all conditions of one entry hold is not mapped.
  StringPairs labels;  ///< As in a rule, for all rules; a rule's own come first.
  StringPairs set;
  std::vector<MappingRule> rules;
};

}  // namespace sonde::collect
