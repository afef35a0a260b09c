#include "net/event_loop.h"

#include <algorithm>
#include <string>
#include <thread>

#include "net/fiber_context.h"
#include "net/reactor.h"

namespace sonde::net {

// ----------------------------------------------------------------------------------------------
// Fiber

EventLoop& Fiber::loop() {
  return state_.loop.owner;
}

Status Fiber::Sleep(Duration duration) {
  if (duration.count() <= 0) {
    if (state_.cancelled) return Error(ErrorKind::kCancelled, "cancelled");
    // To the end of the line: whatever else is ready goes first.
    state_.loop.ready.Push(state_);
    state_.context->Leave();
    return OkStatus();
  }
  const auto wake = state_.Suspend(DeadlineAfter(duration));
  if (wake == State::Wake::kCancelled) return Error(ErrorKind::kCancelled, "cancelled");
  return OkStatus();
}

bool Fiber::cancelled() const {
  return state_.cancelled;
}

void Fiber::Cancel() {
  state_.Cancel();
}

void Fiber::AwaitTask(ThreadPool& pool, const std::function<void()>& work) {
  const auto mailbox = state_.loop.mailbox;
  State* state = &state_;
  // References into this stack are safe: the fiber stays suspended until the posted function has
  // run.
  const bool queued = pool.Submit([&work, state, mailbox] {
    work();
    mailbox->Post([state] { state->Resume(State::Wake::kReady); });
  });
  if (!queued) {
    work();
    return;
  }
  state_.Suspend(kNever, /*may_cancel=*/false);
}

// ----------------------------------------------------------------------------------------------
// FiberHandle

void FiberHandle::Cancel() const {
  if (shared_ == nullptr) return;
  shared_->mailbox->Post([shared = shared_] {
    if (shared->state != nullptr) shared->state->Cancel();
  });
}

bool FiberHandle::done() const {
  if (shared_ == nullptr) return true;
  MutexLock lock(shared_->mutex);
  return shared_->done;
}

void FiberHandle::Join() const {
  if (shared_ == nullptr) return;
  MutexLock lock(shared_->mutex);
  while (!shared_->done) {
    shared_->changed.Wait(shared_->mutex);
  }
}

// ----------------------------------------------------------------------------------------------
// EventLoop

EventLoop::EventLoop(const char* thread_name) : impl_(std::make_unique<Impl>(*this, thread_name)) {}

EventLoop::~EventLoop() {
  Stop();
}

void EventLoop::Post(std::function<void()> fn) {
  impl_->mailbox->Post(std::move(fn));
}

FiberHandle EventLoop::Spawn(std::function<void(Fiber&)> body) {
  auto shared = std::make_shared<FiberHandle::Shared>(impl_->mailbox);
  const bool posted =
      impl_->mailbox->Post([impl = impl_.get(), shared, body = std::move(body)]() mutable {
        impl->StartFiber(std::move(body), shared);
      });
  if (!posted) {
    MutexLock lock(shared->mutex);
    shared->done = true;
  }
  return FiberHandle(shared);
}

bool EventLoop::InLoopThread() const {
  return impl_->thread_id_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

void EventLoop::Stop() {
  impl_->Stop();
}

// ----------------------------------------------------------------------------------------------
// LoopGroup

LoopGroup::LoopGroup(std::size_t count) {
  if (count == 0) {
    count = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  }
  for (std::size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(("loop-" + std::to_string(i)).c_str()));
  }
}

LoopGroup::~LoopGroup() {
  Stop();
}

EventLoop& LoopGroup::Next() {
  return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

void LoopGroup::Stop() {
  for (const auto& loop : loops_) {
    loop->Stop();
  }
}

}  // namespace sonde::net
