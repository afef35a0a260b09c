#include "discovery/discoverer.h"

#include <algorithm>
#include <utility>

namespace sonde::discovery {
namespace {

constexpr Duration kLongest{3'600'000};
constexpr Duration kSettle{20};  // After a change: editors and orchestrators make several in a row.

}  // namespace

/// Counted here, read by whoever reads the registry, which may outlive the Discoverer.
struct Discoverer::Metrics {
  mutable Mutex mutex;
  std::map<std::string, std::size_t> targets GUARDED_BY(mutex);
  instrument::Counter* received = nullptr;
  instrument::Counter* sent = nullptr;
  instrument::Counter* http_failures = nullptr;
  instrument::Counter* watch_errors = nullptr;

  static std::shared_ptr<Metrics> Make(instrument::Registry& registry) {
    auto metrics = std::make_shared<Metrics>();
    metrics->received = &registry.GetCounter(
        "prometheus_sd_received_updates_total",
        "Total number of update events received from the SD providers.", {{"name", "scrape"}});
    metrics->sent = &registry.GetCounter("prometheus_sd_updates_total",
                                         "Total number of update events sent to the SD consumers.",
                                         {{"name", "scrape"}});
    metrics->http_failures = &registry.GetCounter(
        "prometheus_sd_http_failures_total", "Number of HTTP service discovery refresh failures.");
    metrics->watch_errors =
        &registry.GetCounter("prometheus_sd_file_watcher_errors_total",
                             "The number of File-SD errors caused by filesystem watch failures.");
    registry.AddCollector(
        "prometheus_sd_discovered_targets", "Current number of discovered targets.",
        instrument::FamilyType::kGauge, [metrics](std::vector<instrument::Point>& out) {
          const MutexLock lock(metrics->mutex);
          for (const auto& [job, count] : metrics->targets) {
            out.push_back({{{"config", job}, {"name", "scrape"}}, static_cast<double>(count)});
          }
        });
    return metrics;
  }
};

/// What other threads ask of the discovery thread. Outlives the Discoverer in fibers that are still
/// ending.
class Discoverer::Inbox {
 public:
  explicit Inbox(std::shared_ptr<DirectoryWatch> watch) : watch_(std::move(watch)) {}

  void Post(std::function<void(Discoverer&)> task) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    watch_->Wake();
  }
  std::vector<std::function<void(Discoverer&)>> Take() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return std::exchange(tasks_, {});
  }

 private:
  const std::shared_ptr<DirectoryWatch> watch_;
  Mutex mutex_;
  std::vector<std::function<void(Discoverer&)>> tasks_ GUARDED_BY(mutex_);
};

Discoverer::Discoverer(Context context, Update update)
    : context_(std::move(context)),
      update_(std::move(update)),
      metrics_(Metrics::Make(context_.registry)),
      watch_(std::make_shared<DirectoryWatch>()),
      inbox_(std::make_shared<Inbox>(watch_)) {}

Discoverer::~Discoverer() {
  Stop();
}

void Discoverer::Apply(std::vector<JobDiscovery> jobs) {
  auto shared = std::make_shared<std::vector<JobDiscovery>>(std::move(jobs));
  inbox_->Post([shared](Discoverer& self) { self.TakeJobs(std::move(*shared)); });
}

void Discoverer::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    SetThreadName("discovery");
    RunThread(stop);
  });
}

void Discoverer::Stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    watch_->Wake();
    thread_.join();
  }
  for (auto& [name, job] : jobs_)
    RemoveJob(name, job);
  // What the fibers use of the context may go as soon as this returns.
  for (const net::FiberHandle& fiber : ending_)
    fiber.Join();
  ending_.clear();
  jobs_.clear();
}

void Discoverer::RunThread(const std::stop_token& stop) {
  std::set<std::string> changed;
  while (!stop.stop_requested()) {
    const Duration wait = Step(changed);
    changed = watch_->Wait(wait);
    if (changed.empty() || stop.stop_requested()) continue;
    changed.merge(watch_->Wait(kSettle));
  }
}

Duration Discoverer::Step(const std::set<std::string>& changed) {
  for (const auto& task : inbox_->Take())
    task(*this);
  const Timestamp now = context_.clock.Now();
  Duration wait = kLongest;
  bool refreshed = false;
  for (auto& [name, job] : jobs_) {
    bool news = false;
    for (FileSource& source : job.files) {
      const std::vector<std::string> directories = source.files.directories();
      const bool touched =
          std::any_of(directories.begin(), directories.end(),
                      [&](const std::string& directory) { return changed.contains(directory); });
      if (touched || now >= source.next) {
        metrics_->received->Add();
        refreshed = true;
        auto groups = source.files.Refresh();
        news = news || groups != source.groups;
        source.groups = std::move(groups);
        source.next = now + source.files.options().refresh_interval;
      }
      wait = std::min(wait, source.next - now);
    }
    if (news) Deliver(name, job);
  }
  if (refreshed) WatchDirectories();
  return std::max(wait, Duration(1));
}

void Discoverer::TakeJobs(std::vector<JobDiscovery> jobs) {
  std::set<std::string> wanted;
  for (const JobDiscovery& job : jobs)
    wanted.insert(job.job);
  for (auto& [name, job] : jobs_) {
    if (!wanted.contains(name)) RemoveJob(name, job);
  }
  std::erase_if(jobs_, [&](const auto& job) { return !wanted.contains(job.first); });
  for (JobDiscovery& job : jobs) {
    const auto found = jobs_.find(job.job);
    if (found != jobs_.end() && found->second.fingerprint == job.fingerprint) continue;
    Job before;
    if (found != jobs_.end()) {
      RemoveJob(found->first, found->second);
      before = std::move(found->second);
      jobs_.erase(found);
    }
    AddJob(std::move(job), std::move(before));
  }
  WatchDirectories();
}

void Discoverer::AddJob(JobDiscovery options, Job before) {
  Job& job = jobs_[options.job];
  job.fingerprint = options.fingerprint;
  job.static_groups = std::move(options.options.static_groups);
  const Timestamp now = context_.clock.Now();
  for (FileDiscoveryOptions& files : options.options.files) {
    const Duration interval = files.refresh_interval;
    const auto known =
        std::find_if(before.files.begin(), before.files.end(), [&](const FileSource& source) {
          return source.files.options().patterns == files.patterns;
        });
    if (known != before.files.end()) {
      // It remembers what files said that are broken just now.
      job.files.push_back({std::move(known->files), now + interval, {}});
      job.files.back().files.SetRefreshInterval(interval);
      job.files.back().groups = job.files.back().files.Refresh();
      before.files.erase(known);
      continue;
    }
    FileSource source{FileDiscovery(std::move(files), context_.env, context_.parse_yaml,
                                    context_.registry, context_.logger),
                      now + interval,
                      {}};
    source.groups = source.files.Refresh();
    job.files.push_back(std::move(source));
  }
  for (HttpDiscoveryOptions& http : options.options.http) {
    auto source = std::make_shared<HttpDiscovery>(
        std::move(http), HttpAccessContext{context_.env, context_.clock, context_.pool,
                                           context_.registry, "discovery", context_.user_agent});
    auto ask = [inbox = inbox_, name = options.job, source](net::Fiber& fiber) {
      do {
        auto groups = std::make_shared<Result<std::vector<TargetGroup>>>(source->Refresh(fiber));
        if (fiber.cancelled()) return;
        inbox->Post([name, source, groups](Discoverer& self) {
          self.TakeHttp(name, source.get(), std::move(*groups));
        });
      } while (fiber.Sleep(source->options().refresh_interval).ok());
    };
    job.http.push_back({source, context_.loops.Next().Spawn(std::move(ask)), {}});
    // Until it answers, what it said under the old configuration holds.
    for (const HttpSource& known : before.http) {
      if (known.http->options().url == source->options().url) job.http.back().groups = known.groups;
    }
  }
  Deliver(options.job, job);
}

void Discoverer::RemoveJob(const std::string& name, Job& job) {
  std::erase_if(ending_, [](const net::FiberHandle& fiber) { return fiber.done(); });
  for (const HttpSource& source : job.http) {
    source.fiber.Cancel();
    ending_.push_back(source.fiber);
  }
  const MutexLock lock(metrics_->mutex);
  metrics_->targets.erase(name);
}

void Discoverer::TakeHttp(const std::string& job, const HttpDiscovery* http,
                          Result<std::vector<TargetGroup>> groups) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  for (HttpSource& source : found->second.http) {
    if (source.http.get() != http) continue;
    metrics_->received->Add();
    if (!groups) {
      metrics_->http_failures->Add();
      if (!source.failing) {
        context_.logger.Error(
            "cannot refresh targets",
            {{"job", job}, {"url", http->options().url}, {"err", groups.error()}});
      }
      source.failing = true;
      return;  // What was known stays.
    }
    source.failing = false;
    if (source.groups == *groups) return;
    source.groups = *std::move(groups);
    Deliver(job, found->second);
    return;
  }
}

void Discoverer::Deliver(const std::string& name, const Job& job) {
  std::vector<TargetGroup> all = job.static_groups;
  for (const FileSource& source : job.files)
    all.insert(all.end(), source.groups.begin(), source.groups.end());
  for (const HttpSource& source : job.http)
    all.insert(all.end(), source.groups.begin(), source.groups.end());
  std::size_t targets = 0;
  for (const TargetGroup& group : all)
    targets += group.targets.size();
  {
    const MutexLock lock(metrics_->mutex);
    metrics_->targets[name] = targets;
  }
  metrics_->sent->Add();
  update_(name, std::move(all));
}

void Discoverer::WatchDirectories() {
  std::set<std::string> wanted;
  for (const auto& [name, job] : jobs_) {
    for (const FileSource& source : job.files) {
      for (std::string& directory : source.files.directories())
        wanted.insert(std::move(directory));
    }
  }
  watch_->Keep(wanted);
  for (const std::string& directory : wanted) {
    const Status status = watch_->Add(directory);
    if (status) {
      unwatched_.erase(directory);
      continue;
    }
    metrics_->watch_errors->Add();
    if (unwatched_.insert(directory).second) {
      context_.logger.Warn("target files are read only at their refresh interval",
                           {{"err", status.error()}});
    }
  }
}

}  // namespace sonde::discovery
