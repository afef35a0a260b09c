#include "gateway/cold_start.h"

#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string Describe(const std::optional<ColdStartEnd>& end) {
  if (!end) return "none";
  return std::string(ToString(end->kind)) + " " + std::to_string(end->nanos / kSecond);
}

TEST(ColdStart, AnUpstreamThatWasThereHasNone) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(3 * kSecond, 2 * kSecond)), "none");
}

TEST(ColdStart, FromAbsentToTheFirstToken) {
  ColdStart start;
  start.SawAbsence();
  start.SawLife(10 * kSecond);
  start.SawLoading(11 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(40 * kSecond, 35 * kSecond)), "absent 30");
  EXPECT_EQ(Describe(start.SawToken(41 * kSecond, 40 * kSecond)), "none") << "only the first";
}

TEST(ColdStart, ThenItWaitsForSomebodyToAsk) {
  ColdStart start;
  start.SawAbsence();
  start.SawLife(10 * kSecond);
  start.SawReady(30 * kSecond);
  start.SawReady(60 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(101 * kSecond, 100 * kSecond)), "absent 21");
}

TEST(ColdStart, ARequestThatWaitedCountsInFull) {
  ColdStart start;
  start.SawAbsence();
  start.SawLife(10 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(110 * kSecond, 5 * kSecond)), "absent 100");
  start.SawAbsence();
  EXPECT_EQ(Describe(start.SawToken(200 * kSecond, 190 * kSecond)), "absent 0")
      << "the token itself is the first sign";
}

TEST(ColdStart, LoadingAgainIsARestart) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  start.SawLoading(5 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(25 * kSecond, 24 * kSecond)), "restart 20");
}

TEST(ColdStart, FoundWhileItLoads) {
  ColdStart start;
  start.SawLoading(5 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(6 * kSecond, 5 * kSecond)), "absent 1");
}

TEST(ColdStart, ARequestWakesASleeper) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  start.SawSleep();
  start.SawReady(5 * kSecond);  // Its health is fine while it sleeps.
  start.SawLife(6 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(13 * kSecond, 10 * kSecond)), "asleep 3");
}

TEST(ColdStart, SomebodyWakesASleeper) {
  ColdStart start;
  start.SawSleep();
  start.SawAwake(10 * kSecond);
  start.SawReady(14 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(21 * kSecond, 20 * kSecond)), "asleep 5");
  start.SawSleep();
  start.SawLoading(30 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(34 * kSecond, 33 * kSecond)), "asleep 4");
}

TEST(ColdStart, ARestartBetweenTwoProbes) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  EXPECT_EQ(Describe(start.SawToken(3 * kSecond, 2 * kSecond)), "none");
  EXPECT_FALSE(start.SawRestart(50 * kSecond));
  EXPECT_EQ(Describe(start.SawToken(70 * kSecond, 69 * kSecond)), "restart 20");
  EXPECT_FALSE(start.SawRestart(50 * kSecond)) << "the same one";
  EXPECT_EQ(Describe(start.SawToken(71 * kSecond, 70 * kSecond)), "none");
  EXPECT_FALSE(start.SawRestart(49 * kSecond));
  EXPECT_FALSE(start.SawRestart(50'500'000'000)) << "told by a clock that is a little off";
  EXPECT_EQ(Describe(start.SawToken(72 * kSecond, 71 * kSecond)), "none");
}

TEST(ColdStart, ARestartThatIsToldTooLate) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  static_cast<void>(start.SawToken(60 * kSecond, 59 * kSecond));
  EXPECT_TRUE(start.SawRestart(50 * kSecond)) << "it has served since, and nobody timed it";
  EXPECT_FALSE(start.SawRestart(50 * kSecond)) << "counted once";
  EXPECT_EQ(Describe(start.SawToken(61 * kSecond, 60 * kSecond)), "none");
}

TEST(ColdStart, ARestartThatTheProbesSawToo) {
  ColdStart start;
  start.SawReady(1 * kSecond);
  start.SawAbsence();
  start.SawLife(52 * kSecond);
  EXPECT_FALSE(start.SawRestart(50 * kSecond));
  EXPECT_EQ(Describe(start.SawToken(62 * kSecond, 61 * kSecond)), "absent 10");
  EXPECT_FALSE(start.SawRestart(50 * kSecond));
  EXPECT_EQ(Describe(start.SawToken(63 * kSecond, 62 * kSecond)), "none");
}

}  // namespace
}  // namespace sonde::gateway
