#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace sonde {

/// Where the time comes from. Passed to whatever needs it, so that a test moves it by hand.
/// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall-clock time; may jump when the machine's clock is set.
  virtual Timestamp Now() const = 0;

  /// Nanoseconds from an arbitrary origin; never goes back. For measuring lengths of time.
  virtual std::int64_t MonotonicNanos() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  Timestamp Now() const override;
  std::int64_t MonotonicNanos() const override;
};

/// A clock that stands still until it is told otherwise. For tests.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = {}) : now_ms_(start.ms) {}

  Timestamp Now() const override { return {now_ms_.load(std::memory_order_relaxed)}; }
  std::int64_t MonotonicNanos() const override {
    return now_ms_.load(std::memory_order_relaxed) * 1'000'000;
  }

  void Set(Timestamp now) { now_ms_.store(now.ms, std::memory_order_relaxed); }
  void Advance(Duration by) { now_ms_.fetch_add(by.count(), std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> now_ms_;
};

}  // namespace sonde
