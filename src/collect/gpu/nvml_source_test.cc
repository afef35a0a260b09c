#include "collect/gpu/nvml_source.h"

#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "collect/gpu/gpu_collector.h"
#include "collect/gpu/gpu_page.h"
#include "collect/gpu/gpu_sampler.h"
#include "collect/gpu/gpu_test_fixture.h"

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLibrary = SONDE_FAKE_NVML_DIR "/fake_nvml/libnvidia-ml.so.1";
constexpr const char* kOldLibrary = SONDE_FAKE_NVML_DIR "/fake_nvml_old/libnvidia-ml.so.1";

class NvmlSourceTest : public ::testing::Test {
 protected:
  void Make(const std::string& library = kLibrary) {
    GpuOptions options = options_;
    options.nvml_library = library;
    sampler_ = std::make_unique<GpuSampler>(std::make_unique<NvmlSource>(options),
                                            GpuSamplerOptions{}, clock_);
  }
  /// The page after one more reading, a second later.
  std::string Page(GpuDepth depth = GpuDepth::kDetails) {
    sampler_->SampleOnce(depth);
    const std::string page = Shown();
    clock_.Advance(Duration(1'000));
    return page;
  }
  std::string Shown() const {
    HostPage page;
    WriteGpuPage(sampler_->snapshot(), "deepseek_", page);
    std::string text;
    page.WriteTo(text);
    return text;
  }

  FakeNvml fake_;
  GpuOptions options_;
  ManualClock clock_{Timestamp{1'800'000'000'000}};
  std::unique_ptr<GpuSampler> sampler_;
};

// Two readings, one second apart. The file was checked by hand against the script.
TEST_F(NvmlSourceTest, Page) {
  Make();
  Page();
  ExpectGolden(Page(GpuDepth::kFast), "tests/gpu/nvml.expected");
}

// The same machine with a driver of years ago: fewer functions, fewer values, none of them wrong.
TEST_F(NvmlSourceTest, PageOfAnOldDriver) {
  options_.pcie_estimate = true;
  fake_.SetWith("0 nvmlDeviceGetPcieThroughput.0 1000\n0 nvmlDeviceGetPcieThroughput.1 3000");
  Make(kOldLibrary);
  Page();
  ExpectGolden(Page(), "tests/gpu/nvml_old.expected");
}

TEST_F(NvmlSourceTest, WhatACardDoesNotHaveIsAbsentAndNotZero) {
  Make();
  const std::string page = Page();
  EXPECT_THAT(page, Not(HasSubstr("accelerator_temperature_celsius{gpu=\"1\"")));
  EXPECT_THAT(page, Not(HasSubstr("accelerator_utilization_ratio{gpu=\"2\"")));  // Divided.
  EXPECT_THAT(page, Not(HasSubstr("secret")));  // Arguments of a process.
}

TEST_F(NvmlSourceTest, ErrorsOfTheDriver) {
  const std::pair<int, const char*> cases[] = {{9, "driver_not_loaded"},  {18, "version_mismatch"},
                                               {4, "no_permission"},      {999, "unknown"},
                                               {12, "library_not_found"}, {28, "gpu_not_found"},
                                               {8, "insufficient_power"}, {77, "error_77"}};
  for (const auto& [code, name] : cases) {
    fake_.SetWith("! nvmlInit_v2 " + std::to_string(code));
    Make();
    EXPECT_THAT(Page(), HasSubstr(std::string("sonde_gpu_driver_up{driver=\"nvml\",error=\"") +
                                  name + "\"} 0\n"));
    EXPECT_TRUE(sampler_->snapshot().devices.empty());
    fake_.SetWith("");  // It comes back.
    EXPECT_THAT(Page(), HasSubstr("sonde_gpu_driver_up{driver=\"nvml\"} 1\n"));
    EXPECT_EQ(sampler_->snapshot().devices.size(), 3U);
  }
}

TEST_F(NvmlSourceTest, NoLibraryOrAnotherOne) {
  Make("libnvidia-ml-that-is-not-there.so.1");
  EXPECT_THAT(Page(),
              HasSubstr("sonde_gpu_driver_up{driver=\"nvml\",error=\"library_not_found\"} 0\n"));
  EXPECT_THAT(sampler_->snapshot().error_detail, HasSubstr("libnvidia-ml-that-is-not-there"));
  Make("libc.so.6");
  EXPECT_THAT(Page(),
              HasSubstr("sonde_gpu_driver_up{driver=\"nvml\",error=\"function_not_found\"} 0\n"));
}

TEST_F(NvmlSourceTest, TheDriverGoesAwayWhileItIsUsed) {
  for (const auto& [code, name] :
       {std::pair{1, "uninitialized"}, {9, "driver_not_loaded"}, {18, "version_mismatch"}}) {
    fake_.SetWith("");
    Make();
    EXPECT_THAT(Page(), HasSubstr("accelerator_power_watts{gpu=\"0\""));
    fake_.SetWith("! nvmlDeviceGetMemoryInfo " + std::to_string(code));
    const std::string page = Page();
    EXPECT_THAT(page,
                HasSubstr(std::string("sonde_gpu_driver_up{driver=\"nvml\",error=\"") + name));
    EXPECT_THAT(page, HasSubstr(std::string("vendor=\"nvidia\",error=\"") + name + "\"} 0\n"));
    EXPECT_THAT(page, Not(HasSubstr("accelerator_power_watts")));
    EXPECT_THAT(page, HasSubstr("accelerator_busy_seconds_total{gpu=\"0\""));  // It has happened.
    fake_.SetWith("");
    EXPECT_THAT(Page(), HasSubstr("accelerator_power_watts{gpu=\"0\""));
  }
}

TEST_F(NvmlSourceTest, ADeviceIsLostAndTheOthersGoOn) {
  const std::pair<int, const char*> cases[] = {
      {15, "gpu_is_lost"}, {16, "reset_required"},   {999, "unknown"},         {4, "no_permission"},
      {11, "irq_issue"},   {17, "operating_system"}, {14, "corrupted_inforom"}};
  for (const auto& [code, name] : cases) {
    fake_.SetWith("");
    Make();
    Page();
    fake_.SetWith("0 ! " + std::to_string(code));
    const std::int64_t since = clock_.Now().ms;
    Page();
    const std::string page = Page();
    const std::string device =
        "{gpu=\"0\",uuid=\"GPU-00000000-aaaa-bbbb-cccc-dddddddddddd\",vendor=\"nvidia\"";
    EXPECT_THAT(page, HasSubstr("sonde_gpu_driver_up{driver=\"nvml\"} 1\n"));
    EXPECT_THAT(page,
                HasSubstr("deepseek_accelerator_up" + device + ",error=\"" + name + "\"} 0\n"));
    EXPECT_EQ(sampler_->snapshot().devices[0].error_since, since);
    EXPECT_THAT(page,
                HasSubstr("deepseek_accelerator_down_since_timestamp_seconds" + device + "} 1.8"));
    EXPECT_THAT(page, HasSubstr("deepseek_accelerator_health" + device + "} 0\n"));
    EXPECT_THAT(page, Not(HasSubstr("accelerator_memory_used_bytes" + device)));
    EXPECT_THAT(page, HasSubstr("deepseek_accelerator_up{gpu=\"1\",uuid=\"GPU-00000001-aaaa-bbbb-"
                                "cccc-dddddddddddd\",vendor=\"nvidia\"} 1\n"));
  }
}

TEST_F(NvmlSourceTest, ALostDeviceComesBackWhenTheLibraryIsOpenedAnew) {
  Make();
  Page();
  fake_.SetWith("0 ! 15");
  Page();
  Page();
  clock_.Advance(Duration(11'000));
  Page();  // Opened anew: its handle cannot be had, but it is known who is at this place.
  EXPECT_EQ(sampler_->snapshot().devices.size(), 3U);
  EXPECT_EQ(sampler_->snapshot().devices[0].error, "gpu_is_lost");
  fake_.SetWith("");
  Page();
  EXPECT_EQ(sampler_->snapshot().devices[0].error, "gpu_is_lost");  // Nobody has looked yet.
  clock_.Advance(Duration(21'000));
  Page();
  EXPECT_EQ(sampler_->snapshot().devices[0].error, "");
}

TEST_F(NvmlSourceTest, OneCallThatFailsCostsOneValue) {
  fake_.SetWith("0 ! nvmlDeviceGetPowerUsage 999\n0 ! nvmlDeviceGetFieldValues 999");
  Make();
  const std::string page = Page();
  EXPECT_THAT(page, Not(HasSubstr("accelerator_power_watts{gpu=\"0\"")));
  EXPECT_THAT(page, HasSubstr("accelerator_power_watts{gpu=\"1\""));
  EXPECT_THAT(page, HasSubstr("accelerator_utilization_ratio{gpu=\"0\""));
}

TEST_F(NvmlSourceTest, AFieldThatIsNewerThanTheDriverDoesNotCostTheOthers) {
  fake_.SetWith("fields-up-to 145");
  Make();
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr("vendor=\"nvidia\",sensor=\"memory\"} 71\n"));
  EXPECT_THAT(page, HasSubstr("vendor=\"nvidia\",link=\"0\",direction=\"tx\"} 1.024e+06\n"));
  EXPECT_THAT(page, HasSubstr("vendor=\"nvidia\",reason=\"power\"} 0.5\n"));
  EXPECT_THAT(page, Not(HasSubstr("accelerator_recovery_action")));
}

TEST_F(NvmlSourceTest, SickDevicesAreNotHealthy) {
  Make();
  EXPECT_THAT(Page(), Not(HasSubstr("accelerator_health{gpu=\"0\",uuid=\"GPU-00000000-aaaa-bbbb-"
                                    "cccc-dddddddddddd\",vendor=\"nvidia\"} 0")));
  for (const char* line : {"0 nvmlDeviceGetRemappedRows 2 1 0 1", "0 field.230 2"}) {
    fake_.SetWith(line);
    EXPECT_THAT(Page(), HasSubstr("accelerator_health{gpu=\"0\",uuid=\"GPU-00000000-aaaa-bbbb-cccc-"
                                  "dddddddddddd\",vendor=\"nvidia\"} 0"));
  }
}

TEST_F(NvmlSourceTest, XidsAreCountedByCodeFromTheFirst) {
  fake_.SetWith("event 1 0 79");  // Before Sonde watched.
  Make();
  Page();
  const std::string series =
      "deepseek_accelerator_fault_events_total{gpu=\"0\",uuid=\"GPU-00000000-aaaa-bbbb-cccc-"
      "dddddddddddd\",vendor=\"nvidia\",code=";
  EXPECT_THAT(Shown(), HasSubstr(series + "\"79\"} 0\n"));
  EXPECT_THAT(Shown(), HasSubstr(series + "\"48\"} 0\n"));
  // They come while other calls hang or the device is lost.
  fake_.SetWith("event 2 0 79\nevent 3 0 79\nevent 4 0 12345\nevent 5 1 79\n0 ! 15");
  const auto counted = [&] { return Shown().find("code=\"12345\"} 1\n") != std::string::npos; };
  for (int i = 0; i < 60'000 && !counted(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr(series + "\"79\"} 2\n"));
  EXPECT_THAT(page, HasSubstr(series + "\"12345\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("accelerator_fault_last_timestamp_seconds{gpu=\"0\""));
}

TEST_F(NvmlSourceTest, ProcessesAreBoundedAndCanBeSwitchedOff) {
  std::string many;
  for (int i = 1; i <= 200; ++i)
    many += " " + std::to_string(i) + ":" + std::to_string(i * 1000);
  fake_.SetWith("0 processes" + many);
  options_.max_processes = 3;
  Make();
  std::string page = Page();
  EXPECT_THAT(page, HasSubstr("vendor=\"nvidia\",pid=\"200\"} 200000\n"));
  EXPECT_THAT(page, HasSubstr("vendor=\"nvidia\",pid=\"198\"} 198000\n"));
  EXPECT_THAT(page, Not(HasSubstr("pid=\"197\"")));
  EXPECT_THAT(page, HasSubstr("accelerator_processes{gpu=\"0\",uuid=\"GPU-00000000-aaaa-bbbb-cccc-"
                              "dddddddddddd\",vendor=\"nvidia\"} 200\n"));
  options_.processes = false;
  Make();
  page = Page();
  EXPECT_THAT(page, Not(HasSubstr("accelerator_process")));
}

// The whole collector with its threads, against a call that hangs.
TEST_F(NvmlSourceTest, APageIsServedWhileACallHangs) {
  options_.nvml_library = kLibrary;
  options_.amd = false;
  options_.sysfs = "tests/gpu/amd/sys";
  options_.sample_interval = Duration(5);
  options_.hang_timeout = Duration(300);
  options_.prefix = "llm_";
  const SystemClock clock;
  MemorySink sink;
  GpuCollector collector(options_, clock, Logger(sink, clock));
  collector.Start();
  EXPECT_THAT(collector.Collect(), HasSubstr("llm_accelerator_power_watts{gpu=\"0\""));
  fake_.SetWith("hang nvmlDeviceGetPowerUsage");
  const auto shows = [&](const char* what) {
    for (int i = 0; i < 60'000; ++i) {
      if (collector.Collect().find(what) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  };
  EXPECT_TRUE(shows("sonde_gpu_driver_up{driver=\"nvml\",error=\"hang\"} 0\n"));
  EXPECT_THAT(collector.Collect(), HasSubstr("sonde_gpu_on_pci_bus{vendor=\"amd\"} 2\n"));
  fake_.SetWith("");
  EXPECT_TRUE(shows("sonde_gpu_driver_up{driver=\"nvml\"} 1\n"));
  collector.Stop();
  EXPECT_THAT(sink.text(), HasSubstr("error=hang"));
  EXPECT_THAT(sink.text(), HasSubstr("GPU driver answers"));
}

}  // namespace
}  // namespace sonde::collect
