#include "base/glob.h"

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde {
namespace {

void ExpectMatch(std::string_view pattern, std::string_view name) {
  EXPECT_TRUE(MatchesGlob(pattern, name)) << pattern << " " << name;
}
void ExpectNoMatch(std::string_view pattern, std::string_view name) {
  EXPECT_FALSE(MatchesGlob(pattern, name)) << pattern << " " << name;
}

TEST(Glob, Patterns) {
  ExpectMatch("", "");
  ExpectMatch("*", "");
  ExpectMatch("*.json", "a.json");
  ExpectMatch("a*b*c", "aXbYbc");
  ExpectMatch("a?c",
              "a\xC3\xA9"
              "c");
  ExpectMatch("[a-c]x", "bx");
  ExpectMatch("[^a-c]x", "dx");
  ExpectMatch("[]]x", "]x");
  ExpectMatch("\\*x", "*x");
  ExpectMatch("a**b", "ab");
  ExpectNoMatch("*.json", "a.jsonx");
  ExpectNoMatch("a?c", "ac");
  ExpectNoMatch("[a-c", "a");
  ExpectNoMatch("\\*x", "ax");
  ExpectNoMatch("", "a");
  ExpectNoMatch("a", "");
}

TEST(Glob, ManyStarsAreNotExponential) {
  std::string pattern;
  for (int i = 0; i < 50; ++i)
    pattern += "*a";
  ExpectNoMatch(pattern + "b", std::string(2000, 'a'));
}

TEST(Glob, Expand) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("/d").ok());
  for (const char* name : {"/d/b.yml", "/d/a.yml", "/d/a.json"}) {
    auto file = env.NewWritableFile(name);
    ASSERT_TRUE(file.ok());
  }
  auto files = ExpandGlob(env, "/d/*.yml");
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files, (std::vector<std::string>{"/d/a.yml", "/d/b.yml"}));
  EXPECT_EQ(ExpandGlob(env, "/d/a.json")->size(), 1U);
  EXPECT_TRUE(ExpandGlob(env, "/d/none")->empty());
  EXPECT_TRUE(ExpandGlob(env, "/none/*")->empty());
}

}  // namespace
}  // namespace sonde
