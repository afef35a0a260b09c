#include "collect/engine/vocabulary_mapper.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/names.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxRules = 10'000;

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>()(name);
  }
};

// "a:b" → "a_b": the key under which both spellings are found.
std::string Normalized(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), ':', '_');
  return key;
}

/// Which series of a family a native name is.
enum class Part : unsigned char {
  kValue,     ///< The metric itself: counter, gauge, or a native histogram.
  kQuantile,  ///< Of a summary.
  kBucket,
  kSum,
  kCount,
};

std::string_view SuffixOf(Part part) {
  switch (part) {
    case Part::kBucket:
      return "_bucket";
    case Part::kSum:
      return "_sum";
    case Part::kCount:
      return "_count";
    case Part::kValue:
    case Part::kQuantile:
      break;
  }
  return "";
}

// The metric's own label: where the target has one of the same name, the scraper moved it to
// exported_<name>.
std::string_view NativeLabel(LabelsView labels, const std::string& name,
                             const std::string& exported) {
  const std::string_view moved = labels.Get(exported);
  return moved.empty() ? labels.Get(name) : moved;
}

std::string Exported(std::string_view name) {
  return "exported_" + std::string(name);
}

struct CompiledCondition {
  std::string label;
  std::string exported;
  std::vector<std::string> values;
  bool negated = false;

  bool Holds(LabelsView labels) const {
    const std::string_view value = NativeLabel(labels, label, exported);
    const bool listed = std::find(values.begin(), values.end(), value) != values.end();
    return listed != negated;
  }
};

std::vector<CompiledCondition> CompileConditions(const std::vector<LabelCondition>& conditions) {
  std::vector<CompiledCondition> compiled;
  compiled.reserve(conditions.size());
  for (const LabelCondition& condition : conditions) {
    compiled.push_back(
        {condition.label, Exported(condition.label), condition.values, condition.negated});
  }
  return compiled;
}

bool AllHold(const std::vector<CompiledCondition>& conditions, LabelsView labels) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [&](const CompiledCondition& condition) { return condition.Holds(labels); });
}

// A bound of a histogram, scaled; without the last digits that the multiplication makes up.
std::string ScaledBound(std::string_view bound, double scale) {
  const auto value = ParseFloat(bound);
  if (!value || !std::isfinite(*value)) return std::string(bound);
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%.12g", *value * scale);
  std::string text;
  AppendFloatOpenMetrics(text, ParseFloat(digits).value_or(*value * scale));
  return text;
}

bool AcceptsType(MetricType wanted, MetricType native) {
  return native == wanted || native == MetricType::kUnknown;
}

}  // namespace

/// A rule with everything that its file says, ready to apply.
struct VocabularyMapper::Rule {
  struct LabelChange {
    std::string native;
    std::string exported;
    std::string canonical;  // "": dropped.
  };

  std::string name;  // Canonical, with the prefix in use.
  std::string help;
  MetricType type = MetricType::kUnknown;
  MetricType native_type = MetricType::kUnknown;
  double scale = 1;
  std::vector<CompiledCondition> when;
  std::vector<std::vector<CompiledCondition>> skip;
  std::vector<std::pair<std::string, std::string>> require;  // Label and its exported name.
  std::vector<LabelChange> changes;
  StringPairs set;
  std::vector<LabelValueMap> map;
  std::vector<std::string> keep;
  std::vector<std::string> value_from;

  bool Concerns(LabelsView labels, MetricType native) const;
  std::optional<MappedSeries> Apply(LabelsView labels, Part part) const;
  bool SetLabels(LabelsView labels, Part part, LabelsBuilder& builder) const;
};

struct VocabularyMapper::Table {
  struct Entry {
    const Rule* rule;
    Part part;
  };

  std::deque<Rule> rules;
  std::unordered_map<std::string, std::vector<Entry>, NameHash, std::equal_to<>> by_name;
};

bool VocabularyMapper::Rule::Concerns(LabelsView labels, MetricType native) const {
  if (native_type != MetricType::kUnknown && !AcceptsType(native_type, native)) return false;
  for (const auto& [label, exported] : require) {
    if (NativeLabel(labels, label, exported).empty()) return false;
  }
  for (const auto& conditions : skip) {
    if (AllHold(conditions, labels)) return false;
  }
  return AllHold(when, labels);
}

bool VocabularyMapper::Rule::SetLabels(LabelsView labels, Part part, LabelsBuilder& builder) const {
  for (const LabelView label : labels) {
    if (label.name == kMetricName) continue;
    const bool part_label = (part == Part::kBucket && label.name == "le") ||
                            (part == Part::kQuantile && label.name == "quantile");
    if (!part_label && !keep.empty() &&
        std::find(keep.begin(), keep.end(), label.name) == keep.end()) {
      continue;
    }
    builder.Set(label.name, label.value);
  }
  // First take all of them away, then set: a target's own `model` must not hide the engine's, and
  // `engine` (vLLM's data-parallel rank) becomes free for the engine's name.
  for (const LabelChange& change : changes) {
    builder.Delete(labels.Has(change.exported) ? change.exported : change.native);
  }
  for (const LabelChange& change : changes) {
    const std::string_view value = NativeLabel(labels, change.native, change.exported);
    if (!change.canonical.empty() && !value.empty()) builder.Set(change.canonical, value);
  }
  for (const LabelValueMap& one : map) {
    const std::string_view value = NativeLabel(labels, one.from, Exported(one.from));
    const auto found = std::find_if(one.values.begin(), one.values.end(),
                                    [&](const auto& pair) { return pair.first == value; });
    if (found != one.values.end()) {
      builder.Set(one.to, found->second);
    } else if (one.fallback) {
      builder.Set(one.to, *one.fallback);
    } else {
      return false;
    }
  }
  for (const auto& [label, value] : set)
    builder.Set(label, value);
  if (part == Part::kBucket && scale != 1) builder.Set("le", ScaledBound(labels.Get("le"), scale));
  builder.Set(kMetricName, name + std::string(SuffixOf(part)));
  return true;
}

std::optional<MappedSeries> VocabularyMapper::Rule::Apply(LabelsView labels, Part part) const {
  MappedSeries series;
  series.type = type;
  series.help = help;
  series.scale = part == Part::kBucket || part == Part::kCount ? 1 : scale;
  if (!value_from.empty()) {
    series.is_constant = true;
    series.constant = scale;
    for (const std::string& label : value_from) {
      const auto factor = ParseFloat(NativeLabel(labels, label, Exported(label)));
      if (!factor || !std::isfinite(*factor))
        return std::nullopt;  // "None" before the cache is set up.
      series.constant *= *factor;
    }
  }
  LabelsBuilder builder;
  if (!SetLabels(labels, part, builder)) return std::nullopt;
  series.labels = builder.Build();
  return series;
}

VocabularyMapper::VocabularyMapper(std::unique_ptr<Table> table) : table_(std::move(table)) {}
VocabularyMapper::~VocabularyMapper() = default;

std::size_t VocabularyMapper::native_names() const {
  return table_->by_name.size();
}

void VocabularyMapper::Map(LabelsView labels, MetricType type,
                           std::vector<MappedSeries>& out) const {
  const std::string_view name = labels.metric_name();
  if (name.empty() || name.size() > kMaxNameBytes) return;
  char key[kMaxNameBytes];
  std::replace_copy(name.begin(), name.end(), key, ':', '_');
  const auto found = table_->by_name.find(std::string_view(key, name.size()));
  if (found == table_->by_name.end()) return;
  for (const Table::Entry& entry : found->second) {
    if (!entry.rule->Concerns(labels, type)) continue;
    auto mapped = entry.rule->Apply(labels, entry.part);
    if (mapped) out.push_back(*std::move(mapped));
  }
}

namespace {

/// Checks files and reports what is wrong with where it stands.
class FileChecker {
 public:
  explicit FileChecker(const MappingFile& file)
      : where_(file.origin.empty() ? "mapping " + file.name : file.origin) {}

  Error Problem(std::string_view message) const {
    return Error(ErrorKind::kInvalid, where_ + ": " + std::string(message));
  }
  Error Problem(const MappingRule& rule, std::string_view message) const {
    const std::string_view native =
        rule.native.empty() ? "" : std::string_view(rule.native.front());
    return Error(ErrorKind::kInvalid, where_ + ": rule " + std::string(native) + " → " + rule.as +
                                          ": " + std::string(message));
  }

  Status CheckFile(const MappingFile& file) const;
  Status CheckRule(const MappingRule& rule) const;

 private:
  Status CheckLabels(const StringPairs& labels, const StringPairs& set) const;
  Status CheckNames(const MappingRule& rule) const;

  std::string where_;
};

Status FileChecker::CheckLabels(const StringPairs& labels, const StringPairs& set) const {
  for (const auto& [native, canonical] : labels) {
    if (!IsLegacyLabelName(native) || (!canonical.empty() && !IsLegacyLabelName(canonical))) {
      return Problem("labels: " + QuoteGo(native) + ": " + QuoteGo(canonical) +
                     " are not label names");
    }
    if (canonical == "le" || canonical == kMetricName) {
      return Problem("labels: " + QuoteGo(canonical) + " is set by the type of the metric");
    }
  }
  for (const auto& [label, value] : set) {
    if (!IsLegacyLabelName(label) || label == "le" || label == kMetricName) {
      return Problem("set: " + QuoteGo(label) + " is not a label that can be set");
    }
  }
  return OkStatus();
}

Status FileChecker::CheckFile(const MappingFile& file) const {
  if (file.name.empty()) return Problem("a mapping file needs a name");
  if (file.rules.size() > kMaxRules) return Problem("more than 10000 rules");
  TRY(CheckLabels(file.labels, file.set));
  for (const std::string& wrapper : file.wrappers) {
    if (!IsLegacyMetricName(wrapper)) {
      return Problem("wrappers: " + QuoteGo(wrapper) + " cannot begin a metric name");
    }
  }
  for (const MappingRule& rule : file.rules)
    TRY(CheckRule(rule));
  return OkStatus();
}

Status FileChecker::CheckNames(const MappingRule& rule) const {
  if (rule.native.empty()) return Problem(rule, "no native name");
  for (const std::string& native : rule.native) {
    if (!IsLegacyMetricName(native))
      return Problem(rule, QuoteGo(native) + " is not a metric name");
    if (native.starts_with(kVocabularyPrefix)) {
      return Problem(rule, "a rule cannot read a canonical name");
    }
  }
  if (!IsLegacyMetricName(rule.as))
    return Problem(rule, QuoteGo(rule.as) + " is not a metric name");
  if (!rule.as.starts_with(kVocabularyPrefix)) {
    return Problem(
        rule, "the canonical name must begin with deepseek_ (the configured prefix replaces it)");
  }
  const CanonicalMetric* known = FindCanonicalMetric(rule.as);
  if (known == nullptr && !rule.type) {
    return Problem(
        rule, "the vocabulary has no " + rule.as + "; correct the name, or give its type and help");
  }
  if (known != nullptr && rule.type && *rule.type != known->type) {
    return Problem(rule, "the vocabulary says that it is a " + std::string(ToString(known->type)));
  }
  const MetricType type = rule.type ? *rule.type : known->type;
  if (type != MetricType::kCounter && type != MetricType::kGauge &&
      type != MetricType::kHistogram && type != MetricType::kSummary) {
    return Problem(rule, "type must be counter, gauge, histogram or summary");
  }
  return OkStatus();
}

Status FileChecker::CheckRule(const MappingRule& rule) const {
  TRY(CheckNames(rule));
  TRY(CheckLabels(rule.labels, rule.set));
  if (!std::isfinite(rule.scale) || rule.scale <= 0)
    return Problem(rule, "scale must be a number above 0");
  for (const LabelValueMap& map : rule.map) {
    if (!IsLegacyLabelName(map.from) || !IsLegacyLabelName(map.to)) {
      return Problem(
          rule, "map: " + QuoteGo(map.from) + " and " + QuoteGo(map.to) + " must be label names");
    }
  }
  return OkStatus();
}

std::vector<Part> PartsOf(MetricType type, bool lone_count, bool scaled) {
  if (type == MetricType::kSummary) return {Part::kQuantile, Part::kSum, Part::kCount};
  if (type != MetricType::kHistogram || lone_count) return {Part::kValue};
  if (scaled)
    return {Part::kBucket, Part::kSum, Part::kCount};  // A native histogram cannot be scaled.
  return {Part::kValue, Part::kBucket, Part::kSum, Part::kCount};
}

// A histogram's count alone, from an engine that counts but has no such histogram.
bool IsLoneCount(const MappingRule& rule) {
  return rule.as.ends_with("_count");
}

}  // namespace

VocabularyMapper::Rule VocabularyMapper::CompileRule(const MappingFile& file,
                                                     const MappingRule& rule,
                                                     std::string_view prefix) {
  const CanonicalMetric* known = FindCanonicalMetric(rule.as);
  Rule compiled;
  compiled.name = std::string(prefix) + rule.as.substr(kVocabularyPrefix.size());
  compiled.help = rule.help.empty() && known != nullptr ? std::string(known->help) : rule.help;
  // CheckFile has found a rule with neither.
  compiled.type = rule.type ? *rule.type : known != nullptr ? known->type : MetricType::kUnknown;
  compiled.native_type = rule.native_type          ? *rule.native_type
                         : IsLoneCount(rule)       ? MetricType::kCounter
                         : rule.value_from.empty() ? compiled.type
                                                   : MetricType::kUnknown;
  compiled.scale = rule.scale;
  compiled.when = CompileConditions(rule.when);
  for (const auto& conditions : file.skip)
    compiled.skip.push_back(CompileConditions(conditions));
  for (const std::string& label : rule.require ? *rule.require : file.require) {
    compiled.require.emplace_back(label, Exported(label));
  }
  for (const StringPairs* labels : {&rule.labels, &file.labels}) {
    for (const auto& [native, canonical] : *labels) {
      const bool decided =
          std::any_of(compiled.changes.begin(), compiled.changes.end(),
                      [&](const Rule::LabelChange& change) { return change.native == native; });
      if (!decided) compiled.changes.push_back({native, Exported(native), canonical});
    }
  }
  compiled.set = file.set;
  compiled.set.insert(compiled.set.end(), rule.set.begin(), rule.set.end());
  compiled.map = rule.map;
  compiled.keep = rule.keep;
  compiled.value_from = rule.value_from;
  return compiled;
}

Status VocabularyMapper::AddFile(const MappingFile& file, std::string_view prefix, Table& table) {
  std::vector<std::string> wrappers = file.wrappers;
  wrappers.emplace_back();
  for (const MappingRule& rule : file.rules) {
    std::vector<std::string> names;
    for (const std::string& native : rule.native) {
      for (const std::string& wrapper : wrappers)
        names.push_back(Normalized(wrapper + native));
    }
    const Rule& compiled = table.rules.emplace_back(CompileRule(file, rule, prefix));
    for (const Part part : PartsOf(compiled.type, IsLoneCount(rule), rule.scale != 1)) {
      for (const std::string& name : names) {
        const std::string key = name + std::string(SuffixOf(part));
        if (key.size() > kMaxNameBytes)
          return FileChecker(file).Problem(rule, "the name is too long");
        table.by_name[key].push_back({&compiled, part});
      }
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<VocabularyMapper>> VocabularyMapper::Compile(std::vector<MappingFile> files,
                                                                    std::string_view prefix) {
  if (!IsLegacyMetricName(prefix)) {
    return Error(ErrorKind::kInvalid, QuoteGo(prefix) + " cannot begin a metric name");
  }
  auto table = std::make_unique<Table>();
  for (auto file = files.begin(); file != files.end(); ++file) {
    TRY(FileChecker(*file).CheckFile(*file));
    const bool replaced = std::any_of(
        file + 1, files.end(), [&](const MappingFile& later) { return later.name == file->name; });
    if (!replaced) TRY(AddFile(*file, prefix, *table));
  }
  return std::unique_ptr<VocabularyMapper>(new VocabularyMapper(std::move(table)));
}

}  // namespace sonde::collect
