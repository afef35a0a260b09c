#include "collect/gpu/gpu_collector.h"

#include <utility>

#include "collect/gpu/amdgpu_source.h"
#include "collect/gpu/gpu_page.h"
#include "collect/gpu/nvml_source.h"

namespace sonde::collect {
namespace {

constexpr Duration kFirstWait{1'000};
constexpr std::size_t kMaxBusDevices = 4096;

HostOptions SysfsAt(const std::string& sysfs) {
  HostOptions options;
  options.sysfs = sysfs;
  return options;
}

}  // namespace

GpuCollector::GpuCollector(GpuOptions options, const Clock& clock, const Logger& logger)
    : options_(std::move(options)), logger_(logger.With("gpu")), sysfs_(SysfsAt(options_.sysfs)) {
  GpuSamplerOptions sampling;
  sampling.interval = options_.sample_interval;
  sampling.detail_interval = options_.detail_interval;
  sampling.hang_timeout = options_.hang_timeout;
  if (options_.nvidia) {
    samplers_.push_back(
        std::make_unique<GpuSampler>(std::make_unique<NvmlSource>(options_), sampling, clock));
  }
  if (options_.amd) {
    samplers_.push_back(
        std::make_unique<GpuSampler>(std::make_unique<AmdgpuSource>(options_), sampling, clock));
  }
}

GpuCollector::~GpuCollector() {
  Stop();
}

void GpuCollector::Start() {
  for (const auto& sampler : samplers_)
    sampler->Start();
}

void GpuCollector::Stop() {
  for (const auto& sampler : samplers_)
    sampler->Stop();
}

std::string GpuCollector::Collect(const wire::ServedFormat& format) {
  for (const auto& sampler : samplers_)
    sampler->AwaitFirst(kFirstWait);
  const MutexLock lock(mutex_);
  page_.Clear(format);
  for (const auto& sampler : samplers_) {
    const GpuSnapshot snapshot = sampler->snapshot();
    LogChanges(snapshot);
    WriteGpuPage(snapshot, options_.prefix, page_);
  }
  CountOnBus();
  std::string page;
  page_.WriteTo(page);
  return page;
}

// What is on the PCI bus, whatever the driver says: a card without a driver, or one that left the
// bus, shows in the difference.
void GpuCollector::CountOnBus() {
  std::size_t nvidia = 0;
  std::size_t amd = 0;
  std::size_t seen = 0;
  for (const std::string& name : sysfs_.ListSys("bus/pci/devices")) {
    if (++seen > kMaxBusDevices) break;
    const std::string device = "bus/pci/devices/" + name;
    const auto vendor = sysfs_.ReadSys(device + "/vendor");
    if (vendor != "0x10de" && vendor != "0x1002") continue;
    // Display controllers, and AMD's processing accelerators.
    const std::string kind = sysfs_.ReadSys(device + "/class").value_or("").substr(0, 4);
    if (kind != "0x03" && kind != "0x12") continue;
    ++(vendor == "0x10de" ? nvidia : amd);
  }
  HostFamily& family = page_.Gauge("sonde_gpu_on_pci_bus", "Accelerators that the PCI bus shows.");
  if (nvidia > 0) family.Add(static_cast<double>(nvidia), {{"vendor", "nvidia"}});
  if (amd > 0) family.Add(static_cast<double>(amd), {{"vendor", "amd"}});
}

void GpuCollector::LogChanges(const GpuSnapshot& snapshot) {
  if (snapshot.absent) return;
  const auto change = [&](const std::string& key, const std::string& error) {
    std::string& before = logged_[key];
    if (before == error) return false;
    before = error;
    return true;
  };
  if (change(snapshot.driver, snapshot.error)) {
    if (snapshot.error.empty()) {
      logger_.Info("GPU driver answers", {{"driver", snapshot.driver},
                                          {"version", snapshot.driver_version},
                                          {"gpus", snapshot.devices.size()}});
    } else if (snapshot.error == "library_not_found") {
      // The usual case: a machine without such a card.
      logger_.Debug("GPU driver not installed",
                    {{"driver", snapshot.driver}, {"err", snapshot.error_detail}});
    } else {
      logger_.Warn(
          "GPU driver does not answer",
          {{"driver", snapshot.driver}, {"error", snapshot.error}, {"err", snapshot.error_detail}});
    }
  }
  for (const GpuDevice& device : snapshot.devices) {
    // The driver's own trouble was just told.
    if (!snapshot.error.empty()) continue;
    const std::string key = snapshot.driver + "/" + device.id.index + "/" + device.id.uuid;
    if (!logged_.contains(key) && device.error.empty()) continue;
    if (!change(key, device.error)) continue;
    if (device.error.empty()) {
      logger_.Info("GPU answers again", {{"gpu", device.id.index}, {"uuid", device.id.uuid}});
    } else {
      logger_.Warn("GPU does not answer",
                   {{"gpu", device.id.index}, {"uuid", device.id.uuid}, {"error", device.error}});
    }
  }
}

}  // namespace sonde::collect
