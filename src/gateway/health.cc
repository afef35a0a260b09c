#include "gateway/health.h"

#include <algorithm>

namespace sonde::gateway {
namespace {

constexpr int kMaxDoublings = 20;
constexpr double kLeastShare = 0.1;

std::int64_t Nanos(Duration duration) {
  return duration.count() * 1'000'000;
}

}  // namespace

void Health::Eject(std::int64_t now) {
  const auto factor = static_cast<double>(1U << std::min(ejections_, kMaxDoublings));
  const auto pause =
      static_cast<std::int64_t>(std::min(static_cast<double>(Nanos(options_.ejection)) * factor,
                                         static_cast<double>(Nanos(options_.max_ejection))));
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
  silent_.store(false, std::memory_order_relaxed);
  if (ejected_.exchange(false, std::memory_order_relaxed)) {
    returned_.store(now, std::memory_order_relaxed);
  }
}

double Health::Share(std::int64_t now) const {
  const std::int64_t returned = returned_.load(std::memory_order_relaxed);
  const std::int64_t window = Nanos(options_.slow_start);
  if (returned == kNeverReturned || window <= 0 || now - returned >= window) return 1;
  const double passed =
      static_cast<double>(std::max<std::int64_t>(now - returned, 0)) / static_cast<double>(window);
  return kLeastShare + (1 - kLeastShare) * passed;
}

void Health::Unreachable(std::int64_t now, std::string_view why) {
  MutexLock lock(mutex_);
  contacted_ = true;
  last_contact_ = now;
  last_error_ = why;
  up_.store(false, std::memory_order_relaxed);
  silent_.store(false, std::memory_order_relaxed);
  // Requests that were under way together count as one: the pause doubles with time, not with load.
  if (!ejected_.load(std::memory_order_relaxed) || now >= ejected_until_) Eject(now);
}

void Health::Failed(std::int64_t now, std::string_view why) {
  MutexLock lock(mutex_);
  contacted_ = true;
  last_contact_ = now;
  last_error_ = why;
  if (ejected_.load(std::memory_order_relaxed)) return;
  if (++streak_ >= options_.failures) Eject(now);
}

void Health::ProbeFailed(std::int64_t now, std::string_view why, bool silent) {
  MutexLock lock(mutex_);
  silent_.store(silent, std::memory_order_relaxed);
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
