#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/labels.h"
#include "rules/options.h"

// How rules stand, for the API and the tests: values, taken at one time.

namespace sonde::rules {

enum class AlertState : unsigned char { kInactive, kPending, kFiring };
/// "inactive", "pending", "firing".
std::string_view ToString(AlertState state);

enum class RuleHealth : unsigned char { kUnknown, kOk, kBad };
/// "unknown", "ok", "err".
std::string_view ToString(RuleHealth health);

/// One alert that is pending or firing.
struct AlertView {
  Labels labels;
  Labels annotations;
  AlertState state = AlertState::kPending;
  Timestamp active_at;
  std::optional<Timestamp> keep_firing_since;
  double value = 0;
};

struct RuleView {
  RuleOptions options;
  std::string query;              ///< The expression in canonical form.
  std::vector<AlertView> alerts;  ///< Sorted by labels; empty for recording rules.
  RuleHealth health = RuleHealth::kUnknown;
  std::string last_error;  ///< Of the last evaluation; "" if it worked.
  double evaluation_seconds = 0;
  std::optional<Timestamp> last_evaluation;

  /// The worst of its alerts.
  AlertState state() const;
};

struct GroupView {
  std::string name;
  std::string file;
  Duration interval{0};
  int limit = 0;
  std::vector<std::shared_ptr<const RuleView>> rules;
  double evaluation_seconds = 0;
  std::optional<Timestamp> last_evaluation;
};

}  // namespace sonde::rules
