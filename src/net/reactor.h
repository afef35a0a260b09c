#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "net/event_loop.h"

// The inside of a loop: epoll, timers, the ready list and the fibers. Only net/ includes this file.
//
// One turn of a loop: (1) epoll_wait; (2) every event is turned into flags and into entries of the
// ready list, and no other code runs, so no event can meet an object that an earlier event
// destroyed; (3) timers that are due run; (4) what is ready runs: fibers, connections, posted
// functions. Everything here belongs to the loop's thread except the Mailbox.
// docs/decisions/0020-own-reactor.md says why this is not Boost.Asio.

namespace sonde::net {

class Resolver;

/// Nanoseconds of the monotonic clock: the scale of all deadlines in net/.
std::int64_t NowNanos();
inline constexpr std::int64_t kNever = INT64_MAX;
/// Now + `timeout`; kNever for a timeout of 0.
std::int64_t DeadlineAfter(Duration timeout);

/// Something that its loop will Run once, soon. Destroying it takes it off the list.
class Runnable {
 public:
  Runnable() = default;
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  virtual void Run() = 0;
  bool queued() const { return next_ != nullptr; }
  void Unqueue();

 protected:
  virtual ~Runnable() { Unqueue(); }

 private:
  friend class ReadyList;
  Runnable* previous_ = nullptr;
  Runnable* next_ = nullptr;
};

class ReadyList {
 public:
  ReadyList() { head_.previous_ = head_.next_ = &head_; }
  bool empty() const { return head_.next_ == &head_; }
  /// Does nothing if it is on a list already.
  void Push(Runnable& runnable);
  /// Runs what is on the list now; what is pushed meanwhile waits for the next call.
  void RunAll();

 private:
  struct Head final : Runnable {
    void Run() override {}
  };
  Head head_;
};

class TimerQueue;

/// Calls OnTimer once the time has come. Arming to a later time and disarming cost one store: the
/// queue keeps the old entry and looks again when it comes up, since nearly all timeouts never
/// fire.
class Timer {
 public:
  explicit Timer(TimerQueue& queue) : queue_(queue) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Arm(std::int64_t when);
  void Disarm() { when_ = kNever; }
  /// Disarms and leaves the queue, which may go before this timer does.
  void Leave();
  bool armed() const { return when_ != kNever; }

 protected:
  virtual ~Timer() { Leave(); }
  virtual void OnTimer() = 0;

 private:
  friend class TimerQueue;
  static constexpr std::size_t kNotQueued = SIZE_MAX;

  TimerQueue& queue_;
  std::int64_t when_ = kNever;
  std::size_t index_ = kNotQueued;
};

/// A binary heap of timers by the time at which each must be looked at.
class TimerQueue {
 public:
  /// When RunDue should be called next, at the latest; kNever if there is nothing to wait for.
  std::int64_t next() const { return heap_.empty() ? kNever : heap_.front().key; }
  void RunDue(std::int64_t now);

 private:
  friend class Timer;
  struct Entry {
    std::int64_t key;
    Timer* timer;
  };

  void Enqueue(Timer& timer, std::int64_t key);
  void Remove(std::size_t index);
  void Place(std::size_t index, Entry entry);
  void SiftUp(std::size_t index);
  void SiftDown(std::size_t index);

  std::vector<Entry> heap_;
};

/// A file descriptor in the loop's epoll, edge-triggered. Owns the descriptor.
///
/// `readable` and `writable` mean "worth a try": an event sets them, a call that says EAGAIN (or
/// that took less than it could) clears them. So a socket costs one epoll_ctl in its life, and no
/// read that is bound to fail.
class IoSource {
 public:
  IoSource(EventLoop::Impl& loop, int fd);
  ~IoSource();
  IoSource(const IoSource&) = delete;
  IoSource& operator=(const IoSource&) = delete;

  enum class Wait : unsigned char { kReady, kTimeout, kCancelled };
  /// Suspends the fiber until the descriptor is readable (or has failed, or the peer has closed).
  Wait WaitReadable(Fiber::State& fiber, std::int64_t deadline);
  Wait WaitWritable(Fiber::State& fiber, std::int64_t deadline);

  /// Ends a wait in progress with kCancelled, from other code on the loop's thread.
  void Interrupt();

  int fd() const { return fd_; }
  EventLoop::Impl& loop() const { return loop_; }
  bool readable() const { return readable_; }
  /// The peer will send nothing more (FIN), or the connection is broken.
  bool peer_closed() const { return peer_closed_; }
  /// Broken: no byte can be sent either.
  bool broken() const { return broken_; }
  void ClearReadable() {
    readable_ = peer_closed_;
  }  // After FIN there is the end of file to be read.
  void ClearWritable() { writable_ = broken_; }
  bool writable() const { return writable_; }

  /// Queued on the loop when the descriptor becomes readable / when the peer closes. Null: nobody.
  void OnReadable(Runnable* runnable) { on_readable_ = runnable; }
  void OnPeerClosed(Runnable* runnable) { on_peer_closed_ = runnable; }

 private:
  friend struct EventLoop::Impl;
  void HandleEvents(std::uint32_t events);
  void WakeWaiters();

  EventLoop::Impl& loop_;
  const int fd_;
  bool readable_ = true;
  bool writable_ = true;
  bool peer_closed_ = false;
  bool broken_ = false;
  bool interrupted_ = false;
  Fiber::State* reader_ = nullptr;
  Fiber::State* writer_ = nullptr;
  Runnable* on_readable_ = nullptr;
  Runnable* on_peer_closed_ = nullptr;
};

/// How other threads reach a loop. Shared by the loop and by everything that may outlive it.
/// Thread-safe.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();

  /// False (and `fn` is dropped) once the loop's thread has ended.
  bool Post(std::function<void()> fn) EXCLUDES(mutex_);

 private:
  friend struct EventLoop::Impl;

  const int wake_fd_;
  Mutex mutex_;
  std::vector<std::function<void()>> posted_ GUARDED_BY(mutex_);
  bool signalled_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::atomic<bool> has_posted_{false};
};

class FiberContext;

/// What a FiberHandle and the fiber share. `state` is touched on the loop's thread only, and null
/// once it is done.
struct FiberHandle::Shared {
  explicit Shared(std::shared_ptr<Mailbox> m) : mailbox(std::move(m)) {}
  const std::shared_ptr<Mailbox> mailbox;
  Fiber::State* state = nullptr;
  Mutex mutex;
  CondVar changed;
  bool done GUARDED_BY(mutex) = false;
};

/// A fiber: a stack, and what runs on it. States are reused: when a body returns, the stack waits
/// for the next one, so that starting a fiber costs a context switch and no allocation.
struct Fiber::State final : Runnable, Timer {
  explicit State(EventLoop::Impl& loop_impl);
  ~State() override;

  enum class Wake : unsigned char { kReady, kTimeout, kCancelled };
  /// Leaves the stack until Resume, the deadline, or a cancellation (if `cancellable`). Only from
  /// this fiber.
  Wake Suspend(std::int64_t deadline, bool cancellable = true);
  /// Makes a suspended fiber ready to continue with `wake`. The first reason wins.
  void Resume(Wake wake);
  /// From the loop's thread.
  void Cancel();

  void Run() override;      // Enters the stack.
  void OnTimer() override;  // A deadline has passed.

  EventLoop::Impl& loop;
  std::unique_ptr<FiberContext> context;
  std::function<void(Fiber&)> body;
  std::shared_ptr<FiberHandle::Shared> shared;  // Null for fibers without a handle.
  std::size_t live_index = 0;
  Wake wake = Wake::kReady;
  bool suspended = false;
  bool cancellable = false;
  bool cancelled = false;
  bool finished = false;  // The body has returned; set on the fiber's stack, seen by Run.
};

struct EventLoop::Impl {
  Impl(EventLoop& owner_loop, const char* thread_name);
  ~Impl();

  void Loop(const std::string& thread_name);
  void Stop();

  /// Starts a fiber from the loop's thread; it runs in this turn or the next. Null if the loop is
  /// stopping.
  Fiber::State* StartFiber(std::function<void(Fiber&)> body,
                           std::shared_ptr<FiberHandle::Shared> shared = nullptr);
  /// Enters a fiber that was just started, instead of at its turn. From the loop's own stack only.
  static void RunNow(Fiber::State& state);
  void FinishFiber(Fiber::State& state);

  /// Runs `fn` on the loop's thread after the last fiber has returned, if `of` is still alive then
  /// (and keeps it alive meanwhile). Loop thread only.
  void AtStop(std::weak_ptr<void> of, std::function<void()> fn);
  /// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
  std::string_view HttpDate();
  Resolver& resolver();

  EventLoop& owner;
  const int epoll_fd;
  const std::shared_ptr<Mailbox> mailbox;
  TimerQueue timers;
  ReadyList ready;
  std::vector<std::unique_ptr<Fiber::State>> live;
  std::vector<std::unique_ptr<Fiber::State>> free;  // Their stacks wait for the next body.
  Fiber::State* current = nullptr;
  bool stopping = false;

 private:
  void RunPosted();
  void Poll(std::int64_t now);

  struct StopHook {
    std::weak_ptr<void> owner;
    std::function<void()> fn;
  };

  std::vector<StopHook> at_stop_;
  std::vector<std::function<void()>> batch_;
  std::unique_ptr<Resolver> resolver_;
  std::int64_t date_second_ = -1;
  std::string date_;
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
  Mutex stop_mutex_;

  friend class EventLoop;
};

}  // namespace sonde::net
