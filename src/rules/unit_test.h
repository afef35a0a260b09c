#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/time.h"
#include "model/labels.h"
#include "promql/engine.h"
#include "rules/options.h"

// Unit tests of rules in promtool's format: series over simulated time, and which alerts and values
// they must give. Format: docs/rules.md; Prometheus docs, "Unit testing for rules".

namespace sonde::rules {

struct InputSeries {
  std::string series;
  std::string values;
};

struct ExpectedAlert {
  TextPairs labels;
  TextPairs annotations;
};
struct AlertTest {
  Duration eval_time{0};
  std::string name;
  std::vector<ExpectedAlert> alerts;
};

struct ExpectedSample {
  std::string labels;
  double value = 0;
  std::string histogram;  ///< `{{count:3 …}}`; "" for a float.
};
struct ExpressionTest {
  std::string expr;
  Duration eval_time{0};
  std::vector<ExpectedSample> samples;
};

struct UnitTest {
  std::string name;
  Duration interval{60'000};  ///< Between two values of an input series.
  Timestamp start;
  std::vector<InputSeries> series;
  Labels external_labels;
  std::string external_url;
  std::vector<AlertTest> alert_tests;
  std::vector<ExpressionTest> expression_tests;
};

struct UnitTestFile {
  std::vector<std::string> rule_files;  ///< Patterns, as written.
  Duration evaluation_interval{60'000};
  bool fuzzy_compare = false;  ///< Values may differ in their last bit.
  std::vector<std::string> group_eval_order;
  std::vector<UnitTest> tests;
};

/// What all tests of a file share.
struct UnitTestContext {
  const promql::Evaluator& evaluator;
  const Logger& logger;
  const std::vector<GroupOptions>& groups;  ///< Of the file's rule_files.
};

/// Longest simulated time and number of rounds of one test.
inline constexpr std::int64_t kMaxUnitTestRounds = 10'000'000;

/// Runs one test. What is wrong, in promtool's words, an element each; empty if it passed.
std::vector<std::string> RunUnitTest(const UnitTestFile& file, const UnitTest& test,
                                     const UnitTestContext& context);

}  // namespace sonde::rules
