#include "rules/alerting_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/sample.h"
#include "promql/parser.h"
#include "promql/printer.h"

namespace sonde::rules {
namespace {

Result<std::vector<std::pair<std::string, Template>>> ParseTexts(const TextPairs& texts) {
  std::vector<std::pair<std::string, Template>> parsed;
  for (const auto& [name, text] : texts) {
    auto made = Template::Parse(text);
    if (!made) return std::move(made).error().Wrap(name);
    parsed.emplace_back(name, *std::move(made));
  }
  return parsed;
}

/// The newest sample of a series, if it is a float.
struct Newest {
  Timestamp time;
  double value = 0;
};
Result<std::optional<Newest>> NewestOf(storage::SampleReader& reader, std::size_t index) {
  reader.Seek(index);
  std::optional<Newest> newest;
  while (true) {
    const storage::SampleBatch batch = TRY(reader.Next());
    if (batch.size() == 0) return newest;
    newest.reset();
    if (batch.kind == storage::SampleKind::kFloat)
      newest = Newest{batch.timestamps.back(), batch.values.back()};
  }
}

}  // namespace

AlertingRule::AlertingRule(RuleOptions options, promql::ExprPtr expr, Texts labels,
                           Texts annotations, bool restored)
    : Rule(std::move(options), std::move(expr)),
      labels_(std::move(labels)),
      annotations_(std::move(annotations)),
      restored_(restored) {}

Result<std::unique_ptr<AlertingRule>> AlertingRule::Make(RuleOptions options,
                                                         const promql::ParserOptions& parser,
                                                         bool restored) {
  promql::ExprPtr expr = TRY(promql::ParseExpr(options.expr, parser));
  Texts labels = TRY(ParseTexts(options.labels));
  Texts annotations = TRY(ParseTexts(options.annotations));
  return std::unique_ptr<AlertingRule>(new AlertingRule(
      std::move(options), std::move(expr), std::move(labels), std::move(annotations), restored));
}

Result<std::map<Labels, AlertingRule::Active>> AlertingRule::Read(
    const std::vector<promql::ResultSeries>& found, const Evaluation& evaluation) const {
  const Timestamp asked = evaluation.time - evaluation.query_offset;
  std::map<Labels, Active> read;
  LabelsBuilder builder;
  for (const promql::ResultSeries& series : found) {
    const promql::SamplePoint& point = series.points.front();
    builder.Reset(series.labels);
    builder.Delete(kMetricName);
    const Labels bare(series.labels);
    TemplateScope scope;
    scope.labels = bare;
    scope.value = point.v;
    scope.external_labels = evaluation.external_labels;
    scope.external_url = evaluation.external_url;
    scope.now = evaluation.time;
    scope.query = [&](std::string_view text) { return evaluation.query.Ask(text, asked); };
    for (const auto& [name, text] : labels_)
      builder.Set(name, ExpandOrExplain(text, scope));
    builder.Set("alertname", options().name);
    Active alert;
    LabelsBuilder annotations;
    for (const auto& [name, text] : annotations_)
      annotations.Set(name, ExpandOrExplain(text, scope));
    alert.annotations = annotations.Build();
    alert.value = point.v;
    alert.active_at = evaluation.time;
    if (!read.emplace(builder.Build(), std::move(alert)).second) {
      return Error(ErrorKind::kInvalid,
                   "vector contains metrics with the same labelset after applying alert labels");
    }
  }
  return read;
}

bool AlertingRule::Expire(Active& alert, Timestamp now) const {
  bool keep = false;
  if (alert.state == AlertState::kFiring && options().keep_firing_for > Duration(0)) {
    if (!alert.keep_firing_since) alert.keep_firing_since = now;
    keep = now - *alert.keep_firing_since < options().keep_firing_for;
  }
  if (alert.state == AlertState::kPending) return false;
  if (alert.resolved_at && now - *alert.resolved_at > kResolvedRetention) return false;
  if (alert.state == AlertState::kFiring && !keep) {
    alert.state = AlertState::kInactive;
    alert.resolved_at = now;
  }
  return true;
}

void AlertingRule::AppendSamples(const Labels& labels, const Active& alert,
                                 std::vector<RuleSample>& samples) const {
  LabelsBuilder builder(labels);
  builder.Set(kMetricName, kAlertsMetric).Set("alertstate", ToString(alert.state));
  samples.push_back({builder.Build(), 1.0});
  builder.Reset(labels);
  builder.Set(kMetricName, kAlertsForStateMetric);
  // Whole seconds, as the reference writes them.
  const double seconds = std::floor(static_cast<double>(alert.active_at.ms) / 1000);
  samples.push_back({builder.Build(), seconds});
}

Result<std::vector<RuleSample>> AlertingRule::Evaluate(const Evaluation& evaluation) {
  const Timestamp now = evaluation.time;
  const auto found =
      TRY(evaluation.query.Ask(expr(), options().expr, now - evaluation.query_offset));
  std::map<Labels, Active> read = TRY(Read(found, evaluation));
  for (auto& [labels, alert] : read) {
    const auto known = active_.find(labels);
    if (known == active_.end() || known->second.state == AlertState::kInactive) {
      active_[labels] = alert;
    } else {
      known->second.value = alert.value;
      known->second.annotations = alert.annotations;
    }
  }
  std::vector<RuleSample> samples;
  std::size_t count = 0;
  for (auto it = active_.begin(); it != active_.end();) {
    Active& alert = it->second;
    if (read.contains(it->first)) {
      alert.keep_firing_since.reset();
    } else if (!Expire(alert, now)) {
      it = active_.erase(it);
      continue;
    }
    if (alert.state != AlertState::kInactive) {
      ++count;
      if (alert.state == AlertState::kPending && now - alert.active_at >= options().hold) {
        alert.state = AlertState::kFiring;
        alert.fired_at = now;
      }
      if (restored_) AppendSamples(it->first, alert, samples);
    }
    ++it;
  }
  if (evaluation.limit > 0 && count > static_cast<std::size_t>(evaluation.limit)) {
    active_.clear();
    return Error(ErrorKind::kLimit, "exceeded limit of " + std::to_string(evaluation.limit) +
                                        " with " + std::to_string(count) + " alerts");
  }
  return samples;
}

std::vector<AlertView> AlertingRule::Alerts() const {
  std::vector<AlertView> alerts;
  for (const auto& [labels, alert] : active_) {
    if (alert.state == AlertState::kInactive) continue;
    alerts.push_back({labels, alert.annotations, alert.state, alert.active_at,
                      alert.keep_firing_since, alert.value});
  }
  return alerts;
}

void AlertingRule::TakeStateFrom(AlertingRule& before) {
  active_ = std::move(before.active_);
  before.active_.clear();
  restored_ = before.restored_;
}

Timestamp AlertingRule::RestoredBeginning(Timestamp down_at, double active_at_seconds,
                                          Timestamp now, const RunnerOptions& options) const {
  const Timestamp active_at{static_cast<std::int64_t>(active_at_seconds * 1000)};
  const Duration remaining = this->options().hold - (down_at - active_at);
  if (remaining <= Duration(0)) return active_at;  // It fired: it goes on firing.
  // What is left of `for` is waited for, but no less than the grace period.
  if (remaining < options.grace_period) return now + options.grace_period - this->options().hold;
  return active_at + (now - down_at);
}

Status AlertingRule::RestoreState(const storage::Queryable& store, Timestamp now,
                                  const RunnerOptions& options) {
  if (restored_) return OkStatus();
  restored_ = true;
  if (this->options().hold < options.grace_period || active_.empty()) return OkStatus();
  const Timestamp oldest = now - options.outage_tolerance;
  const auto querier = TRY(store.NewQuerier(oldest, now));
  const std::vector<Matcher> matchers = {
      Matcher::Equal(std::string(kMetricName), std::string(kAlertsForStateMetric)),
      Matcher::Equal("alertname", this->options().name)};
  const auto set =
      TRY(querier->Select(false, {.start = oldest, .end = now, .function = {}}, matchers));
  const auto reader = set->NewReader();
  for (std::size_t i = 0; i < set->size(); ++i) {
    LabelsBuilder builder(set->labels(i));
    builder.Delete(kMetricName);
    const auto found = active_.find(builder.Build());
    if (found == active_.end() || found->second.state == AlertState::kInactive) continue;
    const auto newest = TRY(NewestOf(*reader, i));
    if (!newest || std::isnan(newest->value)) continue;  // It had ended before.
    // Guards the cast: no beginning lies outside of what a clock can say.
    if (newest->value < 0 || newest->value > 1e12) continue;
    found->second.active_at = RestoredBeginning(newest->time, newest->value, now, options);
  }
  return OkStatus();
}

std::vector<Alert> AlertingRule::TakeDue(Timestamp now, Duration resend_delay, Duration interval,
                                         const std::string& external_url) {
  std::vector<Alert> due;
  for (auto& [labels, alert] : active_) {
    if (alert.state == AlertState::kPending) continue;
    const bool news =
        !alert.last_sent || (alert.resolved_at && *alert.resolved_at > *alert.last_sent);
    if (!news && now - *alert.last_sent <= resend_delay) continue;
    alert.last_sent = now;
    const Timestamp valid_until = now + 4 * std::max(interval, resend_delay);
    due.push_back({labels, alert.annotations, alert.fired_at.value_or(alert.active_at),
                   alert.resolved_at.value_or(valid_until),
                   external_url + TableLink(promql::Print(expr()))});
  }
  return due;
}

}  // namespace sonde::rules
