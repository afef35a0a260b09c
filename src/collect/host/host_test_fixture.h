#pragma once

#include <string>

#include "collect/host/host_calls.h"
#include "collect/options.h"

// What the tests of the host collectors share: the fixture tree and a kernel that always says the
// same.

namespace sonde::collect {

inline HostOptions FixtureOptions() {
  HostOptions options;
  options.procfs = "tests/host/fixtures/proc";
  options.sysfs = "tests/host/fixtures/sys";
  options.rootfs = "tests/host/fixtures/root";
  options.udev = "tests/host/fixtures/udev";
  options.mount_wait = Duration(60'000);  // It ends as soon as the last answer is there.
  return options;
}

inline HostCalls FixtureCalls() {
  HostCalls calls;
  calls.host_name = [] {
    return Result<HostName>(HostName{"Linux", "6.1.0", "#1 SMP", "x86_64", "gpu-node-1", "(none)"});
  };
  calls.clock_discipline = [] {
    ClockDiscipline clock;
    clock.synchronised = true;
    clock.offset_seconds = 0.000125;
    clock.frequency_ratio = 1.00001;
    clock.tai_offset_seconds = 37;
    return Result<ClockDiscipline>(clock);
  };
  calls.filesystem_usage = [](const std::string& path) -> Result<FilesystemUsage> {
    if (path.ends_with("/mnt/model weights")) return Error(ErrorKind::kIo, "Stale file handle");
    return FilesystemUsage{1e12, 4e11, 3.5e11, 6e7, 5e7};
  };
  calls.tcp_sockets = [] {
    TcpSockets sockets;
    sockets.states[1] = 8;
    sockets.states[10] = 5;
    sockets.tx_queued_bytes = 21;
    return Result<TcpSockets>(sockets);
  };
  calls.time_zone = [] { return TimeZone{"CET", 3600}; };
  return calls;
}

}  // namespace sonde::collect
