#include "collect/gpu/gpu_meter.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxDevices = 256;

std::string KeyOf(const GpuIdentity& id) {
  return id.uuid.empty() ? "#" + id.index : id.uuid;
}

}  // namespace

std::string_view ToString(ThrottleReason reason) {
  switch (reason) {
    case ThrottleReason::kPower:
      return "power";
    case ThrottleReason::kThermal:
      return "thermal";
    case ThrottleReason::kSyncBoost:
      return "sync_boost";
    case ThrottleReason::kBoardLimit:
      return "board_limit";
    case ThrottleReason::kReliability:
      return "reliability";
    case ThrottleReason::kSwThermal:
      return "sw_thermal";
    case ThrottleReason::kHwThermal:
      return "hw_thermal";
    case ThrottleReason::kHwPowerBrake:
      return "hw_power_brake";
    case ThrottleReason::kHwSlowdown:
      return "hw_slowdown";
  }
  return "";
}

void Integral::Add(std::int64_t now_nanos, double value, Rule rule, std::int64_t max_gap_nanos) {
  started_ = true;
  if (!(value >= 0) || !std::isfinite(value)) {  // A driver's nonsense must not spoil the total.
    Pause();
    return;
  }
  if (last_nanos_ && now_nanos > *last_nanos_ && now_nanos - *last_nanos_ <= max_gap_nanos) {
    const double seconds = static_cast<double>(now_nanos - *last_nanos_) / 1e9;
    total_ += seconds * (rule == Rule::kPast ? value : (value + last_value_) / 2);
  }
  last_nanos_ = now_nanos;
  last_value_ = value;
}

void GpuMeter::Take(Meter& meter, const GpuReading& reading, std::int64_t now_nanos) const {
  GpuDevice& device = meter.device;
  device.id = reading.id;
  const auto integrate = [&](Integral& integral, const std::optional<double>& value,
                             Integral::Rule rule) {
    if (value) {
      integral.Add(now_nanos, *value, rule, max_gap_nanos_);
    } else {
      integral.Pause();
    }
    return integral.total();
  };
  device.busy_seconds = integrate(meter.busy, reading.busy_ratio, Integral::Rule::kPast);
  const auto energy = integrate(meter.energy, reading.power_watts, Integral::Rule::kTrapezoid);
  meter.counts_energy = meter.counts_energy || reading.energy_joules.has_value();
  if (reading.energy_joules) device.energy_joules = reading.energy_joules;
  if (!meter.counts_energy) device.energy_joules = energy;
  for (std::size_t i = 0; i < kThrottleReasons; ++i) {
    const ThrottleReading& throttle = reading.throttle[i];
    const auto seconds = integrate(meter.throttle[i], throttle.active_ratio, Integral::Rule::kPast);
    meter.counts_throttle[i] = meter.counts_throttle[i] || throttle.total_seconds.has_value();
    if (throttle.total_seconds) device.throttle_seconds[i] = throttle.total_seconds;
    if (!meter.counts_throttle[i]) device.throttle_seconds[i] = seconds;
  }
  if (reading.has_details) {
    device.details = reading.details;
    for (std::size_t i = 0; i < 2; ++i) {
      device.pcie_bytes[i] =
          integrate(meter.pcie[i], reading.pcie_bytes_per_second[i], Integral::Rule::kTrapezoid);
    }
  }
  device.now = reading;
  device.now.details.clear();
}

void GpuMeter::SetError(Meter& meter, const std::string& error, std::int64_t wall_ms) {
  GpuDevice& device = meter.device;
  if (device.error == error) return;
  if (device.error.empty()) device.error_since = wall_ms;
  device.error = error;
  if (error.empty()) return;
  device.details.clear();
  device.now.values.clear();
  meter.busy.Pause();
  meter.energy.Pause();
  for (Integral& integral : meter.throttle)
    integral.Pause();
  for (Integral& integral : meter.pcie)
    integral.Pause();
}

void GpuMeter::Add(const GpuSweep& sweep, std::int64_t now_nanos, std::int64_t wall_ms) {
  std::set<std::string> present;
  for (const GpuReading& reading : sweep.devices) {
    const std::string key = KeyOf(reading.id);
    auto found = meters_.find(key);
    if (found == meters_.end()) {
      if (meters_.size() >= kMaxDevices) continue;
      found = meters_.try_emplace(key).first;
      found->second.device.id = reading.id;
    }
    present.insert(key);
    if (reading.error.empty()) Take(found->second, reading, now_nanos);
    SetError(found->second, reading.error, wall_ms);
  }
  // Without a UUID only its place was known; the device that answers there now has one.
  std::erase_if(meters_, [&](const auto& entry) {
    return entry.first.starts_with('#') && !present.contains(entry.first);
  });
  for (auto& [key, meter] : meters_) {
    if (!present.contains(key)) SetError(meter, "gone", wall_ms);
  }
}

void GpuMeter::Fail(const std::string& error, std::int64_t wall_ms) {
  for (auto& [key, meter] : meters_)
    SetError(meter, error, wall_ms);
}

std::vector<GpuDevice> GpuMeter::devices() const {
  std::vector<GpuDevice> devices;
  devices.reserve(meters_.size());
  for (const auto& [key, meter] : meters_)
    devices.push_back(meter.device);
  std::stable_sort(devices.begin(), devices.end(), [](const GpuDevice& a, const GpuDevice& b) {
    if (a.id.index.size() != b.id.index.size()) return a.id.index.size() < b.id.index.size();
    return a.id.index < b.id.index;
  });
  return devices;
}

}  // namespace sonde::collect
