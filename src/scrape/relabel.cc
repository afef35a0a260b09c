#include "scrape/relabel.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/utf8.h"
#include "model/names.h"
#include "scrape/letter_case.h"

namespace sonde::scrape {
namespace {

bool IsLabelName(const RelabelRule& rule, std::string_view name) {
  return rule.legacy_names ? IsLegacyLabelName(name) : IsValidName(name);
}

bool HasVariable(std::string_view text) {
  return text.find('$') != std::string_view::npos;
}

/// Matches `subject` and expands `text`, with the default pattern `(.*)` where the rule has none.
std::optional<std::string> Expand(const RelabelRule& rule, std::string_view subject,
                                  std::string_view text) {
  if (rule.regex) return rule.regex->Expand(subject, text);
  if (text == "$1" || text == "${1}" || text == "$0" || text == "${0}") return std::string(subject);
  if (!HasVariable(text)) return std::string(text);
  static const Regex* const kEverything = new Regex(*Regex::Compile("(.*)"));  // Never destroyed.
  return kEverything->Expand(subject, text);
}

bool Matches(const RelabelRule& rule, std::string_view subject) {
  return !rule.regex || rule.regex->Matches(subject);
}

std::string SourceValue(const RelabelRule& rule, const LabelsBuilder& labels) {
  std::string value;
  for (std::size_t i = 0; i < rule.source_labels.size(); ++i) {
    if (i > 0) value += rule.separator;
    value += labels.Get(rule.source_labels[i]);
  }
  return value;
}

void Replace(const RelabelRule& rule, std::string_view value, LabelsBuilder& labels) {
  if (!rule.regex && value.empty() && !HasVariable(rule.target_label) &&
      !HasVariable(rule.replacement)) {
    labels.Set(rule.target_label, rule.replacement);
    return;
  }
  const auto target = Expand(rule, value, rule.target_label);
  if (!target || !IsLabelName(rule, *target)) return;
  labels.Set(*target, *Expand(rule, value, rule.replacement));  // An empty value deletes.
}

void MapLabels(const RelabelRule& rule, LabelsBuilder& labels) {
  std::vector<std::pair<std::string, std::string>> mapped;
  labels.ForEach([&](std::string_view name, std::string_view value) {
    auto target = Expand(rule, name, rule.replacement);
    if (target && IsLabelName(rule, *target)) mapped.emplace_back(*std::move(target), value);
  });
  for (const auto& [name, value] : mapped)
    labels.Set(name, value);
}

void DropLabels(const RelabelRule& rule, bool drop_matching, LabelsBuilder& labels) {
  std::vector<std::string> dropped;
  labels.ForEach([&](std::string_view name, std::string_view) {
    if (Matches(rule, name) == drop_matching) dropped.emplace_back(name);
  });
  for (const std::string& name : dropped)
    labels.Delete(name);
}

}  // namespace

bool ApplyRelabelRule(const RelabelRule& rule, LabelsBuilder& labels) {
  const std::string value = SourceValue(rule, labels);
  switch (rule.action) {
    case RelabelAction::kDrop:
      return !Matches(rule, value);
    case RelabelAction::kKeep:
      return Matches(rule, value);
    case RelabelAction::kDropEqual:
      return labels.Get(rule.target_label) != value;
    case RelabelAction::kKeepEqual:
      return labels.Get(rule.target_label) == value;
    case RelabelAction::kReplace:
      Replace(rule, value, labels);
      return true;
    case RelabelAction::kLowercase:
      labels.Set(rule.target_label, ToLowerCase(value));
      return true;
    case RelabelAction::kUppercase:
      labels.Set(rule.target_label, ToUpperCase(value));
      return true;
    case RelabelAction::kHashMod: {
      CHECK(rule.modulus != 0);
      std::string number;
      AppendUint(number, Md5Low64(value) % rule.modulus);
      labels.Set(rule.target_label, number);
      return true;
    }
    case RelabelAction::kLabelMap:
      MapLabels(rule, labels);
      return true;
    case RelabelAction::kLabelDrop:
      DropLabels(rule, true, labels);
      return true;
    case RelabelAction::kLabelKeep:
      DropLabels(rule, false, labels);
      return true;
  }
  return true;
}

bool Relabel(std::span<const RelabelRule> rules, LabelsBuilder& labels) {
  for (const RelabelRule& rule : rules) {
    if (!ApplyRelabelRule(rule, labels)) return false;
  }
  return true;
}

}  // namespace sonde::scrape
