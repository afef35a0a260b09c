#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/regex.h"
#include "base/result.h"
#include "collect/host/host_calls.h"
#include "collect/host/host_page.h"
#include "collect/host/host_source.h"
#include "collect/options.h"

// The single host collectors. Each reads one corner of procfs or sysfs and adds node_exporter's
// families for it to the page. All have the same contract: kNotFound means that this machine has no
// such thing (no log line); any other error means that what was added before it is valid and the
// rest is missing. docs/collectors.md lists names and sources.

namespace sonde::collect {

// cpu.cc: /proc/stat, /proc/loadavg, /proc/schedstat, /proc/interrupts, /proc/pressure,
// /sys/devices/system/cpu

/// node_cpu_*: seconds per CPU and mode. Remembers the last values, because the kernel's idle and
/// iowait counters may step back a little, which a counter must not.
class CpuCollector {
 public:
  Status Collect(HostSource& source, HostPage& page);

 private:
  static constexpr int kModes = 10;
  struct Times {
    double seconds[kModes] = {};
  };
  void Update(const std::string& cpu, const Times& now);

  std::map<std::string, Times> cpus_;
};

Status CollectStat(HostSource& source, HostPage& page);
Status CollectLoadAverage(HostSource& source, HostPage& page);
Status CollectSchedStat(HostSource& source, HostPage& page);
Status CollectInterrupts(HostSource& source, HostPage& page);
Status CollectPressure(HostSource& source, HostPage& page);
Status CollectCpuFrequency(HostSource& source, HostPage& page);

// memory.cc: /proc/meminfo, /proc/vmstat, /sys/devices/system/edac

Status CollectMemory(HostSource& source, HostPage& page);
Status CollectVmStat(HostSource& source, HostPage& page);
Status CollectEdac(HostSource& source, HostPage& page);

// disk.cc: /proc/diskstats, /run/udev/data, /proc/mdstat, /sys/block/md*, /sys/class/nvme

Status CollectDisks(HostSource& source, const Regex& exclude, HostPage& page);
Status CollectMdRaid(HostSource& source, HostPage& page);
Status CollectNvme(HostSource& source, HostPage& page);

// network.cc: /proc/net/dev, /proc/net/arp, /sys/class/net, /sys/class/infiniband

/// `exclude` may be null.
Status CollectNetworkDevices(HostSource& source, const Regex* exclude, HostPage& page);
Status CollectNetworkClass(HostSource& source, const Regex* exclude, HostPage& page);
Status CollectArp(HostSource& source, HostPage& page);
Status CollectInfiniband(HostSource& source, HostPage& page);

// sockets.cc: /proc/net/{netstat,snmp,snmp6,sockstat,sockstat6,softnet_stat,udp,udp6}, conntrack,
// sock_diag

Status CollectNetStat(HostSource& source, HostPage& page);
Status CollectSockStat(HostSource& source, HostPage& page);
Status CollectSoftNet(HostSource& source, HostPage& page);
Status CollectUdpQueues(HostSource& source, HostPage& page);
Status CollectConntrack(HostSource& source, HostPage& page);
Status CollectTcpStates(const HostCalls& calls, HostPage& page);

// sensors.cc: /sys/class/{hwmon,thermal,powercap,power_supply}

Status CollectHwmon(HostSource& source, HostPage& page);
Status CollectThermal(HostSource& source, HostPage& page);
Status CollectRapl(HostSource& source, HostPage& page);
Status CollectPowerSupply(HostSource& source, HostPage& page);

// system.cc: uname, adjtimex, /etc/os-release, /proc/sys, /proc/<pid>

Status CollectHostName(const HostCalls& calls, HostPage& page);
Status CollectTime(HostSource& source, const HostCalls& calls, const Clock& clock, HostPage& page);
Status CollectClockDiscipline(const HostCalls& calls, HostPage& page);
Status CollectOs(HostSource& source, HostPage& page);
Status CollectFileDescriptors(HostSource& source, HostPage& page);
Status CollectEntropy(HostSource& source, HostPage& page);
Status CollectKernelHung(HostSource& source, HostPage& page);
Status CollectProcesses(HostSource& source, HostPage& page);
/// process_*: Sonde's own process, as the exporters' client libraries show theirs.
Status CollectOwnProcess(HostSource& source, HostPage& page);

// cgroup.cc: the unified hierarchy below /sys/fs/cgroup

Status CollectCgroups(HostSource& source, const HostOptions& options, HostPage& page);

}  // namespace sonde::collect
