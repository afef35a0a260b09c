#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "net/event_loop.h"

namespace sonde::collect {

/// The fibers that one owner has started on a loop; all of them end before it does. Thread-safe,
/// but Stop is for the owner's thread, which is no loop thread.
class FiberCrew {
 public:
  /// `loop` must outlive it.
  explicit FiberCrew(net::EventLoop& loop) : loop_(loop) {}
  ~FiberCrew() { Stop(); }
  FiberCrew(const FiberCrew&) = delete;
  FiberCrew& operator=(const FiberCrew&) = delete;

  /// Does nothing once Stop has begun.
  void Spawn(std::function<void(net::Fiber&)> body) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (stopping_) return;
    std::erase_if(handles_, [](const net::FiberHandle& handle) { return handle.done(); });
    handles_.push_back(loop_.Spawn(std::move(body)));
  }

  /// Calls `work(fiber, i)` for each i < count in at most `parallel` fibers of the crew, and
  /// returns when all are done. kCancelled if `fiber` was cancelled meanwhile; the others then end
  /// soon, but later: `work` must own what it uses.
  Status ForEach(net::Fiber& fiber, std::size_t count, std::size_t parallel,
                 const std::function<void(net::Fiber&, std::size_t)>& work) {
    struct Progress {
      std::size_t next = 0;
      std::size_t running = 0;
    };
    // All fibers of the crew run on one loop, so this needs no lock.
    auto progress = std::make_shared<Progress>();
    for (std::size_t i = 0; i < std::min(count, parallel); ++i) {
      ++progress->running;
      Spawn([progress, count, work](net::Fiber& own) {
        while (progress->next < count && !own.cancelled())
          work(own, progress->next++);
        --progress->running;
      });
    }
    while (progress->running > 0)
      TRY(fiber.Sleep(Duration(10)));
    return OkStatus();
  }

  /// Cancels them and waits for their end. Idempotent.
  void Stop() EXCLUDES(mutex_) {
    std::vector<net::FiberHandle> handles;
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      handles.swap(handles_);
    }
    for (const net::FiberHandle& handle : handles)
      handle.Cancel();
    for (const net::FiberHandle& handle : handles)
      handle.Join();
  }

 private:
  net::EventLoop& loop_;
  Mutex mutex_;
  std::vector<net::FiberHandle> handles_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sonde::collect
