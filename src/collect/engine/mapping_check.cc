#include "collect/engine/mapping_check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "base/quote.h"
#include "collect/engine/native_name.h"
#include "collect/engine/vocabulary.h"
#include "model/labels.h"
#include "model/names.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxRules = 10'000;
constexpr std::size_t kMaxErrors = 20;

MetricType CanonicalTypeOf(const MappingRule& rule) {
  const CanonicalMetric* known = FindCanonicalFamily(rule.as);
  return rule.type ? *rule.type : known != nullptr ? known->type : MetricType::kUnknown;
}

Error Problem(std::string message) {
  return Error(ErrorKind::kInvalid, std::move(message));
}

Status CheckLabels(const StringPairs& labels, const StringPairs& set) {
  for (const auto& [native, canonical] : labels) {
    if (!IsLegacyLabelName(native) || (!canonical.empty() && !IsLegacyLabelName(canonical))) {
      return Problem("labels: " + QuoteGo(native) + ": " + QuoteGo(canonical) +
                     " are not label names");
    }
    if (canonical == "le" || canonical == "quantile" || canonical == kMetricName) {
      return Problem("labels: " + QuoteGo(canonical) + " is set by the type of the metric");
    }
  }
  for (const auto& [label, value] : set) {
    if (!IsLegacyLabelName(label) || label == "le" || label == "quantile" || label == kMetricName) {
      return Problem("set: " + QuoteGo(label) + " is not a label that can be set");
    }
  }
  return OkStatus();
}

Status CheckValid(const std::optional<ValueRule>& valid) {
  // Also false if one is not a number.
  if (!valid || valid->min <= valid->max) return OkStatus();
  return Problem("valid: min is above max, so no value is a measurement");
}

Status CheckNativeNames(const MappingRule& rule, const MappingFile& file) {
  if (rule.native.empty()) return Problem("no native name");
  std::size_t wrapper_bytes = 0;
  for (const std::string& wrapper : file.wrappers)
    wrapper_bytes = std::max(wrapper_bytes, wrapper.size());
  for (const std::string& native : rule.native) {
    for (const NativeName& name : TRY(ExpandNativeName(native))) {
      if (name.name.size() + wrapper_bytes + sizeof("_bucket") > kMaxNameBytes)
        return Problem("the name is too long: at most 256 bytes with prefix and suffix");
      if (name.name.starts_with(kVocabularyPrefix))
        return Problem("a rule cannot read a canonical name");
      TRY(CheckLabels({}, name.labels));
    }
  }
  return OkStatus();
}

Status CheckCanonicalName(const MappingRule& rule) {
  if (!IsLegacyMetricName(rule.as)) return Problem(QuoteGo(rule.as) + " is not a metric name");
  if (!rule.as.starts_with(kVocabularyPrefix) || rule.as.size() == kVocabularyPrefix.size()) {
    return Problem(
        "the canonical name must begin with deepseek_ (the configured prefix replaces it)");
  }
  const CanonicalMetric* known = FindCanonicalFamily(rule.as);
  if (known == nullptr && !rule.type) {
    return Problem("the vocabulary has no " + rule.as +
                   "; correct the name, or give its type and help");
  }
  if (known != nullptr && rule.type && *rule.type != known->type) {
    return Problem("the vocabulary says that it is a " + std::string(ToString(known->type)));
  }
  const MetricType type = CanonicalTypeOf(rule);
  if (type != MetricType::kCounter && type != MetricType::kGauge &&
      type != MetricType::kHistogram && type != MetricType::kSummary) {
    return Problem("type must be counter, gauge, histogram or summary");
  }
  return OkStatus();
}

Status CheckValues(const MappingRule& rule) {
  if (!std::isfinite(rule.scale) || rule.scale <= 0)
    return Problem("scale must be a number above 0");
  TRY(CheckValid(rule.valid));
  if (rule.values_otherwise && rule.values.empty())
    return Problem("values: default alone would replace every value");
  return OkStatus();
}

// A histogram or summary cannot be made of single values, nor the other way round.
Status CheckParts(const MappingRule& rule) {
  const std::vector<FamilyPart> possible = [&] {
    MappingRule all = rule;
    all.parts.clear();
    return PartsOf(all);
  }();
  for (const FamilyPart part : rule.parts) {
    if (std::find(possible.begin(), possible.end(), part) == possible.end())
      return Problem("parts: a metric of this type has no such series");
  }
  const bool family =
      possible.size() > 1;  // More than one series, so the canonical metric is a family too.
  const MetricType native = NativeTypeOf(rule);
  if (!family && CanonicalTypeOf(rule) == MetricType::kHistogram && !rule.as.ends_with("_sum") &&
      !rule.as.ends_with("_count")) {
    return Problem(
        "a single value is no histogram; if it is a part of one, map it to …_sum or "
        "…_count");
  }
  if (family && native == MetricType::kSummary && CanonicalTypeOf(rule) != MetricType::kSummary &&
      CanonicalTypeOf(rule) != MetricType::kHistogram) {
    return Problem("a summary can become a histogram's _sum, _count and quantiles, nothing else");
  }
  return OkStatus();
}

Status CheckRule(const MappingRule& rule, const MappingFile& file) {
  TRY(CheckNativeNames(rule, file));
  TRY(CheckCanonicalName(rule));
  TRY(CheckLabels(rule.labels, rule.set));
  for (const LabelValueMap& map : rule.map) {
    if (!IsLegacyLabelName(map.from) || !IsLegacyLabelName(map.to)) {
      return Problem("map: " + QuoteGo(map.from) + " and " + QuoteGo(map.to) +
                     " must be label names");
    }
    TRY(CheckLabels({}, {{map.to, ""}}));
  }
  TRY(CheckValues(rule));
  return CheckParts(rule);
}

Status CheckHead(const MappingFile& file) {
  if (file.name.empty()) return Problem("a mapping file needs a name");
  if (file.rules.size() > kMaxRules) return Problem("more than 10000 rules");
  TRY(CheckLabels(file.labels, file.set));
  TRY(CheckValid(file.valid));
  for (const std::string& wrapper : file.wrappers) {
    if (!IsLegacyMetricName(wrapper))
      return Problem("wrappers: " + QuoteGo(wrapper) + " cannot begin a metric name");
  }
  return OkStatus();
}

}  // namespace

std::string_view SuffixOf(FamilyPart part) {
  switch (part) {
    case FamilyPart::kBucket:
      return "_bucket";
    case FamilyPart::kSum:
      return "_sum";
    case FamilyPart::kCount:
      return "_count";
    case FamilyPart::kValue:
    case FamilyPart::kQuantile:
      break;
  }
  return "";
}

MetricType NativeTypeOf(const MappingRule& rule) {
  if (rule.native_type) return *rule.native_type;
  if (!rule.value_from.empty()) return MetricType::kUnknown;
  const MetricType type = CanonicalTypeOf(rule);
  // The sum or the count of a histogram alone, from an engine that counts but has no such
  // histogram.
  const bool lone = FindCanonicalMetric(rule.as) == nullptr && !rule.type;
  return lone && type == MetricType::kHistogram ? MetricType::kCounter : type;
}

std::vector<FamilyPart> PartsOf(const MappingRule& rule) {
  if (!rule.parts.empty()) return rule.parts;
  const MetricType canonical = CanonicalTypeOf(rule);
  const bool lone = FindCanonicalMetric(rule.as) == nullptr && !rule.type;
  if (lone || canonical == MetricType::kCounter || canonical == MetricType::kGauge)
    return {FamilyPart::kValue};
  const MetricType native = NativeTypeOf(rule);
  if (native == MetricType::kSummary)
    return {FamilyPart::kQuantile, FamilyPart::kSum, FamilyPart::kCount};
  if (native == MetricType::kHistogram || native == MetricType::kUnknown) {
    if (rule.scale != 1)  // A native histogram cannot be scaled.
      return {FamilyPart::kBucket, FamilyPart::kSum, FamilyPart::kCount};
    return {FamilyPart::kValue, FamilyPart::kBucket, FamilyPart::kSum, FamilyPart::kCount};
  }
  return {FamilyPart::kValue};
}

Status CheckMappingFile(const MappingFile& file) {
  const std::string where = file.origin.empty() ? "mapping " + file.name : file.origin;
  if (Status status = CheckHead(file); !status)
    return Problem(where + ": " + status.error().message());
  std::string errors;
  std::size_t count = 0;
  for (const MappingRule& rule : file.rules) {
    const Status status = CheckRule(rule, file);
    if (status) continue;
    if (++count > kMaxErrors) break;
    if (!errors.empty()) errors += '\n';
    errors += where;
    if (rule.place.line > 0)
      errors += ":" + std::to_string(rule.place.line) + ":" + std::to_string(rule.place.column);
    const std::string_view native =
        rule.native.empty() ? "" : std::string_view(rule.native.front());
    errors += ": rule " + std::string(native) + " → " + rule.as + ": " + status.error().message();
  }
  if (count > kMaxErrors) errors += "\n" + where + ": and more";
  return errors.empty() ? OkStatus() : Status(Problem(errors));
}

}  // namespace sonde::collect
