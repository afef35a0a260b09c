#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/ast.h"
#include "rules/instant_query.h"
#include "rules/options.h"
#include "rules/view.h"

namespace sonde::rules {

/// What a rule gives to the store, at the evaluation's time less the query offset.
struct RuleSample {
  Labels labels;
  double v = 0;
  std::shared_ptr<const FloatHistogram> histogram = nullptr;  ///< Null for floats.
};

/// One evaluation.
struct Evaluation {
  const InstantQuery& query;
  Timestamp time;
  Duration query_offset{0};
  int limit = 0;
  const Labels& external_labels;
  const std::string& external_url;
};

/// A rule with what it remembers between evaluations. Owned by its group and used by one thread at
/// a time.
class Rule {
 public:
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  /// After an error nothing is to be stored; what the rule remembers is as before, but for a limit
  /// of alerts, which clears them all.
  virtual Result<std::vector<RuleSample>> Evaluate(const Evaluation& evaluation) = 0;
  /// The alerts that are pending or firing now.
  virtual std::vector<AlertView> Alerts() const { return {}; }

  const RuleOptions& options() const { return options_; }
  const promql::Expr& expr() const { return *expr_; }

 protected:
  Rule(RuleOptions options, promql::ExprPtr expr)
      : options_(std::move(options)), expr_(std::move(expr)) {}

 private:
  const RuleOptions options_;
  const promql::ExprPtr expr_;
};

/// `record`: the result under a new name.
class RecordingRule final : public Rule {
 public:
  /// kInvalid if the expression does not parse.
  static Result<std::unique_ptr<RecordingRule>> Make(RuleOptions options,
                                                     const promql::ParserOptions& parser);
  Result<std::vector<RuleSample>> Evaluate(const Evaluation& evaluation) override;

 private:
  using Rule::Rule;
};

}  // namespace sonde::rules
