#include "app/map_command.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPage =
    "# TYPE vllm:num_requests_running gauge\n"
    "vllm:num_requests_running{engine=\"0\",model_name=\"v3\"} 4\n"
    "# TYPE python_info gauge\n"
    "python_info 1\n";

class MapCommandTest : public ::testing::Test {
 protected:
  MapCommandTest() : dir_(std::filesystem::path(::testing::TempDir()) / ("map_" + TestName())) {
    std::filesystem::create_directories(dir_);
  }
  ~MapCommandTest() override { std::filesystem::remove_all(dir_); }

  static std::string TestName() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  std::string Write(const std::string& name, std::string_view text) const {
    const std::string path = (dir_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  std::string Map(const MapCommand& command, std::string_view page = kPage) {
    auto report = MapText(env_, command, page);
    return report ? report->text + report->summary : "error: " + report.error().message();
  }

  PosixEnv env_;
  std::filesystem::path dir_;
};

TEST_F(MapCommandTest, ListsWhatEachSampleBecomes) {
  EXPECT_EQ(Map({.labels = {"job=llm"}}),
            "vllm:num_requests_running{engine=\"0\", job=\"llm\", model_name=\"v3\"} 4\n"
            "  -> deepseek_requests_running{dp_rank=\"0\", engine=\"vllm\", job=\"llm\", "
            "model=\"v3\", source=\"engine\"} 4\n"
            "  -> deepseek_engine_batch_requests{dp_rank=\"0\", engine=\"vllm\", job=\"llm\", "
            "model=\"v3\", source=\"engine\"} 4\n"
            "python_info{job=\"llm\"} 1\n"
            "2 samples, 1 of them mapped, to 2 canonical series\n");
}

TEST_F(MapCommandTest, OnlyMappedIsAnExposition) {
  EXPECT_EQ(Map({.prefix = "llm_", .engine = "vllm", .only_mapped = true}),
            "# HELP llm_engine_batch_requests Requests in the engine's last step.\n"
            "# TYPE llm_engine_batch_requests gauge\n"
            "llm_engine_batch_requests{dp_rank=\"0\", engine=\"vllm\", model=\"v3\", "
            "source=\"engine\"} 4\n"
            "# HELP llm_requests_running Requests in the running batch.\n"
            "# TYPE llm_requests_running gauge\n"
            "llm_requests_running{dp_rank=\"0\", engine=\"vllm\", model=\"v3\", "
            "source=\"engine\"} 4\n"
            "2 samples, 1 of them mapped, to 2 canonical series\n");
  EXPECT_THAT(Map({.engine = "sglang", .only_mapped = true}), HasSubstr("to 0 canonical series"));
}

// A user's file of a shipped one's name replaces it whole.
TEST_F(MapCommandTest, AUsersFileReplacesAShippedOne) {
  Write("mine.yaml",
        "name: vllm\n"
        "rules:\n"
        "- {native: \"vllm:num_requests_running\", as: deepseek_requests_waiting}\n");
  const std::string text = Map({.mappings = {(dir_ / "*.yaml").string()}, .only_mapped = true});
  EXPECT_THAT(text, HasSubstr("deepseek_requests_waiting{engine=\"0\", model_name=\"v3\"} 4"));
  EXPECT_THAT(text, Not(HasSubstr("deepseek_requests_running")));
}

TEST_F(MapCommandTest, AUsersFileAddsAMetric) {
  Write("mine.yaml",
        "name: mine\n"
        "title: My server\n"
        "rules:\n"
        "- {native: my_queue, as: deepseek_requests_waiting}\n"
        "- {native: my_gold, as: deepseek_gold_bars, type: gauge, help: Bars of gold.}\n");
  const MapCommand command = {.mappings = {(dir_ / "mine.yaml").string()}, .only_mapped = true};
  const std::string text =
      Map(command, "# TYPE my_queue gauge\nmy_queue 3\n# TYPE my_gold gauge\nmy_gold 2\n");
  EXPECT_THAT(text, HasSubstr("deepseek_requests_waiting 3\n"));
  EXPECT_THAT(text, HasSubstr("# HELP deepseek_gold_bars Bars of gold.\n"));
  MapCommand list = command;
  list.list = true;
  EXPECT_THAT(Map(list, ""), HasSubstr("## `deepseek_gold_bars`\n\nBars of gold.\n"));
  EXPECT_THAT(Map(list, ""), HasSubstr("| My server | `my_queue` |"));
}

TEST_F(MapCommandTest, MistakesAreNamed) {
  EXPECT_THAT(Map({.engine = "nobody"}), HasSubstr("--engine nobody: there is no such mapping; "));
  EXPECT_THAT(Map({.labels = {"job"}}), HasSubstr("--label \"job\": write NAME=VALUE"));
  EXPECT_THAT(Map({.prefix = "9"}), HasSubstr("\"9\" cannot begin a metric name"));
  EXPECT_THAT(Map({}, "a 1\nb{ 2\n"), HasSubstr("error: standard input: 2:"));
  EXPECT_THAT(Map({.openmetrics = true}, "a 1\n"), HasSubstr("error: standard input: "));
  EXPECT_THAT(Map({.mappings = {Write("bad.yaml", "rules: []\n")}}),
              HasSubstr("bad.yaml:1:1: name is missing"));
}

TEST_F(MapCommandTest, AnOpenMetricsPageIsRecognised) {
  EXPECT_THAT(Map({.only_mapped = true},
                  "# TYPE vllm:prompt_tokens counter\n"
                  "vllm:prompt_tokens_total{model_name=\"v3\"} 7.0 # {id=\"1\"} 1.0\n# EOF\n"),
              HasSubstr("deepseek_prompt_tokens_total{engine=\"vllm\", model=\"v3\", "
                        "source=\"engine\"} 7\n"));
}

TEST_F(MapCommandTest, ChecksTheShippedFilesAndTheUsers) {
  const MappingsVerdict shipped = CheckMappings(env_, {});
  EXPECT_TRUE(shipped.good) << shipped.text;
  EXPECT_THAT(shipped.text, HasSubstr("  SUCCESS: "));

  const std::string good =
      Write("good.yaml", "name: vllm\nrules:\n- {native: a, as: deepseek_requests_running}\n");
  const MappingsVerdict verdict = CheckMappings(env_, {good});
  EXPECT_TRUE(verdict.good);
  EXPECT_THAT(verdict.text, HasSubstr("Checking " + good +
                                      "\n  SUCCESS: vllm, 1 rules, instead of the shipped file "
                                      "of this name\n"));
}

TEST_F(MapCommandTest, EveryWrongRuleIsNamedWithItsPlace) {
  const std::string bad = Write("bad.yaml",
                                "name: m\n"
                                "rules:\n"
                                "- {native: a, as: deepseek_request_running}\n"
                                "- {native: b, as: deepseek_requests_running, scale: -1}\n"
                                "- {native: c, as: deepseek_requests_running}\n");
  const MappingsVerdict verdict = CheckMappings(env_, {bad, (dir_ / "none.yaml").string()});
  EXPECT_FALSE(verdict.good);
  EXPECT_THAT(verdict.text, HasSubstr(bad + ":3:3: rule a → deepseek_request_running: the "
                                            "vocabulary has no deepseek_request_running"));
  EXPECT_THAT(verdict.text, HasSubstr(bad + ":4:3: rule b → deepseek_requests_running: scale "
                                            "must be a number above 0"));
  EXPECT_THAT(verdict.text, Not(HasSubstr(":5:3")));
  EXPECT_THAT(verdict.text, HasSubstr("none.yaml"));
}

}  // namespace
}  // namespace sonde::app
