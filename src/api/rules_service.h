#pragma once

#include <functional>
#include <vector>

#include "api/envelope.h"
#include "net/http.h"
#include "rules/view.h"

// /api/v1/rules and /api/v1/alerts. Format and parameters: Prometheus docs, "HTTP API", "Rules".

namespace sonde::api {

/// All groups, sorted by file and name. Thread-safe; null: there are no rules.
using RuleGroupsSource = std::function<std::vector<rules::GroupView>()>;

/// Parameters: type, rule_name[], rule_group[], file[], match[], exclude_alerts, group_limit,
/// group_next_token.
Answer RulesAnswer(const std::vector<rules::GroupView>& groups, const net::Query& parameters);
Answer AlertsAnswer(const std::vector<rules::GroupView>& groups);

}  // namespace sonde::api
