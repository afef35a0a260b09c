#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

// What the collectors can be told. Plain values with good defaults; config/ fills them.

namespace sonde::collect {

/// The host collector (docs/collectors.md).
struct HostOptions {
  std::string procfs = "/proc";  ///< Where the host's procfs is mounted (a container: /host/proc).
  std::string sysfs = "/sys";
  std::string rootfs = "/";             ///< In front of mount points and of /etc/os-release.
  std::string udev = "/run/udev/data";  ///< Disk models and serial numbers; may be absent.
  std::vector<std::string> disable;  ///< Names of collectors to leave out: "hwmon", "cgroup", …
  std::vector<std::string> enable;   ///< Names of those that are off by default: "interrupts".

  /// RE2 patterns, anchored at both ends.
  std::string mount_points_exclude =
      "/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/.*)";
  std::string fs_types_exclude =
      "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|erofs|fusectl|hugetlbfs|"
      "iso9660|"
      "mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|"
      "tracefs";
  std::string disks_exclude = R"((z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+)";
  std::string network_exclude;  ///< Empty: none.

  Duration mount_timeout{
      5'000};  ///< A file system that takes longer to answer is marked and skipped.
  Duration mount_wait{
      200};  ///< How long one page waits for file systems before it uses old values.
  std::uint32_t max_cgroups = 128;  ///< Beyond: the deeper ones are left out and counted.
  std::uint32_t cgroup_depth = 3;
};

/// The accelerator collector (docs/collectors.md).
struct GpuOptions {
  std::string prefix = "deepseek_";  ///< Of the vocabulary.
  bool nvidia = true;
  bool amd = true;
  std::string nvml_library =
      "libnvidia-ml.so.1";  ///< A name that the dynamic linker finds, or a path.
  std::string sysfs = "/sys";

  Duration sample_interval{500};     ///< Between two readings of utilisation, power and throttling.
  Duration detail_interval{5'000};   ///< Between two readings of everything else.
  Duration hang_timeout{10'000};     ///< A call of the driver that takes longer hangs.
  bool processes = true;             ///< Memory by process.
  std::uint32_t max_processes = 32;  ///< Of one accelerator: those with the most memory.
  bool pcie_estimate =
      false;  ///< Where there is no counter: measure PCIe for 20 ms in each detailed reading.
};

/// Finding inference engines (docs/collectors.md).
struct EngineFinderOptions {
  /// Base URLs: "http://10.0.0.5:8000". A path is kept as the engine's prefix.
  std::vector<std::string> urls;
  bool autodetect = true;                 ///< Also look at the well-known ports of 127.0.0.1.
  std::vector<std::uint16_t> skip_ports;  ///< Loopback ports that are Sonde's own.
  Duration interval{30'000};              ///< Between two rounds.
  Duration timeout{2'000};                ///< For each request.
};

}  // namespace sonde::collect
