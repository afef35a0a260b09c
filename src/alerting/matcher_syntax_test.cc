#include "alerting/matcher_syntax.h"

#include <string>

#include <gtest/gtest.h>

namespace sonde::alerting {
namespace {

/// `want` is FormatMatchers of what is read, or "error".
void ExpectParse(std::string_view text, std::string_view want, bool warns = false) {
  const auto parsed = ParseMatchers(text);
  if (!parsed) {
    EXPECT_EQ(want, "error") << text << ": " << parsed.error().message();
    return;
  }
  EXPECT_EQ(FormatMatchers(parsed->matchers), want) << text;
  EXPECT_EQ(!parsed->warning.empty(), warns) << text << ": " << parsed->warning;
}

TEST(Matchers, BothGrammarsAgree) {
  ExpectParse("", "{}");
  ExpectParse("{}", "{}");
  ExpectParse("foo=bar", R"({foo="bar"})");
  ExpectParse("{foo=bar,}", R"({foo="bar"})");
  ExpectParse(R"( foo = "bar" , baz !~ "a|b" )", R"({foo="bar",baz!~"a|b"})");
  ExpectParse(R"(foo!="a\"b")", R"({foo!="a\"b"})");
  ExpectParse("foo=~bar.*", R"({foo=~"bar.*"})");
  ExpectParse(R"(foo="a,b")", R"({foo="a,b"})");
}

TEST(Matchers, OnlyTheNewGrammar) {
  ExpectParse(R"("日本"="x")", R"({"日本"="x"})");
  ExpectParse("Σ=x", R"({"Σ"="x"})");
  ExpectParse(R"(foo="\u4e16")", R"({foo="\\u4e16"})", true);  // They disagree: the old one holds.
}

TEST(Matchers, OnlyTheOldGrammar) {
  ExpectParse("foo=", R"({foo=""})", true);
  ExpectParse("foo={bar}", R"({foo="{bar"})", true);
  ExpectParse("foo=bar baz", R"({foo="bar baz"})", true);
  ExpectParse("foo=~[a-z]{3}x", R"({foo=~"[a-z]{3}x"})", true);
}

TEST(Matchers, Bad) {
  ExpectParse("foo", "error");
  ExpectParse("foo=\"bar", "error");
  ExpectParse("=bar", "error");
  ExpectParse(",", "error");
  ExpectParse("foo=~\"(\"", "error");
  ExpectParse("\xff=a", "error");
  EXPECT_FALSE(ParseMatcher("a=b,c=d"));
  EXPECT_FALSE(ParseMatcher(""));
  EXPECT_FALSE(ParseMatchers(std::string((1 << 20) + 1, 'a')));
}

}  // namespace
}  // namespace sonde::alerting
