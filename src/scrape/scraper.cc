#include "scrape/scraper.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "base/hash.h"
#include "scrape/relabel.h"
#include "scrape/target.h"

namespace sonde::scrape {
namespace {

constexpr Duration kTolerance{2};  // A scrape that starts so little late gets the planned time.
constexpr Duration kLongestWait{60'000};
constexpr Duration kClockStep{1'000};
constexpr Duration kRetry{100};  // For markers of a target whose last scrape is still under way.

bool SameRule(const RelabelRule& a, const RelabelRule& b) {
  const bool same_regex = a.regex.has_value() == b.regex.has_value() &&
                          (!a.regex || a.regex->pattern() == b.regex->pattern());
  return same_regex && a.source_labels == b.source_labels && a.separator == b.separator &&
         a.modulus == b.modulus && a.target_label == b.target_label &&
         a.replacement == b.replacement && a.action == b.action && a.legacy_names == b.legacy_names;
}

/// True if what is remembered of a target's series holds under both.
bool SameSeries(const ScrapeOptions& a, const ScrapeOptions& b) {
  return a.honor_labels == b.honor_labels && a.legacy_names == b.legacy_names &&
         a.label_limit == b.label_limit && a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         std::equal(a.metric_relabel_rules.begin(), a.metric_relabel_rules.end(),
                    b.metric_relabel_rules.begin(), b.metric_relabel_rules.end(), SameRule);
}

}  // namespace

/// One job. Owned by the scrape thread.
struct Scraper::Pool {
  std::shared_ptr<const ScrapeOptions> options;
  std::shared_ptr<PageSource> source;
  bool internal = false;  // Not of the configuration; its targets are scraped at once.
  bool restart = false;   // The options changed so that all loops have to begin anew.
  bool dirty = false;
  std::vector<discovery::TargetGroup> groups;
  std::optional<Timestamp> synced;
  std::unordered_map<std::uint64_t, std::shared_ptr<ScrapeLoop>> loops;  // By target hash.
  std::vector<Labels> dropped;
  std::uint64_t dropped_count = 0;
  std::set<std::string> failures;  // Said already.
  ScrapeMetrics::Pool numbers;
};

/// Tasks for the scrape thread, and its alarm clock.
class Scraper::Inbox {
 public:
  void Post(std::function<void(Scraper&)> task) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.NotifyAll();
  }
  std::vector<std::function<void(Scraper&)>> Take() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return std::exchange(tasks_, {});
  }
  /// Returns when there is a task, Wake was called, or `timeout` has passed.
  void Wait(Duration timeout) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (tasks_.empty() && !woken_ && timeout > Duration(0)) changed_.WaitFor(mutex_, timeout);
    woken_ = false;
  }
  void Wake() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    woken_ = true;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::function<void(Scraper&)>> tasks_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
};

/// Counts scrapes under way, for Stop.
class Scraper::Running {
 public:
  void Change(bool begins) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    count_ += begins ? 1 : -1;
    if (count_ == 0) none_.NotifyAll();
  }
  void AwaitNone() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (count_ > 0)
      none_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar none_;
  int count_ GUARDED_BY(mutex_) = 0;
};

Scraper::Scraper(ScraperContext context, ScraperOptions options)
    : context_(std::move(context)),
      options_(options),
      budget_(std::make_shared<BodyBudget>(options.max_bodies_in_memory_bytes)),
      metrics_(ScrapeMetrics::Make(context_.registry)),
      running_(std::make_shared<Running>()),
      loop_context_(std::make_shared<const LoopContext>(LoopContext{
          context_.store, context_.clock, context_.mapper, metadata_, metrics_, context_.logger,
          [running = running_](bool begins) { running->Change(begins); }})),
      inbox_(std::make_unique<Inbox>()),
      seed_(Fnv64a(context_.host_name + "{}")),
      view_(std::make_shared<const std::vector<PoolView>>()) {}

Scraper::~Scraper() {
  Stop();
}

void Scraper::Post(std::function<void(Scraper&)> task) {
  inbox_->Post(std::move(task));
}

void Scraper::ApplyConfig(std::vector<std::shared_ptr<const ScrapeOptions>> jobs,
                          Labels external_labels) {
  Post([jobs = std::move(jobs), external_labels = std::move(external_labels)](Scraper& self) {
    self.TakeConfig(jobs, external_labels);
  });
}

void Scraper::SetTargets(const std::string& job, std::vector<discovery::TargetGroup> groups) {
  PostTargets(job, std::move(groups), false);
}

void Scraper::SetDynamicTargets(const std::string& job,
                                std::vector<discovery::TargetGroup> groups) {
  PostTargets(job, std::move(groups), true);
}

void Scraper::PostTargets(const std::string& job, std::vector<discovery::TargetGroup> groups,
                          bool internal) {
  auto shared = std::make_shared<std::vector<discovery::TargetGroup>>(std::move(groups));
  Post([job, shared, internal](Scraper& self) {
    const auto found = self.pools_.find(job);
    // The job is gone and its discovery has not noticed yet, or another one has its name.
    if (found == self.pools_.end() || found->second->internal != internal) return;
    found->second->groups = std::move(*shared);
    found->second->dirty = true;
  });
}

bool Scraper::IsTaken(const std::string& job) const {
  const auto found = pools_.find(job);
  if (found == pools_.end() || found->second->internal) return false;
  WarnTaken(job);
  return true;
}

void Scraper::WarnTaken(const std::string& job) const {
  context_.logger.Warn("a job of the configuration replaces one of Sonde's own", {{"job", job}});
}

void Scraper::AddInternal(InternalTarget target) {
  auto shared = std::make_shared<InternalTarget>(std::move(target));
  Post([shared](Scraper& self) {
    if (self.IsTaken(shared->options.job_name)) return;
    Pool& pool = self.MakePool(std::make_shared<const ScrapeOptions>(shared->options));
    pool.internal = true;
    pool.source =
        std::make_shared<FunctionPageSource>(shared->render, shared->format, self.context_.pool);
    LabelsBuilder labels(shared->labels);
    labels.Set("__address__", shared->address);
    pool.groups = {{"internal", {}, {labels.Build()}}};
    pool.dirty = true;
  });
}

void Scraper::AddDynamicJob(ScrapeOptions options) {
  auto shared = std::make_shared<const ScrapeOptions>(std::move(options));
  Post([shared](Scraper& self) {
    if (!self.IsTaken(shared->job_name)) self.MakePool(shared).internal = true;
  });
}

void Scraper::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    SetThreadName("scrape");
    RunThread(stop);
  });
}

void Scraper::Stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    inbox_->Wake();
    thread_.join();
  }
  for (const auto& [job, pool] : pools_) {
    for (const auto& [hash, loop] : pool->loops)
      loop->Abandon();
    if (pool->source != nullptr) pool->source->CancelAll();
  }
  running_->AwaitNone();
  while (!schedule_.empty())
    schedule_.pop();
  for (const auto& [job, pool] : pools_)
    metrics_->RemovePool(job);
  pools_.clear();
}

void Scraper::AwaitIdle() {
  running_->AwaitNone();
}

void Scraper::RunThread(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Timestamp next = Step();
    inbox_->Wait(std::min(kLongestWait, next - context_.clock.Now()));
  }
}

Timestamp Scraper::Step() {
  for (const auto& task : inbox_->Take())
    task(*this);
  FollowClock();
  Timestamp now = context_.clock.Now();
  Timestamp next = now + kLongestWait;
  for (const auto& [job, pool] : pools_) {
    if (!pool->dirty) continue;
    const Timestamp due = pool->synced ? *pool->synced + options_.sync_interval : now;
    if (due <= now || pool->restart) {
      Sync(*pool);
    } else {
      next = std::min(next, due);
    }
  }
  if (changed_) Publish();
  now = context_.clock.Now();
  while (!schedule_.empty() && schedule_.top().at <= now) {
    const Entry entry = schedule_.top();
    schedule_.pop();
    Run(entry, now);
  }
  return schedule_.empty() ? next : std::min(next, schedule_.top().at);
}

/// The machine's clock may be set. What is planned is planned by the wall clock, so it has to move
/// along: else a step back would stop all scrapes until the old time comes again.
void Scraper::FollowClock() {
  const Timestamp now = context_.clock.Now();
  const std::int64_t nanos = context_.clock.MonotonicNanos();
  const Duration step = (now - last_now_) - Duration((nanos - last_nanos_) / 1'000'000);
  const bool first = last_nanos_ == 0;
  last_now_ = now;
  last_nanos_ = nanos;
  if (first || std::abs(step.count()) < kClockStep.count()) return;
  context_.logger.Warn("the clock was set: scrapes are planned anew", {{"step", step}});
  std::vector<Entry> entries;
  for (; !schedule_.empty(); schedule_.pop())
    entries.push_back(schedule_.top());
  for (Entry& entry : entries) {
    entry.at = entry.due == Due::kEndOfRun
                   ? entry.at + step
                   : NextScrape(now, entry.loop->spec().hash, seed_, entry.loop->spec().interval);
    entry.stale_at += step;
    schedule_.push(std::move(entry));
  }
  for (const auto& [job, pool] : pools_) {
    if (pool->synced) *pool->synced += step;
  }
}

void Scraper::TakeConfig(std::vector<std::shared_ptr<const ScrapeOptions>> jobs,
                         const Labels& external_labels) {
  seed_ = Fnv64a(context_.host_name + external_labels.ToString());
  std::set<std::string> wanted;
  for (const auto& job : jobs)
    wanted.insert(job->job_name);
  for (auto it = pools_.begin(); it != pools_.end();) {
    Pool& pool = *it->second;
    const bool taken = wanted.contains(it->first);
    if (pool.internal && taken) {
      WarnTaken(it->first);
    }
    if (pool.internal == taken) {
      RemovePool(pool);
      it = pools_.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& job : jobs) {
    const auto found = pools_.find(job->job_name);
    if (found == pools_.end()) {
      MakePool(std::move(job));
    } else if (found->second->options->fingerprint != job->fingerprint || job->fingerprint == 0) {
      TakeOptions(*found->second, std::move(job));
    }
  }
}

void Scraper::TakeOptions(Pool& pool, std::shared_ptr<const ScrapeOptions> options) {
  metrics_->reloads->Add();
  pool.restart = !SameSeries(*pool.options, *options);
  pool.options = std::move(options);
  pool.source = nullptr;  // Other credentials, perhaps: Sync makes a new one.
  pool.dirty = true;
  pool.synced.reset();
  pool.failures.clear();
}

Scraper::Pool& Scraper::MakePool(std::shared_ptr<const ScrapeOptions> options) {
  metrics_->pools->Add();
  auto pool = std::make_unique<Pool>();
  pool->options = std::move(options);
  changed_ = true;
  auto& slot = pools_[pool->options->job_name];
  if (slot != nullptr) RemovePool(*slot);
  slot = std::move(pool);
  return *slot;
}

void Scraper::RemovePool(Pool& pool) {
  for (const auto& [hash, loop] : pool.loops)
    Retire(loop);
  metrics_->RemovePool(pool.options->job_name);
  changed_ = true;
}

/// The pool's targets as its groups and rules have them, each once.
std::unordered_map<std::uint64_t, TargetSpec> Scraper::CollectTargets(Pool& pool) {
  pool.dropped.clear();
  pool.dropped_count = 0;
  std::unordered_map<std::uint64_t, TargetSpec> wanted;
  for (const discovery::TargetGroup& group : pool.groups) {
    for (std::size_t i = 0; i < group.targets.size(); ++i) {
      auto spec = MakeTarget(*pool.options, group.targets[i], group.labels);
      if (!spec) {
        pool.numbers.sync_failures += 1;
        std::string failure =
            fmt::format("instance {} in group {}: {}", i, group.source, spec.error().message());
        if (pool.failures.insert(failure).second) {
          context_.logger.Error("Creating target failed",
                                {{"scrape_pool", pool.options->job_name}, {"err", failure}});
        }
      } else if (*spec) {
        wanted.try_emplace((*spec)->hash, **std::move(spec));
      } else {
        ++pool.dropped_count;
        const std::uint64_t keep = pool.options->keep_dropped_targets;
        if (keep == 0 || pool.dropped.size() < keep) {
          pool.dropped.push_back(DiscoveredLabels(*pool.options, group.targets[i], group.labels));
        }
      }
    }
  }
  return wanted;
}

void Scraper::Sync(Pool& pool) {
  const std::int64_t start = context_.clock.MonotonicNanos();
  const std::string& job = pool.options->job_name;
  pool.dirty = false;
  pool.synced = context_.clock.Now();
  if (pool.source == nullptr) {
    const Duration idle = std::max(Duration(300'000), pool.options->interval * 2);
    pool.source = std::make_shared<HttpPageSource>(
        pool.options->access,
        discovery::HttpAccessContext{context_.env, context_.clock, context_.pool, context_.registry,
                                     "scrape", context_.user_agent, idle},
        context_.loops, budget_, options_.max_body_bytes);
  }

  auto wanted = CollectTargets(pool);
  std::erase_if(pool.loops, [&](const auto& entry) {
    if (!pool.restart && wanted.contains(entry.first)) return false;
    Retire(entry.second);
    return true;
  });
  pool.restart = false;
  for (auto& [hash, spec] : wanted) {
    const auto found = pool.loops.find(hash);
    if (found == pool.loops.end()) {
      AddLoop(pool, std::move(spec));
    } else {
      found->second->Update(pool.options, pool.source, std::move(spec.discovered));
    }
  }

  std::optional<Error> forced;
  const std::uint64_t limit = pool.options->target_limit;
  if (limit > 0 && pool.loops.size() > limit) {
    metrics_->exceeded_target_limit->Add();
    forced = Error(ErrorKind::kInvalid,
                   fmt::format("target_limit exceeded (number of targets: {}, limit: {})",
                               pool.loops.size(), limit));
  }
  for (const auto& [hash, loop] : pool.loops)
    loop->Force(forced);
  pool.numbers.targets = static_cast<double>(pool.loops.size());
  pool.numbers.target_limit = static_cast<double>(limit);
  pool.numbers.syncs += 1;
  pool.numbers.sync_seconds += static_cast<double>(context_.clock.MonotonicNanos() - start) / 1e9;
  metrics_->SetPool(job, pool.numbers);
  changed_ = true;
}

void Scraper::AddLoop(Pool& pool, TargetSpec spec) {
  const std::uint64_t hash = spec.hash;
  const Duration interval = spec.interval;
  auto loop =
      std::make_shared<ScrapeLoop>(std::move(spec), pool.options, pool.source, loop_context_);
  pool.loops.emplace(hash, loop);
  const Timestamp now = context_.clock.Now();
  const Timestamp at = pool.internal ? now : NextScrape(now, hash, seed_, interval);
  Schedule({at, 0, Due::kScrape, std::move(loop), {}});
}

void Scraper::Retire(const std::shared_ptr<ScrapeLoop>& loop) {
  loop->Retire();
  // The first scrape that will be missed gives the time of the markers; they are written once the
  // target, had it come back, would have been scraped again.
  const Duration interval = loop->spec().interval;
  const Timestamp missed = NextScrape(context_.clock.Now(), loop->spec().hash, seed_, interval);
  Schedule({missed + interval + interval / 10, 0, Due::kEndOfRun, loop, missed});
}

void Scraper::Schedule(Entry entry) {
  entry.number = ++entries_;
  schedule_.push(std::move(entry));
}

void Scraper::Run(const Entry& entry, Timestamp now) {
  ScrapeLoop& loop = *entry.loop;
  if (entry.due == Due::kEndOfRun) {
    if (loop.busy()) {
      Schedule({now + kRetry, 0, Due::kEndOfRun, entry.loop, entry.stale_at});
      return;
    }
    running_->Change(true);
    auto write = [running = running_, shared = entry.loop, at = entry.stale_at] {
      shared->EndOfRun(at);
      running->Change(false);
    };
    if (!context_.pool.Submit(write)) write();
    return;
  }
  if (loop.retired()) return;
  const Duration interval = loop.spec().interval;
  const Duration tolerance = std::min(kTolerance, interval / 100);
  if (!loop.Begin(now - entry.at <= tolerance ? entry.at : now)) metrics_->skipped->Add();
  const Timestamp next = NextScrape(now, loop.spec().hash, seed_, interval);
  Schedule({next, 0, Due::kScrape, entry.loop, {}});
}

void Scraper::Publish() {
  auto view = std::make_shared<std::vector<PoolView>>();
  for (const auto& [job, pool] : pools_) {
    PoolView one{job, pool->options, {}, pool->dropped, pool->dropped_count};
    for (const auto& [hash, loop] : pool->loops)
      one.active.push_back(loop);
    std::sort(one.active.begin(), one.active.end(),
              [](const auto& a, const auto& b) { return a->spec().url < b->spec().url; });
    view->push_back(std::move(one));
  }
  changed_ = false;
  const MutexLock lock(view_mutex_);
  view_ = std::move(view);
}

TargetsView Scraper::targets() const {
  const MutexLock lock(view_mutex_);
  return view_;
}

std::map<std::string, std::vector<std::shared_ptr<const FamilyMetadata>>> MergeMetadata(
    const std::vector<PoolView>& pools, std::string_view family) {
  std::map<std::string, std::vector<std::shared_ptr<const FamilyMetadata>>> merged;
  std::set<const FamilyMetadata*> seen;  // MetadataPool makes equal ones the same.
  for (const PoolView& pool : pools) {
    for (const auto& loop : pool.active) {
      const FamilyCache::List list = loop->metadata();
      for (const auto& entry : *list) {
        if (!family.empty() && entry->family != family) continue;
        if (seen.insert(entry.get()).second) merged[entry->family].push_back(entry);
      }
    }
  }
  return merged;
}

std::vector<RelabelStep> RelabelSteps(const ScrapeOptions& options, const Labels& discovered) {
  std::vector<RelabelStep> steps;
  LabelsBuilder labels(discovered);
  for (const RelabelRule& rule : options.relabel_rules) {
    const bool keep = ApplyRelabelRule(rule, labels);
    steps.push_back({&rule, keep ? labels.Build() : Labels(), keep});
    if (!keep) break;
  }
  return steps;
}

}  // namespace sonde::scrape
