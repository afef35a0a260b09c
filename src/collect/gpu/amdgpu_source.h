#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collect/gpu/amdgpu_metrics.h"
#include "collect/gpu/gpu_reading.h"
#include "collect/host/host_source.h"
#include "collect/options.h"

namespace sonde::collect {

/// A file of `ras/`: "ue: 2\nce: 31\n".
struct RasErrors {
  std::optional<double> uncorrected;
  std::optional<double> corrected;
};
RasErrors ParseRasErrors(std::string_view text);

/// The frequency in use, in hertz, of "0: 500Mhz\n1: 2100Mhz *\n"; nothing if none is marked.
std::optional<double> ParseActiveClock(std::string_view text);
/// The highest frequency in such a list, in hertz.
std::optional<double> ParseHighestClock(std::string_view text);

/// AMD's accelerators, from what the kernel's amdgpu driver writes into sysfs.
///
/// A card whose attributes cannot be read any more has the error "unreadable"; one whose folder
/// went away is "gone".
class AmdgpuSource final : public GpuSource {
 public:
  explicit AmdgpuSource(const GpuOptions& options);

  std::string_view name() const override { return "amdgpu"; }
  GpuSweep Read(GpuDepth depth, GpuWatch& watch) override;
  void Close() override {}

 private:
  GpuReading ReadCard(const std::string& card, std::size_t index, GpuDepth depth);
  void ReadTable(const std::string& device, GpuReading& reading, GpuDepth depth);
  void ReadHwmon(const std::string& device, GpuReading& reading, GpuDepth depth) const;
  void ReadRas(const std::string& device, GpuReading& reading) const;

  const HostSource source_;
  std::map<std::string, AmdgpuMetrics::Residency> residency_;  // Of the last reading, by device.
};

}  // namespace sonde::collect
