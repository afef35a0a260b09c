#include "rules/rule.h"

#include <unordered_set>
#include <utility>

#include "promql/parser.h"

namespace sonde::rules {

std::string_view ToString(AlertState state) {
  switch (state) {
    case AlertState::kInactive:
      return "inactive";
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
  }
  return "inactive";
}

std::string_view ToString(RuleHealth health) {
  switch (health) {
    case RuleHealth::kUnknown:
      return "unknown";
    case RuleHealth::kOk:
      return "ok";
    case RuleHealth::kBad:
      return "err";
  }
  return "unknown";
}

AlertState RuleView::state() const {
  AlertState worst = AlertState::kInactive;
  for (const AlertView& alert : alerts)
    worst = std::max(worst, alert.state);
  return worst;
}

Result<std::unique_ptr<RecordingRule>> RecordingRule::Make(RuleOptions options,
                                                           const promql::ParserOptions& parser) {
  promql::ExprPtr expr = TRY(promql::ParseExpr(options.expr, parser));
  return std::unique_ptr<RecordingRule>(new RecordingRule(std::move(options), std::move(expr)));
}

Result<std::vector<RuleSample>> RecordingRule::Evaluate(const Evaluation& evaluation) {
  const auto found =
      TRY(evaluation.query.Ask(expr(), options().expr, evaluation.time - evaluation.query_offset));
  std::vector<RuleSample> samples;
  samples.reserve(found.size());
  std::unordered_set<Labels> seen;
  LabelsBuilder builder;
  for (const promql::ResultSeries& series : found) {
    builder.Reset(series.labels);
    builder.Set(kMetricName, options().name);
    for (const auto& [name, value] : options().labels)
      builder.Set(name, value);
    Labels labels = builder.Build();
    if (!seen.insert(labels).second) {
      return Error(ErrorKind::kInvalid,
                   "vector contains metrics with the same labelset after applying rule labels");
    }
    samples.push_back(
        {std::move(labels), series.points.front().v, series.points.front().histogram});
  }
  if (evaluation.limit > 0 && samples.size() > static_cast<std::size_t>(evaluation.limit)) {
    return Error(ErrorKind::kLimit, "exceeded limit of " + std::to_string(evaluation.limit) +
                                        " with " + std::to_string(samples.size()) + " series");
  }
  return samples;
}

}  // namespace sonde::rules
