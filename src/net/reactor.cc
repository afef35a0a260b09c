#include "net/reactor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "net/fiber_context.h"
#include "net/resolver.h"

namespace sonde::net {
namespace {

constexpr std::size_t kMaxFreeFibers = 64;  // Per loop; beyond, stacks are unmapped.
constexpr std::size_t kMaxEvents = 256;

}  // namespace

std::int64_t NowNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::int64_t DeadlineAfter(Duration timeout) {
  if (timeout.count() <= 0) return kNever;
  // More than a century does not fit, and means "never" as well.
  if (timeout.count() > INT64_C(4'000'000'000'000)) return kNever;
  return NowNanos() + timeout.count() * 1'000'000;
}

// ----------------------------------------------------------------------------------------------
// ready list

void Runnable::Unqueue() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

void ReadyList::Push(Runnable& runnable) {
  if (runnable.queued()) return;
  runnable.previous_ = head_.previous_;
  runnable.next_ = &head_;
  head_.previous_->next_ = &runnable;
  head_.previous_ = &runnable;
}

void ReadyList::RunAll() {
  if (empty()) return;
  // The batch hangs on a head of its own; who is destroyed meanwhile takes itself off.
  Head batch;
  batch.next_ = head_.next_;
  batch.previous_ = head_.previous_;
  batch.next_->previous_ = batch.previous_->next_ = &batch;
  head_.next_ = head_.previous_ = &head_;
  while (batch.next_ != &batch) {
    Runnable& runnable = *batch.next_;
    runnable.Unqueue();
    runnable.Run();
  }
}

// ----------------------------------------------------------------------------------------------
// timers

void Timer::Leave() {
  when_ = kNever;
  if (index_ != kNotQueued) queue_.Remove(index_);
}

void Timer::Arm(std::int64_t when) {
  when_ = when;
  if (when == kNever) return;
  if (index_ == kNotQueued) {
    queue_.Enqueue(*this, when);
  } else if (when < queue_.heap_[index_].key) {
    queue_.heap_[index_].key = when;
    queue_.SiftUp(index_);
  }
}

void TimerQueue::RunDue(std::int64_t now) {
  while (!heap_.empty() && heap_.front().key <= now) {
    Timer& timer = *heap_.front().timer;
    if (timer.when_ > now && timer.when_ != kNever) {
      heap_.front().key = timer.when_;
      SiftDown(0);
      continue;
    }
    Remove(0);
    if (timer.when_ == kNever) continue;
    timer.when_ = kNever;
    timer.OnTimer();
  }
}

void TimerQueue::Enqueue(Timer& timer, std::int64_t key) {
  heap_.push_back({key, &timer});
  timer.index_ = heap_.size() - 1;
  SiftUp(timer.index_);
}

void TimerQueue::Remove(std::size_t index) {
  heap_[index].timer->index_ = Timer::kNotQueued;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  Place(index, last);
  SiftUp(index);
  SiftDown(last.timer->index_);
}

void TimerQueue::Place(std::size_t index, Entry entry) {
  heap_[index] = entry;
  entry.timer->index_ = index;
}

void TimerQueue::SiftUp(std::size_t index) {
  const Entry entry = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent].key <= entry.key) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, entry);
}

void TimerQueue::SiftDown(std::size_t index) {
  const Entry entry = heap_[index];
  while (true) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].key < heap_[child].key) ++child;
    if (entry.key <= heap_[child].key) break;
    Place(index, heap_[child]);
    index = child;
  }
  Place(index, entry);
}

// ----------------------------------------------------------------------------------------------
// descriptors

IoSource::IoSource(EventLoop::Impl& loop, int fd) : loop_(loop), fd_(fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  // Out of kernel memory or watches: the descriptor works as one whose peer has gone.
  if (epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) peer_closed_ = broken_ = true;
}

IoSource::~IoSource() {
  ::close(fd_);
}  // Which takes it out of epoll, too.

IoSource::Wait IoSource::WaitReadable(Fiber::State& fiber, std::int64_t deadline) {
  if (interrupted_) return Wait::kCancelled;
  if (readable_ && !fiber.cancelled) return Wait::kReady;
  reader_ = &fiber;
  const auto wake = fiber.Suspend(deadline);
  reader_ = nullptr;
  return static_cast<Wait>(wake);
}

IoSource::Wait IoSource::WaitWritable(Fiber::State& fiber, std::int64_t deadline) {
  if (interrupted_) return Wait::kCancelled;
  if (writable_ && !fiber.cancelled) return Wait::kReady;
  writer_ = &fiber;
  const auto wake = fiber.Suspend(deadline);
  writer_ = nullptr;
  return static_cast<Wait>(wake);
}

static_assert(static_cast<int>(IoSource::Wait::kReady) ==
              static_cast<int>(Fiber::State::Wake::kReady));
static_assert(static_cast<int>(IoSource::Wait::kTimeout) ==
              static_cast<int>(Fiber::State::Wake::kTimeout));
static_assert(static_cast<int>(IoSource::Wait::kCancelled) ==
              static_cast<int>(Fiber::State::Wake::kCancelled));

void IoSource::Interrupt() {
  interrupted_ = true;
  if (reader_ != nullptr) reader_->Resume(Fiber::State::Wake::kCancelled);
  if (writer_ != nullptr) writer_->Resume(Fiber::State::Wake::kCancelled);
}

void IoSource::HandleEvents(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) broken_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
    if (reader_ != nullptr) reader_->Resume(Fiber::State::Wake::kReady);
    if (on_readable_ != nullptr) loop_.ready.Push(*on_readable_);
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    writable_ = true;
    if (writer_ != nullptr) writer_->Resume(Fiber::State::Wake::kReady);
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && !peer_closed_) {
    peer_closed_ = true;
    if (on_peer_closed_ != nullptr) loop_.ready.Push(*on_peer_closed_);
  }
}

// ----------------------------------------------------------------------------------------------
// mailbox

Mailbox::Mailbox() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(wake_fd_ >= 0);
}

Mailbox::~Mailbox() {
  ::close(wake_fd_);
}

bool Mailbox::Post(std::function<void()> fn) {
  MutexLock lock(mutex_);
  if (closed_) return false;
  posted_.push_back(std::move(fn));
  has_posted_.store(true, std::memory_order_relaxed);
  if (!signalled_) {
    signalled_ = true;
    const std::uint64_t one = 1;
    CHECK(::write(wake_fd_, &one, sizeof(one)) == sizeof(one));
  }
  return true;
}

// ----------------------------------------------------------------------------------------------
// fibers

namespace {

/// Runs one body after the other, and ends when it is entered without one.
void FiberMain(void* argument) {
  auto& state = *static_cast<Fiber::State*>(argument);
  while (state.body) {
    Fiber fiber(state);
    state.body(fiber);
    state.finished = true;
    state.context->Leave();
  }
}

}  // namespace

Fiber::State::State(EventLoop::Impl& loop_impl)
    : Timer(loop_impl.timers),
      loop(loop_impl),
      context(std::make_unique<FiberContext>(&FiberMain, this)) {}

Fiber::State::~State() {
  body = nullptr;
  context->Enter();  // Lets FiberMain return.
}

Fiber::State::Wake Fiber::State::Suspend(std::int64_t deadline, bool may_cancel) {
  DCHECK(loop.current == this);
  if (may_cancel && cancelled) return Wake::kCancelled;
  if (deadline != kNever) Arm(deadline);
  suspended = true;
  cancellable = may_cancel;
  context->Leave();
  Disarm();
  return wake;
}

void Fiber::State::Resume(Wake reason) {
  if (!suspended) return;
  suspended = false;
  wake = reason;
  loop.ready.Push(*this);
}

void Fiber::State::Cancel() {
  cancelled = true;
  if (cancellable) Resume(Wake::kCancelled);
}

void Fiber::State::OnTimer() {
  Resume(Wake::kTimeout);
}

void Fiber::State::Run() {
  DCHECK(loop.current == nullptr);
  loop.current = this;
  context->Enter();
  loop.current = nullptr;
  if (finished) loop.FinishFiber(*this);
}

// ----------------------------------------------------------------------------------------------
// the loop

EventLoop::Impl::Impl(EventLoop& owner_loop, const char* thread_name)
    : owner(owner_loop),
      epoll_fd(epoll_create1(EPOLL_CLOEXEC)),
      mailbox(std::make_shared<Mailbox>()) {
  CHECK(epoll_fd >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, mailbox->wake_fd_, &event) == 0);
  thread_ = std::thread([this, name = std::string(thread_name)] { Loop(name); });
  thread_id_.store(thread_.get_id());
}

EventLoop::Impl::~Impl() {
  Stop();
  ::close(epoll_fd);
}

void EventLoop::Impl::Loop(const std::string& thread_name) {
  SetThreadName(thread_name.c_str());
  thread_id_.store(std::this_thread::get_id());
  while (true) {
    RunPosted();
    ready.RunAll();
    if (stopping && live.empty() && ready.empty()) break;
    Poll(NowNanos());
    timers.RunDue(NowNanos());
  }
  {
    MutexLock lock(mailbox->mutex_);
    mailbox->closed_ = true;
    batch_.swap(mailbox->posted_);
  }
  // What was posted too late still runs, and finds the loop stopping: a Spawn marks its handle as
  // done.
  for (const auto& fn : batch_) {
    fn();
  }
  batch_.clear();
  for (const StopHook& hook : at_stop_) {
    if (const auto alive = hook.owner.lock()) hook.fn();
  }
  at_stop_.clear();
  free.clear();
  resolver_.reset();
}

void EventLoop::Impl::RunPosted() {
  // Relaxed: if the flag is seen late, the eventfd ends the next epoll_wait.
  if (!mailbox->has_posted_.load(std::memory_order_relaxed)) return;
  {
    MutexLock lock(mailbox->mutex_);
    mailbox->has_posted_.store(false, std::memory_order_relaxed);
    batch_.swap(mailbox->posted_);
    if (mailbox->signalled_) {
      mailbox->signalled_ = false;
      std::uint64_t count = 0;
      static_cast<void>(!::read(mailbox->wake_fd_, &count, sizeof(count)));
    }
  }
  for (const auto& fn : batch_) {
    fn();
  }
  batch_.clear();
}

void EventLoop::Impl::Poll(std::int64_t now) {
  int timeout_ms = -1;
  if (!ready.empty() || mailbox->has_posted_.load(std::memory_order_relaxed)) {
    timeout_ms = 0;
  } else if (timers.next() != kNever) {
    // Rounded up: waking a moment too early would mean a second round for nothing.
    const std::int64_t ms = (timers.next() - now + 999'999) / 1'000'000;
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
  }
  std::array<epoll_event, kMaxEvents> events;
  const int n = epoll_wait(epoll_fd, events.data(), kMaxEvents, timeout_ms);
  CHECK(n >= 0 || errno == EINTR);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr != nullptr)
      static_cast<IoSource*>(event.data.ptr)->HandleEvents(event.events);
  }
}

Fiber::State* EventLoop::Impl::StartFiber(std::function<void(Fiber&)> body,
                                          std::shared_ptr<FiberHandle::Shared> shared) {
  if (stopping) {
    if (shared != nullptr) {
      MutexLock lock(shared->mutex);
      shared->done = true;
      shared->changed.NotifyAll();
    }
    return nullptr;
  }
  std::unique_ptr<Fiber::State> state;
  if (free.empty()) {
    state = std::make_unique<Fiber::State>(*this);
  } else {
    state = std::move(free.back());
    free.pop_back();
  }
  state->body = std::move(body);
  state->finished = state->cancelled = state->suspended = state->cancellable = false;
  if (shared != nullptr) shared->state = state.get();
  state->shared = std::move(shared);
  state->live_index = live.size();
  ready.Push(*state);
  live.push_back(std::move(state));
  return live.back().get();
}

void EventLoop::Impl::RunNow(Fiber::State& state) {
  state.Unqueue();
  state.Run();
}

void EventLoop::Impl::FinishFiber(Fiber::State& state) {
  const std::size_t index = state.live_index;
  std::unique_ptr<Fiber::State> owned = std::move(live[index]);
  if (index + 1 != live.size()) {
    live[index] = std::move(live.back());
    live[index]->live_index = index;
  }
  live.pop_back();
  // The body goes first: whoever joins may rely on what it held being gone.
  owned->body = nullptr;
  if (const auto shared = std::move(owned->shared); shared != nullptr) {
    shared->state = nullptr;
    MutexLock lock(shared->mutex);
    shared->done = true;
    shared->changed.NotifyAll();
  }
  if (free.size() < kMaxFreeFibers) free.push_back(std::move(owned));
}

void EventLoop::Impl::Stop() {
  MutexLock lock(stop_mutex_);
  if (!thread_.joinable()) return;
  CHECK(std::this_thread::get_id() != thread_.get_id());
  mailbox->Post([this] {
    stopping = true;
    // Cancelling only marks and queues, so the list does not change under the loop.
    for (const auto& state : live) {
      state->Cancel();
    }
  });
  thread_.join();
}

void EventLoop::Impl::AtStop(std::weak_ptr<void> of, std::function<void()> fn) {
  // Clients and servers come and go with the configuration; what they left is swept when the list
  // would grow.
  if (at_stop_.size() == at_stop_.capacity()) {
    std::erase_if(at_stop_, [](const StopHook& hook) { return hook.owner.expired(); });
  }
  at_stop_.push_back({std::move(of), std::move(fn)});
}

std::string_view EventLoop::Impl::HttpDate() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_second_) {
    date_second_ = now.tv_sec;
    std::tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    // By hand: strftime's names depend on the locale.
    static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[64];
    const int n = std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                                kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                                utc.tm_hour, utc.tm_min, utc.tm_sec);
    date_.assign(text, static_cast<std::size_t>(n));
  }
  return date_;
}

Resolver& EventLoop::Impl::resolver() {
  if (resolver_ == nullptr) resolver_ = std::make_unique<Resolver>(*this);
  return *resolver_;
}

}  // namespace sonde::net
