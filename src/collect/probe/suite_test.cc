#include "collect/probe/suite.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/number.h"

namespace sonde::collect {
namespace {

std::string WithLineFeeds(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos; ++at)
    text.replace(at, 2, "\n");
  return text;
}

Question QuestionOf(const std::string& kind, const std::string& expected) {
  Question question;
  if (kind == "exact") {
    question.exact = ExactMatch{{expected}, false};
  } else if (kind == "number") {
    const std::size_t tilde = expected.find('~');
    question.number = NumberMatch{ParseFloat(expected.substr(0, tilde)).value(),
                                  ParseFloat(expected.substr(tilde + 1)).value()};
  } else if (kind == "regex") {
    auto regex = CompileRegexMatch(expected);
    EXPECT_TRUE(regex) << expected;
    if (regex) question.regex = *regex;
  } else if (kind == "json") {
    const std::size_t blank = expected.find(' ');
    const std::string path = expected.substr(0, blank);
    question.json = JsonMatch{expected.substr(blank + 1), path == "-" ? "" : path};
  } else {
    ADD_FAILURE() << "unknown kind " << kind;
  }
  return question;
}

TEST(Suite, JudgesAnswers) {
  std::ifstream in("tests/probes/answers.test");
  ASSERT_TRUE(in) << "run from the root of the repository";
  int cases = 0;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::size_t mark = line.find(" ::");
    ASSERT_NE(mark, std::string::npos) << "line " << number;
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    const std::string verdict = line.substr(0, first);
    const Question question = QuestionOf(line.substr(first + 1, second - first - 1),
                                         line.substr(second + 1, mark - second - 1));
    const std::string answer = WithLineFeeds(line.substr(std::min(line.size(), mark + 4)));
    ASSERT_TRUE(verdict == "right" || verdict == "wrong") << "line " << number;
    EXPECT_EQ(IsRight(question, answer), verdict == "right") << "line " << number << ": " << line;
    ++cases;
  }
  EXPECT_GT(cases, 50);
}

TEST(Suite, AQuestionWithoutAnExpectationIsNeverRight) {
  EXPECT_FALSE(IsRight(Question{}, "anything"));
}

TEST(Suite, AllExpectationsMustHold) {
  Question question = QuestionOf("number", "5~0");
  question.regex = *CompileRegexMatch("^[0-9]+$");
  EXPECT_TRUE(IsRight(question, "5"));
  EXPECT_FALSE(IsRight(question, "it is 5"));
}

TEST(Suite, CaseCountsWhereAskedFor) {
  Question question;
  question.exact = ExactMatch{{"OK", "Okay"}, true};
  EXPECT_TRUE(IsRight(question, "Okay"));
  EXPECT_FALSE(IsRight(question, "ok"));
}

TEST(Suite, ManyBracketsCostLittle) {
  Question question = QuestionOf("json", R"(- {"a":1})");
  EXPECT_FALSE(IsRight(question, std::string(1 << 20, '{')));
  EXPECT_FALSE(IsRight(question, std::string(1 << 20, '[')));
}

std::string PathText(std::string_view path) {
  const auto steps = ParseJsonPath(path);
  if (!steps) return steps.error().message();
  std::string out;
  for (const JsonStep& step : *steps)
    out += step.name.empty() ? "#" + std::to_string(step.index) + " " : step.name + " ";
  return out;
}

TEST(Suite, ReadsPaths) {
  EXPECT_EQ(PathText(""), "");
  EXPECT_EQ(PathText("a"), "a ");
  EXPECT_EQ(PathText("a.b[2].c"), "a b #2 c ");
  EXPECT_EQ(PathText("[0][1]"), "#0 #1 ");
  EXPECT_EQ(PathText(R"(a["x.y[0]"].b)"), "a x.y[0] b ");
  EXPECT_EQ(PathText(".a"), "path \".a\": it begins with a dot");
  EXPECT_EQ(PathText("a..b"), "path \"a..b\": a name is empty");
  EXPECT_EQ(PathText("a[b]"),
            "path \"a[b]\": between brackets stands an index, or a name in quotes");
  EXPECT_EQ(PathText("a[1"), "path \"a[1\": a bracket is not closed");
  EXPECT_EQ(PathText("a[1]b"), "path \"a[1]b\": a dot is missing after a bracket");
}

TEST(Suite, ABadExpressionIsRefusedAsItWasWritten) {
  const auto regex = CompileRegexMatch("a(");
  ASSERT_FALSE(regex);
  EXPECT_THAT(regex.error().message(), ::testing::HasSubstr("a("));
  EXPECT_THAT(regex.error().message(), ::testing::Not(::testing::HasSubstr("(?s:.*)")));
}

}  // namespace
}  // namespace sonde::collect
