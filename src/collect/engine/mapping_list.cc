#include "collect/engine/mapping_list.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include "base/number.h"
#include "collect/engine/mapping_check.h"
#include "collect/engine/vocabulary.h"

namespace sonde::collect {
namespace {

constexpr std::string_view kIntroduction =
    "# Metrics\n\n"
    "<!-- Written by `sonde map --list`; a test holds it to packs/mappings/. -->\n\n"
    "Every metric of the vocabulary, and what it is read from, kind of target by kind of target. "
    "What the names and labels\n"
    "mean: [vocabulary](vocabulary.md). How a mapping file says this: [mapping "
    "files](mappings.md).\n\n"
    "Every series also has the target's labels (`job`, `instance`, …); those of engines and "
    "routers have `source`, `engine`\n"
    "and, where it is told, `model`; accelerators have `node`.\n\n";

/// One way in which a canonical metric comes about.
struct Source {
  const MappingFile* file;
  const MappingRule* rule;
};

std::string Code(std::string_view text) {
  // A bar would end the table's cell even inside code.
  std::string code = "`";
  for (const char c : text) {
    if (c == '|') code += '\\';
    code += c;
  }
  return code + "`";
}

std::string Joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

std::string ConditionText(const LabelCondition& condition) {
  std::vector<std::string> values;
  for (const std::string& value : condition.values)
    values.push_back("\"" + value + "\"");
  const bool present = condition.negated && values == std::vector<std::string>{"\"\""};
  if (present) return Code(condition.label) + " is there";
  return Code(condition.label + (condition.negated ? " is not " : " = ") + Joined(values, ", "));
}

std::string LabelsText(const StringPairs& set) {
  std::vector<std::string> labels;
  for (const auto& [label, value] : set) {
    if (!value.empty()) labels.push_back(label + "=\"" + value + "\"");
  }
  return labels.empty() ? "" : Code(Joined(labels, ", "));
}

std::string Number(double value) {
  // Not 1e+06.
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return std::to_string(static_cast<long long>(value));
  std::string text;
  AppendFloatG(text, value);
  return text;
}

void AddValueText(const MappingRule& rule, std::vector<std::string>& parts) {
  if (!rule.value_from.empty())
    parts.push_back("the value is " + Code(Joined(rule.value_from, " × ")));
  if (rule.scale != 1) parts.push_back("× " + Number(rule.scale));
  for (const auto& [from, to] : rule.values)
    parts.push_back(Number(from) + " becomes " + Number(to));
  if (rule.values_otherwise)
    parts.push_back("other values become " + Number(*rule.values_otherwise));
}

/// What happens on the way, in words.
std::string HowText(const MappingRule& rule) {
  std::vector<std::string> parts;
  const std::string_view family = FindCanonicalMetric(rule.as) != nullptr || rule.type
                                      ? std::string_view()
                                      : std::string_view(rule.as);
  if (!family.empty()) parts.push_back(family.ends_with("_sum") ? "only `_sum`" : "only `_count`");
  for (const LabelCondition& condition : rule.when)
    parts.push_back("where " + ConditionText(condition));
  AddValueText(rule, parts);
  if (rule.native_type && *rule.native_type != MetricType::kUnknown)
    parts.push_back("a " + std::string(ToString(*rule.native_type)) + " there");
  for (const auto& [native, canonical] : rule.labels) {
    if (!canonical.empty()) parts.push_back(Code(native) + " becomes " + Code(canonical));
  }
  for (const LabelValueMap& map : rule.map)
    parts.push_back(Code(map.from) + " gives " + Code(map.to));
  const std::string set = LabelsText(rule.set);
  if (!set.empty()) parts.push_back(set);
  if (!rule.note.empty()) parts.push_back(rule.note);
  return Joined(parts, "; ");
}

std::string NativeText(const MappingRule& rule) {
  std::vector<std::string> names;
  names.reserve(rule.native.size());
  for (const std::string& native : rule.native)
    names.push_back(Code(native));
  return Joined(names, ", ");
}

void AppendMetric(std::string_view name, MetricType type, std::string_view labels,
                  std::string_view help, const std::vector<Source>& sources, std::string& out) {
  out += "## `" + std::string(name) + "`\n\n" + std::string(help) + "\n\n";
  out += "* type: " + std::string(ToString(type)) + "\n";
  if (const std::string_view unit = UnitOf(name); !unit.empty())
    out += "* unit: " + std::string(unit) + "\n";
  if (!labels.empty()) {
    out += "* labels of its own:";
    std::string_view rest = labels;
    while (!rest.empty()) {
      const std::size_t blank = std::min(rest.find(' '), rest.size());
      out += " `" + std::string(rest.substr(0, blank)) + "`";
      rest.remove_prefix(std::min(blank + 1, rest.size()));
    }
    out += "\n";
  }
  out += "\n";
  if (sources.empty()) {
    out +=
        "No exporter has it; Sonde measures it itself, or [a "
        "query](mappings.md#what-a-mapping-cannot-say) gives it.\n\n";
    return;
  }
  out += "| from | native | how |\n|---|---|---|\n";
  for (const Source& source : sources) {
    out += "| " + (source.file->title.empty() ? source.file->name : source.file->title) + " | " +
           NativeText(*source.rule) + " | " + HowText(*source.rule) + " |\n";
  }
  out += "\n";
}

}  // namespace

std::string ListMetrics(std::span<const MappingFile> files) {
  std::vector<const MappingFile*> sorted;
  for (const MappingFile& file : files)
    sorted.push_back(&file);
  std::sort(sorted.begin(), sorted.end(),
            [](const MappingFile* a, const MappingFile* b) { return a->name < b->name; });
  std::map<std::string, std::vector<Source>, std::less<>> sources;
  for (const MappingFile* file : sorted) {
    for (const MappingRule& rule : file->rules) {
      const CanonicalMetric* family = FindCanonicalFamily(rule.as);
      sources[family != nullptr ? std::string(family->name) : rule.as].push_back({file, &rule});
    }
  }
  std::string out(kIntroduction);
  for (const CanonicalMetric& metric : Vocabulary()) {
    const auto found = sources.find(metric.name);
    AppendMetric(metric.name, metric.type, metric.labels, metric.help,
                 found == sources.end() ? std::vector<Source>() : found->second, out);
    if (found != sources.end()) sources.erase(found);
  }
  // What the user's own files add.
  for (const auto& [name, list] : sources) {
    const MappingRule& first = *list.front().rule;
    AppendMetric(name, first.type.value_or(MetricType::kUnknown), "", first.help, list, out);
  }
  out.pop_back();
  return out;
}

}  // namespace sonde::collect
