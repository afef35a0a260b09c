#include "collect/host/host_collector.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "collect/host/collectors.h"
#include "collect/host/filesystem.h"

namespace sonde::collect {
namespace {

// node_exporter's names where it has the collector. Off by default: what grows with CPUs × devices.
struct PartName {
  std::string_view name;
  bool on = true;
};

constexpr PartName kNames[] = {{"arp"},
                               {"cgroup"},
                               {"conntrack"},
                               {"cpu"},
                               {"cpufreq"},
                               {"diskstats"},
                               {"edac"},
                               {"entropy"},
                               {"filefd"},
                               {"filesystem"},
                               {"hwmon"},
                               {"infiniband"},
                               {"interrupts", false},
                               {"kernel_hung"},
                               {"loadavg"},
                               {"mdadm"},
                               {"meminfo"},
                               {"netclass"},
                               {"netdev"},
                               {"netstat"},
                               {"nvme"},
                               {"os"},
                               {"powersupplyclass"},
                               {"pressure"},
                               {"process"},
                               {"processes"},
                               {"rapl"},
                               {"schedstat"},
                               {"sockstat"},
                               {"softnet"},
                               {"stat"},
                               {"tcpstat"},
                               {"thermal_zone"},
                               {"time"},
                               {"timex"},
                               {"udp_queues"},
                               {"uname"},
                               {"vmstat"}};

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Status CheckNames(const std::vector<std::string>& names, std::string_view option) {
  for (const std::string& name : names) {
    const bool known = std::any_of(std::begin(kNames), std::end(kNames),
                                   [&](const PartName& part) { return part.name == name; });
    if (known) continue;
    std::string list;
    for (const PartName& part : kNames)
      list.append(list.empty() ? "" : ", ").append(part.name);
    return Error(ErrorKind::kInvalid,
                 std::string(option) + ": no host collector \"" + name + "\"; there are " + list);
  }
  return OkStatus();
}

}  // namespace

std::vector<std::string> HostCollector::Names() {
  std::vector<std::string> names;
  for (const PartName& part : kNames)
    names.emplace_back(part.name);
  return names;
}

Result<std::unique_ptr<HostCollector>> HostCollector::Make(HostOptions options, const Clock& clock,
                                                           const Logger& logger, HostCalls calls) {
  TRY(CheckNames(options.disable, "disable"));
  TRY(CheckNames(options.enable, "enable"));
  std::unique_ptr<HostCollector> collector(new HostCollector(std::move(options), clock, logger));
  TRY(collector->AddParts(std::move(calls)));
  return collector;
}

HostCollector::HostCollector(HostOptions options, const Clock& clock, const Logger& logger)
    : options_(std::move(options)),
      clock_(clock),
      logger_(logger.With("host")),
      source_(options_) {}

HostCollector::~HostCollector() = default;

Status HostCollector::AddParts(HostCalls calls) {
  const Regex disks = TRY(Regex::Compile(options_.disks_exclude));
  std::optional<Regex> network;
  if (!options_.network_exclude.empty()) network = TRY(Regex::Compile(options_.network_exclude));
  filesystem_ = TRY(FilesystemCollector::Make(options_, calls.filesystem_usage, clock_));
  auto cpu = std::make_shared<CpuCollector>();
  const auto shared_calls = std::make_shared<const HostCalls>(std::move(calls));

  const std::pair<std::string_view, std::function<Status(HostSource&, HostPage&)>> all[] = {
      {"arp", CollectArp},
      {"cgroup", [this](HostSource& s, HostPage& p) { return CollectCgroups(s, options_, p); }},
      {"conntrack", CollectConntrack},
      {"cpu", [cpu](HostSource& s, HostPage& p) { return cpu->Collect(s, p); }},
      {"cpufreq", CollectCpuFrequency},
      {"diskstats", [disks](HostSource& s, HostPage& p) { return CollectDisks(s, disks, p); }},
      {"edac", CollectEdac},
      {"entropy", CollectEntropy},
      {"filefd", CollectFileDescriptors},
      {"filesystem", [this](HostSource& s, HostPage& p) { return filesystem_->Collect(s, p); }},
      {"hwmon", CollectHwmon},
      {"infiniband", CollectInfiniband},
      {"interrupts", CollectInterrupts},
      {"kernel_hung", CollectKernelHung},
      {"loadavg", CollectLoadAverage},
      {"mdadm", CollectMdRaid},
      {"meminfo", CollectMemory},
      {"netclass",
       [network](HostSource& s, HostPage& p) {
         return CollectNetworkClass(s, network ? &*network : nullptr, p);
       }},
      {"netdev",
       [network](HostSource& s, HostPage& p) {
         return CollectNetworkDevices(s, network ? &*network : nullptr, p);
       }},
      {"netstat", CollectNetStat},
      {"nvme", CollectNvme},
      {"os", CollectOs},
      {"powersupplyclass", CollectPowerSupply},
      {"pressure", CollectPressure},
      {"process", CollectOwnProcess},
      {"processes", CollectProcesses},
      {"rapl", CollectRapl},
      {"schedstat", CollectSchedStat},
      {"sockstat", CollectSockStat},
      {"softnet", CollectSoftNet},
      {"stat", CollectStat},
      {"tcpstat",
       [shared_calls](HostSource&, HostPage& p) { return CollectTcpStates(*shared_calls, p); }},
      {"thermal_zone", CollectThermal},
      {"time",
       [this, shared_calls](HostSource& s, HostPage& p) {
         return CollectTime(s, *shared_calls, clock_, p);
       }},
      {"timex", [shared_calls](HostSource&,
                               HostPage& p) { return CollectClockDiscipline(*shared_calls, p); }},
      {"udp_queues", CollectUdpQueues},
      {"uname",
       [shared_calls](HostSource&, HostPage& p) { return CollectHostName(*shared_calls, p); }},
      {"vmstat", CollectVmStat},
  };
  MutexLock lock(mutex_);
  for (const PartName& part : kNames) {
    const bool on =
        (part.on || Contains(options_.enable, part.name)) && !Contains(options_.disable, part.name);
    if (!on) continue;
    const auto* found = std::find_if(std::begin(all), std::end(all),
                                     [&](const auto& entry) { return entry.first == part.name; });
    CHECK(found != std::end(all));
    parts_.push_back({part.name, found->second});
  }
  return OkStatus();
}

std::string HostCollector::Collect(const wire::ServedFormat& format) {
  MutexLock lock(mutex_);
  page_.Clear(format);
  for (Part& part : parts_)
    Run(part);
  std::string page;
  page.reserve(last_size_ + last_size_ / 8);
  page_.WriteTo(page);
  last_size_ = page.size();
  return page;
}

void HostCollector::Run(Part& part) {
  const std::int64_t begin = clock_.MonotonicNanos();
  const Status status = part.collect(source_, page_);
  const double seconds = static_cast<double>(clock_.MonotonicNanos() - begin) / 1e9;
  page_.Gauge("node_scrape_collector_duration_seconds", "How long this collector took.")
      .Add(seconds, {{"collector", part.name}});
  page_
      .Gauge("node_scrape_collector_success",
             "1 if this collector found what it reads; 0 also where the machine has no such thing.")
      .Add(status ? 1 : 0, {{"collector", part.name}});
  const bool failing = !status && status.error().kind() != ErrorKind::kNotFound;
  if (failing && !part.failing) {
    logger_.Warn("host collector failed", {{"collector", part.name}, {"err", status.error()}});
  }
  part.failing = failing;
}

}  // namespace sonde::collect
