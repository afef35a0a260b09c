#include "config/mapping_file.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"

namespace sonde::config {
namespace {

using enum FieldType;
using collect::LabelCondition;
using collect::LabelValueMap;
using collect::MappingFile;
using collect::MappingRule;
using collect::StringPairs;

void CheckConditions(const YamlNode& node, std::string_view key, Diagnostics& diagnostics);

constexpr std::pair<std::string_view, collect::FamilyPart> kParts[] = {
    {"value", collect::FamilyPart::kValue},   {"quantile", collect::FamilyPart::kQuantile},
    {"bucket", collect::FamilyPart::kBucket}, {"sum", collect::FamilyPart::kSum},
    {"count", collect::FamilyPart::kCount},
};

std::optional<collect::FamilyPart> ParsePart(std::string_view word) {
  for (const auto& [name, part] : kParts) {
    if (name == word) return part;
  }
  return std::nullopt;
}

// A number, or a list of numbers.
std::vector<double> Numbers(const YamlNode& node) {
  std::vector<double> numbers;
  if (node.is_scalar()) numbers.push_back(ParseFloat(node.text).value_or(0));
  for (const YamlNode& item : node.items)
    numbers.push_back(ParseFloat(item.text).value_or(0));
  return numbers;
}
void CheckNumbers(const YamlNode& node, Diagnostics& diagnostics) {
  bool good = node.is_scalar() ? ParseFloat(node.text).has_value() : node.is_sequence();
  for (const YamlNode& item : node.items)
    good = good && item.is_scalar() && ParseFloat(item.text).has_value();
  if (!good) diagnostics.Fail(node.mark, "valid: not takes a number or a list of numbers");
}

// {native number: canonical number, default: canonical number}
void CheckValues(const YamlNode& node, Diagnostics& diagnostics) {
  bool good = node.is_mapping();
  for (const YamlEntry& entry : node.entries) {
    good = good && (entry.key == "default" || ParseFloat(entry.key)) && entry.value.is_scalar() &&
           ParseFloat(entry.value.text);
  }
  if (!good) {
    diagnostics.Fail(node.mark,
                     "values takes native numbers with the canonical ones, and perhaps default: "
                     "{0: 1, default: 0}");
  }
}

constexpr Field kMapFields[] = {
    {"from", kString},
    {"to", kString},
    {"values", kStringMap},
    {"default", kString},
};
void CheckMap(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "from", "map: from is missing: the native label to look at", diagnostics);
  Require(view, "to", "map: to is missing: the canonical label to set", diagnostics);
}
constexpr Block kMapBlock = {"map", "mapping.map", kMapFields, CheckMap, true};

constexpr Field kValidFields[] = {
    {"min", kFloat},
    {"max", kFloat},
    {"not", kAny},
};
void CheckValid(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* invalid = view.Raw("not");
  if (invalid != nullptr) CheckNumbers(*invalid, diagnostics);
}
constexpr Block kValidBlock = {"valid", "mapping.valid", kValidFields, CheckValid};

constexpr Field kRuleFields[] = {
    {"native", kStrings},
    {"as", kString},
    {"type", kString},
    {"help", kString},
    {"native_type", kString},
    {"scale", kFloat, "1"},
    {"when", kAny},
    {"labels", kStringMap},
    {"set", kStringMap},
    {"map", kBlocks, nullptr, kNone, &kMapBlock, "empty or null section in map"},
    {"keep", kStrings},
    {"value_from", kStrings},
    {"require", kStrings},
    {"parts", kStrings},
    {"valid", FieldType::kBlock, nullptr, kNone, &kValidBlock},
    {"values", kAny},
    {"note", kString},
};

std::optional<MetricType> ParseType(const BlockView& view, std::string_view key) {
  const std::string word = view.Text(key);
  return word == "any" ? MetricType::kUnknown : ParseMetricType(word);
}

void CheckRule(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Strings("native").empty()) {
    diagnostics.Fail(view.MarkOf("native"),
                     "native is missing: the engine's name of the metric, or a list of them");
  }
  Require(view, "as", "as is missing: the canonical name", diagnostics);
  for (const char* key : {"type", "native_type"}) {
    if (view.Has(key) && !ParseType(view, key)) {
      diagnostics.Fail(view.MarkOf(key),
                       fmt::format("{}: {} is not a metric type: counter, gauge, histogram or "
                                   "summary",
                                   key, QuoteGo(view.Text(key))));
    }
  }
  if (const YamlNode* when = view.Raw("when"); when != nullptr)
    CheckConditions(*when, "when", diagnostics);
  if (const YamlNode* values = view.Raw("values"); values != nullptr && !values->is_null())
    CheckValues(*values, diagnostics);
  for (const std::string& part : view.Strings("parts")) {
    if (ParsePart(part)) continue;
    diagnostics.Fail(
        view.MarkOf("parts"),
        fmt::format("parts: {} is none of value, quantile, bucket, sum, count", QuoteGo(part)));
  }
}
constexpr Block kRuleBlock = {"rule", "mapping.rule", kRuleFields, CheckRule, true};

constexpr Field kFileFields[] = {
    {"name", kString},
    {"wrappers", kStrings},
    {"require", kStrings},
    {"skip", kAny},
    {"labels", kStringMap},
    {"set", kStringMap},
    {"title", kString},
    {"valid", FieldType::kBlock, nullptr, kNone, &kValidBlock},
    {"rules", kBlocks, nullptr, kNone, &kRuleBlock, "empty or null section in rules"},
};
void CheckFile(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "name", "name is missing: a file of the same name replaces a built-in one",
          diagnostics);
  const YamlNode* skip = view.Raw("skip");
  if (skip == nullptr || skip->is_null()) return;
  if (!skip->is_sequence()) {
    diagnostics.Fail(skip->mark, "skip is a list of conditions on labels");
    return;
  }
  for (const YamlNode& item : skip->items)
    CheckConditions(item, "skip", diagnostics);
}

// A list of scalars, or one scalar.
bool IsListOfWords(const YamlNode& node) {
  if (node.is_scalar()) return true;
  if (!node.is_sequence()) return false;
  for (const YamlNode& item : node.items) {
    if (!item.is_scalar()) return false;
  }
  return true;
}

// {label: value}, {label: [value, …]}, {label: {not: [value, …]}}
void CheckConditions(const YamlNode& node, std::string_view key, Diagnostics& diagnostics) {
  if (node.is_null()) return;
  if (!node.is_mapping()) {
    diagnostics.Fail(
        node.mark, fmt::format("{} is a mapping of labels to the values that they may have", key));
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    const YamlNode& value = entry.value;
    const bool negated = value.is_mapping() && value.entries.size() == 1 &&
                         value.entries[0].key == "not" && IsListOfWords(value.entries[0].value);
    if (negated || IsListOfWords(value)) continue;
    diagnostics.Fail(
        value.mark, fmt::format("{}: {} takes a value, a list of values, or {{not: [values]}}", key,
                                entry.key));
  }
}

std::vector<std::string> Words(const YamlNode& node) {
  if (node.is_scalar()) return {node.text};
  std::vector<std::string> words;
  for (const YamlNode& item : node.items)
    words.push_back(item.text);
  return words;
}

std::vector<LabelCondition> ReadConditions(const YamlNode* node) {
  std::vector<LabelCondition> conditions;
  if (node == nullptr) return conditions;
  for (const YamlEntry& entry : node->entries) {
    const bool negated = entry.value.is_mapping();
    conditions.push_back(
        {entry.key, Words(negated ? entry.value.entries[0].value : entry.value), negated});
  }
  return conditions;
}

StringPairs ReadPairs(const YamlNode* node) {
  StringPairs pairs;
  if (node == nullptr) return pairs;
  for (const YamlEntry& entry : node->entries)
    pairs.emplace_back(entry.key, entry.value.text);
  return pairs;
}

std::optional<ValueRule> ReadValid(const BlockView& owner) {
  if (!owner.Has("valid")) return std::nullopt;
  const BlockView view = owner.Child("valid");
  ValueRule valid;
  if (view.Has("min")) valid.min = view.Float("min");
  if (view.Has("max")) valid.max = view.Float("max");
  if (const YamlNode* invalid = view.Raw("not")) valid.invalid = Numbers(*invalid);
  return valid;
}

void ReadValues(const YamlNode* node, MappingRule& rule) {
  if (node == nullptr) return;
  for (const YamlEntry& entry : node->entries) {
    const double to = ParseFloat(entry.value.text).value_or(0);
    if (entry.key == "default") {
      rule.values_otherwise = to;
    } else {
      rule.values.emplace_back(ParseFloat(entry.key).value_or(0), to);
    }
  }
}

MappingRule ReadRule(const BlockView& view) {
  MappingRule rule;
  rule.native = view.Strings("native");
  rule.as = view.Text("as");
  if (view.Has("type")) rule.type = ParseType(view, "type");
  rule.help = view.Text("help");
  if (view.Has("native_type")) rule.native_type = ParseType(view, "native_type");
  rule.scale = view.Float("scale");
  rule.when = ReadConditions(view.Raw("when"));
  rule.labels = ReadPairs(view.Raw("labels"));
  rule.set = ReadPairs(view.Raw("set"));
  for (const BlockView& map : view.Children("map")) {
    LabelValueMap read;
    read.from = map.Text("from");
    read.to = map.Text("to");
    read.values = ReadPairs(map.Raw("values"));
    if (map.Has("default")) read.fallback = map.Text("default");
    rule.map.push_back(std::move(read));
  }
  rule.keep = view.Strings("keep");
  rule.value_from = view.Strings("value_from");
  if (view.Has("require")) rule.require = view.Strings("require");
  for (const std::string& word : view.Strings("parts")) {
    if (const auto part = ParsePart(word)) rule.parts.push_back(*part);
  }
  rule.valid = ReadValid(view);
  ReadValues(view.Raw("values"), rule);
  rule.note = view.Text("note");
  rule.place = {view.mark().line, view.mark().column};
  return rule;
}

}  // namespace

const Block kMappingFileBlock = {"mapping_file", "mapping.file", kFileFields, CheckFile, true};

Result<MappingFile> ParseMappingFile(std::string_view text, std::string_view origin) {
  const YamlDocument document =
      TRY(ParseYaml(text, origin, {.max_bytes = 1U << 20, .max_nodes = 100'000}));
  Diagnostics diagnostics{std::string(origin)};
  Validate(kMappingFileBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();

  const BlockView view(kMappingFileBlock, &document.root);
  MappingFile file;
  file.name = view.Text("name");
  file.origin = origin;
  file.wrappers = view.Strings("wrappers");
  file.require = view.Strings("require");
  if (const YamlNode* skip = view.Raw("skip"); skip != nullptr) {
    for (const YamlNode& item : skip->items)
      file.skip.push_back(ReadConditions(&item));
  }
  file.title = view.Text("title");
  file.valid = ReadValid(view);
  file.labels = ReadPairs(view.Raw("labels"));
  file.set = ReadPairs(view.Raw("set"));
  for (const BlockView& rule : view.Children("rules"))
    file.rules.push_back(ReadRule(rule));
  return file;
}

}  // namespace sonde::config
