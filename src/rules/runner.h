#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "instrument/registry.h"
#include "rules/group.h"
#include "rules/options.h"
#include "rules/view.h"

namespace sonde::rules {

/// Evaluates groups of rules, each at its own slots: the heart of recording and alerting.
///
/// One thread (`rules`) knows when what is due, some (`rule-N`) evaluate; groups run beside each
/// other, rules of a group in order. A group that takes longer than its interval misses slots,
/// which are counted, not made up for. Thread-safe. Start once; Stop is idempotent, and waits for
/// the rules under way. All references must outlive it; the registry may still be read after it
/// has gone.
class Runner {
 public:
  Runner(GroupContext context, instrument::Registry& registry, std::size_t threads);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Replaces all groups. Those that are the same go on; those that changed keep the alerts and
  /// series of rules that are still there; series of what is gone become stale after two intervals.
  /// Waits for the evaluations under way. Error: a rule that does not parse; nothing changes then.
  /// The first call is the start: alerts that were pending before a restart are restored.
  Status Apply(std::vector<GroupOptions> groups, const RunnerOptions& options) EXCLUDES(mutex_);

  void Start();
  void Stop() EXCLUDES(mutex_);

  /// Starts what is due by the clock, and waits for it. What the thread does all the time; called
  /// by tests instead of Start.
  void RunDue() EXCLUDES(mutex_);

  /// Sorted by file and name.
  std::vector<GroupView> groups() const EXCLUDES(mutex_);

 private:
  struct Slot {
    std::shared_ptr<Group> group;
    Timestamp due;
    bool running = false;
    int rounds = 0;  // Until two: then the state of alerts is restored.
    bool restoring = false;
  };
  struct Retired {
    std::shared_ptr<Group> group;
    Timestamp due;
  };
  struct Shared;

  void Run();
  /// Hands what is due to the pool; returns when to look again.
  Duration Dispatch() EXCLUDES(mutex_);
  void MarkRetired(Timestamp now) REQUIRES(mutex_);
  void WaitUntilIdle() REQUIRES(mutex_);
  Slot MakeSlot(std::shared_ptr<Group> group) const REQUIRES(mutex_);

  const GroupContext context_;
  const std::shared_ptr<Shared> shared_;  // With the registry's callbacks.
  std::atomic<bool> stop_rules_{false};

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool paused_ GUARDED_BY(mutex_) = false;
  bool started_before_ GUARDED_BY(mutex_) = false;
  RunnerOptions options_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Slot>> slots_ GUARDED_BY(mutex_);
  std::vector<Retired> retired_ GUARDED_BY(mutex_);

  ThreadPool pool_;
  std::jthread thread_;
};

}  // namespace sonde::rules
