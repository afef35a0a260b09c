#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace sonde::tsdb {

/// Hands values from one thread to another; the one that puts waits while the queue is full.
/// Thread-safe.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  /// Waits for room. After Close the value is dropped.
  void Put(T value) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (values_.size() >= limit_ && !closed_) {
      changed_.Wait(mutex_);
    }
    if (closed_) return;
    values_.push_back(std::move(value));
    changed_.NotifyAll();
  }
  /// Waits for a value; nothing once the queue is closed and empty.
  std::optional<T> Take() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_) {
      changed_.Wait(mutex_);
    }
    if (values_.empty()) return std::nullopt;
    std::optional<T> value = std::move(values_.front());
    values_.pop_front();
    changed_.NotifyAll();
    return value;
  }
  /// Nothing more will be put.
  void Close() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    closed_ = true;
    changed_.NotifyAll();
  }

 private:
  const std::size_t limit_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<T> values_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace sonde::tsdb
