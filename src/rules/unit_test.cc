#include "rules/unit_test.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "model/sample.h"
#include "promql/histogram_math.h"
#include "promql/parser.h"
#include "promql/promqltest/series_description.h"
#include "rules/group.h"
#include "rules/memory_storage.h"

namespace sonde::rules {
namespace {

/// As promtool has it: everything of the language is on.
promql::ParserOptions TestParserOptions() {
  promql::ParserOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.binop_fill_modifiers = true;
  return options;
}

Labels LabelsOf(const TextPairs& pairs) {
  LabelsBuilder builder;
  for (const auto& [name, value] : pairs)
    builder.Set(name, value);
  return builder.Build();
}

struct LoadedInput {
  Labels labels;
  std::vector<promql::DescribedValue> values;
  std::size_t next = 0;
};

/// A sample as it is compared and shown.
struct PlainSample {
  Labels labels;
  double value = 0;
  std::optional<FloatHistogram> histogram{};
};

bool SameValue(double a, double b, bool fuzzy) {
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double infinity = std::numeric_limits<double>::infinity();
  return fuzzy && (std::nextafter(a, infinity) == b || std::nextafter(a, -infinity) == b);
}

bool SameHistogram(FloatHistogram a, FloatHistogram b) {
  promql::Compact(a);
  promql::Compact(b);
  if (a.reset_hint == ResetHint::kUnknown) b.reset_hint = ResetHint::kUnknown;  // Not written.
  return a == b;
}

bool SameSample(const PlainSample& expected, const PlainSample& got, bool fuzzy) {
  if (expected.labels != got.labels) return false;
  if (expected.histogram.has_value() != got.histogram.has_value()) return false;
  if (expected.histogram) return SameHistogram(*expected.histogram, *got.histogram);
  return SameValue(expected.value, got.value, fuzzy);
}

std::string Describe(const std::vector<PlainSample>& samples) {
  if (samples.empty()) return "nil";
  std::string out;
  for (const PlainSample& sample : samples) {
    if (!out.empty()) out += ", ";
    out += sample.labels.ToString() + " ";
    if (sample.histogram) {
      out += fmt::format("{{{{count:{} sum:{} …}}}}", FormatFloatG(sample.histogram->count),
                         FormatFloatG(sample.histogram->sum));
    } else {
      AppendFloatE(out, sample.value);
    }
  }
  return out;
}

struct FiringAlert {
  Labels labels;
  Labels annotations;
  auto operator<=>(const FiringAlert&) const = default;
};

std::string Describe(const std::vector<FiringAlert>& alerts) {
  if (alerts.empty()) return "[]";
  std::string out = "[";
  int index = 0;
  for (const FiringAlert& alert : alerts) {
    out += fmt::format("\n            {}:\n              Labels:{}\n              Annotations:{}",
                       index++, alert.labels.ToString(), alert.annotations.ToString());
  }
  return out + "\n            ]";
}

class Run {
 public:
  Run(const UnitTestFile& file, const UnitTest& test, const UnitTestContext& context)
      : file_(file),
        test_(test),
        context_(context),
        query_(storage_, context.evaluator, EvalOptions(file), TestParserOptions()) {}

  std::vector<std::string> All() {
    if (!Prepare()) return std::move(problems_);
    Rounds();
    if (problems_.empty()) CheckExpressions();
    return std::move(problems_);
  }

 private:
  static promql::EvalOptions EvalOptions(const UnitTestFile& file) {
    promql::EvalOptions options;
    options.default_subquery_step = file.evaluation_interval;
    return options;
  }

  bool Prepare() {
    for (const InputSeries& input : test_.series) {
      auto parsed = promql::ParseSeriesDescription(input.series + " " + input.values);
      if (!parsed) {
        problems_.push_back(fmt::format("    invalid series {}: {}", QuoteGo(input.series),
                                        parsed.error().message()));
        continue;
      }
      inputs_.push_back({std::move(parsed->labels), std::move(parsed->values)});
    }
    for (const AlertTest& alert : test_.alert_tests) {
      longest_ = std::max(longest_, alert.eval_time);
      if (!alert.name.empty()) continue;
      problems_.push_back(
          fmt::format("    an item under alert_rule_test misses required attribute alertname at "
                      "eval_time {}",
                      FormatDuration(alert.eval_time)));
    }
    for (const ExpressionTest& expression : test_.expression_tests)
      longest_ = std::max(longest_, expression.eval_time);
    if (longest_ / file_.evaluation_interval > kMaxUnitTestRounds) {
      problems_.push_back(fmt::format("    more than {} rounds of evaluation", kMaxUnitTestRounds));
    }
    MakeGroups();
    return problems_.empty();
  }

  void MakeGroups() {
    RunnerOptions options;
    options.interval = file_.evaluation_interval;
    options.external_labels = test_.external_labels;
    options.external_url = test_.external_url;
    std::vector<GroupOptions> ordered = context_.groups;
    const auto rank = [&](const GroupOptions& group) {
      return std::ranges::find(file_.group_eval_order, group.name) - file_.group_eval_order.begin();
    };
    if (!file_.group_eval_order.empty()) {
      std::ranges::stable_sort(
          ordered, [&](const GroupOptions& a, const GroupOptions& b) { return rank(a) < rank(b); });
    }
    for (GroupOptions& group : ordered) {
      auto made = Group::Make(std::move(group), options,
                              {.query = query_,
                               .store = storage_,
                               .clock = clock_,
                               .logger = context_.logger,
                               .alerts = {}},
                              true);
      if (made) {
        groups_.push_back(*std::move(made));
      } else {
        problems_.push_back("    " + made.error().message());
      }
    }
  }

  /// The input up to `time`.
  void Load(Timestamp time) {
    for (LoadedInput& input : inputs_) {
      for (; input.next < input.values.size(); ++input.next) {
        const Timestamp at = test_.start + test_.interval * static_cast<std::int64_t>(input.next);
        if (at > time) break;
        const promql::DescribedValue& value = input.values[input.next];
        if (value.omitted) continue;
        const auto error = value.histogram
                               ? storage_.store().Append(input.labels, at, *value.histogram)
                               : storage_.store().Append(input.labels, at, value.v);
        if (error != storage::AppendError::kNone) {
          problems_.push_back(fmt::format("    {} at {}: {}", input.labels.ToString(),
                                          FormatDuration(at - test_.start),
                                          storage::ToString(error)));
        }
      }
    }
  }

  void Rounds() {
    std::set<Duration> times;
    for (const AlertTest& alert : test_.alert_tests)
      times.insert(alert.eval_time);
    auto next = times.begin();
    for (Duration at{0}; at <= longest_; at += file_.evaluation_interval) {
      clock_.Set(test_.start + at);
      Load(test_.start + at);
      for (const auto& group : groups_) {
        group->Evaluate(test_.start + at);
        NoteFailures(*group, at);
      }
      while (next != times.end() && at <= *next && *next < at + file_.evaluation_interval)
        CheckAlerts(*next++);
      if (problems_.size() > kMaxProblems) return;
    }
    Load(test_.start + longest_);
  }

  void NoteFailures(const Group& group, Duration at) {
    for (const auto& rule : group.view().rules) {
      if (rule->last_error.empty()) continue;
      problems_.push_back(fmt::format("    rule: {}, time: {}, err: {}", rule->options.name,
                                      FormatDuration(at), rule->last_error));
    }
  }

  void CheckAlerts(Duration at) {
    std::map<std::string, std::vector<FiringAlert>> got;
    for (const auto& group : groups_) {
      for (const auto& rule : group->view().rules) {
        for (const AlertView& alert : rule->alerts) {
          if (alert.state == AlertState::kFiring)
            got[rule->options.name].push_back({alert.labels, alert.annotations});
        }
      }
    }
    for (const AlertTest& test : test_.alert_tests) {
      if (test.eval_time != at) continue;
      std::vector<FiringAlert> expected;
      for (const ExpectedAlert& alert : test.alerts) {
        TextPairs labels = alert.labels;
        labels.emplace_back("alertname", test.name);
        expected.push_back({LabelsOf(labels), LabelsOf(alert.annotations)});
      }
      std::vector<FiringAlert>& found = got[test.name];
      std::ranges::sort(expected);
      std::ranges::sort(found);
      if (expected == found) continue;
      problems_.push_back(
          fmt::format("    alertname: {}, time: {}, \n        exp:{}, \n        got:{}", test.name,
                      FormatDuration(at), Describe(expected), Describe(found)));
    }
  }

  void CheckExpressions() {
    for (const ExpressionTest& test : test_.expression_tests) {
      const std::string where =
          fmt::format("    expr: {}, time: {}", QuoteGo(test.expr), FormatDuration(test.eval_time));
      const auto found = query_.Ask(test.expr, test_.start + test.eval_time);
      auto expected = Expected(test);
      if (!found || !expected) {
        const Error& error = found ? expected.error() : found.error();
        problems_.push_back(where + ", err: " + error.message());
        continue;
      }
      std::vector<PlainSample> got;
      for (const promql::ResultSeries& series : *found) {
        const promql::SamplePoint& point = series.points.front();
        got.push_back({series.labels, point.v,
                       point.histogram ? std::optional(*point.histogram) : std::nullopt});
      }
      std::ranges::sort(got, {}, &PlainSample::labels);
      std::ranges::sort(*expected, {}, &PlainSample::labels);
      const bool same =
          std::ranges::equal(*expected, got, [&](const PlainSample& a, const PlainSample& b) {
            return SameSample(a, b, file_.fuzzy_compare);
          });
      if (same) continue;
      problems_.push_back(fmt::format("{},\n        exp: {}\n        got: {}", where,
                                      Describe(*expected), Describe(got)));
    }
  }

  static Result<std::vector<PlainSample>> Expected(const ExpressionTest& test) {
    std::vector<PlainSample> expected;
    for (const ExpectedSample& sample : test.samples) {
      PlainSample plain;
      if (!TrimSpace(sample.labels).empty()) plain.labels = TRY(promql::ParseMetric(sample.labels));
      plain.value = sample.value;
      if (!sample.histogram.empty()) {
        auto parsed = TRY(promql::ParseSeriesDescription("histogram " + sample.histogram));
        if (parsed.values.size() != 1 || !parsed.values.front().histogram)
          return Error(ErrorKind::kInvalid, "one histogram is expected: " + sample.histogram);
        plain.histogram = std::move(parsed.values.front().histogram);
      }
      expected.push_back(std::move(plain));
    }
    return expected;
  }

  static constexpr std::size_t kMaxProblems = 100;

  const UnitTestFile& file_;
  const UnitTest& test_;
  const UnitTestContext& context_;
  ManualClock clock_;
  MemoryStorage storage_;
  const InstantQuery query_;
  std::vector<std::shared_ptr<Group>> groups_;
  std::vector<LoadedInput> inputs_;
  Duration longest_{0};
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> RunUnitTest(const UnitTestFile& file, const UnitTest& test,
                                     const UnitTestContext& context) {
  return Run(file, test, context).All();
}

}  // namespace sonde::rules
