#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "discovery/directory_watch.h"
#include "discovery/file_discovery.h"
#include "discovery/http_discovery.h"
#include "discovery/options.h"
#include "discovery/target_group.h"
#include "instrument/registry.h"
#include "net/event_loop.h"

namespace sonde::discovery {

/// Where one job's targets come from, and what tells that this changed.
struct JobDiscovery {
  std::string job;
  DiscoveryOptions options;
  std::uint64_t fingerprint =
      0;  ///< Equal means unchanged: what is known so far stays, nothing is asked again.
};

/// Finds the targets of all jobs, and says so when they change.
///
/// One thread owns everything (`discovery`): it reads files when they change or are due, and
/// collects the answers of the fibers that ask HTTP endpoints. Apply may be called by any thread at
/// any time; Start and Stop by the owner.
class Discoverer {
 public:
  /// References outlive it.
  struct Context {
    Env& env;
    const Clock& clock;
    ThreadPool& pool;
    net::LoopGroup& loops;
    instrument::Registry& registry;
    Logger logger;
    TargetGroupParser parse_yaml;  ///< config::ParseTargetGroupsYaml; only config/ knows YAML.
    std::string user_agent;
  };
  /// All groups of one job, from all its sources. Called on the discovery thread.
  using Update = std::function<void(const std::string& job, std::vector<TargetGroup> groups)>;

  Discoverer(Context context, Update update);
  ~Discoverer();

  /// Replaces the set of jobs, soon. A job whose fingerprint is unchanged goes on as it is; one
  /// that is no longer there is not spoken of again.
  void Apply(std::vector<JobDiscovery> jobs);
  void Start();
  /// Idempotent.
  void Stop();

  /// One round of the discovery thread: takes what was posted, refreshes the files that are due or
  /// lie in `changed`. Returns how long nothing will be due. Tests call it instead of Start.
  Duration Step(const std::set<std::string>& changed = {});

 private:
  struct FileSource {
    FileDiscovery files;
    Timestamp next;
    std::vector<TargetGroup> groups;
  };
  struct HttpSource {
    std::shared_ptr<HttpDiscovery> http;
    net::FiberHandle fiber;
    std::vector<TargetGroup> groups;
    bool failing = false;
  };
  struct Job {
    std::uint64_t fingerprint = 0;
    std::vector<TargetGroup> static_groups;
    std::vector<FileSource> files;
    std::vector<HttpSource> http;
  };
  struct Metrics;
  class Inbox;

  void TakeJobs(std::vector<JobDiscovery> jobs);
  /// `before`: the job as it was under its old options, if there was one.
  void AddJob(JobDiscovery options, Job before);
  void RemoveJob(const std::string& name, Job& job);
  void TakeHttp(const std::string& job, const HttpDiscovery* http,
                Result<std::vector<TargetGroup>> groups);
  void Deliver(const std::string& name, const Job& job);
  void WatchDirectories();
  void RunThread(const std::stop_token& stop);

  const Context context_;
  const Update update_;
  const std::shared_ptr<Metrics> metrics_;
  const std::shared_ptr<DirectoryWatch> watch_;
  const std::shared_ptr<Inbox> inbox_;

  std::map<std::string, Job> jobs_;       // Owned by the discovery thread.
  std::vector<net::FiberHandle> ending_;  // Of jobs that are gone.
  std::set<std::string> unwatched_;       // Directories whose watch failed, as was said already.
  std::jthread thread_;
};

}  // namespace sonde::discovery
