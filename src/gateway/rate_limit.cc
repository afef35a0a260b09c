#include "gateway/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace sonde::gateway {
namespace {

constexpr double kMinute = 60e9;  // Nanoseconds.

}  // namespace

void RateLimit::Refill(std::int64_t now) {
  if (!started_) {
    started_ = true;
    last_ = now;
  }
  if (now <= last_) return;
  level_ = std::min(level_ + static_cast<double>(now - last_) * per_minute_ / kMinute, per_minute_);
  last_ = now;
}

void RateLimit::SetRate(double per_minute, std::int64_t now) {
  Refill(now);
  level_ = per_minute_ > 0 ? level_ / per_minute_ * per_minute : per_minute;
  per_minute_ = per_minute;
}

bool RateLimit::Allows(double amount, std::int64_t now) {
  if (!limited()) return true;
  Refill(now);
  // The share of a rounding error is not worth another wait.
  return level_ + 1e-9 * per_minute_ >= std::min(amount, per_minute_);
}

void RateLimit::Take(double amount, std::int64_t now) {
  if (!limited()) return;
  Refill(now);
  level_ = std::min(level_ - amount, per_minute_);
}

std::int64_t RateLimit::NanosFor(double amount) const {
  if (amount <= 0) return 0;
  // A year is for ever, and fits.
  return static_cast<std::int64_t>(std::min(std::ceil(amount * kMinute / per_minute_), 3.2e16));
}

std::int64_t RateLimit::WaitFor(double amount, std::int64_t now) {
  if (!limited()) return 0;
  Refill(now);
  return NanosFor(std::min(amount, per_minute_) - level_);
}

std::int64_t RateLimit::UntilFull(std::int64_t now) {
  if (!limited()) return 0;
  Refill(now);
  return NanosFor(per_minute_ - level_);
}

double RateLimit::left(std::int64_t now) {
  if (!limited()) return 0;
  Refill(now);
  return std::max(level_, 0.0);
}

}  // namespace sonde::gateway
