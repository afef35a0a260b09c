#include "collect/engine/vocabulary_mapper.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/number.h"
#include "base/quote.h"
#include "collect/engine/mapping_check.h"
#include "collect/engine/native_name.h"
#include "model/names.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::string_view kMoved = "exported_";

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return Xxh3(name); }
};

// "a:b" → "a_b": the key under which both spellings are found.
std::string Normalized(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), ':', '_');
  return key;
}

/// A native label and the name that it has where the target has one of the same name: the scraper
/// moved it there.
struct LabelName {
  explicit LabelName(std::string_view label)
      : name(label), exported(std::string(kMoved) + std::string(label)) {}

  std::string name;
  std::string exported;
};

/// A list that allocates nothing while it is short, as it nearly always is, and costs nothing to
/// set up.
template <class T, std::size_t kFew>
class ShortList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ShortList(std::size_t most) {
    if (most > kFew) many_.reserve(most);
    use_many_ = most > kFew;
  }
  ShortList(const ShortList&) = delete;
  ShortList& operator=(const ShortList&) = delete;

  /// No more than the constructor was told.
  void Add(const T& value) {
    if (use_many_) {
      many_.push_back(value);
    } else {
      std::construct_at(Few() + size_++, value);
    }
  }
  std::span<T> all() { return use_many_ ? std::span<T>(many_) : std::span<T>(Few(), size_); }

 private:
  T* Few() { return std::launder(reinterpret_cast<T*>(few_)); }

  alignas(T) std::byte few_[sizeof(T) * kFew];
  std::size_t size_ = 0;
  bool use_many_ = false;
  std::vector<T> many_;
};

/// The labels of one native series, decoded once for all rules that look at them.
class NativeLabels {
 public:
  NativeLabels(std::span<const LabelView> labels, bool moved) : labels_(labels), moved_(moved) {}

  std::span<const LabelView> all() const { return labels_; }
  /// Whether some label was moved to exported_<name>.
  bool moved() const { return moved_; }

  std::string_view Raw(std::string_view name) const {
    for (const LabelView& label : labels_) {
      if (label.name == name) return label.value;
    }
    return {};
  }
  /// The metric's own label.
  std::string_view Get(const LabelName& label) const {
    if (moved_) {
      const std::string_view value = Raw(label.exported);
      if (!value.empty()) return value;
    }
    return Raw(label.name);
  }

 private:
  std::span<const LabelView> labels_;
  bool moved_;
};

// A pattern is a value, or the beginning of one before a `*`: "310P*".
bool Matches(std::string_view pattern, std::string_view value) {
  if (!pattern.ends_with('*')) return pattern == value;
  pattern.remove_suffix(1);
  return value.starts_with(pattern);
}

struct CompiledCondition {
  LabelName label;
  std::vector<std::string> values;
  bool negated = false;

  bool Holds(const NativeLabels& labels) const {
    const std::string_view value = labels.Get(label);
    const bool listed = std::any_of(values.begin(), values.end(), [&](const std::string& pattern) {
      return Matches(pattern, value);
    });
    return listed != negated;
  }
};

std::vector<CompiledCondition> CompileConditions(const std::vector<LabelCondition>& conditions) {
  std::vector<CompiledCondition> compiled;
  compiled.reserve(conditions.size());
  for (const LabelCondition& condition : conditions)
    compiled.push_back({LabelName(condition.label), condition.values, condition.negated});
  return compiled;
}

bool AllHold(const std::vector<CompiledCondition>& conditions, const NativeLabels& labels) {
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
  return wanted == MetricType::kUnknown || native == wanted || native == MetricType::kUnknown;
}

/// A label of the series to be written. Of several with one name the one of the highest rank wins,
/// and of those the last; an empty value takes the label away.
struct OutLabel {
  std::string_view name;
  std::string_view value;
  int rank;
};
enum Rank : int { kKept, kFileChange, kRuleChange, kMapped, kSet, kOwn };

std::size_t PackedSize(std::span<const OutLabel> labels) {
  std::size_t bytes = 0;
  for (const OutLabel& label : labels)
    bytes += label.name.size() + label.value.size() + 8;
  return bytes;
}

// Nearly sorted already, and short.
void Sort(std::span<OutLabel> labels) {
  const auto before = [](const OutLabel& a, const OutLabel& b) {
    // Most names differ in their first letter.
    if (!a.name.empty() && !b.name.empty() && a.name[0] != b.name[0])
      return static_cast<unsigned char>(a.name[0]) < static_cast<unsigned char>(b.name[0]);
    const int names = a.name.compare(b.name);
    return names != 0 ? names < 0 : a.rank < b.rank;
  };
  if (labels.size() > 64) {
    std::stable_sort(labels.begin(), labels.end(), before);
    return;
  }
  for (std::size_t i = 1; i < labels.size(); ++i) {
    const OutLabel label = labels[i];
    std::size_t at = i;
    for (; at > 0 && before(label, labels[at - 1]); --at)
      labels[at] = labels[at - 1];
    labels[at] = label;
  }
}

Labels Pack(std::span<OutLabel> labels) {
  Sort(labels);
  std::string packed;
  packed.reserve(PackedSize(labels));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool replaced = i + 1 < labels.size() && labels[i + 1].name == labels[i].name;
    if (replaced || labels[i].value.empty()) continue;
    AppendPackedLabel(packed, labels[i].name, labels[i].value);
  }
  return Labels(LabelsView::FromPacked(packed));
}

}  // namespace

/// A rule with everything that its file says, ready to apply.
struct VocabularyMapper::Rule {
  struct Change {
    LabelName native;
    std::string canonical;  // "": dropped.
    Rank rank;
  };
  struct ValueMap {
    LabelName from;
    LabelValueMap map;
  };

  std::array<std::string, 5> names;  // Canonical, by FamilyPart, with the prefix in use.
  std::string help;
  MetricType type = MetricType::kUnknown;  // Of what is written.
  MetricType native_type = MetricType::kUnknown;
  double scale = 1;
  std::vector<CompiledCondition> when;
  std::vector<std::vector<CompiledCondition>> skip;
  std::vector<LabelName> require;
  std::vector<Change> changes;  // Sorted by the native name.
  StringPairs set;
  std::vector<ValueMap> map;
  std::vector<std::string> keep;
  std::vector<LabelName> value_from;
  std::optional<ValueRule> value_rule;

  bool Concerns(const NativeLabels& labels, MetricType native) const;
  std::optional<MappedSeries> Apply(const NativeLabels& labels, FamilyPart part) const;

 private:
  const Change* FindChange(std::string_view native) const;
  const Change* ChangeOf(std::string_view label, const NativeLabels& labels) const;
  bool Keeps(std::string_view label, FamilyPart part) const;
  std::optional<Labels> WriteLabels(const NativeLabels& labels, FamilyPart part) const;
};

struct VocabularyMapper::Table {
  struct Entry {
    const Rule* rule;
    FamilyPart part;
  };

  std::deque<Rule> rules;
  std::unordered_map<std::string, std::vector<Entry>, NameHash, std::equal_to<>> by_name;

  static Rule CompileRule(const MappingFile& file, const MappingRule& rule,
                          std::string_view prefix);
  Status AddFile(const MappingFile& file, std::string_view prefix);
};

bool VocabularyMapper::Rule::Concerns(const NativeLabels& labels, MetricType native) const {
  if (!AcceptsType(native_type, native)) return false;
  for (const LabelName& label : require) {
    if (labels.Get(label).empty()) return false;
  }
  for (const auto& conditions : skip) {
    if (AllHold(conditions, labels)) return false;
  }
  return AllHold(when, labels);
}

const VocabularyMapper::Rule::Change* VocabularyMapper::Rule::FindChange(
    std::string_view native) const {
  const auto found = std::lower_bound(
      changes.begin(), changes.end(), native,
      [](const Change& change, std::string_view wanted) { return change.native.name < wanted; });
  return found != changes.end() && found->native.name == native ? &*found : nullptr;
}

// What the rule does with a label, which is a native one or, where the native one was moved away,
// the target's own: that stays.
const VocabularyMapper::Rule::Change* VocabularyMapper::Rule::ChangeOf(
    std::string_view label, const NativeLabels& labels) const {
  if (!labels.moved()) return FindChange(label);
  if (label.starts_with(kMoved)) {
    const Change* moved = FindChange(label.substr(kMoved.size()));
    if (moved != nullptr) return moved;
  }
  const Change* change = FindChange(label);
  return change == nullptr || labels.Raw(change->native.exported).empty() ? change : nullptr;
}

bool VocabularyMapper::Rule::Keeps(std::string_view label, FamilyPart part) const {
  if (keep.empty()) return true;
  if (part == FamilyPart::kBucket && label == "le") return true;
  if (part == FamilyPart::kQuantile && label == "quantile") return true;
  return std::find(keep.begin(), keep.end(), label) != keep.end();
}

std::optional<Labels> VocabularyMapper::Rule::WriteLabels(const NativeLabels& labels,
                                                          FamilyPart part) const {
  ShortList<OutLabel, 24> out(labels.all().size() + map.size() + set.size() + 2);
  for (const LabelView& label : labels.all()) {
    if (label.name == kMetricName) continue;
    const Change* change = ChangeOf(label.name, labels);
    if (change == nullptr) {
      if (Keeps(label.name, part)) out.Add({label.name, label.value, kKept});
    } else if (!change->canonical.empty()) {
      out.Add({change->canonical, label.value, change->rank});
    }
  }
  for (const ValueMap& one : map) {
    const std::string_view value = labels.Get(one.from);
    const auto found = std::find_if(one.map.values.begin(), one.map.values.end(),
                                    [&](const auto& pair) { return Matches(pair.first, value); });
    if (found != one.map.values.end()) {
      out.Add({one.map.to, found->second, kMapped});
    } else if (one.map.fallback) {
      out.Add({one.map.to, *one.map.fallback, kMapped});
    } else {
      return std::nullopt;
    }
  }
  for (const auto& [label, value] : set)
    out.Add({label, value, kSet});
  std::string bound;
  if (part == FamilyPart::kBucket && scale != 1) {
    bound = ScaledBound(labels.Raw("le"), scale);
    out.Add({"le", bound, kOwn});
  }
  out.Add({kMetricName, names[static_cast<std::size_t>(part)], kOwn});
  return Pack(out.all());
}

std::optional<MappedSeries> VocabularyMapper::Rule::Apply(const NativeLabels& labels,
                                                          FamilyPart part) const {
  MappedSeries series;
  series.type = type;
  series.help = help;
  const bool counts = part == FamilyPart::kBucket || part == FamilyPart::kCount;
  series.scale = counts ? 1 : scale;
  if (value_rule && (part == FamilyPart::kValue || part == FamilyPart::kQuantile))
    series.rule = &*value_rule;
  if (!value_from.empty()) {
    series.is_constant = true;
    series.constant = scale;
    for (const LabelName& label : value_from) {
      const auto factor = ParseFloat(labels.Get(label));
      if (!factor || !std::isfinite(*factor))
        return std::nullopt;  // "None" before the cache is set up.
      series.constant *= *factor;
    }
  }
  auto written = WriteLabels(labels, part);
  if (!written) return std::nullopt;
  series.labels = *std::move(written);
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
  ShortList<LabelView, 24> decoded(labels.size());
  bool moved = false;
  for (const LabelView label : labels) {
    moved = moved || label.name.starts_with(kMoved);
    decoded.Add(label);
  }
  const NativeLabels native(decoded.all(), moved);
  for (const Table::Entry& entry : found->second) {
    if (!entry.rule->Concerns(native, type)) continue;
    auto mapped = entry.rule->Apply(native, entry.part);
    if (mapped) out.push_back(*std::move(mapped));
  }
}

VocabularyMapper::Rule VocabularyMapper::Table::CompileRule(const MappingFile& file,
                                                            const MappingRule& rule,
                                                            std::string_view prefix) {
  const CanonicalMetric* known = FindCanonicalFamily(rule.as);
  Rule compiled;
  const std::string name = std::string(prefix) + rule.as.substr(kVocabularyPrefix.size());
  for (const FamilyPart part : {FamilyPart::kValue, FamilyPart::kQuantile, FamilyPart::kBucket,
                                FamilyPart::kSum, FamilyPart::kCount}) {
    compiled.names[static_cast<std::size_t>(part)] = name + std::string(SuffixOf(part));
  }
  compiled.help = rule.help.empty() && known != nullptr ? std::string(known->help) : rule.help;
  compiled.native_type = NativeTypeOf(rule);
  // CheckMappingFile has found a rule with neither.
  compiled.type = rule.type ? *rule.type : known != nullptr ? known->type : MetricType::kUnknown;
  if (compiled.type == MetricType::kHistogram && compiled.native_type == MetricType::kSummary)
    compiled.type = MetricType::kSummary;
  compiled.scale = rule.scale;
  compiled.when = CompileConditions(rule.when);
  for (const auto& conditions : file.skip)
    compiled.skip.push_back(CompileConditions(conditions));
  for (const std::string& label : rule.require ? *rule.require : file.require)
    compiled.require.emplace_back(label);
  for (const bool own : {true, false}) {
    for (const auto& [native, canonical] : own ? rule.labels : file.labels) {
      const bool decided =
          std::any_of(compiled.changes.begin(), compiled.changes.end(),
                      [&](const Rule::Change& change) { return change.native.name == native; });
      if (!decided)
        compiled.changes.push_back({LabelName(native), canonical, own ? kRuleChange : kFileChange});
    }
  }
  std::sort(
      compiled.changes.begin(), compiled.changes.end(),
      [](const Rule::Change& a, const Rule::Change& b) { return a.native.name < b.native.name; });
  compiled.set = file.set;
  compiled.set.insert(compiled.set.end(), rule.set.begin(), rule.set.end());
  for (const LabelValueMap& map : rule.map)
    compiled.map.push_back({LabelName(map.from), map});
  compiled.keep = rule.keep;
  for (const std::string& label : rule.value_from)
    compiled.value_from.emplace_back(label);
  compiled.value_rule = rule.valid ? rule.valid : file.valid;
  if (!rule.values.empty()) {
    if (!compiled.value_rule) compiled.value_rule.emplace();
    compiled.value_rule->replace = rule.values;
    compiled.value_rule->otherwise = rule.values_otherwise;
  }
  return compiled;
}

Status VocabularyMapper::Table::AddFile(const MappingFile& file, std::string_view prefix) {
  std::vector<std::string> wrappers = file.wrappers;
  wrappers.emplace_back();
  for (const MappingRule& rule : file.rules) {
    const std::vector<FamilyPart> parts = PartsOf(rule);
    const Rule* plain = nullptr;
    for (const std::string& native : rule.native) {
      for (const NativeName& name : TRY(ExpandNativeName(native))) {
        const Rule* compiled = plain;
        if (compiled == nullptr || !name.labels.empty()) {
          compiled = &rules.emplace_back(CompileRule(file, rule, prefix));
          // Captured labels are the native series', so the rule's own `set` comes after them.
          rules.back().set.insert(rules.back().set.begin(), name.labels.begin(), name.labels.end());
          if (name.labels.empty()) plain = compiled;
        }
        for (const FamilyPart part : parts) {
          for (const std::string& wrapper : wrappers) {
            std::string key = Normalized(wrapper + name.name + std::string(SuffixOf(part)));
            by_name[std::move(key)].push_back({compiled, part});
          }
        }
      }
    }
  }
  return OkStatus();
}

std::vector<MappingFile> InForce(std::vector<MappingFile> files) {
  std::vector<MappingFile> in_force;
  for (auto file = files.begin(); file != files.end(); ++file) {
    const bool replaced = std::any_of(
        file + 1, files.end(), [&](const MappingFile& later) { return later.name == file->name; });
    if (!replaced) in_force.push_back(std::move(*file));
  }
  return in_force;
}

Result<std::unique_ptr<VocabularyMapper>> VocabularyMapper::Compile(std::vector<MappingFile> files,
                                                                    std::string_view prefix) {
  if (!IsLegacyMetricName(prefix)) {
    return Error(ErrorKind::kInvalid, QuoteGo(prefix) + " cannot begin a metric name");
  }
  for (const MappingFile& file : files)
    TRY(CheckMappingFile(file));
  auto table = std::make_unique<Table>();
  for (const MappingFile& file : InForce(std::move(files)))
    TRY(table->AddFile(file, prefix));
  return std::unique_ptr<VocabularyMapper>(new VocabularyMapper(std::move(table)));
}

}  // namespace sonde::collect
