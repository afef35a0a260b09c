#include "config/suite_file.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "config/config.h"

namespace sonde::config {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& text) {
  const auto suite = ParseSuiteFile(text, "s.yaml");
  return suite ? "no error" : suite.error().message();
}

/// A suite whose only question has these lines.
std::string With(const std::string& lines) {
  return "name: s\nquestions:\n  - name: q\n    prompt: p\n" + lines;
}

TEST(SuiteFile, ReadsEveryKindOfExpectation) {
  const auto suite = ParseSuiteFile(R"(name: s
questions:
  - {name: a, prompt: p, system: y, max_tokens: 9, exact: [x, z], case_sensitive: true}
  - {name: b, prompt: p, regex: "^x"}
  - {name: c, prompt: p, number: 1e3, tolerance: 0.5}
  - {name: d, prompt: p, path: "a[0]", json: {n: 1, s: "1", t: true, u: null, l: [x, 2.5]}}
)",
                                    "s.yaml");
  ASSERT_TRUE(suite) << suite.error().message();
  ASSERT_EQ(suite->questions.size(), 4U);
  EXPECT_EQ(suite->questions[0].max_tokens, 9U);
  EXPECT_TRUE(collect::IsRight(suite->questions[0], "z"));
  EXPECT_FALSE(collect::IsRight(suite->questions[0], "Z"));
  EXPECT_TRUE(collect::IsRight(suite->questions[1], "xy"));
  EXPECT_TRUE(collect::IsRight(suite->questions[2], "999.5"));
  EXPECT_EQ(suite->questions[3].json->expected,
            R"({"n":1,"s":"1","t":true,"u":null,"l":["x",2.5]})");
}

TEST(SuiteFile, ErrorsHaveAPlace) {
  EXPECT_THAT(ErrorOf(With("")), HasSubstr("s.yaml:3:5: nothing says which answer is right"));
  EXPECT_THAT(ErrorOf(With("    regexp: x\n")), HasSubstr("s.yaml:5:5: "));
  EXPECT_THAT(ErrorOf(With("    regex: 'a('\n")), HasSubstr("s.yaml:5:12: regex: "));
  EXPECT_THAT(ErrorOf(With("    number: many\n")), HasSubstr("s.yaml:5:13: "));
  EXPECT_THAT(ErrorOf(With("    number: .inf\n")), HasSubstr("s.yaml:5:13: number must be finite"));
  EXPECT_THAT(ErrorOf(With("    number: 1\n    tolerance: -1\n")),
              HasSubstr("s.yaml:6:16: tolerance cannot be negative"));
  EXPECT_THAT(ErrorOf(With("    number: 1\n    path: a\n")),
              HasSubstr("s.yaml:6:11: path means nothing without json"));
  EXPECT_THAT(ErrorOf(With("    json: 1\n    path: a[\n")),
              HasSubstr("s.yaml:6:11: path \"a[\": a bracket is not closed"));
  EXPECT_THAT(ErrorOf(With("    exact: x\n    max_tokens: 99999\n")),
              HasSubstr("s.yaml:6:17: max_tokens is at most 32768"));
  EXPECT_THAT(ErrorOf(With("    exact: x\n  - {name: q, prompt: p, exact: y}\n")),
              HasSubstr("s.yaml:6:12: two questions are called \"q\""));
  EXPECT_THAT(ErrorOf("name: s\nquestions:\n  - {name: 'a b', prompt: p, exact: y}\n"),
              HasSubstr("s.yaml:3:12: \"a b\" is no name"));
  EXPECT_THAT(ErrorOf("name: s\n"), HasSubstr("a suite needs at least one question"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("s.yaml:1:1: name is missing"));
}

TEST(SuiteFile, TheSuiteThatShipsIsValid) {
  PosixEnv env;
  const auto text = env.ReadFile("packs/probes/basic.yaml", 1U << 20);
  ASSERT_TRUE(text) << "run from the root of the repository";
  const auto suite = ParseSuiteFile(*text, "packs/probes/basic.yaml");
  ASSERT_TRUE(suite) << suite.error().message();
  EXPECT_EQ(suite->name, "basic");
  EXPECT_GE(suite->questions.size(), 10U);
}

std::string ConfigError(const std::string& probes) {
  PosixEnv env;
  const auto config = Parse(env, "sonde:\n  probes:\n" + probes, "c.yml", LoadOptions{});
  return config ? "no error" : config.error().message();
}

TEST(ProbesSection, FillsTheOptions) {
  PosixEnv env;
  const auto config = Parse(env, R"(sonde:
  probes:
    canaries:
      - engines: true
      - {url: "https://api.deepseek.com", models: [deepseek-flash], suites: [basic, mine], interval: 1h,
         timeout: 30s, max_tokens: 64, skip_when_saturated: false,
         authorization: {credentials_file: key}}
    suite_files: ["probes/*.yaml"]
    accounts:
      - authorization: {credentials: sk-1}
    certificates: {interval: 10m, targets: ["https://a:8443"]}
)",
                            "/etc/sonde/c.yml", LoadOptions{});
  ASSERT_TRUE(config) << config.error().message();
  const collect::ProbeOptions& probes = (*config)->sonde.probes;
  ASSERT_EQ(probes.canaries.size(), 2U);
  EXPECT_TRUE(probes.canaries[0].engines);
  EXPECT_EQ(probes.canaries[0], (collect::CanaryOptions{.engines = true}));
  EXPECT_EQ(probes.canaries[1].access.authorization->file, "/etc/sonde/key");
  EXPECT_EQ(probes.canaries[1].suites, (std::vector<std::string>{"basic", "mine"}));
  EXPECT_EQ(probes.canaries[1].max_tokens, 64U);
  EXPECT_FALSE(probes.canaries[1].skip_when_saturated);
  EXPECT_EQ(probes.suite_files, std::vector<std::string>{"/etc/sonde/probes/*.yaml"});
  ASSERT_EQ(probes.accounts.size(), 1U);
  EXPECT_EQ(probes.accounts[0].url, "https://api.deepseek.com");
  EXPECT_EQ(probes.certificates.interval, Duration(600'000));
  // The key is not shown.
  EXPECT_THAT((*config)->yaml, ::testing::Not(HasSubstr("sk-1")));
}

TEST(ProbesSection, IsOffButForCertificatesWithoutAWord) {
  PosixEnv env;
  const auto config = Parse(env, "global: {}\n", "c.yml", LoadOptions{});
  ASSERT_TRUE(config);
  EXPECT_EQ((*config)->sonde.probes, collect::ProbeOptions{});
  EXPECT_TRUE((*config)->sonde.probes.canaries.empty());
}

TEST(ProbesSection, ErrorsHaveAPlace) {
  EXPECT_THAT(ConfigError("    canaries: [{interval: 5m}]\n"),
              HasSubstr("c.yml:3:16: a canary needs exactly one of"));
  EXPECT_THAT(ConfigError("    canaries: [{engines: true, gateway: true}]\n"),
              HasSubstr("exactly one of"));
  EXPECT_THAT(ConfigError("    canaries: [{engines: true, interval: 10ms}]\n"),
              HasSubstr("c.yml:3:42: interval must be at least 1 s"));
  EXPECT_THAT(ConfigError("    canaries: [{engines: true, max_tokens: 0}]\n"),
              HasSubstr("max_tokens must be between 1 and 32768"));
  EXPECT_THAT(ConfigError("    canaries: [{url: 'ftp://a'}]\n"), HasSubstr("c.yml:3:22: "));
  EXPECT_THAT(ConfigError("    accounts: [{name: a}]\n"), HasSubstr("needs `authorization`"));
  EXPECT_THAT(ConfigError("    accounts: [{authorization: {credentials: a}}, {authorization: "
                          "{credentials: b}}]\n"),
              HasSubstr("two accounts are called \"deepseek\""));
  EXPECT_THAT(ConfigError("    certificates: {targets: ['http://a']}\n"),
              HasSubstr("c.yml:3:30: \"http://a\" has no certificate"));
}

}  // namespace
}  // namespace sonde::config
