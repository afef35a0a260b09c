#include <algorithm>

#include <fmt/format.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "config/schema_blocks.h"
#include "model/names.h"

// Relabelling rules.

namespace sonde::config {
namespace {

using enum FieldType;

constexpr Field kFields[] = {
    {"source_labels", kStrings},    {"separator", kString, ";", kAlways},
    {"regex", kRegex, "(.*)"},      {"modulus", kUint},
    {"target_label", kString},      {"replacement", kString, "$1", kAlways},
    {"action", kString, "replace"},
};

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The length of a `$name` or `${name}` at the start of `text`, or 0.
std::size_t VariableLength(std::string_view text) {
  if (text.size() < 2 || text[0] != '$') return 0;
  const bool braces = text[1] == '{';
  std::size_t end = braces ? 2 : 1;
  const std::size_t begin = end;
  while (end < text.size() && IsWord(text[end]))
    ++end;
  if (end == begin) return 0;
  if (!braces) return end;
  return end < text.size() && text[end] == '}' ? end + 1 : 0;
}

/// A legacy label name in which `$name` and `${name}` may stand for parts.
bool IsLegacyTemplate(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  while (!text.empty()) {
    const std::size_t length = IsWord(text[0]) ? 1 : VariableLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void CheckRule(const BlockView& view, Diagnostics& diagnostics) {
  const YamlNode* action = view.Raw("action");
  if (action != nullptr && !action->is_null() &&
      !IsOneOf(Lower(action->text),
               {"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap",
                "labeldrop", "labelkeep", "lowercase", "uppercase"})) {
    diagnostics.Fail(action->mark, fmt::format("unknown relabel action {}", QuoteGo(action->text)));
  }
  if (const YamlNode* labels = view.Raw("source_labels")) {
    for (const YamlNode& label : labels->items) {
      if (!IsValidName(label.text)) {
        diagnostics.Fail(label.mark,
                         fmt::format("{} is not a valid label name", QuoteGo(label.text)));
      }
    }
  }
}

/// One rule, once the name validation scheme is known.
class RuleChecker {
 public:
  RuleChecker(const BlockView& rule, bool legacy, Diagnostics& diagnostics)
      : rule_(rule),
        legacy_(legacy),
        diagnostics_(diagnostics),
        action_(Lower(rule.Text("action"))) {}

  void Check() {
    if (action_.empty()) {
      Fail("action", "relabel action cannot be empty");
      return;
    }
    if (action_ == "hashmod" && rule_.Uint("modulus") == 0) {
      Fail("modulus", "relabel configuration for hashmod requires non-zero modulus");
    }
    const bool by_value = IsOneOf(action_, {"lowercase", "uppercase", "keepequal", "dropequal"});
    const bool needs_target = by_value || action_ == "replace" || action_ == "hashmod";
    const std::string target = rule_.Text("target_label");
    if (needs_target && target.empty()) {
      Fail("target_label",
           fmt::format("relabel configuration for {} action requires 'target_label' value",
                       action_));
      return;
    }
    if (needs_target && !IsTarget(target)) {
      Fail("target_label",
           fmt::format("{} is invalid 'target_label' for {} action", QuoteGo(target), action_));
    }
    if (by_value && rule_.Text("replacement") != "$1") {
      Fail("replacement", fmt::format("'replacement' can not be set for {} action", action_));
    }
    if (action_ == "labelmap" && !IsTemplate(rule_.Text("replacement"))) {
      Fail("replacement", fmt::format("{} is invalid 'replacement' for {} action",
                                      QuoteGo(rule_.Text("replacement")), action_));
    }
    CheckUnusedKeys();
  }

 private:
  bool IsName(std::string_view name) const {
    return legacy_ ? IsLegacyLabelName(name) : IsValidName(name);
  }
  bool IsTemplate(std::string_view text) const {
    return legacy_ ? IsLegacyTemplate(text) : IsValidName(text);
  }
  bool IsTarget(std::string_view target) const {
    if (action_ == "replace" && target.find('$') != std::string_view::npos)
      return IsTemplate(target);
    return IsName(target);
  }

  void CheckUnusedKeys() {
    const bool changed = rule_.Uint("modulus") != 0 || rule_.Text("separator") != ";" ||
                         rule_.Text("replacement") != "$1";
    if (IsOneOf(action_, {"keepequal", "dropequal"}) &&
        (changed || rule_.Raw("regex") != nullptr)) {
      diagnostics_.Fail(
          rule_.mark(),
          fmt::format(
              "{} action requires only 'source_labels' and `target_label`, and no other fields",
              action_));
    }
    if (IsOneOf(action_, {"labeldrop", "labelkeep"}) &&
        (changed || rule_.Has("source_labels") || !rule_.Text("target_label").empty())) {
      diagnostics_.Fail(
          rule_.mark(),
          fmt::format("{} action requires only 'regex', and no other fields", action_));
    }
  }

  void Fail(std::string_view key, std::string_view message) {
    diagnostics_.Fail(rule_.MarkOf(key), message);
  }

  const BlockView& rule_;
  const bool legacy_;
  Diagnostics& diagnostics_;
  const std::string action_;
};

}  // namespace

const Block kRelabelBlock = {"relabel_config", "relabel.plain", kFields, CheckRule};

void CheckRelabelRules(const BlockView& owner, std::string_view key, bool legacy_names,
                       Diagnostics& diagnostics) {
  for (const BlockView& rule : owner.Children(key))
    RuleChecker(rule, legacy_names, diagnostics).Check();
}

}  // namespace sonde::config
