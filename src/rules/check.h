#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "promql/parser.h"
#include "rules/options.h"

namespace sonde::rules {

/// The key of a rule that a problem is about.
enum class RuleKey : unsigned char {
  kName,
  kExpr,
  kFor,
  kKeepFiringFor,
  kLabels,
  kAnnotations,
};

struct RuleProblem {
  RuleKey key;
  std::string message;  ///< In the reference's words.
};

struct RuleCheckOptions {
  promql::ParserOptions parser;
  bool legacy_names = false;  ///< Names of metrics, labels and annotations are [a-zA-Z_]….
};

/// What is wrong with a rule: names, expression, keys that do not fit its kind, templates.
std::vector<RuleProblem> CheckRule(const RuleOptions& rule, const RuleCheckOptions& options);

/// "" or what is wrong with a label of a rule or a group.
std::string CheckLabel(std::string_view name, std::string_view value, bool legacy_names);

}  // namespace sonde::rules
