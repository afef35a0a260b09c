#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

constexpr double kTicksPerSecond =
    100;  // USER_HZ: what procfs shows, whatever the kernel's own HZ.

bool IsCpuLine(std::string_view line) {
  return line.starts_with("cpu") && line.size() > 3 && line[3] >= '0' && line[3] <= '9';
}

bool IsCpuDirectory(std::string_view name) {
  return IsCpuLine(name) &&
         std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "cpu10" after "cpu9".
std::vector<std::string> CpuDirectories(HostSource& source) {
  std::vector<std::string> cpus = source.ListSys("devices/system/cpu");
  std::erase_if(cpus, [](const std::string& name) { return !IsCpuDirectory(name); });
  std::sort(cpus.begin(), cpus.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return cpus;
}

void CollectThrottles(HostSource& source, HostPage& page) {
  HostFamily& cores = page.Counter("node_cpu_core_throttles_total",
                                   "Times a core slowed down because it was too hot.");
  HostFamily& packages = page.Counter("node_cpu_package_throttles_total",
                                      "Times a package slowed down because it was too hot.");
  std::set<std::pair<std::string, std::string>> seen_cores;
  std::set<std::string> seen_packages;
  for (const std::string& cpu : CpuDirectories(source)) {
    const std::string dir = "devices/system/cpu/" + cpu;
    const auto core_count = source.SysNumber(dir + "/thermal_throttle/core_throttle_count");
    if (!core_count) return;  // Either all have it or none.
    const std::string package = source.ReadSys(dir + "/topology/physical_package_id").value_or("");
    const std::string core = source.ReadSys(dir + "/topology/core_id").value_or("");
    if (package.empty() || core.empty()) continue;
    if (seen_cores.emplace(package, core).second) {
      cores.Add(*core_count, {{"core", core}, {"package", package}});
    }
    const auto package_count = source.SysNumber(dir + "/thermal_throttle/package_throttle_count");
    if (package_count && seen_packages.insert(package).second) {
      packages.Add(*package_count, {{"package", package}});
    }
  }
}

// "1-3,5": each number of the list.
template <class F>
void ForEachInCpuList(std::string_view list, F visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view range = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    const std::size_t dash = range.find('-');
    const auto first = ParseUint(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : ParseUint(range.substr(dash + 1));
    if (!first || !last || *last > 65535) return;
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu)
      visit(std::to_string(cpu));
  }
}

// The fields that are left, with one blank between them.
std::string JoinFields(FieldScanner& fields) {
  std::string joined;
  for (std::string_view field; !(field = fields.Next()).empty();) {
    if (!joined.empty()) joined += ' ';
    joined += field;
  }
  return joined;
}

void CollectOnline(HostSource& source, HostPage& page) {
  HostFamily& online = page.Gauge("node_cpu_online", "1 for CPUs that the scheduler uses.");
  for (const std::string& cpu : CpuDirectories(source)) {
    // The boot CPU often has no such file; then it cannot go offline, and node_exporter stays
    // silent.
    const auto state = source.SysNumber("devices/system/cpu/" + cpu + "/online");
    if (!state && cpu == "cpu0") return;
    online.Add(state.value_or(0), {{"cpu", std::string_view(cpu).substr(3)}});
  }
}

}  // namespace

Status CpuCollector::Collect(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("stat"));
  std::set<std::string> present;
  std::string_view line;
  while (TakeLine(text, line)) {
    if (!IsCpuLine(line)) continue;
    FieldScanner fields(line);
    const std::string cpu(fields.Next().substr(3));
    Times now;
    for (double& seconds : now.seconds) {
      seconds = static_cast<double>(fields.NextUint()) / kTicksPerSecond;
    }
    Update(cpu, now);
    present.insert(cpu);
  }
  std::erase_if(cpus_, [&](const auto& entry) { return !present.contains(entry.first); });

  // In the order of /proc/stat's columns; guest time is a part of user and nice.
  static constexpr std::array<std::string_view, kModes> kNames = {
      "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "user", "nice"};
  HostFamily& seconds = page.Counter("node_cpu_seconds_total", "Time of each CPU in each mode.");
  HostFamily& guest =
      page.Counter("node_cpu_guest_seconds_total",
                   "Time of each CPU in virtual machines; a part of user and nice.");
  for (const auto& [cpu, times] : cpus_) {
    for (std::size_t mode = 0; mode < kModes; ++mode) {
      (mode < 8 ? seconds : guest).Add(times.seconds[mode], {{"cpu", cpu}, {"mode", kNames[mode]}});
    }
  }
  CollectThrottles(source, page);
  if (const auto isolated = source.ReadSys("devices/system/cpu/isolated")) {
    HostFamily& family = page.Gauge("node_cpu_isolated", "1 for CPUs kept free of ordinary tasks.");
    ForEachInCpuList(*isolated, [&](const std::string& cpu) { family.Add(1, {{"cpu", cpu}}); });
  }
  CollectOnline(source, page);
  return OkStatus();
}

void CpuCollector::Update(const std::string& cpu, const Times& now) {
  constexpr int kIdle = 3;
  constexpr double kHotplugSeconds =
      3;  // A larger step back is a CPU that came back, with counters from zero.
  Times& last = cpus_[cpu];
  if (last.seconds[kIdle] - now.seconds[kIdle] >= kHotplugSeconds) last = Times{};
  for (int mode = 0; mode < kModes; ++mode) {
    last.seconds[mode] = std::max(last.seconds[mode], now.seconds[mode]);
  }
}

Status CollectStat(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("stat"));
  std::string_view line;
  while (TakeLine(text, line)) {
    FieldScanner fields(line);
    const std::string_view key = fields.Next();
    if (key == "intr") {
      page.Counter("node_intr_total", "Interrupts served.").Add(fields.NextDouble());
    } else if (key == "ctxt") {
      page.Counter("node_context_switches_total", "Context switches.").Add(fields.NextDouble());
    } else if (key == "processes") {
      page.Counter("node_forks_total", "Processes and threads created.").Add(fields.NextDouble());
    } else if (key == "btime") {
      page.Gauge("node_boot_time_seconds", "When the machine started, Unix time.")
          .Add(fields.NextDouble());
    } else if (key == "procs_running") {
      page.Gauge("node_procs_running", "Tasks that could run now.").Add(fields.NextDouble());
    } else if (key == "procs_blocked") {
      page.Gauge("node_procs_blocked", "Tasks that wait for I/O.").Add(fields.NextDouble());
    }
  }
  return OkStatus();
}

Status CollectLoadAverage(HostSource& source, HostPage& page) {
  FieldScanner fields(TRY(source.Proc("loadavg")));
  page.Gauge("node_load1", "Load average, 1 minute.").Add(fields.NextDouble());
  page.Gauge("node_load5", "Load average, 5 minutes.").Add(fields.NextDouble());
  page.Gauge("node_load15", "Load average, 15 minutes.").Add(fields.NextDouble());
  return OkStatus();
}

Status CollectSchedStat(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("schedstat"));
  HostFamily& running =
      page.Counter("node_schedstat_running_seconds_total", "Time that each CPU ran tasks.");
  HostFamily& waiting = page.Counter("node_schedstat_waiting_seconds_total",
                                     "Time that tasks were ready and waited for this CPU.");
  HostFamily& slices = page.Counter("node_schedstat_timeslices_total", "Time slices run per CPU.");
  std::string_view line;
  while (TakeLine(text, line)) {
    if (!IsCpuLine(line)) continue;
    FieldScanner fields(line);
    const std::string_view cpu = fields.Next().substr(3);
    for (int i = 0; i < 6; ++i)
      fields.Next();
    running.Add(fields.NextDouble() / 1e9, {{"cpu", cpu}});
    waiting.Add(fields.NextDouble() / 1e9, {{"cpu", cpu}});
    slices.Add(fields.NextDouble(), {{"cpu", cpu}});
  }
  return OkStatus();
}

Status CollectInterrupts(HostSource& source, HostPage& page) {
  std::string_view text = TRY(source.Proc("interrupts"));
  std::string_view line;
  if (!TakeLine(text, line)) return Error(ErrorKind::kCorruption, "/proc/interrupts is empty");
  std::vector<std::string> cpus;  // "CPU0 CPU1 …": a machine with offline CPUs leaves numbers out.
  FieldScanner header(line);
  for (std::string_view cpu; !(cpu = header.Next()).empty();) {
    cpus.emplace_back(cpu.starts_with("CPU") ? cpu.substr(3) : cpu);
  }
  HostFamily& family = page.Counter("node_interrupts_total", "Interrupts per CPU and line.");
  while (TakeLine(text, line)) {
    // " 9: 398553 2320 IR-IO-APIC-fasteoi acpi", "NMI: 47 5031 Non-maskable interrupts", "IPI0:12
    // …".
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view type = TrimSpace(line.substr(0, colon));
    FieldScanner fields(line.substr(colon + 1));
    std::vector<double> counts;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
      const auto count = ParseUint(fields.Next());
      if (!count) break;
      counts.push_back(static_cast<double>(*count));
    }
    if (counts.size() < cpus.size()) continue;  // ERR and MIS are not counted per CPU.
    std::string info;
    std::string devices;
    if (ParseUint(type)) {
      info = fields.Next();
      devices = JoinFields(fields);
    } else {
      info = JoinFields(fields);
    }
    for (std::size_t i = 0; i < cpus.size(); ++i) {
      family.Add(counts[i],
                 {{"cpu", cpus[i]}, {"devices", devices}, {"info", info}, {"type", type}});
    }
  }
  return OkStatus();
}

Status CollectPressure(HostSource& source, HostPage& page) {
  struct Kind {
    std::string_view file, waiting, stalled;
  };
  // "some": at least one task waited. "full": all did, so nothing was done.
  static constexpr Kind kKinds[] = {
      {"pressure/cpu", "node_pressure_cpu_waiting_seconds_total", ""},
      {"pressure/io", "node_pressure_io_waiting_seconds_total",
       "node_pressure_io_stalled_seconds_total"},
      {"pressure/memory", "node_pressure_memory_waiting_seconds_total",
       "node_pressure_memory_stalled_seconds_total"},
      {"pressure/irq", "", "node_pressure_irq_stalled_seconds_total"},
  };
  bool found = false;
  for (const Kind& kind : kKinds) {
    const auto contents = source.Proc(kind.file);
    if (!contents) continue;
    found = true;
    std::string_view text = *contents;
    std::string_view line;
    while (TakeLine(text, line)) {
      const std::string_view name = line.starts_with("some ")   ? kind.waiting
                                    : line.starts_with("full ") ? kind.stalled
                                                                : std::string_view();
      const std::size_t total = line.find("total=");
      if (name.empty() || total == std::string_view::npos) continue;
      const double seconds =
          static_cast<double>(ParseUint(TrimSpace(line.substr(total + 6))).value_or(0)) / 1e6;
      page.Counter(name, "Time that tasks lost because the resource was short (PSI).").Add(seconds);
    }
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "this kernel has no /proc/pressure");
}

Status CollectCpuFrequency(HostSource& source, HostPage& page) {
  struct Attribute {
    std::string_view file, name, help;
  };
  static constexpr Attribute kAttributes[] = {
      {"cpuinfo_cur_freq", "node_cpu_frequency_hertz", "Clock now, as the hardware says."},
      {"cpuinfo_avg_freq", "node_cpu_frequency_avg_hertz", "Mean clock, as the hardware says."},
      {"cpuinfo_min_freq", "node_cpu_frequency_min_hertz", "Lowest clock of the hardware."},
      {"cpuinfo_max_freq", "node_cpu_frequency_max_hertz", "Highest clock of the hardware."},
      {"scaling_cur_freq", "node_cpu_scaling_frequency_hertz", "Clock now, as the governor says."},
      {"scaling_min_freq", "node_cpu_scaling_frequency_min_hertz", "Lowest clock allowed."},
      {"scaling_max_freq", "node_cpu_scaling_frequency_max_hertz", "Highest clock allowed."},
  };
  bool found = false;
  for (const std::string& name : CpuDirectories(source)) {
    const std::string dir = "devices/system/cpu/" + name + "/cpufreq";
    if (!source.SysExists(dir)) continue;
    found = true;
    const std::string_view cpu = std::string_view(name).substr(3);
    for (const Attribute& attribute : kAttributes) {
      const auto kilohertz = source.SysNumber(dir + "/" + std::string(attribute.file));
      if (kilohertz)
        page.Gauge(attribute.name, attribute.help).Add(*kilohertz * 1000, {{"cpu", cpu}});
    }
    const auto governor = source.ReadSys(dir + "/scaling_governor");
    if (!governor || governor->empty()) continue;
    HostFamily& governors = page.Gauge("node_cpu_scaling_governor", "1 for the governor in use.");
    const auto available = source.ReadSys(dir + "/scaling_available_governors");
    FieldScanner each(available ? std::string_view(*available) : std::string_view(*governor));
    for (std::string_view one; !(one = each.Next()).empty();) {
      governors.Add(one == *governor ? 1 : 0, {{"cpu", cpu}, {"governor", one}});
    }
  }
  return found ? OkStatus() : Error(ErrorKind::kNotFound, "this machine has no cpufreq");
}

}  // namespace sonde::collect
