#include "rules/check.h"

#include "base/quote.h"
#include "base/utf8.h"
#include "model/names.h"
#include "rules/template.h"

namespace sonde::rules {
namespace {

bool IsLabelName(std::string_view name, bool legacy) {
  return name != kMetricName && (legacy ? IsLegacyLabelName(name) : IsValidName(name));
}

void CheckRecording(const RuleOptions& rule, const RuleCheckOptions& options,
                    std::vector<RuleProblem>& problems) {
  if (!rule.annotations.empty()) {
    problems.push_back({RuleKey::kAnnotations, "invalid field 'annotations' in recording rule"});
  }
  if (rule.hold != Duration(0)) {
    problems.push_back({RuleKey::kFor, "invalid field 'for' in recording rule"});
  }
  if (rule.keep_firing_for != Duration(0)) {
    problems.push_back(
        {RuleKey::kKeepFiringFor, "invalid field 'keep_firing_for' in recording rule"});
  }
  const bool valid = options.legacy_names ? IsLegacyMetricName(rule.name) : IsValidName(rule.name);
  if (!valid) {
    problems.push_back({RuleKey::kName, "invalid recording rule name: " + rule.name});
  } else if (rule.name.find_first_of("{}") != std::string::npos) {
    problems.push_back(
        {RuleKey::kName,
         "braces present in the recording rule name; should it be in expr?: " + rule.name});
  }
}

void CheckTexts(const TextPairs& texts, RuleKey key, std::string_view what,
                std::vector<RuleProblem>& problems) {
  for (const auto& [name, text] : texts) {
    const auto parsed = Template::Parse(text);
    if (parsed) continue;
    problems.push_back(
        {key, std::string(what) + " " + QuoteGo(name) + ": " + parsed.error().message()});
  }
}

}  // namespace

std::string CheckLabel(std::string_view name, std::string_view value, bool legacy_names) {
  if (!IsLabelName(name, legacy_names)) return "invalid label name: " + std::string(name);
  if (!IsValidUtf8(value)) return "invalid label value: " + QuoteGo(value);
  return {};
}

std::vector<RuleProblem> CheckRule(const RuleOptions& rule, const RuleCheckOptions& options) {
  std::vector<RuleProblem> problems;
  if (rule.expr.empty()) {
    problems.push_back({RuleKey::kExpr, "field 'expr' must be set in rule"});
  } else if (const auto expr = promql::ParseExpr(rule.expr, options.parser); !expr) {
    problems.push_back({RuleKey::kExpr, "could not parse expression: " + expr.error().message()});
  }
  if (!rule.alerting) CheckRecording(rule, options, problems);
  for (const auto& [name, value] : rule.labels) {
    if (std::string problem = CheckLabel(name, value, options.legacy_names); !problem.empty()) {
      problems.push_back({RuleKey::kLabels, std::move(problem)});
    }
  }
  for (const auto& [name, value] : rule.annotations) {
    if (!(options.legacy_names ? IsLegacyLabelName(name) : IsValidName(name))) {
      problems.push_back({RuleKey::kAnnotations, "invalid annotation name: " + name});
    }
  }
  if (rule.alerting) {
    CheckTexts(rule.labels, RuleKey::kLabels, "label", problems);
    CheckTexts(rule.annotations, RuleKey::kAnnotations, "annotation", problems);
  }
  return problems;
}

}  // namespace sonde::rules
