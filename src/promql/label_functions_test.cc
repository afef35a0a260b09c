#include "promql/label_functions.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sonde::promql {
namespace {

const Labels kSeries = Labels::Of(
    {{"__name__", "m"}, {"__type__", "counter"}, {"__unit__", "s"}, {"a", "1"}, {"b", "2"}});

TEST(LabelFunctionsTest, WithoutMetadata) {
  EXPECT_EQ(WithoutMetadata(kSeries), Labels::Of({{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(WithoutMetadata(Labels()), Labels());
}

TEST(LabelFunctionsTest, MatchingLabels) {
  const std::vector<std::string> names = {"b", "c"};
  EXPECT_EQ(MatchingLabels(kSeries, true, names), Labels::Of({{"b", "2"}}));
  EXPECT_EQ(MatchingLabels(kSeries, false, names),
            Labels::Of({{"__type__", "counter"}, {"__unit__", "s"}, {"a", "1"}}));
  EXPECT_EQ(MatchingLabels(kSeries, true, std::vector<std::string>{"__name__"}),
            Labels::Of({{"__name__", "m"}}));
}

TEST(LabelFunctionsTest, FormatLabelSet) {
  EXPECT_EQ(FormatLabelSet(Labels()), "{}");
  EXPECT_EQ(FormatLabelSet(Labels::Of({{"__name__", "up"}, {"a.b", "x\"y"}})),
            R"({__name__="up", "a.b"="x\"y"})");
}

TEST(LabelFunctionsTest, LabelsForAbsent) {
  VectorSelector selector;
  selector.matchers.push_back(Matcher::Equal("__name__", "up"));
  selector.matchers.push_back(Matcher::Equal("job", "x"));
  selector.matchers.push_back(Matcher::Equal("twice", "1"));
  selector.matchers.push_back(Matcher::Equal("twice", "2"));
  selector.matchers.push_back(*Matcher::Make(Matcher::Type::kNotEqual, "not", "1"));
  EXPECT_EQ(LabelsForAbsent(selector), Labels::Of({{"job", "x"}}));
  EXPECT_EQ(LabelsForAbsent(NumberExpr()), Labels());
}

TEST(LabelFunctionsTest, NaturalOrder) {
  EXPECT_TRUE(NaturalLess("gpu2", "gpu10"));
  EXPECT_FALSE(NaturalLess("gpu10", "gpu2"));
  EXPECT_TRUE(NaturalLess("a", "b"));
  EXPECT_TRUE(NaturalLess("1.9.3", "1.10.0"));
  EXPECT_TRUE(NaturalLess("cpu", "cpu1"));
  EXPECT_FALSE(NaturalLess("cpu1", "cpu"));
  EXPECT_FALSE(NaturalLess("x", ""));
  EXPECT_TRUE(NaturalLess("10a", "a10"));
  // Too long for a number: as text.
  EXPECT_TRUE(NaturalLess("99999999999999999999999", "99999999999999999999999a"));
}

}  // namespace
}  // namespace sonde::promql
