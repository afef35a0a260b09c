#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/metadata.h"

// What a driver says about its accelerators at one moment, in the vocabulary's units (seconds,
// bytes, joules, ratios), and the seam between the drivers (NVML, amdgpu) and the sampler. A value
// that a device does not have is absent, never 0.

namespace sonde::collect {

/// A metric of the accelerators. `name` follows the vocabulary's prefix: "accelerator_power_watts".
struct GpuMetric {
  std::string_view name;
  MetricType type;
  std::string_view help;
};

/// One value of one device, ready for the page.
struct GpuValue {
  const GpuMetric* metric;  ///< Static.
  double value = 0;
  std::vector<std::pair<std::string_view, std::string>>
      labels;  ///< Beside those of the device; names are static.
};

/// Which device it is. What is unknown is empty.
struct GpuIdentity {
  std::string index;  ///< As the driver counts: "0".
  std::string uuid;   ///< Stays the same over restarts and when cards are moved.
  std::string vendor;
  std::string name;  ///< "NVIDIA H100 80GB HBM3"
  std::string pci_bus_id;
  std::string serial;
};

/// Why a device ran slower than it could. A device may have several reasons at once, and `thermal`
/// contains `sw_thermal` and `hw_thermal`.
enum class ThrottleReason : unsigned char {
  kPower,
  kThermal,
  kSyncBoost,
  kBoardLimit,
  kReliability,
  kSwThermal,
  kHwThermal,
  kHwPowerBrake,
  kHwSlowdown,
};
inline constexpr std::size_t kThrottleReasons = 9;
/// The value of the label `reason`.
std::string_view ToString(ThrottleReason reason);

struct ThrottleReading {
  std::optional<double> total_seconds;  ///< The hardware's own counter.
  std::optional<double> active_ratio;   ///< Else: the share of the last moments in which it held.
};

/// How much is asked for. Details cost more, and change slowly.
enum class GpuDepth : unsigned char { kFast, kDetails };

/// One device at one moment.
struct GpuReading {
  GpuIdentity id;
  std::string
      error;  ///< Empty, or why the device cannot be used: "gpu_is_lost". See docs/collectors.md.

  std::optional<double> memory_used_bytes;
  std::optional<double> memory_total_bytes;
  bool divided = false;                 ///< Its instances report the memory instead (MIG).
  std::optional<double> busy_ratio;     ///< Share of the last moments in which a kernel ran.
  std::optional<double> power_watts;    ///< Now.
  std::optional<double> energy_joules;  ///< The hardware's own counter.
  ThrottleReading throttle[kThrottleReasons];
  std::optional<double> pcie_bytes_per_second[2];  ///< Sent, received; where there is no counter.
  std::vector<GpuValue> values;                    ///< Of every sweep.

  bool has_details = false;
  std::vector<GpuValue> details;  ///< Of a detailed sweep.
};

/// All devices of one driver at one moment.
struct GpuSweep {
  bool absent = false;       ///< This machine has nothing for the driver: no metric says so.
  std::string error;         ///< Empty, or why the driver cannot be used: "driver_not_loaded".
  std::string error_detail;  ///< For the log.
  std::string driver_version;
  std::vector<GpuReading> devices;
};

/// What the sampler offers to a driver while it reads. Thread-safe, and usable even after the
/// sampler gave the driver up.
class GpuWatch {
 public:
  virtual ~GpuWatch() = default;
  /// It goes on: the call before came back. Resets the watchdog.
  virtual void Beat() = 0;
  /// Monotonic time.
  virtual std::int64_t NowNanos() const = 0;
  /// The device reported a fault (for NVIDIA: an XID).
  virtual void Fault(const std::string& uuid, std::uint64_t code) = 0;
};

/// A driver. Read and Close are called by one thread only, and may block for as long as the kernel
/// likes.
class GpuSource {
 public:
  virtual ~GpuSource() = default;
  /// "nvml", "amdgpu".
  virtual std::string_view name() const = 0;
  /// Opens the driver if need be, and asks it. After an error of the driver the next Read opens it
  /// anew.
  virtual GpuSweep Read(GpuDepth depth, GpuWatch& watch) = 0;
  /// Gives back what is held. Read may follow.
  virtual void Close() = 0;
  /// From any thread: threads of its own shall end soon.
  virtual void Interrupt() {}
  /// Faults whose counters begin at 0, so that increase() sees the first one.
  virtual std::span<const std::uint64_t> known_faults() const { return {}; }
};

}  // namespace sonde::collect
