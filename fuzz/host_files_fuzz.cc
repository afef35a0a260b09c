#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "collect/host/filesystem.h"
#include "collect/host/host_collector.h"
#include "collect/host/host_test_fixture.h"
#include "exposition_fuzz.h"

// One file of procfs or sysfs says something that no kernel says (the first byte chooses which).
// The page must be well-formed all the same: a container's lxcfs, gVisor and old kernels do say odd
// things.

namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {
    "proc/stat",
    "proc/meminfo",
    "proc/diskstats",
    "proc/net/dev",
    "proc/net/netstat",
    "proc/net/snmp",
    "proc/net/snmp6",
    "proc/net/sockstat",
    "proc/net/sockstat6",
    "proc/net/softnet_stat",
    "proc/net/stat/nf_conntrack",
    "proc/net/udp",
    "proc/net/arp",
    "proc/vmstat",
    "proc/loadavg",
    "proc/pressure/memory",
    "proc/schedstat",
    "proc/interrupts",
    "proc/mdstat",
    "proc/sys/fs/file-nr",
    "proc/1/mountinfo",
    "proc/7/stat",
    "proc/self/stat",
    "proc/self/limits",
    "sys/fs/cgroup/a/cpu.stat",
    "sys/fs/cgroup/a/io.stat",
    "sys/fs/cgroup/a/memory.stat",
    "sys/fs/cgroup/a/memory.max",
    "sys/fs/cgroup/a/cpu.pressure",
    "sys/devices/system/node/node0/meminfo",
    "sys/class/hwmon/hwmon0/temp1_input",
    "sys/class/hwmon/hwmon0/temp1_label",
    "sys/class/net/eth0/speed",
    "sys/class/net/eth0/operstate",
    "sys/devices/system/cpu/online",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
    "udev/b8:0",
    "root/etc/os-release",
};

struct Host {
  Host() {
    char name[] = "/tmp/sonde_fuzz_XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    root = name;
    Write("sys/fs/cgroup/cgroup.procs", "");
    Write("sys/fs/cgroup/a/cgroup.procs", "");
    Write("proc/sys/net/netfilter/nf_conntrack_count", "1\n");
    Write("proc/sys/net/netfilter/nf_conntrack_max", "2\n");
    Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    sonde::collect::HostOptions options;
    options.procfs = root / "proc";
    options.sysfs = root / "sys";
    options.rootfs = root / "root";
    options.udev = root / "udev";
    options.enable = {"interrupts"};
    options.mount_wait = sonde::Duration(0);
    options.disable = {"filesystem"};  // It has a thread; its parser is called below.
    auto made =
        sonde::collect::HostCollector::Make(options, clock, logger, sonde::collect::FixtureCalls());
    CHECK(made.ok());
    collector = *std::move(made);
  }
  ~Host() { fs::remove_all(root); }

  void Write(const std::string& file, std::string_view text) const {
    fs::create_directories((root / file).parent_path());
    std::FILE* out = std::fopen((root / file).c_str(), "wb");
    CHECK(out != nullptr);
    CHECK(std::fwrite(text.data(), 1, text.size(), out) == text.size());
    CHECK(std::fclose(out) == 0);
  }

  fs::path root;
  sonde::SystemClock clock;
  sonde::MemorySink sink;
  sonde::Logger logger{sink, clock};
  std::unique_ptr<sonde::collect::HostCollector> collector;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 1 << 14) return 0;
  static const Host host;
  const std::string file = kFiles[data[0] % std::size(kFiles)];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  host.Write(file, text);
  const std::string page = host.collector->Collect();
  fs::remove(host.root / file);
  CHECK(sonde::fuzz::ParsePage(page, sonde::wire::ExpositionFormat::kText).has_value());
  for (const auto& mount : sonde::collect::ParseMountInfo(text)) {
    CHECK(!mount.mount_point.empty());
  }
  return 0;
}
