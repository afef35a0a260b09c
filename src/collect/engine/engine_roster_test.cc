#include "collect/engine/engine_roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

ProbeResult Vllm(const std::string& model = "deepseek-v3") {
  return {ProbeOutcome::kEngine, {"vllm", "0.11", {model}, "/metrics", true}};
}

constexpr const char* kLocal = "http://127.0.0.1:8000";

TEST(EngineRoster, AsksConfiguredAndWellKnown) {
  EngineFinderOptions options;
  options.urls = {"http://gpu1:8000/"};
  options.skip_ports = {8080};
  const EngineRoster roster(options);
  const auto due = roster.Due(Timestamp{0});
  EXPECT_THAT(due, Contains("http://gpu1:8000"));
  EXPECT_THAT(due, Contains(kLocal));
  EXPECT_THAT(due, Contains("http://127.0.0.1:30000"));
  EXPECT_THAT(due, Not(Contains("http://127.0.0.1:8080")));
  // What is configured is there from the beginning, what might be found is not.
  ASSERT_EQ(roster.engines().size(), 1U);
  EXPECT_EQ(roster.engines()[0].url, "http://gpu1:8000");
  EXPECT_EQ(roster.engines()[0].instance(), "gpu1:8000");
  EXPECT_TRUE(roster.engines()[0].configured);
  EXPECT_FALSE(roster.engines()[0].up);
}

TEST(EngineRoster, WithoutAutodetectOnlyConfigured) {
  EngineFinderOptions options;
  options.urls = {"http://gpu1:8000"};
  options.autodetect = false;
  EXPECT_THAT(EngineRoster(options).Due(Timestamp{0}), ElementsAre("http://gpu1:8000"));
}

TEST(EngineRoster, LocalhostIsNotFoundTwice) {
  EngineFinderOptions options;
  options.urls = {"http://localhost:8000"};
  const EngineRoster roster(options);
  EXPECT_THAT(roster.Due(Timestamp{0}), Contains("http://localhost:8000"));
  EXPECT_THAT(roster.Due(Timestamp{0}), Not(Contains(kLocal)));
}

TEST(EngineRoster, FoundLostForgottenAndFoundAgain) {
  EngineRoster roster(EngineFinderOptions{});
  roster.Record(kLocal, Vllm(), Timestamp{0});
  ASSERT_EQ(roster.engines().size(), 1U);
  EXPECT_TRUE(roster.engines()[0].up);
  EXPECT_FALSE(roster.engines()[0].configured);
  EXPECT_THAT(roster.Due(Timestamp{1'000}), Not(Contains(kLocal)));
  EXPECT_THAT(roster.Due(Timestamp{30'000}), Contains(kLocal));

  roster.Record(kLocal, {ProbeOutcome::kNobody, {}}, Timestamp{30'000});
  ASSERT_EQ(roster.engines().size(), 1U);
  EXPECT_FALSE(roster.engines()[0].up);
  EXPECT_EQ(roster.engines()[0].identity.engine,
            "vllm");  // Its target goes on to say that it is down.

  roster.Record(kLocal, {ProbeOutcome::kNobody, {}}, Timestamp{600'000});
  EXPECT_THAT(roster.engines(), IsEmpty());
  EXPECT_THAT(roster.Due(Timestamp{630'000}), Contains(kLocal));
  roster.Record(kLocal, Vllm("deepseek-r1"), Timestamp{630'000});
  EXPECT_THAT(roster.engines()[0].identity.models, ElementsAre("deepseek-r1"));
}

TEST(EngineRoster, AnEngineIsAskedWhoItIsNowAndThenOnly) {
  EngineRoster roster(EngineFinderOptions{});
  EXPECT_FALSE(roster.IsIdentified(kLocal, Timestamp{0}));
  roster.Record(kLocal, Vllm(), Timestamp{0});
  EXPECT_TRUE(roster.IsIdentified(kLocal, Timestamp{30'000}));
  roster.RecordHealthy(kLocal, Timestamp{30'000});
  EXPECT_THAT(roster.Due(Timestamp{31'000}), Not(Contains(kLocal)));
  EXPECT_THAT(roster.Due(Timestamp{60'000}), Contains(kLocal));
  EXPECT_FALSE(roster.IsIdentified(kLocal, Timestamp{300'000}));
  roster.Record(kLocal, {ProbeOutcome::kNobody, {}}, Timestamp{300'000});
  EXPECT_FALSE(roster.IsIdentified(kLocal, Timestamp{300'001}));
  // One without metrics has nothing new to say; one without a model is still loading.
  roster.Record(kLocal, {ProbeOutcome::kEngine, {"openai", "", {"m"}, "", true}},
                Timestamp{400'000});
  EXPECT_TRUE(roster.IsIdentified(kLocal, Timestamp{4'000'000}));
  roster.Record(kLocal, {ProbeOutcome::kEngine, {"openai", "", {}, "", true}},
                Timestamp{4'000'000});
  EXPECT_FALSE(roster.IsIdentified(kLocal, Timestamp{4'000'001}));
}

TEST(EngineRoster, ConfiguredStaysForEver) {
  EngineFinderOptions options;
  options.urls = {"http://gpu1:8000"};
  EngineRoster roster(options);
  roster.Record("http://gpu1:8000", Vllm(), Timestamp{0});
  roster.Record("http://gpu1:8000", {ProbeOutcome::kNoEngine, {}}, Timestamp{3'600'000});
  ASSERT_EQ(roster.engines().size(), 1U);
  EXPECT_FALSE(roster.engines()[0].up);
  EXPECT_EQ(roster.engines()[0].identity.engine, "vllm");
  EXPECT_THAT(roster.Due(Timestamp{3'630'000}), Contains("http://gpu1:8000"));
}

TEST(EngineRoster, AServerThatIsNoEngineIsLeftInPeace) {
  EngineRoster roster(EngineFinderOptions{});
  Timestamp now{0};
  std::vector<std::int64_t> asked_at;
  for (; now.ms <= 3'600'000; now += Duration(30'000)) {
    const auto due = roster.Due(now);
    if (std::find(due.begin(), due.end(), kLocal) == due.end()) continue;
    asked_at.push_back(now.ms / 1000);
    roster.Record(kLocal, {ProbeOutcome::kNoEngine, {}}, now);
  }
  EXPECT_THAT(asked_at, ElementsAre(0, 30, 90, 210, 450, 930, 1530, 2130, 2730, 3330));
  EXPECT_THAT(roster.engines(), IsEmpty());
}

TEST(EngineRoster, NobodyIsAskedInEveryRound) {
  EngineRoster roster(EngineFinderOptions{});
  for (Timestamp now{0}; now.ms <= 300'000; now += Duration(30'000)) {
    EXPECT_THAT(roster.Due(now), Contains(kLocal));
    roster.Record(kLocal, {ProbeOutcome::kNobody, {}}, now);
  }
}

TEST(EngineRoster, AnswersOfOthersAreIgnored) {
  EngineRoster roster(EngineFinderOptions{});
  roster.Record("http://elsewhere:1", Vllm(), Timestamp{0});
  EXPECT_THAT(roster.engines(), IsEmpty());
}

}  // namespace
}  // namespace sonde::collect
