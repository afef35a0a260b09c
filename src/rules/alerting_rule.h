#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/alert.h"
#include "rules/rule.h"
#include "rules/template.h"

namespace sonde::rules {

/// The metrics that alerting rules write about their alerts.
inline constexpr std::string_view kAlertsMetric = "ALERTS";
inline constexpr std::string_view kAlertsForStateMetric = "ALERTS_FOR_STATE";

/// `alert`: each series of the result is an alert that is pending for `for`, then fires, and is
/// remembered for kResolvedRetention after its end. Semantics: Prometheus docs, "Alerting rules".
class AlertingRule final : public Rule {
 public:
  /// `restored` false: ALERTS is not written before RestoreState or MarkRestored. kInvalid if the
  /// expression or a template does not parse.
  static Result<std::unique_ptr<AlertingRule>> Make(RuleOptions options,
                                                    const promql::ParserOptions& parser,
                                                    bool restored);

  Result<std::vector<RuleSample>> Evaluate(const Evaluation& evaluation) override;
  std::vector<AlertView> Alerts() const override;

  /// Takes over the alerts of the same rule in the configuration before.
  void TakeStateFrom(AlertingRule& before);

  bool restored() const { return restored_; }
  /// Moves the beginnings of pending alerts back to what ALERTS_FOR_STATE remembers from before a
  /// restart, as far as it lies within `options`' tolerance. Called once, when the rule has been
  /// evaluated before. Alerts of rules whose `for` is under the grace period start anew. After an
  /// error (the store's) nothing is restored, and ALERTS is written from then on all the same.
  Status RestoreState(const storage::Queryable& store, Timestamp now, const RunnerOptions& options);

  /// The firing and resolved alerts that are to be sent now; they count as sent. `interval` is how
  /// often the rule is evaluated.
  std::vector<Alert> TakeDue(Timestamp now, Duration resend_delay, Duration interval,
                             const std::string& external_url);

 private:
  struct Active {
    Labels annotations;
    AlertState state = AlertState::kPending;
    double value = 0;
    Timestamp active_at;
    std::optional<Timestamp> fired_at;
    std::optional<Timestamp> keep_firing_since;
    std::optional<Timestamp> resolved_at;
    std::optional<Timestamp> last_sent;
  };
  using Texts = std::vector<std::pair<std::string, Template>>;

  AlertingRule(RuleOptions options, promql::ExprPtr expr, Texts labels, Texts annotations,
               bool restored);

  /// The alerts that the result stands for.
  Result<std::map<Labels, Active>> Read(const std::vector<promql::ResultSeries>& found,
                                        const Evaluation& evaluation) const;
  /// What becomes of an alert whose series is gone. False: it is forgotten.
  bool Expire(Active& alert, Timestamp now) const;
  void AppendSamples(const Labels& labels, const Active& alert,
                     std::vector<RuleSample>& samples) const;
  Timestamp RestoredBeginning(Timestamp down_at, double active_at_seconds, Timestamp now,
                              const RunnerOptions& options) const;

  const Texts labels_;
  const Texts annotations_;
  bool restored_;
  std::map<Labels, Active> active_;  // Also the resolved ones.
};

}  // namespace sonde::rules
