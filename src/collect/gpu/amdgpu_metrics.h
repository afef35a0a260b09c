#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// The table `gpu_metrics` that the amdgpu driver offers in sysfs: little-endian, without names,
// laid out by the revision in its first four bytes (the kernel's kgd_pp_interface.h, structures
// gpu_metrics_v1_3 to gpu_metrics_v1_8). Revisions do not extend each other, so only those that are
// known are read.

namespace sonde::collect {

/// What of the table the vocabulary has and no other file of sysfs tells.
struct AmdgpuMetrics {
  std::optional<double> energy_joules;

  /// How long each limiter held, in units of `accumulation`: the share of time is the ratio of
  /// differences. Revisions 1.6 to 1.8.
  struct Residency {
    std::uint32_t accumulation = 0;
    std::uint32_t power = 0;
    std::uint32_t socket_thermal = 0;
    std::uint32_t regulator_thermal = 0;
    std::uint32_t memory_thermal = 0;
    std::uint32_t prochot = 0;
  };
  std::optional<Residency> residency;

  /// Which limiters hold right now. Revisions 1.3 to 1.5.
  struct Limiters {
    bool power = false;
    bool current = false;
    bool thermal = false;
    bool prochot = false;
  };
  std::optional<Limiters> limiters;

  /// Bytes over an xGMI link; links that never carried anything are left out.
  struct Link {
    unsigned index = 0;
    double read_bytes = 0;
    double written_bytes = 0;
  };
  std::vector<Link> links;
};

/// Reads the table; nothing if its revision is not known or it is too short for it. A field of all
/// ones is not available.
std::optional<AmdgpuMetrics> ParseAmdgpuMetrics(std::string_view table);

/// Shares of time, 0 to 1, in which the limiters held between two readings; nothing if no time
/// passed or the counters began anew.
struct AmdgpuThrottling {
  double power = 0;
  double thermal = 0;
  double prochot = 0;
};
std::optional<AmdgpuThrottling> ThrottlingBetween(const AmdgpuMetrics::Residency& before,
                                                  const AmdgpuMetrics::Residency& after);

}  // namespace sonde::collect
