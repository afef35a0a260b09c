#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "base/time.h"

// The loop threads and the fibers that run on them. A fiber is a stackful coroutine: it reads like
// blocking code and suspends instead of blocking, so a thousand streams need a thousand small
// stacks and no threads (docs/decisions/0002-thread-model.md). Code on a loop thread must never
// block: what needs the CPU or the disk goes to a ThreadPool through Fiber::Await.

namespace sonde::net {

class EventLoop;

/// The running fiber. Passed by reference to everything that may suspend; never stored beyond the
/// call, never used from another thread. Do not hold a lock or a reference to a thread_local across
/// a call that takes a Fiber.
class Fiber {
 public:
  struct State;
  explicit Fiber(State& state) : state_(state) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  EventLoop& loop();

  /// kCancelled if the loop is stopping or the fiber was cancelled meanwhile.
  Status Sleep(Duration duration);

  /// True once Cancel was called on its handle, or its loop is stopping; every suspending call
  /// returns kCancelled from then on.
  bool cancelled() const;

  /// Cancels this fiber, from another callback on its loop (the client that it works for has left).
  void Cancel();

  /// Runs `work` on `pool` and suspends until it is done. The fiber cannot be cancelled meanwhile:
  /// `work` may use its stack. Once the pool is stopping, `work` runs on the calling thread.
  template <class F>
  std::invoke_result_t<F> Await(ThreadPool& pool, F&& work) {
    using R = std::invoke_result_t<F>;
    if constexpr (std::is_void_v<R>) {
      AwaitTask(pool, [&] { work(); });
    } else {
      std::optional<R> result;
      AwaitTask(pool, [&] { result.emplace(work()); });
      return *std::move(result);
    }
  }

  State& state() { return state_; }  ///< For net/ itself.

 private:
  void AwaitTask(ThreadPool& pool, const std::function<void()>& work);

  State& state_;
};

/// Lets others cancel or wait for a spawned fiber. Copyable, thread-safe; may outlive the fiber and
/// the loop.
class FiberHandle {
 public:
  struct Shared;
  FiberHandle() = default;
  explicit FiberHandle(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  /// The fiber's current and later suspending calls return kCancelled. Returns at once.
  void Cancel() const;
  bool done() const;
  /// Blocks the calling thread, which must not be a loop thread, until the fiber has returned.
  void Join() const;

 private:
  std::shared_ptr<Shared> shared_;
};

/// One loop thread: sockets, timers and fibers. Thread-safe unless said otherwise.
class EventLoop {
 public:
  explicit EventLoop(const char* thread_name);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs `fn` on the loop thread, soon. Dropped if the loop has stopped.
  void Post(std::function<void()> fn);
  /// Starts a fiber on the loop thread. `body` must return soon after its Fiber is cancelled.
  FiberHandle Spawn(std::function<void(Fiber&)> body);

  bool InLoopThread() const;

  /// Cancels all fibers, waits until they have returned, joins the thread. Idempotent; not from the
  /// loop thread.
  void Stop();

  struct Impl;
  Impl& impl() { return *impl_; }  ///< For net/ itself.

 private:
  std::unique_ptr<Impl> impl_;
};

/// The process's loops. Connections are spread over them.
class LoopGroup {
 public:
  /// `count` 0: min(4, cores).
  explicit LoopGroup(std::size_t count = 0);
  ~LoopGroup();

  EventLoop& Next();  ///< Round robin. Thread-safe.
  EventLoop& at(std::size_t index) { return *loops_[index]; }
  std::size_t size() const { return loops_.size(); }
  void Stop();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace sonde::net
