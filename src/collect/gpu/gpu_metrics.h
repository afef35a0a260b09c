#pragma once

#include "collect/gpu/gpu_reading.h"

// The accelerator metrics of the vocabulary (docs/vocabulary.md), without its prefix.

namespace sonde::collect::gpu_metric {

inline constexpr MetricType kG = MetricType::kGauge;
inline constexpr MetricType kC = MetricType::kCounter;

inline constexpr GpuMetric kUp{"accelerator_up", kG,
                               "1 if the accelerator answers; error says why it does not."};
inline constexpr GpuMetric kDownSince{"accelerator_down_since_timestamp_seconds", kG,
                                      "When it stopped answering."};
inline constexpr GpuMetric kHealth{
    "accelerator_health", kG,
    "0 if it does not answer, must be reset, or has memory that could not be repaired; else 1."};
inline constexpr GpuMetric kInfo{"accelerator_info", kG, "1, with what the accelerator is."};
inline constexpr GpuMetric kUtilization{"accelerator_utilization_ratio", kG,
                                        "Share of time in which a kernel ran."};
inline constexpr GpuMetric kBusy{"accelerator_busy_seconds_total", kC,
                                 "Time in which a kernel ran, since Sonde watches."};
inline constexpr GpuMetric kMemoryBandwidth{"accelerator_memory_bandwidth_ratio", kG,
                                            "Share of time in which device memory was accessed."};
inline constexpr GpuMetric kMemoryUsed{"accelerator_memory_used_bytes", kG,
                                       "Device memory in use."};
inline constexpr GpuMetric kMemoryReserved{"accelerator_memory_reserved_bytes", kG,
                                           "Device memory that driver and firmware keep."};
inline constexpr GpuMetric kMemoryTotal{"accelerator_memory_total_bytes", kG, "Device memory."};
inline constexpr GpuMetric kTemperature{"accelerator_temperature_celsius", kG, "Temperature."};
inline constexpr GpuMetric kTemperatureLimit{"accelerator_temperature_limit_celsius", kG,
                                             "Temperature at which it slows down or shuts down."};
inline constexpr GpuMetric kPower{"accelerator_power_watts", kG, "Power draw."};
inline constexpr GpuMetric kPowerLimit{"accelerator_power_limit_watts", kG,
                                       "Power that it may draw."};
inline constexpr GpuMetric kEnergy{"accelerator_energy_joules_total", kC,
                                   "Energy used since the driver was loaded, or since Sonde "
                                   "watches where the device does not count."};
inline constexpr GpuMetric kClock{"accelerator_clock_hertz", kG, "Clock."};
inline constexpr GpuMetric kClockMax{"accelerator_clock_max_hertz", kG, "Highest clock."};
inline constexpr GpuMetric kThrottle{
    "accelerator_throttle_seconds_total", kC,
    "Time that it ran slower than it could, by reason; reasons overlap."};
inline constexpr GpuMetric kEcc{"accelerator_ecc_errors_total", kC,
                                "Memory errors since the driver was loaded."};
inline constexpr GpuMetric kEccLifetime{"accelerator_ecc_lifetime_errors_total", kC,
                                        "Memory errors in the device's life."};
inline constexpr GpuMetric kRemappedRows{"accelerator_remapped_rows_total", kC,
                                         "Rows of memory that were replaced."};
inline constexpr GpuMetric kRemapPending{"accelerator_row_remap_pending", kG,
                                         "1 if rows are replaced at the next reset."};
inline constexpr GpuMetric kRemapFailure{
    "accelerator_row_remap_failure", kG,
    "1 if a row could not be replaced: the device is to be exchanged."};
inline constexpr GpuMetric kRetiredPages{"accelerator_retired_pages_total", kC,
                                         "Pages of memory that are no longer used."};
inline constexpr GpuMetric kRetirePending{"accelerator_retired_pages_pending", kG,
                                          "1 if pages are retired at the next reset."};
inline constexpr GpuMetric kRecoveryAction{
    "accelerator_recovery_action", kG,
    "What the driver asks for: 0 nothing, 1 reset, 2 reboot, 3 drain, 4 drain and reset, 5 recover "
    "the IMEX domain."};
inline constexpr GpuMetric kFaults{
    "accelerator_fault_events_total", kC,
    "Faults that the driver reported since Sonde watches, by code (NVIDIA: XID)."};
inline constexpr GpuMetric kFaultTime{"accelerator_fault_last_timestamp_seconds", kG,
                                      "When the driver last reported this fault."};
inline constexpr GpuMetric kLinkUp{"accelerator_link_up", kG,
                                   "1 if the link to another accelerator is active."};
inline constexpr GpuMetric kLinkBytes{"accelerator_link_bytes_total", kC,
                                      "Bytes over links to other accelerators."};
inline constexpr GpuMetric kLinkErrors{"accelerator_link_errors_total", kC,
                                       "Errors on links to other accelerators."};
inline constexpr GpuMetric kPcieBytes{"accelerator_pcie_bytes_total", kC, "Bytes over PCIe."};
inline constexpr GpuMetric kPcieReplays{"accelerator_pcie_replays_total", kC,
                                        "PCIe packets that were sent again."};
inline constexpr GpuMetric kPcieGeneration{"accelerator_pcie_link_generation", kG,
                                           "PCIe generation in use."};
inline constexpr GpuMetric kPcieWidth{"accelerator_pcie_link_width", kG, "PCIe lanes in use."};
inline constexpr GpuMetric kProcesses{"accelerator_processes", kG,
                                      "Processes that have a compute context."};
inline constexpr GpuMetric kProcessMemory{"accelerator_process_memory_used_bytes", kG,
                                          "Device memory of a process."};
inline constexpr GpuMetric kPartitioned{"accelerator_partitioned", kG,
                                        "1 if the accelerator is divided into instances (MIG)."};
inline constexpr GpuMetric kInstanceInfo{"accelerator_instance_info", kG,
                                         "1, with what an instance of a divided accelerator is."};

}  // namespace sonde::collect::gpu_metric
