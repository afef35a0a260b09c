#include "gateway/health.h"

#include <algorithm>

namespace sonde::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kMaxDoublings = 6;  // 1 s … 64 s, cut to 60 s.

}  // namespace

void Health::Eject(std::int64_t now) {
  const std::int64_t pause = std::min(kSecond << std::min(ejections_, kMaxDoublings), 60 * kSecond);
  ++ejections_;
  streak_ = 0;
  ejected_until_ = now + pause;
  ejected_.store(true, std::memory_order_relaxed);
}

void Health::Clear(std::int64_t now) {
  contacted_ = true;
  last_contact_ = now;
  streak_ = 0;
  last_error_.clear();
  up_.store(true, std::memory_order_relaxed);
  ejected_.store(false, std::memory_order_relaxed);
}

void Health::Unreachable(std::int64_t now, std::string_view why) {
  MutexLock lock(mutex_);
  contacted_ = true;
  last_contact_ = now;
  last_error_ = why;
  up_.store(false, std::memory_order_relaxed);
  // Requests that were under way together count as one: the pause doubles with time, not with load.
  if (!ejected_.load(std::memory_order_relaxed) || now >= ejected_until_) Eject(now);
}

void Health::Failed(std::int64_t now, std::string_view why) {
  MutexLock lock(mutex_);
  contacted_ = true;
  last_contact_ = now;
  last_error_ = why;
  if (ejected_.load(std::memory_order_relaxed)) return;
  if (++streak_ >= kMaxStreak) Eject(now);
}

void Health::ProbeFailed(std::int64_t now, std::string_view why) {
  MutexLock lock(mutex_);
  contacted_ = true;
  last_contact_ = now;
  last_error_ = why;
  up_.store(false, std::memory_order_relaxed);
  if (ejected_.load(std::memory_order_relaxed)) Eject(now);
}

void Health::ProbeSucceeded(std::int64_t now) {
  MutexLock lock(mutex_);
  Clear(now);
}

void Health::RequestSucceeded(std::int64_t now) {
  MutexLock lock(mutex_);
  Clear(now);
  ejections_ = 0;
}

std::string Health::last_error() const {
  MutexLock lock(mutex_);
  return last_error_;
}

bool Health::ProbeIsDue(std::int64_t now, std::int64_t interval) const {
  MutexLock lock(mutex_);
  if (!contacted_) return true;
  if (ejected_.load(std::memory_order_relaxed)) return now >= ejected_until_;
  return now - last_contact_ >= interval;
}

}  // namespace sonde::gateway
