#include "collect/gpu/gpu_meter.h"

#include <limits>

#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMaxGap = 10 * kSecond;
using Rule = Integral::Rule;

TEST(Integral, AMeanCountsForTheTimeBeforeIt) {
  Integral busy;
  EXPECT_FALSE(busy.total());
  busy.Add(100 * kSecond, 1.0, Rule::kPast, kMaxGap);
  EXPECT_EQ(busy.total(), 0.0);  // From here on: nothing is known of what was before.
  busy.Add(101 * kSecond, 0.5, Rule::kPast, kMaxGap);
  busy.Add(103 * kSecond, 1.0, Rule::kPast, kMaxGap);
  EXPECT_DOUBLE_EQ(*busy.total(), 0.5 + 2.0);
}

TEST(Integral, ASampleCountsHalfToEachSide) {
  Integral energy;
  energy.Add(0, 100, Rule::kTrapezoid, kMaxGap);
  energy.Add(2 * kSecond, 300, Rule::kTrapezoid, kMaxGap);
  EXPECT_DOUBLE_EQ(*energy.total(), 400);
}

TEST(Integral, RateIsTheMeanOfWhatWasSeen) {
  // 250 ms apart, 40 % busy on average: a minute's rate() of the counter must say 0.4.
  Integral busy;
  for (int i = 0; i <= 240; ++i)
    busy.Add(i * (kSecond / 4), i % 2 == 0 ? 0.6 : 0.2, Rule::kPast, kMaxGap);
  EXPECT_NEAR(*busy.total() / 60, 0.4, 1e-12);
}

TEST(Integral, NothingIsAddedForAGap) {
  Integral busy;
  busy.Add(0, 1, Rule::kPast, kMaxGap);
  busy.Add(kSecond, 1, Rule::kPast, kMaxGap);
  busy.Add(12 * kSecond, 1, Rule::kPast, kMaxGap);  // 11 s without a reading.
  EXPECT_DOUBLE_EQ(*busy.total(), 1);
  busy.Add(13 * kSecond, 1, Rule::kPast, kMaxGap);
  EXPECT_DOUBLE_EQ(*busy.total(), 2);
  busy.Pause();
  busy.Add(14 * kSecond, 1, Rule::kPast, kMaxGap);
  EXPECT_DOUBLE_EQ(*busy.total(), 2);
}

TEST(Integral, NonsenseAndAClockThatStandsStillAddNothing) {
  Integral busy;
  busy.Add(0, 1, Rule::kPast, kMaxGap);
  busy.Add(0, 1, Rule::kPast, kMaxGap);
  busy.Add(kSecond, std::numeric_limits<double>::quiet_NaN(), Rule::kPast, kMaxGap);
  busy.Add(2 * kSecond, -5, Rule::kPast, kMaxGap);
  busy.Add(3 * kSecond, std::numeric_limits<double>::infinity(), Rule::kPast, kMaxGap);
  busy.Add(kSecond, 1, Rule::kPast, kMaxGap);  // Before the last one.
  EXPECT_EQ(busy.total(), 0.0);
}

GpuReading Card(const std::string& index, const std::string& uuid) {
  GpuReading reading;
  reading.id.index = index;
  reading.id.uuid = uuid;
  reading.busy_ratio = 1.0;
  reading.power_watts = 200;
  return reading;
}

GpuSweep SweepOf(std::vector<GpuReading> readings) {
  GpuSweep sweep;
  sweep.devices = std::move(readings);
  return sweep;
}

TEST(GpuMeter, EnergyComesFromTheHardwareOnceItCounts) {
  GpuMeter meter(kMaxGap);
  meter.Add(SweepOf({Card("0", "a")}), 0, 1);
  meter.Add(SweepOf({Card("0", "a")}), kSecond, 2);
  EXPECT_DOUBLE_EQ(*meter.devices()[0].energy_joules, 200);
  GpuReading counted = Card("0", "a");
  counted.energy_joules = 5000;
  meter.Add(SweepOf({counted}), 2 * kSecond, 3);
  EXPECT_DOUBLE_EQ(*meter.devices()[0].energy_joules, 5000);
  meter.Add(SweepOf({Card("0", "a")}), 3 * kSecond, 4);  // Not told this time: no jump back.
  EXPECT_DOUBLE_EQ(*meter.devices()[0].energy_joules, 5000);
}

TEST(GpuMeter, ThrottledTimeIsIntegratedWhereTheHardwareDoesNotCountIt) {
  GpuMeter meter(kMaxGap);
  const auto at = static_cast<std::size_t>(ThrottleReason::kHwSlowdown);
  const auto power = static_cast<std::size_t>(ThrottleReason::kPower);
  for (int i = 0; i <= 4; ++i) {
    GpuReading reading = Card("0", "a");
    reading.throttle[at].active_ratio = i % 2 == 0 ? 1 : 0;
    reading.throttle[power].active_ratio = 1;
    reading.throttle[power].total_seconds = 7;
    meter.Add(SweepOf({reading}), i * kSecond, i);
  }
  const GpuDevice device = meter.devices()[0];
  EXPECT_DOUBLE_EQ(*device.throttle_seconds[at], 2);
  EXPECT_DOUBLE_EQ(*device.throttle_seconds[power], 7);
  EXPECT_FALSE(device.throttle_seconds[static_cast<std::size_t>(ThrottleReason::kSyncBoost)]);
}

TEST(GpuMeter, ALostDeviceKeepsItsCountersAndSaysSinceWhen) {
  GpuMeter meter(kMaxGap);
  meter.Add(SweepOf({Card("0", "a"), Card("1", "b")}), 0, 1'000);
  meter.Add(SweepOf({Card("0", "a"), Card("1", "b")}), kSecond, 2'000);
  GpuReading lost;
  lost.id.index = "1";
  lost.id.uuid = "b";
  lost.error = "gpu_is_lost";
  meter.Add(SweepOf({Card("0", "a"), lost}), 2 * kSecond, 3'000);
  meter.Add(SweepOf({Card("0", "a"), lost}), 3 * kSecond, 4'000);
  GpuDevice device = meter.devices()[1];
  EXPECT_EQ(device.error, "gpu_is_lost");
  EXPECT_EQ(device.error_since, 3'000);
  EXPECT_DOUBLE_EQ(*device.busy_seconds, 1);
  EXPECT_DOUBLE_EQ(*meter.devices()[0].busy_seconds, 3);
  // It is back: what happened meanwhile is not known, so not counted.
  meter.Add(SweepOf({Card("0", "a"), Card("1", "b")}), 4 * kSecond, 5'000);
  meter.Add(SweepOf({Card("0", "a"), Card("1", "b")}), 5 * kSecond, 6'000);
  device = meter.devices()[1];
  EXPECT_EQ(device.error, "");
  EXPECT_DOUBLE_EQ(*device.busy_seconds, 2);
}

TEST(GpuMeter, ADeviceThatIsNotListedAnyMoreIsGone) {
  GpuMeter meter(kMaxGap);
  meter.Add(SweepOf({Card("0", "a"), Card("10", "c"), Card("2", "b")}), 0, 1'000);
  ASSERT_EQ(meter.devices().size(), 3U);
  EXPECT_EQ(meter.devices()[2].id.index, "10");  // Numbers, not text.
  meter.Add(SweepOf({Card("0", "a")}), kSecond, 2'000);
  EXPECT_EQ(meter.devices()[1].error, "gone");
  meter.Fail("hang", 3'000);
  EXPECT_EQ(meter.devices()[0].error, "hang");
  EXPECT_EQ(meter.devices()[1].error_since, 2'000);
}

TEST(GpuMeter, ACardThatNeverSaidWhoItIsIsReplacedByTheOneThatDoes) {
  GpuMeter meter(kMaxGap);
  GpuReading nameless;
  nameless.id.index = "0";
  nameless.error = "reset_required";
  meter.Add(SweepOf({nameless}), 0, 1'000);
  ASSERT_EQ(meter.devices().size(), 1U);
  meter.Add(SweepOf({Card("0", "a")}), kSecond, 2'000);
  ASSERT_EQ(meter.devices().size(), 1U);
  EXPECT_EQ(meter.devices()[0].id.uuid, "a");
}

TEST(GpuMeter, KnowsABoundedNumberOfDevices) {
  GpuMeter meter(kMaxGap);
  for (int i = 0; i < 1'000; ++i)
    meter.Add(SweepOf({Card("0", "uuid-" + std::to_string(i))}), i * kSecond, i);
  EXPECT_EQ(meter.devices().size(), 256U);
}

}  // namespace
}  // namespace sonde::collect
