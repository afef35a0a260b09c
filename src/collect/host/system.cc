#include <array>
#include <map>
#include <utility>

#include <unistd.h>

#include "base/number.h"
#include "base/quote.h"
#include "collect/host/collectors.h"

namespace sonde::collect {
namespace {

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What stands behind the command's name in /proc/<pid>/stat; the name may hold blanks and
// parentheses.
std::string_view AfterCommand(std::string_view stat) {
  const std::size_t close = stat.rfind(')');
  return close == std::string_view::npos ? std::string_view() : stat.substr(close + 1);
}

struct ProcessCounts {
  double processes = 0, threads = 0;
  std::map<char, double> process_states, thread_states;
};

void CountThreads(HostSource& source, const std::string& pid, char process_state,
                  std::uint64_t threads, ProcessCounts& counts) {
  if (threads <= 1) {  // Saves a directory for each of the many single-threaded ones.
    counts.thread_states[process_state] += 1;
    return;
  }
  for (const std::string& tid : source.ListProc(pid + "/task")) {
    if (tid == pid) {
      counts.thread_states[process_state] += 1;
      continue;
    }
    std::string path = pid;
    path.append("/task/").append(tid).append("/stat");
    const auto stat = source.ReadProc(path);
    if (!stat) continue;  // It ended meanwhile.
    FieldScanner fields(AfterCommand(*stat));
    const std::string_view state = fields.Next();
    if (!state.empty()) counts.thread_states[state.front()] += 1;
  }
}

ProcessCounts CountProcesses(HostSource& source) {
  ProcessCounts counts;
  for (const std::string& pid : source.ListProc("")) {
    if (!IsNumber(pid)) continue;
    const auto stat = source.ReadProc(pid + "/stat");
    if (!stat) continue;
    FieldScanner fields(AfterCommand(*stat));
    const std::string_view state = fields.Next();
    if (state.empty()) continue;
    for (int i = 0; i < 16; ++i)
      fields.Next();  // ppid … priority, nice
    const std::uint64_t threads = fields.NextUint();
    counts.processes += 1;
    counts.threads += static_cast<double>(threads);
    counts.process_states[state.front()] += 1;
    CountThreads(source, pid, state.front(), threads, counts);
  }
  return counts;
}

// os-release(5): KEY=value, "value" or 'value', with backslash escapes inside quotes.
std::map<std::string, std::string, std::less<>> ParseOsRelease(std::string_view text) {
  std::map<std::string, std::string, std::less<>> values;
  std::string_view line;
  while (TakeLine(text, line)) {
    line = TrimSpace(line);
    const std::size_t equals = line.find('=');
    if (line.empty() || line.front() == '#' || equals == std::string_view::npos) continue;
    std::string_view value = line.substr(equals + 1);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    std::string plain;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      plain += value[i];
    }
    values[std::string(line.substr(0, equals))] = std::move(plain);
  }
  return values;
}

// "12.5.1" → 12.5.
std::optional<double> MajorMinor(std::string_view version) {
  std::size_t end = version.find_first_not_of("0123456789");
  if (end == 0) return std::nullopt;
  if (end != std::string_view::npos && version[end] == '.') {
    end = version.find_first_not_of("0123456789", end + 1);
  }
  return ToNumber(version.substr(0, end));
}

}  // namespace

Status CollectHostName(const HostCalls& calls, HostPage& page) {
  const HostName name = TRY(calls.host_name());
  page.Gauge("node_uname_info", "1, with what uname says.")
      .Add(1, {{"domainname", name.domainname},
               {"machine", name.machine},
               {"nodename", name.nodename},
               {"release", name.release},
               {"sysname", name.sysname},
               {"version", name.version}});
  return OkStatus();
}

Status CollectTime(HostSource& source, const HostCalls& calls, const Clock& clock, HostPage& page) {
  page.Gauge("node_time_seconds", "The machine's clock, Unix time.").Add(clock.Now().seconds());
  const TimeZone zone = calls.time_zone();
  page.Gauge("node_time_zone_offset_seconds", "Offset of the machine's time zone from UTC.")
      .Add(zone.offset_seconds, {{"time_zone", zone.name}});
  for (const std::string& entry : source.ListSys("devices/system/clocksource")) {
    if (!entry.starts_with("clocksource") || !IsNumber(std::string_view(entry).substr(11)))
      continue;
    const std::string dir = "devices/system/clocksource/" + entry;
    const std::string_view device = std::string_view(entry).substr(11);
    HostFamily& available = page.Gauge("node_time_clocksource_available_info",
                                       "1 for each clock source that the kernel could use.");
    const std::string names = source.ReadSys(dir + "/available_clocksource").value_or("");
    FieldScanner fields(names);
    for (std::string_view name; !(name = fields.Next()).empty();) {
      available.Add(1, {{"clocksource", name}, {"device", device}});
    }
    if (const auto current = source.ReadSys(dir + "/current_clocksource")) {
      page.Gauge("node_time_clocksource_current_info", "1 for the clock source in use.")
          .Add(1, {{"clocksource", *current}, {"device", device}});
    }
  }
  return OkStatus();
}

Status CollectClockDiscipline(const HostCalls& calls, HostPage& page) {
  const ClockDiscipline clock = TRY(calls.clock_discipline());
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    page.Gauge("node_timex_" + std::string(name), help).Add(value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, double value) {
    page.Counter("node_timex_" + std::string(name), help).Add(value);
  };
  gauge("sync_status", "1 if the clock is kept in step with a server.", clock.synchronised ? 1 : 0);
  gauge("offset_seconds", "Offset that is being slewed away.", clock.offset_seconds);
  gauge("frequency_adjustment_ratio", "Speed of the clock; 1 is unadjusted.",
        clock.frequency_ratio);
  gauge("maxerror_seconds", "Upper bound of the error.", clock.max_error_seconds);
  gauge("estimated_error_seconds", "Estimate of the error.", clock.estimated_error_seconds);
  gauge("status", "Status bits of adjtimex.", clock.status);
  gauge("loop_time_constant", "Time constant of the control loop.", clock.loop_time_constant);
  gauge("tick_seconds", "Time between clock ticks.", clock.tick_seconds);
  gauge("tai_offset_seconds", "Offset of atomic time from UTC.", clock.tai_offset_seconds);
  gauge("pps_frequency_hertz", "Frequency of the pulse per second.", clock.pps_frequency_hertz);
  gauge("pps_jitter_seconds", "Jitter of the pulse per second.", clock.pps_jitter_seconds);
  gauge("pps_shift_seconds", "Interval of the pulse per second.", clock.pps_shift_seconds);
  gauge("pps_stability_hertz", "Stability of the pulse per second.", clock.pps_stability_hertz);
  counter("pps_jitter_total", "Pulses beyond the jitter limit.", clock.pps_jitter_total);
  counter("pps_calibration_total", "Calibration intervals.", clock.pps_calibration_total);
  counter("pps_error_total", "Failed calibrations.", clock.pps_error_total);
  counter("pps_stability_exceeded_total", "Intervals beyond the stability limit.",
          clock.pps_stability_exceeded_total);
  return OkStatus();
}

Status CollectOs(HostSource& source, HostPage& page) {
  auto text = source.ReadRoot("etc/os-release");
  if (!text) text = source.ReadRoot("usr/lib/os-release");
  if (!text) return Error(ErrorKind::kNotFound, "no os-release file");
  const auto values = ParseOsRelease(*text);
  const auto get = [&](std::string_view key) -> std::string_view {
    const auto found = values.find(key);
    return found == values.end() ? std::string_view() : std::string_view(found->second);
  };
  page.Gauge("node_os_info", "1, with what os-release says.")
      .Add(1, {{"build_id", get("BUILD_ID")},
               {"id", get("ID")},
               {"id_like", get("ID_LIKE")},
               {"image_id", get("IMAGE_ID")},
               {"image_version", get("IMAGE_VERSION")},
               {"name", get("NAME")},
               {"pretty_name", get("PRETTY_NAME")},
               {"variant", get("VARIANT")},
               {"variant_id", get("VARIANT_ID")},
               {"version", get("VERSION")},
               {"version_codename", get("VERSION_CODENAME")},
               {"version_id", get("VERSION_ID")}});
  if (const auto version = MajorMinor(get("VERSION_ID"))) {
    page.Gauge("node_os_version", "Version of the distribution, major.minor.")
        .Add(*version, {{"id", get("ID")}, {"id_like", get("ID_LIKE")}, {"name", get("NAME")}});
  }
  return OkStatus();
}

Status CollectFileDescriptors(HostSource& source, HostPage& page) {
  FieldScanner fields(TRY(source.Proc("sys/fs/file-nr")));
  const double allocated = fields.NextDouble();
  fields.Next();
  page.Gauge("node_filefd_allocated", "File handles in use.").Add(allocated);
  page.Gauge("node_filefd_maximum", "File handles that the kernel allows.")
      .Add(ToNumber(fields.Next()).value_or(0));
  return OkStatus();
}

Status CollectEntropy(HostSource& source, HostPage& page) {
  const auto available = source.ProcNumber("sys/kernel/random/entropy_avail");
  const auto size = source.ProcNumber("sys/kernel/random/poolsize");
  if (!available || !size) return Error(ErrorKind::kNotFound, "no /proc/sys/kernel/random");
  page.Gauge("node_entropy_available_bits", "Entropy in the kernel's pool.").Add(*available);
  page.Gauge("node_entropy_pool_size_bits", "Size of the kernel's pool.").Add(*size);
  return OkStatus();
}

Status CollectKernelHung(HostSource& source, HostPage& page) {
  const auto count = source.ProcNumber("sys/kernel/hung_task_detect_count");
  if (!count) return Error(ErrorKind::kNotFound, "this kernel does not count hung tasks");
  page.Counter("node_kernel_hung_tasks_total",
               "Tasks found stuck in uninterruptible sleep since the start.")
      .Add(*count);
  return OkStatus();
}

Status CollectProcesses(HostSource& source, HostPage& page) {
  const ProcessCounts counts = CountProcesses(source);
  page.Gauge("node_processes_pids", "Processes.").Add(counts.processes);
  page.Gauge("node_processes_threads", "Threads.").Add(counts.threads);
  HostFamily& states = page.Gauge("node_processes_state", "Processes by state.");
  for (const auto& [state, count] : counts.process_states) {
    states.Add(count, {{"state", std::string_view(&state, 1)}});
  }
  HostFamily& threads = page.Gauge("node_processes_threads_state", "Threads by state.");
  for (const auto& [state, count] : counts.thread_states) {
    threads.Add(count, {{"thread_state", std::string_view(&state, 1)}});
  }
  if (const auto limit = source.ProcNumber("sys/kernel/threads-max")) {
    page.Gauge("node_processes_max_threads", "Threads that the kernel allows.").Add(*limit);
  }
  if (const auto limit = source.ProcNumber("sys/kernel/pid_max")) {
    page.Gauge("node_processes_max_processes", "Process ids that the kernel allows.").Add(*limit);
  }
  return OkStatus();
}

Status CollectOwnProcess(HostSource& source, HostPage& page) {
  static const auto page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
  FieldScanner fields(AfterCommand(TRY(source.Proc("self/stat"))));
  // Fields 3 to 24 of proc(5); state is the third.
  std::array<double, 22> values{};
  for (double& value : values)
    value = fields.NextDouble();
  const double ticks = values[11] + values[12];  // utime, stime
  const double start_ticks = values[19];
  const double virtual_bytes = values[20];
  const double resident_pages = values[21];
  page.Counter("process_cpu_seconds_total", "CPU time of this process.").Add(ticks / 100);
  page.Gauge("process_threads", "Threads of this process.").Add(values[17]);
  page.Gauge("process_virtual_memory_bytes", "Address space of this process.").Add(virtual_bytes);
  page.Gauge("process_resident_memory_bytes", "Memory of this process.")
      .Add(resident_pages * page_bytes);
  page.Gauge("process_open_fds", "Open file descriptors of this process.")
      .Add(static_cast<double>(source.ListProc("self/fd").size()));

  std::string_view limits = TRY(source.Proc("self/limits"));
  std::string_view line;
  while (TakeLine(limits, line)) {
    const bool files = line.starts_with("Max open files");
    const bool space = line.starts_with("Max address space");
    if (!files && !space) continue;
    FieldScanner words(line.substr(files ? 14 : 17));
    const std::string_view soft = words.Next();
    // As client_golang shows "unlimited": the largest number.
    const double value = soft == "unlimited" ? 18446744073709551615.0 : ToNumber(soft).value_or(0);
    if (files) {
      page.Gauge("process_max_fds", "File descriptors that this process may open.").Add(value);
    } else {
      page.Gauge("process_virtual_memory_max_bytes", "Address space that this process may use.")
          .Add(value);
    }
  }
  std::string_view stat = TRY(source.Proc("stat"));
  while (TakeLine(stat, line)) {
    if (!line.starts_with("btime ")) continue;
    FieldScanner boot(line.substr(6));
    page.Gauge("process_start_time_seconds", "When this process started, Unix time.")
        .Add(boot.NextDouble() + start_ticks / 100);
  }
  return OkStatus();
}

}  // namespace sonde::collect
