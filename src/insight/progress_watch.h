#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "insight/options.h"
#include "insight/progress_detector.h"
#include "instrument/registry.h"
#include "promql/engine.h"
#include "storage/storage.h"

namespace sonde::insight {

/// One engine, or one data-parallel rank of it, as the progress detector sees it now.
struct EngineProgress {
  std::string instance;
  std::string dp_rank;  ///< Empty if it has none.
  std::string model;    ///< "" if it serves several.
  std::string engine;
  ProgressVerdict verdict;
};

/// Whom the watch asks and tells. All may be empty; all are called without a lock and must return
/// soon.
struct ProgressHooks {
  /// Sends one token's worth of work to an engine and tells whether a token came: at most once,
  /// from any thread, also after Stop.
  std::function<void(const std::string& instance, const std::string& model,
                     std::function<void(bool got_token)> done)>
      canary = {};
  /// Its counters began anew at about this time.
  std::function<void(const std::string& instance, Timestamp began)> restarted = {};
  /// It says that it sleeps, or no longer does.
  std::function<void(const std::string& instance, bool asleep)> sleeps = {};
};

/// Feeds a ProgressDetector for every engine from the series in the store, and shows what they say:
/// `deepseek_engine_stuck`, `deepseek_engine_state_info` and
/// `deepseek_engine_last_progress_timestamp_seconds` (docs/progress.md), and a log line when an
/// engine becomes stuck or comes back.
///
/// Thread-safe. Start once; Stop is idempotent and waits for the look under way. All references
/// must outlive it; the registry may still be read after it has gone.
class ProgressWatch {
 public:
  ProgressWatch(const ProgressOptions& options, std::string_view prefix,
                const storage::Queryable& store, const promql::Evaluator& evaluator,
                const Clock& clock, const Logger& logger, instrument::Registry& registry,
                ProgressHooks hooks = {});
  ~ProgressWatch();
  ProgressWatch(const ProgressWatch&) = delete;
  ProgressWatch& operator=(const ProgressWatch&) = delete;

  void Start();
  void Stop();

  /// One look at the store, as the thread does it every interval. Called by tests instead of Start.
  void Look();

  /// Sorted by instance and rank.
  std::vector<EngineProgress> engines() const;

 private:
  struct Questions;
  struct Shared;
  struct Facts;
  struct Engine;
  using Key = std::pair<std::string, std::string>;  // Instance, rank.

  void Run();
  /// Nothing if the store could not be read.
  std::optional<Facts> Gather(Timestamp now) const;
  /// The time of each engine's newest sample.
  std::map<Key, std::int64_t> UpdateRoster(const Facts& facts, std::map<Key, Engine>& engines);
  Engine* FindOrAdd(const Key& key, std::map<Key, Engine>& engines) const;
  void SendCanary(const Key& key, const std::string& model) const;
  void Note(const Key& key, const Engine& engine, ProgressState before) const;

  const ProgressOptions options_;
  const storage::Queryable& store_;
  const promql::Evaluator& evaluator_;
  const Clock& clock_;
  const Logger logger_;
  const ProgressHooks hooks_;
  const std::unique_ptr<const Questions> questions_;
  const std::shared_ptr<Shared> shared_;  // With the registry's callbacks and running canaries.
  Mutex stop_mutex_;
  CondVar stop_changed_;
  bool stopping_ GUARDED_BY(stop_mutex_) = false;
  std::jthread thread_;
};

}  // namespace sonde::insight
