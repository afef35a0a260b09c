#include <gtest/gtest.h>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/metadata.h"
#include "model/names.h"

namespace sonde {
namespace {

TEST(LabelsTest, SortedUniqueWithoutEmptyValues) {
  const Labels labels = Labels::Of({{"job", "a"}, {"__name__", "up"}, {"zone", ""}, {"job", "b"}});
  EXPECT_EQ(labels.ToString(), "up{job=\"b\"}");
  EXPECT_EQ(labels.size(), 2U);
  EXPECT_EQ(labels.Get("zone"), "");
  EXPECT_EQ(labels.Get("job"), "b");
  EXPECT_EQ(labels.metric_name(), "up");
}

TEST(LabelsTest, Printing) {
  EXPECT_EQ(Labels().ToString(), "{}");
  EXPECT_EQ(Labels::Of({{"__name__", "up"}}).ToString(), "up");
  EXPECT_EQ(Labels::Of({{"a", "1"}, {"b", "x\"y"}}).ToString(), R"({a="1", b="x\"y"})");
  EXPECT_EQ(Labels::Of({{"__name__", "a.b"}, {"l.x", "v"}}).ToString(), R"({"a.b", "l.x"="v"})");
}

TEST(LabelsTest, LongStringsArePackedWithThreeLengthBytes) {
  const std::string longest(70000, 'v');
  const std::string edge(255, 'e');
  const Labels labels = Labels::Of({{"a", longest}, {"b", edge}, {"c", "short"}});
  EXPECT_EQ(labels.Get("a"), longest);
  EXPECT_EQ(labels.Get("b"), edge);
  EXPECT_EQ(labels.Get("c"), "short");
}

TEST(LabelsTest, Order) {
  const auto less = [](const Labels& a, const Labels& b) { return a < b && !(b < a) && a != b; };
  EXPECT_TRUE(less(Labels::Of({{"a", "1"}}), Labels::Of({{"a", "2"}})));
  EXPECT_TRUE(less(Labels::Of({{"a", "1"}}), Labels::Of({{"b", "0"}})));
  EXPECT_TRUE(less(Labels::Of({{"a", "1"}}), Labels::Of({{"a", "1"}, {"b", "0"}})));
  EXPECT_TRUE(less(Labels(), Labels::Of({{"a", "1"}})));
  // By bytes of the strings, not of the packed form, whose length byte comes first.
  EXPECT_TRUE(less(Labels::Of({{"a", "10"}}), Labels::Of({{"a", "9"}})));
}

TEST(LabelsTest, BuilderSetsDeletesKeeps) {
  LabelsBuilder builder(Labels::Of({{"a", "1"}, {"c", "3"}}));
  builder.Set("b", "2").Set("a", "").Delete("missing").Set("c", "4");
  EXPECT_EQ(builder.Build().ToString(), R"({b="2", c="4"})");
  const std::vector<std::string> names{"c"};
  EXPECT_EQ(builder.Keep(names).Build().ToString(), R"({c="4"})");
  builder.Reset(Labels::Of({{"x", "y"}}));
  EXPECT_EQ(builder.Build().ToString(), R"({x="y"})");
  EXPECT_EQ(builder.Get("x"), "y");
}

TEST(NamesTest, Validity) {
  EXPECT_TRUE(IsLegacyMetricName("vllm:e2e_seconds"));
  EXPECT_FALSE(IsLegacyMetricName("0abc"));
  EXPECT_FALSE(IsLegacyLabelName("a:b"));
  EXPECT_FALSE(IsLegacyLabelName(""));
  EXPECT_TRUE(IsValidName("a.b"));
  EXPECT_FALSE(IsValidName("\xff"));
}

TEST(NamesTest, EscapingRoundTrips) {
  EXPECT_EQ(EscapeName("up"), "up");
  EXPECT_EQ(EscapeName("mysystem.prod.west.cpu.load"),
            "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load");
  EXPECT_EQ(EscapeName("http.status:sum"), "U__http_2e_status:sum");
  for (const char* name : {"a.b_c", "世界", "0x", "with space"}) {
    EXPECT_EQ(UnescapeName(EscapeName(name)), name);
  }
  EXPECT_EQ(UnescapeName("plain"), "plain");
  EXPECT_EQ(UnescapeName("U__bad_zz_"), std::nullopt);
  EXPECT_EQ(UnescapeName("U__open_2e"), std::nullopt);
}

TEST(MatcherTest, MissingLabelIsEmpty) {
  const Labels labels = Labels::Of({{"__name__", "up"}, {"job", "api"}});
  const auto matches = [&](Matcher::Type type, const char* name, const char* value) {
    const std::vector<Matcher> matchers{*Matcher::Make(type, name, value)};
    return MatchesAll(matchers, labels);
  };
  EXPECT_TRUE(matches(Matcher::Type::kEqual, "zone", ""));
  EXPECT_FALSE(matches(Matcher::Type::kNotEqual, "zone", ""));
  EXPECT_TRUE(matches(Matcher::Type::kRegex, "job", "a.*"));
  EXPECT_FALSE(matches(Matcher::Type::kRegex, "job", "p"));
  EXPECT_TRUE(matches(Matcher::Type::kNotRegex, "job", "db|web"));
  EXPECT_EQ(Matcher::Make(Matcher::Type::kRegex, "l.x", "a\"b")->ToString(), R"("l.x"=~"a\"b")");
  EXPECT_FALSE(Matcher::Make(Matcher::Type::kRegex, "a", "(").ok());
}

TEST(MetadataTest, TypeNames) {
  EXPECT_EQ(ParseMetricType("untyped"), MetricType::kUnknown);
  EXPECT_EQ(ParseMetricType("gaugehistogram"), MetricType::kGaugeHistogram);
  EXPECT_EQ(ParseMetricType("Counter"), std::nullopt);
  EXPECT_EQ(ToString(MetricType::kStateset), "stateset");
}

// Comparing packed bytes must order as comparing label by label does.
TEST(LabelsTest, OrderIsThatOfNamesAndValues) {
  std::vector<Labels> sets{Labels()};
  for (const char* name : {"a", "aa", "b", "job"}) {
    for (const std::string& value :
         {std::string("x"), std::string("xy"), std::string("y"), std::string(130, 'x'),
          std::string(254, 'x'), std::string(255, 'x'), std::string(256, 'x'),
          std::string(255, 'x') + "y", std::string("\x80")}) {
      sets.push_back(Labels::Of({{name, value}}));
      sets.push_back(Labels::Of({{name, value}, {"z", "1"}}));
      sets.push_back(Labels::Of({{"__name__", "up"}, {name, value}}));
    }
  }
  const auto pairs = [](const Labels& labels) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const LabelView label : labels) {
      all.emplace_back(label.name, label.value);
    }
    return all;
  };
  for (const Labels& a : sets) {
    for (const Labels& b : sets) {
      EXPECT_EQ(a.view() <=> b.view(), pairs(a) <=> pairs(b))
          << a.ToString() << " " << b.ToString();
    }
  }
}

}  // namespace
}  // namespace sonde
