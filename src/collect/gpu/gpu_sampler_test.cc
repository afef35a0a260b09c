#include "collect/gpu/gpu_sampler.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace sonde::collect {
namespace {

/// A driver that the test holds by the hand. Lives as long as its thread, which may be longer than
/// the sampler.
struct Script {
  Mutex mutex;
  CondVar changed;
  bool hang GUARDED_BY(mutex) = false;
  bool hanging GUARDED_BY(mutex) = false;  // A call is in it.
  int reads GUARDED_BY(mutex) = 0;
  int closes GUARDED_BY(mutex) = 0;
  bool destroyed GUARDED_BY(mutex) = false;
  std::string error GUARDED_BY(mutex);

  /// From now on calls return, with this error.
  void Answer(const std::string& fails) {
    const MutexLock lock(mutex);
    hang = false;
    error = fails;
    changed.NotifyAll();
  }
  /// The next call hangs; returns when it does.
  void Hang() {
    const MutexLock lock(mutex);
    hang = true;
    while (!hanging)
      changed.Wait(mutex);
  }
  int reads_so_far() {
    const MutexLock lock(mutex);
    return reads;
  }
};

class ScriptedSource final : public GpuSource {
 public:
  explicit ScriptedSource(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  ~ScriptedSource() override {
    const MutexLock lock(script_->mutex);
    script_->destroyed = true;
    script_->changed.NotifyAll();
  }

  std::string_view name() const override { return "scripted"; }
  GpuSweep Read(GpuDepth, GpuWatch& watch) override {
    watch.Beat();
    GpuSweep sweep;
    GpuReading& reading = sweep.devices.emplace_back();
    reading.id.index = "0";
    reading.id.uuid = "GPU-0";
    reading.busy_ratio = 1.0;
    const MutexLock lock(script_->mutex);
    ++script_->reads;
    script_->changed.NotifyAll();
    while (script_->hang) {
      script_->hanging = true;
      script_->changed.NotifyAll();
      script_->changed.Wait(script_->mutex);
    }
    script_->hanging = false;
    sweep.error = script_->error;
    if (!sweep.error.empty()) sweep.devices.clear();
    return sweep;
  }
  void Close() override {
    const MutexLock lock(script_->mutex);
    ++script_->closes;
  }
  std::span<const std::uint64_t> known_faults() const override { return kFaults; }

 private:
  static constexpr std::uint64_t kFaults[] = {79};
  const std::shared_ptr<Script> script_;
};

class GpuSamplerTest : public ::testing::Test {
 protected:
  std::unique_ptr<GpuSampler> Make() {
    GpuSamplerOptions options;
    options.interval = Duration(1);
    options.retry_min = Duration(1);
    options.retry_max = Duration(2);
    return std::make_unique<GpuSampler>(std::make_unique<ScriptedSource>(script_), options, clock_);
  }
  void AwaitReads(int more) {
    const MutexLock lock(script_->mutex);
    const int until = script_->reads + more;
    while (script_->reads < until)
      script_->changed.Wait(script_->mutex);
  }
  /// Polls: what the thread does next is its own affair.
  template <class F>
  void Await(F&& condition) {
    for (int i = 0; i < 60'000 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(condition());
  }

  ManualClock clock_{Timestamp{1'800'000'000'000}};
  const std::shared_ptr<Script> script_ = std::make_shared<Script>();
};

TEST_F(GpuSamplerTest, CountersGrowByTheClock) {
  const auto sampler = Make();
  EXPECT_TRUE(sampler->snapshot().absent);
  sampler->SampleOnce(GpuDepth::kDetails);
  clock_.Advance(Duration(2'000));
  sampler->SampleOnce(GpuDepth::kFast);
  const GpuSnapshot snapshot = sampler->snapshot();
  EXPECT_FALSE(snapshot.absent);
  ASSERT_EQ(snapshot.devices.size(), 1U);
  EXPECT_DOUBLE_EQ(*snapshot.devices[0].busy_seconds, 2);
  EXPECT_EQ(snapshot.sweeps, 2);
  // Known faults are at 0 before the first one happens.
  ASSERT_TRUE(snapshot.faults.contains("GPU-0"));
  EXPECT_EQ(snapshot.faults.at("GPU-0").at(79).count, 0U);
}

TEST_F(GpuSamplerTest, AHangIsToldAndEndsWithTheCall) {
  const auto sampler = Make();
  sampler->Start();
  AwaitReads(2);
  script_->Hang();
  EXPECT_EQ(sampler->snapshot().error, "");  // Not yet.
  clock_.Advance(Duration(11'000));
  Await([&] { return sampler->snapshot().error == "hang"; });
  const GpuSnapshot hanging = sampler->snapshot();
  EXPECT_EQ(hanging.error_since, clock_.Now().ms - 11'000);
  ASSERT_EQ(hanging.devices.size(), 1U);
  EXPECT_EQ(hanging.devices[0].error, "hang");
  const int reads = script_->reads_so_far();
  clock_.Advance(Duration(3'600'000));
  EXPECT_EQ(script_->reads_so_far(), reads);  // Nobody else was sent after it.
  script_->Answer("");
  Await([&] { return sampler->snapshot().error.empty(); });
  EXPECT_LT(*sampler->snapshot().devices[0].busy_seconds, 1);  // The hour is not counted.
}

TEST_F(GpuSamplerTest, StopDoesNotWaitForAHang) {
  auto sampler = Make();
  sampler->Start();
  AwaitReads(1);
  script_->Hang();
  sampler.reset();  // Returns after two seconds.
  {
    const MutexLock lock(script_->mutex);
    EXPECT_FALSE(script_->destroyed);  // The thread holds it as long as the call lasts.
  }
  script_->Answer("");
  const MutexLock lock(script_->mutex);
  while (!script_->destroyed)
    script_->changed.Wait(script_->mutex);
  EXPECT_GE(script_->closes, 1);
}

TEST_F(GpuSamplerTest, ADriverThatFailsIsAskedAgain) {
  const auto sampler = Make();
  script_->Answer("driver_not_loaded");
  sampler->Start();
  Await([&] { return sampler->snapshot().error == "driver_not_loaded"; });
  EXPECT_EQ(sampler->snapshot().error_since, clock_.Now().ms);
  clock_.Advance(Duration(60'000));
  AwaitReads(3);
  EXPECT_EQ(sampler->snapshot().error_since, clock_.Now().ms - 60'000);
  script_->Answer("");
  Await([&] { return sampler->snapshot().error.empty() && !sampler->snapshot().devices.empty(); });
}

TEST_F(GpuSamplerTest, StopIsIdempotentAndClosesTheDriver) {
  const auto sampler = Make();
  sampler->Start();
  sampler->AwaitFirst(Duration(60'000));
  EXPECT_GE(sampler->snapshot().sweeps, 1);
  sampler->Stop();
  sampler->Stop();
  const MutexLock lock(script_->mutex);
  EXPECT_EQ(script_->closes, 1);
}

}  // namespace
}  // namespace sonde::collect
