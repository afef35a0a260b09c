#include <deque>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

struct CgroupFamilies {
  explicit CgroupFamilies(HostPage& page);
  HostFamily &cpu_usage, &cpu_user, &cpu_system, &throttled_periods, &throttled_seconds;
  HostFamily &memory_current, &memory_limit, &memory_anon, &memory_file, &swap_current, &oom_kills;
  HostFamily &pids, &pids_limit, &read_bytes, &written_bytes, &reads, &writes, &waiting, &stalled;
};

CgroupFamilies::CgroupFamilies(HostPage& page)
    : cpu_usage(page.Counter("node_cgroup_cpu_usage_seconds_total", "CPU time of the group.")),
      cpu_user(page.Counter("node_cgroup_cpu_user_seconds_total", "Of it, in user mode.")),
      cpu_system(page.Counter("node_cgroup_cpu_system_seconds_total", "Of it, in the kernel.")),
      throttled_periods(page.Counter("node_cgroup_cpu_throttled_periods_total",
                                     "Periods in which the group hit its CPU limit.")),
      throttled_seconds(page.Counter("node_cgroup_cpu_throttled_seconds_total",
                                     "Time that the group was held back by its CPU limit.")),
      memory_current(
          page.Gauge("node_cgroup_memory_current_bytes", "Memory charged to the group.")),
      memory_limit(page.Gauge("node_cgroup_memory_limit_bytes",
                              "Memory limit of the group; absent where there is none.")),
      memory_anon(page.Gauge("node_cgroup_memory_anon_bytes", "Of it, anonymous memory.")),
      memory_file(page.Gauge("node_cgroup_memory_file_bytes", "Of it, page cache.")),
      swap_current(page.Gauge("node_cgroup_memory_swap_bytes", "Swap charged to the group.")),
      oom_kills(page.Counter("node_cgroup_memory_oom_kills_total",
                             "Processes of the group killed for lack of memory.")),
      pids(page.Gauge("node_cgroup_pids", "Processes and threads of the group.")),
      pids_limit(page.Gauge("node_cgroup_pids_limit",
                            "Limit of the group's processes; absent where there is none.")),
      read_bytes(page.Counter("node_cgroup_io_read_bytes_total", "Bytes read, all devices.")),
      written_bytes(
          page.Counter("node_cgroup_io_written_bytes_total", "Bytes written, all devices.")),
      reads(page.Counter("node_cgroup_io_reads_total", "Reads, all devices.")),
      writes(page.Counter("node_cgroup_io_writes_total", "Writes, all devices.")),
      waiting(page.Counter("node_cgroup_pressure_waiting_seconds_total",
                           "Time in which some task of the group waited for the resource.")),
      stalled(page.Counter("node_cgroup_pressure_stalled_seconds_total",
                           "Time in which all tasks of the group waited for the resource.")) {}

// Calls visit(key, value) for each "key value" line.
template <class F>
void ForEachKey(const std::optional<std::string>& text, F visit) {
  if (!text) return;
  std::string_view rest = *text;
  std::string_view line;
  while (TakeLine(rest, line)) {
    FieldScanner fields(line);
    const std::string_view key = fields.Next();
    visit(key, fields.NextDouble());
  }
}

void AddCpu(const std::optional<std::string>& stat, std::string_view group, CgroupFamilies& to) {
  ForEachKey(stat, [&](std::string_view key, double value) {
    if (key == "usage_usec") to.cpu_usage.Add(value / 1e6, {{"cgroup", group}});
    if (key == "user_usec") to.cpu_user.Add(value / 1e6, {{"cgroup", group}});
    if (key == "system_usec") to.cpu_system.Add(value / 1e6, {{"cgroup", group}});
    if (key == "nr_throttled") to.throttled_periods.Add(value, {{"cgroup", group}});
    if (key == "throttled_usec") to.throttled_seconds.Add(value / 1e6, {{"cgroup", group}});
  });
}

void AddMemory(HostSource& source, const std::string& dir, std::string_view group,
               CgroupFamilies& to) {
  const auto current = source.SysNumber(dir + "/memory.current");
  if (!current) return;
  to.memory_current.Add(*current, {{"cgroup", group}});
  const auto limit = source.SysNumber(dir + "/memory.max");  // "max": no limit.
  if (limit) to.memory_limit.Add(*limit, {{"cgroup", group}});
  const auto swap = source.SysNumber(dir + "/memory.swap.current");
  if (swap) to.swap_current.Add(*swap, {{"cgroup", group}});
  ForEachKey(source.ReadSys(dir + "/memory.stat"), [&](std::string_view key, double value) {
    if (key == "anon") to.memory_anon.Add(value, {{"cgroup", group}});
    if (key == "file") to.memory_file.Add(value, {{"cgroup", group}});
  });
  ForEachKey(source.ReadSys(dir + "/memory.events"), [&](std::string_view key, double value) {
    if (key == "oom_kill") to.oom_kills.Add(value, {{"cgroup", group}});
  });
}

void AddIo(const std::optional<std::string>& stat, std::string_view group, CgroupFamilies& to) {
  if (!stat) return;
  double read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;
  std::string_view rest = *stat;
  std::string_view line;
  while (TakeLine(rest, line)) {  // "8:0 rbytes=90112 wbytes=0 rios=22 wios=0 …"
    FieldScanner fields(line);
    for (std::string_view field; !(field = fields.Next()).empty();) {
      const std::size_t equals = field.find('=');
      if (equals == std::string_view::npos) continue;
      const double value = ToNumber(field.substr(equals + 1)).value_or(0);
      const std::string_view key = field.substr(0, equals);
      if (key == "rbytes") read_bytes += value;
      if (key == "wbytes") written_bytes += value;
      if (key == "rios") reads += value;
      if (key == "wios") writes += value;
    }
  }
  to.read_bytes.Add(read_bytes, {{"cgroup", group}});
  to.written_bytes.Add(written_bytes, {{"cgroup", group}});
  to.reads.Add(reads, {{"cgroup", group}});
  to.writes.Add(writes, {{"cgroup", group}});
}

void AddPressure(HostSource& source, const std::string& dir, std::string_view group,
                 CgroupFamilies& to) {
  for (const char* resource : {"cpu", "memory", "io"}) {
    const auto text = source.ReadSys(dir + "/" + resource + ".pressure");
    if (!text) continue;
    std::string_view rest = *text;
    std::string_view line;
    while (TakeLine(rest, line)) {
      const std::size_t total = line.find("total=");
      if (total == std::string_view::npos) continue;
      const double seconds = ToNumber(line.substr(total + 6)).value_or(0) / 1e6;
      (line.starts_with("full") ? to.stalled : to.waiting)
          .Add(seconds, {{"cgroup", group}, {"resource", resource}});
    }
  }
}

struct Group {
  std::string path;  // Below the hierarchy's root; "" is the root.
  std::uint32_t depth = 0;
};

void AddGroup(HostSource& source, const std::string& dir, std::string_view name,
              CgroupFamilies& families) {
  AddCpu(source.ReadSys(dir + "/cpu.stat"), name, families);
  AddMemory(source, dir, name, families);
  AddIo(source.ReadSys(dir + "/io.stat"), name, families);
  if (const auto pids = source.SysNumber(dir + "/pids.current")) {
    families.pids.Add(*pids, {{"cgroup", name}});
  }
  if (const auto limit = source.SysNumber(dir + "/pids.max")) {
    families.pids_limit.Add(*limit, {{"cgroup", name}});
  }
  AddPressure(source, dir, name, families);
}

void QueueChildren(HostSource& source, const std::string& root, const Group& group,
                   std::deque<Group>& queue) {
  for (const std::string& child : source.ListSys(root + group.path)) {
    if (child.starts_with("cgroup.")) continue;  // A file: saves looking.
    std::string path = group.path;
    path.append("/").append(child);
    // Only directories are groups, and every group has this file.
    if (source.SysExists(root + path + "/cgroup.procs")) {
      queue.push_back({std::move(path), group.depth + 1});
    }
  }
}

}  // namespace

Status CollectCgroups(HostSource& source, const HostOptions& options, HostPage& page) {
  // Where only the old hierarchies carry controllers ("hybrid"), the new one lies in unified/.
  const std::string root =
      source.SysExists("fs/cgroup/cgroup.procs") ? "fs/cgroup" : "fs/cgroup/unified";
  if (!source.SysExists(root + "/cgroup.procs")) {
    return Error(ErrorKind::kNotFound, "no cgroup v2 hierarchy");
  }
  CgroupFamilies families(page);
  std::uint32_t collected = 0;
  std::uint32_t skipped = 0;
  std::deque<Group> queue = {{"", 0}};  // By depth, then by name: what is left out is deep.
  while (!queue.empty()) {
    const Group group = std::move(queue.front());
    queue.pop_front();
    if (collected >= options.max_cgroups) {
      ++skipped;
      continue;
    }
    ++collected;
    AddGroup(source, root + group.path, group.path.empty() ? "/" : std::string_view(group.path),
             families);
    if (group.depth < options.cgroup_depth) QueueChildren(source, root, group, queue);
  }
  page.Gauge("node_cgroup_collected", "Groups on this page.").Add(collected);
  page.Gauge("node_cgroup_skipped", "Groups left out, because there are more than max_cgroups.")
      .Add(skipped);
  return OkStatus();
}

}  // namespace sonde::collect
