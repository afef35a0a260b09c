#include "config/check.h"

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde::config {
namespace {

class CheckTest : public testing::Test {
 protected:
  CheckTest() {
    EXPECT_TRUE(env_.CreateDir("/c").ok());
    options_.check_group = [](const scrape::ScrapeOptions&,
                              const discovery::TargetGroup& group) -> Status {
      for (const Labels& target : group.targets) {
        if (target.Get("__address__") == "bad") return Error(ErrorKind::kInvalid, "bad target");
      }
      return OkStatus();
    };
  }
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(env_, "/c/" + name, text).ok());
  }
  void Expect(std::string_view config, int code, std::string_view report) {
    Write("p.yml", config);
    std::string got;
    EXPECT_EQ(CheckConfig(env_, "/c/p.yml", options_, got), code);
    EXPECT_EQ(got, report);
  }

  FaultEnv env_;
  CheckOptions options_;
};

TEST_F(CheckTest, Good) {
  Expect("scrape_configs: [{job_name: x, static_configs: [{targets: [a]}]}]\n", 0,
         "Checking /c/p.yml\n SUCCESS: /c/p.yml is valid prometheus config file syntax\n");
}

TEST_F(CheckTest, ErrorsAndWarnings) {
  Expect(
      "globl: {}\nx: 1\n", 1,
      "Checking /c/p.yml\n"
      "  FAILED: /c/p.yml:1:1: field globl not found in type config.plain; did you mean global?\n"
      "  FAILED: /c/p.yml:2:1: field x not found in type config.plain\n");
  Expect("otlp: {}\n", 0,
         "Checking /c/p.yml\n  WARNING: /c/p.yml:1:1: otlp is configured but not active in this "
         "version\n"
         " SUCCESS: /c/p.yml is valid prometheus config file syntax\n");
  std::string report;
  EXPECT_EQ(CheckConfig(env_, "/c/none.yml", options_, report), 1);
  EXPECT_NE(report.find("FAILED: "), std::string::npos);
}

TEST_F(CheckTest, ReferencedFiles) {
  Write("bad.json", "[{");
  Write("bad_target.yml", "- targets: [bad]\n");
  constexpr std::string_view kConfig = R"(
rule_files: [none.rules, "none/*.rules"]
scrape_configs:
- job_name: x
  authorization: {credentials_file: token}
  tls_config: {ca_file: ca.pem}
  file_sd_configs: [{files: [bad.json, bad_target.yml, none.json]}]
sonde: {mappings: [m.yaml]}
)";
  Write("p.yml", kConfig);
  std::string report;
  EXPECT_EQ(CheckConfig(env_, "/c/p.yml", options_, report), 1);
  for (
      const char* line : {
          R"(FAILED: rule file: "/c/none.rules" does not point to an existing file)",
          R"(FAILED: job "x": authorization credentials or bearer token file "/c/token" does not exist)",
          R"(FAILED: job "x": CA file "/c/ca.pem" does not exist)",
          R"(FAILED: /c/bad.json: )",
          R"(FAILED: job "x": bad target)",
          R"(WARNING: file "/c/none.json" for file_sd in scrape job "x" does not exist)",
          R"(FAILED: mapping file: "/c/m.yaml" does not point to an existing file)",
      }) {
    EXPECT_NE(report.find(line), std::string::npos) << line << "\n" << report;
  }
  options_.syntax_only = true;
  report.clear();
  EXPECT_EQ(CheckConfig(env_, "/c/p.yml", options_, report), 0);
}

TEST_F(CheckTest, FilesOfProbes) {
  Write("good.yaml", "name: s\nquestions: [{name: a, prompt: p, exact: x}]\n");
  Write("bad.yaml", "name: s\nquestions: [{name: a, prompt: p}]\n");
  Write("key", "sk-1");
  constexpr std::string_view kConfig = R"(sonde:
  probes:
    suite_files: [good.yaml, bad.yaml, none.yaml]
    canaries:
      - {engines: true, authorization: {credentials_file: key}}
      - {url: "https://a", authorization: {credentials_file: no-key}, tls_config: {ca_file: no-ca}}
    accounts: [{name: b, authorization: {credentials_file: no-key}}]
)";
  Expect(kConfig, 1,
         "Checking /c/p.yml\n"
         "  FAILED: /c/bad.yaml:2:13: nothing says which answer is right: exact, regex, number or "
         "json is needed\n"
         "  FAILED: suite file: \"/c/none.yaml\" does not point to an existing file\n"
         "  FAILED: canary: credentials file \"/c/no-key\" does not exist\n"
         "  FAILED: canary: CA file \"/c/no-ca\" does not exist\n"
         "  FAILED: account b: credentials file \"/c/no-key\" does not exist\n");
}

}  // namespace
}  // namespace sonde::config
