#include "collect/gpu/gpu_page.h"

#include <algorithm>
#include <string>
#include <vector>

#include "collect/gpu/gpu_metrics.h"

namespace sonde::collect {
namespace {

constexpr double kMilli = 1e-3;

/// Writes the samples of one device.
class DeviceWriter {
 public:
  DeviceWriter(const GpuDevice& device, std::string_view prefix, HostPage& page)
      : prefix_(prefix), page_(page) {
    AddLabel("gpu", device.id.index);
    AddLabel("uuid", device.id.uuid);
    AddLabel("vendor", device.id.vendor);
    fixed_ = labels_.size();
  }

  /// `labels` without a value are left out.
  void Put(const GpuMetric& metric, const std::optional<double>& value,
           std::initializer_list<LabelView> labels = {}) {
    if (!value) return;
    for (const LabelView label : labels)
      AddLabel(label.name, label.value);
    std::string name(prefix_);
    name += metric.name;
    page_.Family(name, metric.help, metric.type).Add(*value, labels_.data(), labels_.size());
    labels_.resize(fixed_);
  }
  void Put(const GpuValue& value) {
    for (const auto& [name, text] : value.labels)
      AddLabel(name, text);
    Put(*value.metric, value.value);
  }

 private:
  void AddLabel(std::string_view name, std::string_view value) {
    if (!value.empty()) labels_.push_back({name, value});
  }

  const std::string_view prefix_;
  HostPage& page_;
  std::vector<LabelView> labels_;
  std::size_t fixed_ = 0;
};

bool IsHealthy(const GpuDevice& device) {
  if (!device.error.empty()) return false;
  return std::none_of(device.details.begin(), device.details.end(), [](const GpuValue& value) {
    return (value.metric == &gpu_metric::kRemapFailure ||
            value.metric == &gpu_metric::kRecoveryAction) &&
           value.value != 0;
  });
}

void WriteNvidiaSmi(const GpuDevice& device, HostPage& page) {
  const LabelView labels[] = {
      {"gpu", device.id.index}, {"name", device.id.name}, {"uuid", device.id.uuid}};
  const auto put = [&](std::string_view name, std::string_view help,
                       const std::optional<double>& value) {
    if (value) page.Gauge(name, help).Add(*value, labels, std::size(labels));
  };
  const GpuReading& now = device.now;
  if (now.busy_ratio) {
    put("nvidia_smi_gpu_utilization", "Utilisation in percent.", *now.busy_ratio * 100);
    put("nvidia_smi_utilization_gpu_ratio", "Utilisation, 0 to 1.", now.busy_ratio);
  }
  put("nvidia_smi_memory_used_bytes", "Device memory in use.", now.memory_used_bytes);
  put("nvidia_smi_memory_total_bytes", "Device memory.", now.memory_total_bytes);
}

void WriteDevice(const GpuDevice& device, const GpuSnapshot& snapshot, std::string_view prefix,
                 HostPage& page) {
  namespace m = gpu_metric;
  DeviceWriter out(device, prefix, page);
  const bool up = device.error.empty();
  out.Put(m::kUp, up ? 1 : 0, {{"error", device.error}});
  if (!up) out.Put(m::kDownSince, static_cast<double>(device.error_since) * kMilli);
  out.Put(m::kHealth, IsHealthy(device) ? 1 : 0);
  out.Put(m::kInfo, 1,
          {{"name", device.id.name},
           {"pci_bus_id", device.id.pci_bus_id},
           {"serial", device.id.serial},
           {"driver_version", snapshot.driver_version}});
  // Counters stay while the device does not answer: what they count has happened.
  out.Put(m::kBusy, device.busy_seconds);
  out.Put(m::kEnergy, device.energy_joules);
  for (std::size_t i = 0; i < kThrottleReasons; ++i) {
    out.Put(m::kThrottle, device.throttle_seconds[i],
            {{"reason", ToString(static_cast<ThrottleReason>(i))}});
  }
  out.Put(m::kPcieBytes, device.pcie_bytes[0], {{"direction", "tx"}});
  out.Put(m::kPcieBytes, device.pcie_bytes[1], {{"direction", "rx"}});
  if (const auto found = snapshot.faults.find(device.id.uuid); found != snapshot.faults.end()) {
    for (const auto& [code, fault] : found->second) {
      const std::string text = std::to_string(code);
      out.Put(m::kFaults, static_cast<double>(fault.count), {{"code", text}});
      if (fault.last > 0)
        out.Put(m::kFaultTime, static_cast<double>(fault.last) * kMilli, {{"code", text}});
    }
  }
  if (!up) return;
  out.Put(m::kUtilization, device.now.busy_ratio);
  out.Put(m::kPower, device.now.power_watts);
  if (!device.now.divided) {
    out.Put(m::kMemoryUsed, device.now.memory_used_bytes);
    out.Put(m::kMemoryTotal, device.now.memory_total_bytes);
  }
  for (const GpuValue& value : device.now.values)
    out.Put(value);
  for (const GpuValue& value : device.details)
    out.Put(value);
  if (device.id.vendor == "nvidia") WriteNvidiaSmi(device, page);
}

}  // namespace

void WriteGpuPage(const GpuSnapshot& snapshot, std::string_view prefix, HostPage& page) {
  if (snapshot.absent) return;
  const bool up = snapshot.error.empty();
  const LabelView labels[] = {{"driver", snapshot.driver}, {"error", snapshot.error}};
  page.Gauge("sonde_gpu_driver_up", "1 if the driver answers; error says why it does not.")
      .Add(up ? 1 : 0, labels, up ? 1 : 2);
  if (!up) {
    page.Gauge("sonde_gpu_driver_down_since_timestamp_seconds",
               "When the driver stopped answering.")
        .Add(static_cast<double>(snapshot.error_since) * kMilli, labels, 1);
  }
  page.Counter("sonde_gpu_sweeps_total", "Readings of all of the driver's accelerators that ended.")
      .Add(static_cast<double>(snapshot.sweeps), labels, 1);
  for (const GpuDevice& device : snapshot.devices)
    WriteDevice(device, snapshot, prefix, page);
}

}  // namespace sonde::collect
