#include "collect/gpu/amdgpu_source.h"

#include <filesystem>

#include <gmock/gmock.h>

#include "collect/gpu/gpu_page.h"
#include "collect/gpu/gpu_sampler.h"
#include "collect/gpu/gpu_test_fixture.h"

namespace sonde::collect {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class AmdgpuSourceTest : public ::testing::Test {
 protected:
  void Make(const std::string& sysfs) {
    GpuOptions options;
    options.sysfs = sysfs;
    sampler_ = std::make_unique<GpuSampler>(std::make_unique<AmdgpuSource>(options),
                                            GpuSamplerOptions{}, clock_);
  }
  std::string Page() {
    sampler_->SampleOnce(GpuDepth::kDetails);
    HostPage page;
    WriteGpuPage(sampler_->snapshot(), "deepseek_", page);
    std::string text;
    page.WriteTo(text);
    clock_.Advance(Duration(1'000));
    return text;
  }

  ManualClock clock_{Timestamp{1'800'000'000'000}};
  std::unique_ptr<GpuSampler> sampler_;
};

// Two readings, one second apart. The file was checked by hand against the fixtures.
TEST_F(AmdgpuSourceTest, Page) {
  Make("tests/gpu/amd/sys");
  Page();
  ExpectGolden(Page(), "tests/gpu/amdgpu.expected");
}

TEST_F(AmdgpuSourceTest, AMachineWithoutSuchCardsSaysNothing) {
  Make("tests/gpu/no-such-folder");
  EXPECT_EQ(Page(), "");
}

TEST_F(AmdgpuSourceTest, ACardThatDiesOrLeavesSaysSo) {
  char name[] = "/tmp/sonde-amd-XXXXXX";
  const fs::path root = ::mkdtemp(name);
  fs::copy("tests/gpu/amd/sys", root,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  Make(root);
  EXPECT_THAT(Page(), HasSubstr("deepseek_accelerator_up{gpu=\"0\",uuid=\"0x9f3c2b1a0d4e5f60\","
                                "vendor=\"amd\"} 1\n"));
  // What the driver answers with an error is no number.
  const fs::path device = root / "devices/pci0000:00/0000:c1:00.0";
  for (const char* file : {"gpu_busy_percent", "mem_info_vram_used", "mem_info_vram_total"}) {
    fs::remove(device / file);
    fs::create_directory(device / file);  // Reading it fails.
  }
  std::string page = Page();
  EXPECT_THAT(page,
              HasSubstr("uuid=\"0x9f3c2b1a0d4e5f60\",vendor=\"amd\",error=\"unreadable\"} 0\n"));
  EXPECT_THAT(page, Not(HasSubstr("accelerator_power_watts{gpu=\"0\"")));
  fs::remove_all(device);
  page = Page();
  EXPECT_THAT(page, HasSubstr("uuid=\"0x9f3c2b1a0d4e5f60\",vendor=\"amd\",error=\"gone\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("uuid=\"0x9f3c2b1a0d4e5f61\",vendor=\"amd\"} 1\n"));
  fs::remove_all(root);
}

TEST_F(AmdgpuSourceTest, Parsers) {
  EXPECT_EQ(ParseRasErrors("ue: 2\nce: 31\n").uncorrected, 2.0);
  EXPECT_EQ(ParseRasErrors("ue: 2\nce: 31\n").corrected, 31.0);
  EXPECT_EQ(ParseRasErrors("ue: x\nnonsense\n: 5\n").uncorrected, std::nullopt);
  EXPECT_EQ(ParseActiveClock("0: 500Mhz\n1: 2100Mhz *\n"), 2.1e9);
  EXPECT_EQ(ParseActiveClock("0: 500Mhz\n1: 2100Mhz\n"), std::nullopt);
  EXPECT_EQ(ParseHighestClock("0: 500Mhz *\n1: 2100Mhz\n"), 2.1e9);
  EXPECT_EQ(ParseHighestClock(""), std::nullopt);
  EXPECT_EQ(ParseActiveClock("0: -5Mhz *\nMhz *\n: Mhz *"), std::nullopt);
}

}  // namespace
}  // namespace sonde::collect
