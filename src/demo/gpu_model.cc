#include "demo/gpu_model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "demo/page_writer.h"

namespace sonde::demo {
namespace {

// Watts of an H200: idle; memory and links while a kernel runs; the processors at full clock, in
// decode and in prefill.
constexpr double kIdleWatts = 105;
constexpr double kMemoryWatts = 130;
constexpr double kDecodeWatts = 190;
constexpr double kPrefillWatts = 430;
constexpr double kPowerLimitWatts = 700;
constexpr double kThermalSeconds = 35;    // Time constant of chip and heat sink.
constexpr double kSmoothingSeconds = 1;   // Of the utilisation shown.
constexpr double kMaxStepSeconds = 0.25;  // Longer steps are split: the controller needs it.
constexpr double kClockGain = 90;         // MHz per second and degree above (or below) the target.
constexpr double kTargetCelsius = kThermalLimitCelsius - 0.3;
constexpr double kNvlinkBytesPerSecond = 60e9;
constexpr std::uint64_t kMemoryBytes = 141ULL << 30;

double PowerWatts(double busy, double prefill_share, double clock_megahertz) {
  const double clock = clock_megahertz / kFullClockMegahertz;
  // Voltage falls with the clock, so power falls faster than linearly.
  const double processors =
      (kDecodeWatts + (kPrefillWatts - kDecodeWatts) * prefill_share) * std::pow(clock, 2.2);
  return kIdleWatts + busy * (kMemoryWatts + processors);
}

void AdvanceGpu(GpuState& gpu, double seconds, double busy, double prefill_share,
                const Cooling& cooling) {
  const double smoothing = 1 - std::exp(-seconds / kSmoothingSeconds);
  gpu.utilization += smoothing * (busy - gpu.utilization);
  gpu.memory_activity += smoothing * (busy * 0.55 - gpu.memory_activity);
  gpu.tensor_activity += smoothing * (busy * (0.08 + 0.5 * prefill_share) - gpu.tensor_activity);

  const double wanted_watts = PowerWatts(busy, prefill_share, gpu.clock_megahertz);
  gpu.power_watts = std::min(kPowerLimitWatts, wanted_watts);
  if (wanted_watts > kPowerLimitWatts) gpu.power_violation_seconds += seconds;
  gpu.energy_joules += gpu.power_watts * seconds;
  gpu.nvlink_bytes += busy * kNvlinkBytesPerSecond * seconds;

  const double settled =
      cooling.inlet_celsius + cooling.celsius_per_watt * gpu.cooling_factor * gpu.power_watts;
  gpu.temperature_celsius +=
      (1 - std::exp(-seconds / kThermalSeconds)) * (settled - gpu.temperature_celsius);
  gpu.memory_celsius +=
      (1 - std::exp(-seconds / kThermalSeconds)) *
      (gpu.temperature_celsius + 3 + 6 * gpu.memory_activity - gpu.memory_celsius);

  const double error = kTargetCelsius - gpu.temperature_celsius;
  gpu.clock_megahertz = std::clamp(gpu.clock_megahertz + kClockGain * error * seconds,
                                   kLowestClockMegahertz, kFullClockMegahertz);
  if (gpu.clock_megahertz < kFullClockMegahertz) gpu.thermal_violation_seconds += seconds;
}

}  // namespace

GpuModel::GpuModel(const EngineSpec& spec, std::uint64_t seed) : gpus_(spec.gpus) {
  Rng rng(seed);
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    char text[64];
    const std::uint64_t a = rng.Next();
    const std::uint64_t b = rng.Next();
    std::snprintf(text, sizeof(text), "GPU-%08x-%04x-%04x-%04x-%012llx",
                  static_cast<unsigned>(a >> 32), static_cast<unsigned>((a >> 16) & 0xffff),
                  static_cast<unsigned>(a & 0xffff), static_cast<unsigned>(b >> 48),
                  static_cast<unsigned long long>(b & 0xffffffffffffULL));
    gpus_[i].uuid = text;
    std::snprintf(text, sizeof(text), "00000000:%02X:00.0", static_cast<unsigned>(0x19 + 0x11 * i));
    gpus_[i].pci_bus_id = text;
    gpus_[i].cooling_factor = 0.97 + 0.06 * rng.Uniform();
  }
}

void GpuModel::Advance(SimTime step, double busy_share, double prefill_share,
                       const Cooling& cooling) {
  double rest = Seconds(step);
  while (rest > 0) {
    const double seconds = std::min(rest, kMaxStepSeconds);
    for (GpuState& gpu : gpus_)
      AdvanceGpu(gpu, seconds, busy_share, prefill_share, cooling);
    rest -= seconds;
  }
}

double GpuModel::clock_slowdown() const {
  double slowest = kFullClockMegahertz;
  for (const GpuState& gpu : gpus_)
    slowest = std::min(slowest, gpu.clock_megahertz);
  return kFullClockMegahertz / slowest;
}

void WriteDcgmPage(const EngineSpec& spec, std::span<const GpuState> gpus, std::string& page) {
  const double reserved_mib = 600;
  const double total_mib = static_cast<double>(kMemoryBytes >> 20);
  const double used_mib =
      0.9 * total_mib;  // vLLM takes its share at start: weights, then KV cache.
  struct Field {
    const char* name;
    const char* help;
    const char* type;
    double (*value)(const GpuState&);
  };
  static constexpr Field kFields[] = {
      {"DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", "gauge",
       [](const GpuState& g) { return std::round(g.clock_megahertz); }},
      {"DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", "gauge",
       [](const GpuState&) { return kMemoryClockMegahertz; }},
      {"DCGM_FI_DEV_MEMORY_TEMP", "Memory temperature (in C).", "gauge",
       [](const GpuState& g) { return std::round(g.memory_celsius); }},
      {"DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", "gauge",
       [](const GpuState& g) { return std::round(g.temperature_celsius); }},
      {"DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", "gauge",
       [](const GpuState& g) { return std::round(g.power_watts * 1000) / 1000; }},
      {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "Total energy consumption since boot (in mJ).",
       "counter", [](const GpuState& g) { return std::floor(g.energy_joules * 1000); }},
      {"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", "counter",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", "gauge",
       [](const GpuState& g) { return std::round(g.utilization * 100); }},
      {"DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %).", "gauge",
       [](const GpuState& g) { return std::round(g.memory_activity * 100); }},
      {"DCGM_FI_DEV_ENC_UTIL", "Encoder utilization (in %).", "gauge",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_DEC_UTIL", "Decoder utilization (in %).", "gauge",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_XID_ERRORS", "Value of the last XID error encountered.", "gauge",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_POWER_VIOLATION", "Throttling duration due to power constraints (in ns).",
       "counter", [](const GpuState& g) { return std::floor(g.power_violation_seconds * 1e9); }},
      {"DCGM_FI_DEV_THERMAL_VIOLATION", "Throttling duration due to thermal constraints (in ns).",
       "counter", [](const GpuState& g) { return std::floor(g.thermal_violation_seconds * 1e9); }},
      {"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for correctable errors",
       "counter", [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
       "Number of remapped rows for uncorrectable errors", "counter",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_ROW_REMAP_FAILURE", "Whether remapping of rows has failed", "gauge",
       [](const GpuState&) { return 0.0; }},
      {"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
       "Total number of NVLink bandwidth counters for all lanes.", "counter",
       [](const GpuState& g) { return std::floor(g.nvlink_bytes); }},
      {"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "Ratio of time the graphics engine is active.", "gauge",
       [](const GpuState& g) { return g.utilization; }},
      {"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "Ratio of cycles the tensor (HMMA) pipe is active.",
       "gauge", [](const GpuState& g) { return g.tensor_activity; }},
      {"DCGM_FI_PROF_DRAM_ACTIVE",
       "Ratio of cycles the device memory interface is active sending or receiving data.", "gauge",
       [](const GpuState& g) { return g.memory_activity; }},
  };
  PageWriter writer(page, {{"modelName", "NVIDIA H200 (simulated)"}, {"hostname", spec.node}});
  const auto family = [&](const char* name, const char* help, const char* type, auto value) {
    writer.Family(name, help, type);
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      const std::string number = std::to_string(i);
      writer.Sample(value(gpus[i]), {{"gpu", number},
                                     {"UUID", gpus[i].uuid},
                                     {"pci_bus_id", gpus[i].pci_bus_id},
                                     {"device", "nvidia" + number}});
    }
  };
  for (const Field& field : kFields)
    family(field.name, field.help, field.type, field.value);
  family("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB).", "gauge",
         [&](const GpuState&) { return std::floor(total_mib - used_mib - reserved_mib); });
  family("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", "gauge",
         [&](const GpuState&) { return std::floor(used_mib); });
  family("DCGM_FI_DEV_FB_TOTAL", "Framebuffer memory total (in MiB).", "gauge",
         [&](const GpuState&) { return total_mib; });
  family("DCGM_FI_DEV_FB_RESERVED", "Framebuffer memory reserved (in MiB).", "gauge",
         [&](const GpuState&) { return reserved_mib; });
}

}  // namespace sonde::demo
