#include "collect/host/filesystem.h"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread_pool.h"

namespace sonde::collect {
namespace {

constexpr int kMaxThreads = 8;
constexpr std::size_t kMaxMounts = 4096;

// "\040" → " ".
std::string DecodeOctal(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7' ? text[at] - '0' : -1;
    };
    if (text[i] == '\\' && digit(i + 1) >= 0 && digit(i + 2) >= 0 && digit(i + 3) >= 0) {
      decoded += static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3));
      i += 3;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::size_t comma = options.find(',');
    if (options.substr(0, comma) == wanted) return true;
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
  }
  return false;
}

}  // namespace

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
std::vector<Mount> ParseMountInfo(std::string_view text) {
  std::vector<Mount> mounts;
  std::string_view line;
  while (TakeLine(text, line) && mounts.size() < kMaxMounts) {
    FieldScanner fields(line);
    fields.Next();
    fields.Next();
    Mount mount;
    const std::string_view numbers = fields.Next();
    const std::size_t colon = numbers.find(':');
    fields.Next();  // The root within the file system.
    mount.mount_point = DecodeOctal(fields.Next());
    const std::string_view options = fields.Next();
    std::string_view field;
    while (!(field = fields.Next()).empty() && field != "-") {
    }
    mount.fs_type = fields.Next();
    mount.device = DecodeOctal(fields.Next());
    const std::string_view super_options = fields.Next();
    if (colon == std::string_view::npos || mount.fs_type.empty() || mount.mount_point.empty())
      continue;
    mount.major = numbers.substr(0, colon);
    mount.minor = numbers.substr(colon + 1);
    mount.read_only = HasOption(options, "ro") || HasOption(super_options, "ro") ||
                      HasOption(super_options, "emergency_ro");
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// What the asking threads and the collector share; outlives the collector while a call hangs.
struct FilesystemCollector::Shared {
  struct State {
    std::optional<Result<FilesystemUsage>> last;  // The newest answer.
    bool asked = false;                           // Queued or being answered.
    bool stuck = false;
    std::int64_t started_nanos = -1;  // Being answered since then; -1: still queued.
    int thread = 0;                   // By which thread.
  };

  explicit Shared(UsageCall call) : usage(std::move(call)) {}

  void Work(int number, const Clock& clock) EXCLUDES(mutex);

  const UsageCall usage;
  Mutex mutex;
  CondVar work;
  CondVar answered;
  std::map<std::string, State> mounts GUARDED_BY(mutex);
  std::deque<std::string> queue GUARDED_BY(mutex);
  std::set<int> given_up GUARDED_BY(mutex);  // Threads whose call hangs.
  std::map<int, std::thread> threads GUARDED_BY(mutex);
  int next_thread GUARDED_BY(mutex) = 0;
  bool stopping GUARDED_BY(mutex) = false;
};

void FilesystemCollector::Shared::Work(int number, const Clock& clock) {
  SetThreadName("collect-host");
  while (true) {
    std::string path;
    {
      MutexLock lock(mutex);
      while (queue.empty() && !stopping)
        work.Wait(mutex);
      if (stopping) return;
      path = std::move(queue.front());
      queue.pop_front();
      State& state = mounts[path];
      state.started_nanos = clock.MonotonicNanos();
      state.thread = number;
    }
    auto answer = usage(path);  // May take for ever; `clock` may be gone afterwards.
    MutexLock lock(mutex);
    if (const auto found = mounts.find(path); found != mounts.end()) {
      found->second.last = std::move(answer);
      found->second.asked = false;
      found->second.stuck = false;
      found->second.started_nanos = -1;
    }
    answered.NotifyAll();
    if (given_up.erase(number) > 0) return;
  }
}

Result<std::unique_ptr<FilesystemCollector>> FilesystemCollector::Make(const HostOptions& options,
                                                                       UsageCall usage,
                                                                       const Clock& clock) {
  auto mounts = Regex::Compile(options.mount_points_exclude);
  if (!mounts) return std::move(mounts).error().Wrap("mount_points_exclude");
  auto types = Regex::Compile(options.fs_types_exclude);
  if (!types) return std::move(types).error().Wrap("fs_types_exclude");
  return std::unique_ptr<FilesystemCollector>(new FilesystemCollector(
      options, std::move(usage), clock, *std::move(mounts), *std::move(types)));
}

FilesystemCollector::FilesystemCollector(const HostOptions& options, UsageCall usage,
                                         const Clock& clock, Regex mounts, Regex types)
    : mount_timeout_(options.mount_timeout),
      mount_wait_(options.mount_wait),
      rootfs_(options.rootfs == "/" ? "" : options.rootfs),
      clock_(clock),
      mounts_exclude_(std::move(mounts)),
      types_exclude_(std::move(types)),
      shared_(std::make_shared<Shared>(std::move(usage))) {}

FilesystemCollector::~FilesystemCollector() {
  std::map<int, std::thread> threads;
  std::set<int> hanging;
  {
    MutexLock lock(shared_->mutex);
    shared_->stopping = true;
    shared_->work.NotifyAll();
    // A call in flight most likely returns at once, but nobody can know.
    const auto calls_in_flight = [&]() REQUIRES(shared_->mutex) {
      hanging.clear();
      for (const auto& [path, state] : shared_->mounts) {
        if (state.started_nanos >= 0) hanging.insert(state.thread);
      }
      return !hanging.empty();
    };
    if (calls_in_flight()) {
      shared_->answered.WaitFor(shared_->mutex, mount_wait_);
      calls_in_flight();
    }
    threads.swap(shared_->threads);
  }
  for (auto& [number, thread] : threads) {
    if (hanging.contains(number)) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

void FilesystemCollector::Ask(const std::vector<Mount>& mounts) {
  MutexLock lock(shared_->mutex);
  std::set<std::string> present;
  for (const Mount& mount : mounts) {
    const std::string path = rootfs_ + mount.mount_point;
    present.insert(path);
    Shared::State& state = shared_->mounts[path];
    if (state.asked) continue;
    state.asked = true;
    shared_->queue.push_back(path);
  }
  // Forget what was unmounted, unless a call to it still hangs.
  std::erase_if(shared_->mounts, [&](const auto& entry) {
    return !present.contains(entry.first) && !entry.second.asked;
  });
  if (shared_->threads.empty()) {
    const int number = ++shared_->next_thread;
    shared_->threads.emplace(
        number, [shared = shared_, number, &clock = clock_] { shared->Work(number, clock); });
  }
  shared_->work.NotifyOne();
  const auto all_answered = [&]() REQUIRES(shared_->mutex) {
    for (const auto& [path, state] : shared_->mounts) {
      if (state.asked && !state.stuck) return false;
    }
    return true;
  };
  while (!all_answered() && shared_->answered.WaitFor(shared_->mutex, mount_wait_)) {
  }
}

void FilesystemCollector::GiveUpStuckThread() {
  MutexLock lock(shared_->mutex);
  const std::int64_t now = clock_.MonotonicNanos();
  const std::int64_t timeout_nanos = std::chrono::nanoseconds(mount_timeout_).count();
  for (auto& [path, state] : shared_->mounts) {
    if (state.stuck || state.started_nanos < 0 || now - state.started_nanos < timeout_nanos)
      continue;
    state.stuck = true;
    shared_->given_up.insert(state.thread);
    if (const auto found = shared_->threads.find(state.thread); found != shared_->threads.end()) {
      found->second.detach();
      shared_->threads.erase(found);
    }
    if (static_cast<int>(shared_->given_up.size()) >= kMaxThreads) continue;
    const int number = ++shared_->next_thread;
    shared_->threads.emplace(
        number, [shared = shared_, number, &clock = clock_] { shared->Work(number, clock); });
  }
}

Status FilesystemCollector::Collect(HostSource& source, HostPage& page) {
  // Those of process 1 are the host's even where this process has a mount namespace of its own.
  auto text = source.ReadProc("1/mountinfo");
  if (!text) text = source.ReadProc("self/mountinfo");
  if (!text) return Error(ErrorKind::kNotFound, "no mountinfo in procfs");
  std::vector<Mount> mounts = ParseMountInfo(*text);
  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(mounts, [&](const Mount& mount) {
    return types_exclude_.Matches(mount.fs_type) || mounts_exclude_.Matches(mount.mount_point) ||
           !seen.emplace(mount.device, mount.mount_point).second;
  });
  Ask(mounts);
  GiveUpStuckThread();

  HostFamily& errors =
      page.Gauge("node_filesystem_device_error", "1 if the file system does not answer.");
  HostFamily& read_only = page.Gauge("node_filesystem_readonly", "1 if mounted read-only.");
  HostFamily& size = page.Gauge("node_filesystem_size_bytes", "Size.");
  HostFamily& free = page.Gauge("node_filesystem_free_bytes", "Free space.");
  HostFamily& avail = page.Gauge("node_filesystem_avail_bytes", "Free space for other than root.");
  HostFamily& files = page.Gauge("node_filesystem_files", "Inodes.");
  HostFamily& files_free = page.Gauge("node_filesystem_files_free", "Free inodes.");
  HostFamily& info = page.Gauge("node_filesystem_mount_info", "1, with the device's numbers.");
  MutexLock lock(shared_->mutex);
  for (const Mount& mount : mounts) {
    const auto found = shared_->mounts.find(rootfs_ + mount.mount_point);
    if (found == shared_->mounts.end()) continue;
    const Shared::State& state = found->second;
    if (!state.stuck && !state.last) continue;  // Asked for the first time and slow.
    const bool failed = state.stuck || !state.last->ok();
    const std::string_view problem = state.stuck ? "mountpoint timeout"
                                     : failed    ? std::string_view(state.last->error().message())
                                                 : std::string_view();
    const LabelView labels[] = {{"device", mount.device},
                                {"fstype", mount.fs_type},
                                {"mountpoint", mount.mount_point},
                                {"device_error", problem}};
    const std::size_t count = failed ? 4 : 3;
    errors.Add(failed ? 1 : 0, labels, count);
    read_only.Add(mount.read_only ? 1 : 0, labels, count);
    if (failed) continue;
    const FilesystemUsage& usage = **state.last;
    size.Add(usage.size_bytes, labels, count);
    free.Add(usage.free_bytes, labels, count);
    avail.Add(usage.avail_bytes, labels, count);
    files.Add(usage.files, labels, count);
    files_free.Add(usage.files_free, labels, count);
    info.Add(1, {{"device", mount.device},
                 {"major", mount.major},
                 {"minor", mount.minor},
                 {"mountpoint", mount.mount_point}});
  }
  return OkStatus();
}

}  // namespace sonde::collect
