#include "config/rule_file.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "config/rule_test_file.h"

namespace sonde::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string ErrorOf(const std::string& text, const RuleFileOptions& options = {}) {
  const auto file = ParseRuleFile(text, "r.yml", options);
  return file ? "no error" : file.error().message();
}

TEST(RuleFile, ReadsEveryKey) {
  const auto file = ParseRuleFile(R"(groups:
- name: g
  interval: 30s
  query_offset: 1m
  limit: 7
  labels: {team: ml, severity: none}
  rules:
  - record: a:b
    expr: sum(up)
  - alert: Down
    expr: up == 0
    for: 5m
    keep_firing_for: 1h
    labels: {severity: "page {{ $labels.job }}"}
    annotations: {summary: "{{ $value }}"}
)",
                                  "r.yml", {});
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_EQ(file->groups.size(), 1U);
  const rules::GroupOptions& group = file->groups[0];
  EXPECT_EQ(group.file, "r.yml");
  EXPECT_EQ(group.interval, Duration(30'000));
  EXPECT_EQ(group.query_offset, Duration(60'000));
  EXPECT_EQ(group.limit, 7);
  ASSERT_EQ(group.rules.size(), 2U);
  EXPECT_FALSE(group.rules[0].alerting);
  EXPECT_THAT(group.rules[0].labels, ElementsAre(Pair("severity", "none"), Pair("team", "ml")));
  EXPECT_TRUE(group.rules[1].alerting);
  EXPECT_EQ(group.rules[1].hold, Duration(300'000));
  EXPECT_EQ(group.rules[1].keep_firing_for, Duration(3'600'000));
  EXPECT_THAT(group.rules[1].labels,
              ElementsAre(Pair("severity", "page {{ $labels.job }}"), Pair("team", "ml")));
  EXPECT_THAT(file->warnings, IsEmpty());
}

TEST(RuleFile, ErrorsNameFileLineColumnGroupAndRule) {
  EXPECT_EQ(ErrorOf("groups:\n- name: g\n  rules:\n  - record: a\n    expr: sum(\n"),
            "r.yml:5:11: group \"g\", rule 1, \"a\": could not parse expression: 1:5: parse error: "
            "unclosed left parenthesis");
  EXPECT_EQ(
      ErrorOf("groups:\n- name: g\n  rules:\n  - alert: a\n    expr: 1\n    annotations: {s: \"{{ "
              "x }}\"}\n"),
      "r.yml:6:18: group \"g\", rule 1, \"a\": annotation \"s\": 1:4: function \"x\" not defined");
  EXPECT_THAT(ErrorOf("groups:\n- name: g\n  rules:\n  - expr: 1\n"),
              HasSubstr("one of 'record' or 'alert' must be set"));
  EXPECT_THAT(ErrorOf("groups:\n- name: g\n  rules:\n  - alert: a\n"),
              HasSubstr("field 'expr' must be set in rule"));
  EXPECT_THAT(ErrorOf("groups:\n- rules: []\n"),
              HasSubstr("r.yml:2:3: Groupname must not be empty"));
  EXPECT_THAT(ErrorOf("groups:\n- {name: g, limit: -1}\n"), HasSubstr("limit must be"));
  EXPECT_THAT(ErrorOf("groups:\n- name: g\n  rules:\n  -\n"), HasSubstr("empty or null rule"));
  EXPECT_THAT(ErrorOf("groups:\n- {name: g, labels: {__name__: x}}\n"),
              HasSubstr("invalid label name: __name__"));
}

TEST(RuleFile, UnknownKeysCanBeLeftOut) {
  const std::string text =
      "owner: me\ngroups:\n- name: g\n  team: x\n  rules:\n  - {record: a, expr: 1, note: y}\n";
  EXPECT_THAT(ErrorOf(text), HasSubstr("field owner not found"));
  EXPECT_EQ(ErrorOf(text, {.parser = {}, .legacy_names = false, .ignore_unknown_fields = true}),
            "no error");
}

TEST(RuleFile, EmptyIsFine) {
  EXPECT_EQ(ErrorOf(""), "no error");
  EXPECT_EQ(ErrorOf("groups:\n"), "no error");
}

/// The reference's own files and what it says of each.
TEST(RuleFile, TheReferencesFiles) {
  const std::string folder = "../shared/conformance/rulefmt/";
  std::ifstream table(folder + "expectations.tsv");
  if (!table) GTEST_SKIP() << "../shared/conformance is not here";
  std::string line;
  std::getline(table, line);  // Names of the columns.
  int files = 0;
  PosixEnv env;
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    std::string name, names, verdict, words;
    std::getline(columns, name, '\t');
    std::getline(columns, names, '\t');
    std::getline(columns, verdict, '\t');
    std::getline(columns, words);
    const auto text = env.ReadFile(folder + name, kMaxRuleFileBytes);
    ASSERT_TRUE(text) << name;
    const std::string error = ErrorOf(*text, {.parser = {}, .legacy_names = names == "legacy"});
    if (verdict == "ok") {
      EXPECT_EQ(error, "no error") << name;
    } else {
      EXPECT_THAT(error, HasSubstr(words)) << name;
    }
    ++files;
  }
  EXPECT_GE(files, 10);
}

TEST(RuleTestFile, ReadsEveryKey) {
  const auto file = ParseRuleTestFile(R"(rule_files: [a.yml]
evaluation_interval: 30s
fuzzy_compare: true
group_eval_order: [x, y]
tests:
- name: t
  start_timestamp: "2024-01-01T01:00:00.5+01:00"
  input_series: [{series: up, values: 1 2}]
  external_labels: {c: d}
  external_url: http://x
  alert_rule_test:
  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: b}, exp_annotations: {s: t}}]}
  promql_expr_test:
  - {expr: up, eval_time: 2m, exp_samples: [{labels: up, value: 1e3}, {histogram: "{{count:1}}"}]}
- {interval: 5s, start_timestamp: 1609459200}
)",
                                      "t.yml", false);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(file->fuzzy_compare);
  EXPECT_THAT(file->group_eval_order, ElementsAre("x", "y"));
  const rules::UnitTest& test = file->tests[0];
  EXPECT_EQ(test.interval, Duration(30'000));
  EXPECT_EQ(test.start.ms, 1'704'067'200'500);
  EXPECT_EQ(test.series[0].values, "1 2");
  EXPECT_THAT(test.alert_tests[0].alerts[0].annotations, ElementsAre(Pair("s", "t")));
  EXPECT_EQ(test.expression_tests[0].samples[0].value, 1000);
  EXPECT_EQ(file->tests[1].interval, Duration(5'000));
  EXPECT_EQ(file->tests[1].start.ms, 1'609'459'200'000);
}

TEST(RuleTestFile, ErrorsNameThePlace) {
  const auto error = [](const std::string& text) {
    const auto file = ParseRuleTestFile(text, "t.yml", false);
    return file ? "no error" : file.error().message();
  };
  EXPECT_THAT(error("tests:\n- {name: a, start_timestamp: soon}\n"),
              HasSubstr("t.yml:2:30: \"soon\" is neither Unix seconds nor RFC 3339"));
  EXPECT_THAT(error("group_eval_order: [a, a]\n"), HasSubstr("repeated"));
  EXPECT_THAT(error("tests:\n- {intervall: 1m}\n"), HasSubstr("did you mean interval?"));
}

}  // namespace
}  // namespace sonde::config
