#include "gateway/upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Health, BeginsUnknown) {
  Health health;
  EXPECT_FALSE(health.up());
  EXPECT_FALSE(health.ejected());
  EXPECT_TRUE(health.ProbeIsDue(0, kSecond));
}

TEST(Health, ContactsPutProbesOff) {
  Health health;
  health.RequestSucceeded(10 * kSecond);
  EXPECT_TRUE(health.up());
  EXPECT_FALSE(health.ProbeIsDue(11 * kSecond, 5 * kSecond));
  EXPECT_TRUE(health.ProbeIsDue(15 * kSecond, 5 * kSecond));
}

TEST(Health, ARefusedConnectionEjectsForLongerEachTime) {
  Health health;
  std::int64_t now = 0;
  for (const std::int64_t pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    health.Unreachable(now, "refused");
    EXPECT_TRUE(health.ejected());
    EXPECT_FALSE(health.up());
    EXPECT_EQ(health.last_error(), "refused");
    // Others that fail meanwhile do not double it.
    health.Unreachable(now + 1, "refused");
    EXPECT_FALSE(health.ProbeIsDue(now + pause * kSecond - 1, 1));
    now += pause * kSecond;
    EXPECT_TRUE(health.ProbeIsDue(now, 1)) << pause;
  }
  health.ProbeSucceeded(now);
  EXPECT_FALSE(health.ejected());
  EXPECT_TRUE(health.up());
  EXPECT_EQ(health.last_error(), "");
  health.Unreachable(now, "again");
  EXPECT_FALSE(health.ProbeIsDue(now + 59 * kSecond, 1)) << "a probe is no request";
  health.RequestSucceeded(now);
  health.Unreachable(now, "again");
  EXPECT_TRUE(health.ProbeIsDue(now + kSecond, 1));
}

TEST(Health, FailuresInARowEject) {
  Health health;
  health.RequestSucceeded(0);
  for (int i = 0; i < 4; ++i) {
    health.Failed(1, "500");
  }
  health.RequestSucceeded(1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(health.ejected());
    health.Failed(2, "500");
  }
  EXPECT_TRUE(health.ejected());
  health.ProbeFailed(2 + kSecond, "503");
  EXPECT_FALSE(health.up());
  EXPECT_FALSE(health.ProbeIsDue(2 + 2 * kSecond, 1)) << "twice as long";
}

TEST(ColdStart, FromTheFirstSignOfLifeToTheFirstToken) {
  ColdStart start;
  start.SawAbsence();
  start.SawLife(10);
  start.SawLife(15);
  start.SawReady(20);
  // Ready at 20, asked at 100: the 80 in between are nobody's fault.
  EXPECT_EQ(start.SawToken(130, 100), 40);
  EXPECT_EQ(start.SawToken(140, 100), std::nullopt) << "once";
}

TEST(ColdStart, ARequestThatWaitedCountsInFull) {
  ColdStart start;
  start.SawAbsence();
  start.SawLife(10);
  EXPECT_EQ(start.SawToken(110, 5), 100);
  start.SawAbsence();
  EXPECT_EQ(start.SawToken(200, 190), 0) << "the token itself is the first sign";
}

TEST(ColdStart, NoneIfItWasThereAllAlong) {
  ColdStart start;
  start.SawReady(10);
  EXPECT_EQ(start.SawToken(20, 15), std::nullopt);
  ColdStart unseen;
  EXPECT_EQ(unseen.SawToken(20, 15), std::nullopt);
}

TEST(ColdStart, AnEngineThatLoadsIsStarting) {
  ColdStart start;
  start.SawLoading(10);
  start.SawLoading(20);
  start.SawReady(30);
  EXPECT_EQ(start.SawToken(50, 40), 30) << "40 in all, of which 10 ready and unasked";
  start.SawReady(60);
  start.SawLoading(70);
  EXPECT_EQ(start.SawToken(90, 65), 20) << "it was restarted, and nobody saw it gone";
}

TEST(ModelList, Parses) {
  const auto list =
      ModelList::Parse(R"({"object":"list","data":[{"id":"b"},{"id":"a"},{"id":"b"},{"x":1},7]})");
  ASSERT_TRUE(list);
  EXPECT_THAT(list->ids, ElementsAre("a", "b"));
  EXPECT_THAT(list->json, ElementsAre(R"({"id":"a"})", "{\"id\":\"b\"}"));
  EXPECT_TRUE(list->Has("a"));
  EXPECT_FALSE(list->Has("c"));
  EXPECT_FALSE(list->configured);
  EXPECT_TRUE(list->known);
  EXPECT_FALSE(ModelList::Parse("[]"));
  EXPECT_FALSE(ModelList::Parse("{\"data\":"));
  const auto rich =
      ModelList::Parse(R"({"data":[{"id":"b","x":[1,{"y":"\u00e4"}],"n":1.5,"t":true,"z":null}]})");
  EXPECT_THAT(
      rich->json,
      ElementsAre("{\"id\":\"b\",\"x\":[1,{\"y\":\"\xC3\xA4\"}],\"n\":1.5,\"t\":true,\"z\":null}"));
}

TEST(Upstream, JoinsPaths) {
  instrument::Registry registry;
  const auto url = [&](const char* base, const char* target) {
    const auto upstream = Upstream::Create({.url = base}, {}, registry);
    return (*upstream)->UrlFor(target).ToString();
  };
  EXPECT_EQ(url("http://h:8000", "/v1/models"), "http://h:8000/v1/models");
  EXPECT_EQ(url("http://h:8000/v1", "/v1/models?a=b"), "http://h:8000/v1/models?a=b");
  EXPECT_EQ(url("http://h:8000/v1/", "/metrics"), "http://h:8000/metrics");
  EXPECT_EQ(url("https://api.example/llm/v1", "/v1/chat/completions"),
            "https://api.example/llm/v1/chat/completions");
}

}  // namespace
}  // namespace sonde::gateway
