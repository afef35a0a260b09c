#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace sonde {

/// The worker threads (`work-N`): run tasks that need a CPU for a while, so that event loops never
/// wait.
///
/// Thread-safe. Tasks must not block on other tasks of the same pool. Stop (and the destructor) run
/// what is queued, then join.
class ThreadPool {
 public:
  /// `name` is the thread name's prefix as `top -H` shows it, at most 12 bytes.
  ThreadPool(std::size_t threads, const char* name);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Queues `task`; false once Stop has begun (the task is dropped).
  bool Submit(std::function<void()> task) EXCLUDES(mutex_);

  /// Idempotent.
  void Stop() EXCLUDES(mutex_);

  std::size_t threads() const { return threads_.size(); }
  std::size_t queued() const EXCLUDES(mutex_);

 private:
  void Work() EXCLUDES(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

/// Gives the calling thread a name for `top -H` and debuggers; longer than 15 bytes is cut.
void SetThreadName(const char* name);

}  // namespace sonde
