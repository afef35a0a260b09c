#include "config/mapping_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::config {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  const auto file = ParseMappingFile(text, "m.yaml");
  return file ? "" : file.error().message();
}

TEST(MappingFile, EveryField) {
  const auto file = ParseMappingFile(R"(
name: mine
wrappers: [ray_]
require: model_name
skip:
  - {tp_rank: {not: ["", "0"]}, dp_rank: ""}
labels: {model_name: model, noise: ""}
set: {engine: mine}
title: My engine
valid: {not: [-1, 255]}
rules:
  - native: [a:x, a:y]
    as: deepseek_thing_seconds
    type: histogram
    help: A thing.
    native_type: any
    scale: 1e-3
    when: {stage: [one, two]}
    labels: {stage: ""}
    set: {tier: device}
    map:
      - {from: reason, to: outcome, values: {a: b}, default: ""}
      - {from: code, to: class, values: {"200": ok}}
    keep: [job]
    value_from: [n, size]
    require: []
    parts: [sum, count]
    valid: {min: 0, max: 1e9}
    values: {0: 1, 2: 0.5, default: 0}
    note: Off by default.
)",
                                     "m.yaml");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->name, "mine");
  EXPECT_EQ(file->origin, "m.yaml");
  EXPECT_EQ(file->wrappers, std::vector<std::string>{"ray_"});
  EXPECT_EQ(file->require, std::vector<std::string>{"model_name"});
  ASSERT_EQ(file->skip.size(), 1U);
  ASSERT_EQ(file->skip[0].size(), 2U);
  EXPECT_TRUE(file->skip[0][0].negated);
  EXPECT_EQ(file->skip[0][0].values, (std::vector<std::string>{"", "0"}));
  EXPECT_EQ(file->skip[0][1].values, std::vector<std::string>{""});
  EXPECT_EQ(file->labels, (collect::StringPairs{{"model_name", "model"}, {"noise", ""}}));
  ASSERT_EQ(file->rules.size(), 1U);
  const collect::MappingRule& rule = file->rules[0];
  EXPECT_EQ(rule.native, (std::vector<std::string>{"a:x", "a:y"}));
  EXPECT_EQ(rule.as, "deepseek_thing_seconds");
  EXPECT_EQ(rule.type, MetricType::kHistogram);
  EXPECT_EQ(rule.native_type, MetricType::kUnknown);
  EXPECT_EQ(rule.help, "A thing.");
  EXPECT_EQ(rule.scale, 0.001);
  ASSERT_EQ(rule.when.size(), 1U);
  EXPECT_FALSE(rule.when[0].negated);
  EXPECT_EQ(rule.labels, (collect::StringPairs{{"stage", ""}}));
  ASSERT_EQ(rule.map.size(), 2U);
  EXPECT_EQ(rule.map[0].fallback, "");
  EXPECT_EQ(rule.map[1].fallback, std::nullopt);
  EXPECT_EQ(rule.map[1].values, (collect::StringPairs{{"200", "ok"}}));
  EXPECT_EQ(rule.keep, std::vector<std::string>{"job"});
  EXPECT_EQ(rule.value_from, (std::vector<std::string>{"n", "size"}));
  EXPECT_EQ(rule.require, std::vector<std::string>{});
  EXPECT_EQ(rule.parts, (std::vector<collect::FamilyPart>{collect::FamilyPart::kSum,
                                                          collect::FamilyPart::kCount}));
  ASSERT_TRUE(rule.valid);
  EXPECT_EQ(rule.valid->min, 0);
  EXPECT_EQ(rule.valid->max, 1e9);
  EXPECT_EQ(rule.values, (std::vector<std::pair<double, double>>{{0, 1}, {2, 0.5}}));
  EXPECT_EQ(rule.values_otherwise, 0);
  EXPECT_EQ(rule.note, "Off by default.");
  EXPECT_EQ(rule.place.line, 12);
  EXPECT_EQ(file->title, "My engine");
  ASSERT_TRUE(file->valid);
  EXPECT_EQ(file->valid->invalid, (std::vector<double>{-1, 255}));
}

TEST(MappingFile, DefaultsOfARule) {
  const auto file = ParseMappingFile(
      "name: m\nrules:\n- {native: \"a:x\", as: deepseek_requests_running}\n", "m.yaml");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->rules[0].scale, 1);
  EXPECT_FALSE(file->rules[0].type);
  EXPECT_FALSE(file->rules[0].require);
}

TEST(MappingFile, ErrorsNameTheirPlace) {
  EXPECT_THAT(ErrorOf("rules: []\n"), HasSubstr("m.yaml:1:1: name is missing"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("m.yaml:1:1: name is missing"));
  EXPECT_THAT(
      ErrorOf("name: m\nruls: []\n"),
      HasSubstr("m.yaml:2:1: field ruls not found in type mapping.file; did you mean rules?"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {as: x}\n"), HasSubstr("m.yaml:3:3: native is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x}\n"), HasSubstr("m.yaml:3:3: as is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, type: countr}\n"),
              HasSubstr("m.yaml:3:28: type: \"countr\" is not a metric type"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, when: [a]}\n"),
              HasSubstr("m.yaml:3:28: when is a mapping of labels"));
  EXPECT_THAT(
      ErrorOf("name: m\nrules:\n- {native: x, as: y, when: {a: {nott: [b]}}}\n"),
      HasSubstr("m.yaml:3:32: when: a takes a value, a list of values, or {not: [values]}"));
  EXPECT_THAT(ErrorOf("name: m\nskip: {a: b}\n"),
              HasSubstr("m.yaml:2:7: skip is a list of conditions"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, map: [{to: z}]}\n"),
              HasSubstr("map: from is missing"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, scale: much}\n"),
              HasSubstr("m.yaml:3:29"));
  EXPECT_THAT(ErrorOf("name: [\n"), HasSubstr("m.yaml:"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, parts: [sums]}\n"),
              HasSubstr("m.yaml:3:29: parts: \"sums\" is none of value, quantile"));
  EXPECT_THAT(ErrorOf("name: m\nrules:\n- {native: x, as: y, values: {a: 1}}\n"),
              HasSubstr("m.yaml:3:30: values takes native numbers"));
  EXPECT_THAT(ErrorOf("name: m\nvalid: {not: [x]}\n"),
              HasSubstr("m.yaml:2:14: valid: not takes a number"));
}

}  // namespace
}  // namespace sonde::config
