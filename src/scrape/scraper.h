#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "discovery/target_group.h"
#include "instrument/registry.h"
#include "model/series_mapper.h"
#include "net/event_loop.h"
#include "scrape/options.h"
#include "scrape/page_source.h"
#include "scrape/scrape_loop.h"
#include "scrape/scrape_metrics.h"
#include "storage/storage.h"

namespace sonde::scrape {

/// What the scraper needs of the process. References outlive it.
struct ScraperContext {
  storage::Appendable& store;
  const Clock& clock;
  Env& env;
  ThreadPool& pool;       ///< Where pages are parsed and ingested.
  net::LoopGroup& loops;  ///< Where targets are asked.
  instrument::Registry& registry;
  Logger logger;
  const SeriesMapper* mapper = nullptr;  ///< Null: no canonical series.
  std::string user_agent = "Sonde";
  std::string host_name;  ///< Servers with other names scrape the same target at other times.
};

struct ScraperOptions {
  std::uint64_t max_body_bytes = 256ULL << 20;  ///< Of one page, where its job sets no limit.
  std::uint64_t max_bodies_in_memory_bytes = 1ULL << 30;  ///< Of all pages under way.
  Duration sync_interval{5'000};  ///< Changes of a job's targets are taken over at most this often.
};

/// A page of this process that is scraped like any other target.
struct InternalTarget {
  ScrapeOptions options;  ///< job_name, interval, timeout …; no discovery.
  std::string address;    ///< Becomes `instance`, unless `labels` has one.
  Labels labels;
  wire::ExpositionFormat format = wire::ExpositionFormat::kText;
  FunctionPageSource::Render render;
};

/// The targets of one job, as of one moment.
struct PoolView {
  std::string job;
  std::shared_ptr<const ScrapeOptions> options;
  std::vector<std::shared_ptr<const ScrapeLoop>> active;  ///< By URL.
  std::vector<Labels> dropped;  ///< Discovered labels; at most keep_dropped_targets.
  std::uint64_t dropped_count = 0;
};
using TargetsView = std::shared_ptr<const std::vector<PoolView>>;

/// Scrapes all targets of all jobs.
///
/// One thread (`scrape`) owns the jobs and their targets, and starts each scrape when it is due;
/// loops fetch, workers ingest. Apply…, Set… and Add… may be called by any thread at any time and
/// are taken over by that thread, soon; views are immutable snapshots. Start and Stop by the owner.
class Scraper {
 public:
  Scraper(ScraperContext context, ScraperOptions options);
  ~Scraper();

  /// Replaces the jobs of the configuration. Unchanged jobs go on as they are; the targets of a
  /// changed one keep their state where the change does not concern their series; those of a job
  /// that is gone end.
  void ApplyConfig(std::vector<std::shared_ptr<const ScrapeOptions>> jobs, Labels external_labels);
  /// All target groups of one job of the configuration (discovery::Discoverer::Update).
  void SetTargets(const std::string& job, std::vector<discovery::TargetGroup> groups);

  /// A page of this process: the host's, Sonde's own. Scraped at once, then on its grid.
  void AddInternal(InternalTarget target);
  /// A job whose targets this process finds itself (engines): announced once, then fed by
  /// SetDynamicTargets. Its targets are scraped as soon as they are known. A job of the
  /// configuration with the same name takes its place, whichever of them comes first.
  void AddDynamicJob(ScrapeOptions options);
  void SetDynamicTargets(const std::string& job, std::vector<discovery::TargetGroup> groups);

  void Start();
  /// Ends without stale markers, as a server that will be back. Waits for scrapes under way, which
  /// are cancelled. Idempotent.
  void Stop();

  /// The targets now. Never null. Thread-safe.
  TargetsView targets() const EXCLUDES(view_mutex_);

  /// One round of the scrape thread: takes over what was posted, updates targets, starts what is
  /// due. Returns when the next thing is due. Tests call it instead of Start.
  Timestamp Step();
  /// Returns when no scrape is under way.
  void AwaitIdle();

 private:
  struct Pool;
  class Inbox;
  class Running;

  enum class Due : unsigned char { kScrape, kEndOfRun };
  struct Entry {
    Timestamp at;
    std::uint64_t number =
        0;  // Of the schedule entry: equal times run in the order in which they were made.
    Due due = Due::kScrape;
    std::shared_ptr<ScrapeLoop> loop;
    Timestamp stale_at;  // kEndOfRun.
    bool operator<(const Entry& other) const {
      return at != other.at ? at > other.at : number > other.number;  // The earliest on top.
    }
  };

  void Post(std::function<void(Scraper&)> task);
  void TakeConfig(std::vector<std::shared_ptr<const ScrapeOptions>> jobs,
                  const Labels& external_labels);
  void TakeOptions(Pool& pool, std::shared_ptr<const ScrapeOptions> options);
  void PostTargets(const std::string& job, std::vector<discovery::TargetGroup> groups,
                   bool internal);
  /// The configuration has a job of this name: one of Sonde's own gives way.
  bool IsTaken(const std::string& job) const;
  void WarnTaken(const std::string& job) const;
  Pool& MakePool(std::shared_ptr<const ScrapeOptions> options);
  void RemovePool(Pool& pool);
  void Sync(Pool& pool);
  std::unordered_map<std::uint64_t, TargetSpec> CollectTargets(Pool& pool);
  void AddLoop(Pool& pool, TargetSpec spec);
  void Retire(const std::shared_ptr<ScrapeLoop>& loop);
  void Run(const Entry& entry, Timestamp now);
  void Schedule(Entry entry);
  void FollowClock();
  void Publish();
  void RunThread(const std::stop_token& stop);

  const ScraperContext context_;
  const ScraperOptions options_;
  const std::shared_ptr<BodyBudget> budget_;
  MetadataPool metadata_;
  const std::shared_ptr<ScrapeMetrics> metrics_;
  const std::shared_ptr<Running> running_;
  const std::shared_ptr<const LoopContext> loop_context_;
  const std::unique_ptr<Inbox> inbox_;

  // Owned by the scrape thread.
  std::map<std::string, std::unique_ptr<Pool>> pools_;
  std::priority_queue<Entry> schedule_;
  std::uint64_t entries_ = 0;
  std::uint64_t seed_ = 0;
  bool changed_ = false;  // The view is out of date.
  Timestamp last_now_;    // The clocks at the last step.
  std::int64_t last_nanos_ = 0;

  mutable Mutex view_mutex_;
  TargetsView view_ GUARDED_BY(view_mutex_);
  std::jthread thread_;
};

/// What all targets say about each family, each thing once: `/api/v1/metadata`. `family` empty: all
/// families.
std::map<std::string, std::vector<std::shared_ptr<const FamilyMetadata>>> MergeMetadata(
    const std::vector<PoolView>& pools, std::string_view family = {});

/// One step of a target's relabelling, for `/api/v1/targets/relabel_steps`.
struct RelabelStep {
  const RelabelRule* rule = nullptr;  ///< Of the options that were given.
  Labels output;
  bool keep = true;
};
/// What each rule makes of `discovered`, up to the one that drops it.
std::vector<RelabelStep> RelabelSteps(const ScrapeOptions& options, const Labels& discovered);

}  // namespace sonde::scrape
