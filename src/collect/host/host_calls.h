#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

// What the host collectors ask of the kernel beside reading files. Functions, so that a test can
// answer instead.

namespace sonde::collect {

struct HostName {
  std::string sysname, release, version, machine, nodename, domainname;
};

/// adjtimex(2), in base units.
struct ClockDiscipline {
  bool synchronised = false;
  double offset_seconds = 0, frequency_ratio = 1, max_error_seconds = 0,
         estimated_error_seconds = 0;
  double status = 0, loop_time_constant = 0, tick_seconds = 0, tai_offset_seconds = 0;
  double pps_frequency_hertz = 0, pps_jitter_seconds = 0, pps_shift_seconds = 0,
         pps_stability_hertz = 0;
  double pps_jitter_total = 0, pps_calibration_total = 0, pps_error_total = 0;
  double pps_stability_exceeded_total = 0;
};

struct FilesystemUsage {
  double size_bytes = 0, free_bytes = 0, avail_bytes = 0, files = 0, files_free = 0;
};

/// Sockets by TCP state (index: the kernel's number, 1 = established … 11 = closing), and queued
/// bytes.
struct TcpSockets {
  std::array<double, 12> states{};
  double rx_queued_bytes = 0, tx_queued_bytes = 0;
};

struct TimeZone {
  std::string name;
  double offset_seconds = 0;
};

struct HostCalls {
  std::function<Result<HostName>()> host_name;
  std::function<Result<ClockDiscipline>()> clock_discipline;
  std::function<Result<FilesystemUsage>(const std::string& path)> filesystem_usage;
  std::function<Result<TcpSockets>()> tcp_sockets;
  std::function<TimeZone()> time_zone;

  /// Those of this machine. Thread-safe.
  static HostCalls OfThisMachine();
};

}  // namespace sonde::collect
