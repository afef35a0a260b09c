#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "demo/engine_spec.h"
#include "demo/sim_time.h"

// GPUs as bodies that heat up: power follows load and clock, temperature follows power and cooling
// with a time constant, and a controller lowers the clock so that the temperature stays below its
// limit. Numbers: docs/demo.md.

namespace sonde::demo {

/// What cools a node at an instant.
struct Cooling {
  double inlet_celsius = 30;        ///< Of the air or water that comes in.
  double celsius_per_watt = 0.055;  ///< How much a GPU is above it, per watt.
};

inline constexpr double kFullClockMegahertz = 1980;  // H200, SM clock.
inline constexpr double kMemoryClockMegahertz = 3201;
inline constexpr double kLowestClockMegahertz = 570;  // As far down as the thermal controller goes.
inline constexpr double kThermalLimitCelsius = 85;

/// One GPU's state. All plain values: copy to read.
struct GpuState {
  std::string uuid;
  std::string pci_bus_id;
  double temperature_celsius = 45;
  double memory_celsius = 48;
  double power_watts = 110;
  double clock_megahertz = kFullClockMegahertz;
  double utilization = 0;  ///< 0 to 1, over about a second.
  double memory_activity = 0;
  double tensor_activity = 0;
  double energy_joules = 0;
  double thermal_violation_seconds = 0;
  double power_violation_seconds = 0;
  double nvlink_bytes = 0;
  double cooling_factor = 1;  ///< This GPU's place in the chassis: 1 ± a few percent.
};

/// The GPUs of one node. Deterministic for a seed; not thread-safe.
class GpuModel {
 public:
  GpuModel(const EngineSpec& spec, std::uint64_t seed);

  /// Runs for `step`: of this time the engine was busy for `busy_share` (0 to 1), of which
  /// `prefill_share` in prefill.
  void Advance(SimTime step, double busy_share, double prefill_share, const Cooling& cooling);

  const std::vector<GpuState>& gpus() const { return gpus_; }
  /// Full clock ÷ the slowest GPU's clock: all ranks of a tensor-parallel engine wait for it.
  double clock_slowdown() const;

 private:
  std::vector<GpuState> gpus_;
};

/// Appends a page as dcgm-exporter writes it, each line with simulated="true".
void WriteDcgmPage(const EngineSpec& spec, std::span<const GpuState> gpus, std::string& page);

}  // namespace sonde::demo
