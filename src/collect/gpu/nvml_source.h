#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "collect/gpu/gpu_reading.h"
#include "collect/gpu/nvml_api.h"
#include "collect/options.h"

namespace sonde::collect {

/// NVIDIA's accelerators, through NVML.
///
/// An error of one call leaves one value out; an error that means the device is lost marks the
/// device; one that means the driver is gone closes the library, and the next Read loads it again.
/// While a device is lost the library is also opened anew, less and less often (10 s to 5 min), as
/// only that brings a device back. XIDs are waited for on a thread of its own, since they come when
/// other calls hang.
class NvmlSource final : public GpuSource {
 public:
  explicit NvmlSource(const GpuOptions& options);
  ~NvmlSource() override;

  std::string_view name() const override { return "nvml"; }
  GpuSweep Read(GpuDepth depth, GpuWatch& watch) override;
  void Close() override;
  void Interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }
  std::span<const std::uint64_t> known_faults() const override;

 private:
  struct Card {
    nvml::Device handle = nullptr;
    GpuIdentity id;
    int failed = nvml::kSuccess;  // There is no handle, for this reason.
    bool counts_pcie = false;     // By the hardware, so that there is no need to estimate.
    bool divided = false;         // There are instances, which report the memory.
  };

  /// Empty, or the driver's error.
  std::string Open(GpuWatch& watch, std::string& detail);
  std::string Fail(int code, std::string& detail);
  Card Identify(unsigned index);
  void StartEvents(GpuWatch& watch);
  bool WantsReopening(GpuWatch& watch);

  // nvml_read.cc
  int ReadFast(const Card& card, GpuReading& reading) const;
  int ReadMemory(nvml::Device device, nvml::MemoryV2& memory) const;
  void ReadDetails(Card& card, GpuReading& reading);
  void ReadFields(Card& card, GpuReading& reading) const;
  void ReadLimits(const Card& card, GpuReading& reading) const;
  void ReadEcc(const Card& card, GpuReading& reading) const;
  void ReadLinks(const Card& card, GpuReading& reading) const;
  void ReadPcie(const Card& card, GpuReading& reading) const;
  void ReadProcesses(const Card& card, GpuReading& reading) const;
  bool ReadInstances(const Card& card, GpuReading& reading) const;
  std::string ProcessName(unsigned pid) const;

  const GpuOptions options_;
  std::atomic<bool> interrupted_{false};

  std::unique_ptr<nvml::Api> api_;  // Null: closed.
  std::string driver_version_;
  std::vector<Card> cards_;
  std::map<unsigned, GpuIdentity> seen_;  // By index, over openings.
  bool device_lost_ = false;
  std::int64_t reopen_at_ = 0;
  std::int64_t reopen_pause_ = 0;

  nvml::EventSet events_ = nullptr;
  std::atomic<bool> stop_events_{false};
  std::thread event_thread_;
};

}  // namespace sonde::collect
