#include "scrape/relabel.h"

#include <gtest/gtest.h>

#include "scrape/letter_case.h"

namespace sonde::scrape {
namespace {

using enum RelabelAction;

constexpr const char* kNoRegex = nullptr;  // The default, `(.*)`.

RelabelRule Rule(RelabelAction action, std::vector<std::string> source, const char* regex,
                 std::string target, std::string replacement) {
  RelabelRule rule;
  rule.action = action;
  rule.source_labels = std::move(source);
  if (regex != nullptr) rule.regex = *Regex::Compile(regex);
  rule.target_label = std::move(target);
  rule.replacement = std::move(replacement);
  return rule;
}

RelabelRule HashRule(std::vector<std::string> source, std::uint64_t modulus, std::string target) {
  RelabelRule rule = Rule(kHashMod, std::move(source), kNoRegex, std::move(target), "$1");
  rule.modulus = modulus;
  return rule;
}

RelabelRule Legacy(RelabelRule rule) {
  rule.legacy_names = true;
  return rule;
}

/// Applies `rules` to `labels`; "<dropped>" if they drop it.
std::string Apply(std::vector<RelabelRule> rules, std::initializer_list<LabelView> labels) {
  LabelsBuilder builder{Labels::Of(labels)};
  if (!Relabel(rules, builder)) return "<dropped>";
  return builder.Build().ToString();
}

void Expect(RelabelRule rule, std::initializer_list<LabelView> labels, std::string_view want) {
  EXPECT_EQ(Apply({std::move(rule)}, labels), want);
}

TEST(Relabel, Replace) {
  Expect(Rule(kReplace, {"a"}, "f(.*)", "d", "ch${1}-ch${1}"), {{"a", "foo"}, {"b", "bar"}},
         R"({a="foo", b="bar", d="choo-choo"})");
  Expect(Rule(kReplace, {"a", "b"}, "f(.*);(.*)r", "a", "b${1}${2}m"), {{"a", "foo"}, {"b", "bar"}},
         R"({a="boobam", b="bar"})");
  Expect(Rule(kReplace, {"a"}, kNoRegex, "b", "$1"), {{"a", "foo"}}, R"({a="foo", b="foo"})");
  Expect(Rule(kReplace, {}, kNoRegex, "b", "x"), {{"a", "foo"}}, R"({a="foo", b="x"})");
  Expect(Rule(kReplace, {"a"}, "nope", "b", "x"), {{"a", "foo"}}, R"({a="foo"})");
  // The pattern is anchored, and matches a newline.
  Expect(Rule(kReplace, {"a"}, "o", "b", "$1"), {{"a", "foo"}}, R"({a="foo"})");
  Expect(Rule(kReplace, {"a"}, "f.*", "b", "x"), {{"a", "f\no"}}, "{a=\"f\\no\", b=\"x\"}");
}

TEST(Relabel, ReplaceWithAnEmptyResultDeletes) {
  Expect(Rule(kReplace, {"a"}, "(f).*", "a", "$2"), {{"a", "foo"}, {"b", "x"}}, R"({b="x"})");
  Expect(Rule(kReplace, {}, kNoRegex, "b", ""), {{"a", "1"}, {"b", "2"}}, R"({a="1"})");
}

TEST(Relabel, ReplaceOfAComputedName) {
  Expect(Rule(kReplace, {"a"}, "some-([^-]+)-([^,]+)", "${1}", "${2}"), {{"a", "some-name-value"}},
         R"({a="some-name-value", name="value"})");
  // An invalid name changes nothing: empty, or beyond the legacy set where only that is allowed.
  Expect(Rule(kReplace, {"a"}, "x(.*)", "${1}", "v"), {{"a", "x"}}, R"({a="x"})");
  Expect(Legacy(Rule(kReplace, {"a"}, kNoRegex, "${1}", "v")), {{"a", "some.name"}},
         R"({a="some.name"})");
  Expect(Rule(kReplace, {"a"}, kNoRegex, "${1}", "v"), {{"a", "some.name"}},
         R"({a="some.name", "some.name"="v"})");
}

TEST(Relabel, KeepAndDrop) {
  Expect(Rule(kDrop, {"a"}, ".*o.*", "", "$1"), {{"a", "foo"}}, "<dropped>");
  Expect(Rule(kDrop, {"a"}, ".*b.*", "", "$1"), {{"a", "foo"}}, R"({a="foo"})");
  Expect(Rule(kKeep, {"a"}, "f|foo", "", "$1"), {{"a", "foo"}}, R"({a="foo"})");
  Expect(Rule(kKeep, {"a"}, "no-match", "", "$1"), {{"a", "foo"}}, "<dropped>");
  Expect(Rule(kDrop, {"missing"}, "", "", "$1"), {{"a", "foo"}}, "<dropped>");
}

TEST(Relabel, KeepEqualAndDropEqual) {
  Expect(Rule(kKeepEqual, {"a"}, kNoRegex, "b", "$1"), {{"a", "1"}, {"b", "1"}},
         R"({a="1", b="1"})");
  Expect(Rule(kKeepEqual, {"a"}, kNoRegex, "b", "$1"), {{"a", "1"}, {"b", "2"}}, "<dropped>");
  Expect(Rule(kDropEqual, {"a", "b"}, kNoRegex, "c", "$1"), {{"a", "1"}, {"b", "2"}, {"c", "1;2"}},
         "<dropped>");
  Expect(Rule(kDropEqual, {"x"}, kNoRegex, "y", "$1"), {{"a", "1"}}, "<dropped>");
}

TEST(Relabel, HashMod) {
  // The last 8 bytes of the MD5, big endian: `printf baz | md5sum | tail -c 20`.
  Expect(HashRule({"c"}, 1000, "d"), {{"c", "baz"}}, R"({c="baz", d="976"})");
  Expect(HashRule({"c"}, 1000, "d"), {{"c", "foo\nbar"}}, "{c=\"foo\\nbar\", d=\"734\"}");
}

TEST(Relabel, LabelMap) {
  Expect(Rule(kLabelMap, {}, "(b.*)", "", "bar_${1}"), {{"a", "foo"}, {"b1", "bar"}, {"b2", "baz"}},
         R"({a="foo", b1="bar", b2="baz", bar_b1="bar", bar_b2="baz"})");
  Expect(Rule(kLabelMap, {}, "__meta_(my_.*)", "", "$1"), {{"__meta_my_bar", "x"}, {"a", "y"}},
         R"({__meta_my_bar="x", a="y", my_bar="x"})");
}

TEST(Relabel, LabelDropAndLabelKeep) {
  Expect(Rule(kLabelDrop, {}, "(b.*)", "", "$1"), {{"a", "foo"}, {"b1", "bar"}, {"b2", "baz"}},
         R"({a="foo"})");
  Expect(Rule(kLabelKeep, {}, "(b.*)", "", "$1"), {{"a", "foo"}, {"b1", "bar"}, {"b2", "baz"}},
         R"({b1="bar", b2="baz"})");
}

TEST(Relabel, LetterCase) {
  Expect(Rule(kUppercase, {"a"}, kNoRegex, "b", "$1"), {{"a", "fOo-1"}},
         R"({a="fOo-1", b="FOO-1"})");
  Expect(Rule(kLowercase, {"a"}, kNoRegex, "a", "$1"), {{"a", "FOO"}}, R"({a="foo"})");
  EXPECT_EQ(ToLowerCase("ÄÖÜ ΣΩ ЖЯ İ ẞ"), "äöü σω жя i ß");
  EXPECT_EQ(ToUpperCase("äöü ß ǆ ᾳ ÿ"), "ÄÖÜ ß Ǆ ᾼ Ÿ");
  EXPECT_EQ(ToUpperCase("a\xFF"), "A\xEF\xBF\xBD");
}

TEST(Relabel, RulesRunInOrderUntilOneDrops) {
  EXPECT_EQ(
      Apply({Rule(kReplace, {"a"}, "f(.*)", "d", "ch${1}"), Rule(kDrop, {"d"}, "choo", "", "$1"),
             Rule(kReplace, {}, kNoRegex, "never", "x")},
            {{"a", "foo"}}),
      "<dropped>");
  EXPECT_EQ(Apply({Rule(kReplace, {"a"}, kNoRegex, "__tmp", "$1"),
                   Rule(kReplace, {"__tmp"}, kNoRegex, "b", "$1"),
                   Rule(kLabelDrop, {}, "__tmp", "", "$1")},
                  {{"a", "1"}}),
            R"({a="1", b="1"})");
}

}  // namespace
}  // namespace sonde::scrape
