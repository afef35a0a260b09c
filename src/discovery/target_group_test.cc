#include "discovery/target_group.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace sonde::discovery {
namespace {

std::string Show(const std::vector<TargetGroup>& groups) {
  std::string out;
  for (const TargetGroup& group : groups) {
    out += group.labels.ToString() + ":";
    for (const Labels& target : group.targets)
      out += " " + target.ToString();
    out += "\n";
  }
  return out;
}

void ExpectGroups(std::string_view text, std::string_view want) {
  const auto groups = ParseTargetGroupsJson(text, "f.json");
  ASSERT_TRUE(groups.ok()) << groups.error().message();
  EXPECT_EQ(Show(*groups), want) << text;
}

void ExpectError(std::string_view text, std::string_view want) {
  const auto groups = ParseTargetGroupsJson(text, "f.json");
  ASSERT_FALSE(groups.ok()) << text;
  EXPECT_NE(groups.error().message().find(want), std::string::npos) << groups.error().message();
}

TEST(TargetGroupJson, Good) {
  ExpectGroups("[]", "");
  ExpectGroups("null", "");
  ExpectGroups(
      R"([{"targets": ["a:1", "b:2"], "labels": {"x": "y", "empty": ""}}, {"targets": null}])",
      "{x=\"y\"}: {__address__=\"a:1\"} {__address__=\"b:2\"}\n{}:\n");
}

TEST(TargetGroupJson, Bad) {
  ExpectError("[null]", "f.json: group 0: nil target group item found");
  ExpectError(R"([{"targets": [], "lables": {}}])",
              R"(f.json: group 0: json: unknown field "lables")");
  ExpectError(R"([{"targets": [1]}])", "targets[0] must be a string");
  ExpectError(R"([{"labels": {"a": 1}}])", R"(label "a" must be a string)");
  ExpectError(R"([{"labels": {"": "x"}}])", R"("" is not a valid label name)");
  ExpectError(R"({"targets": []})", "a list of target groups is expected");
  ExpectError("[{", "f.json:");
}

TEST(TargetGroupJson, ReferenceFiles) {
  const std::filesystem::path dir = "../shared/conformance/sd";
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not here";
  auto parse = [&](const char* file) {
    std::ifstream in(dir / file);
    std::stringstream text;
    text << in.rdbuf();
    return ParseTargetGroupsJson(text.str(), file);
  };
  EXPECT_TRUE(parse("file/fixtures/valid.json").ok());
  EXPECT_FALSE(parse("file/fixtures/invalid_nil.json").ok());
  EXPECT_TRUE(parse("http/fixtures/http_sd.good.json").ok());
}

}  // namespace
}  // namespace sonde::discovery
