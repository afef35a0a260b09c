#include "gateway/cold_start.h"

#include <algorithm>

namespace sonde::gateway {

void ColdStart::SawAbsence() {
  MutexLock lock(mutex_);
  state_ = State::kAbsent;
}

void ColdStart::SawLife(std::int64_t now) {
  MutexLock lock(mutex_);
  if (state_ == State::kUnknown) state_ = State::kWarm;
  if (state_ != State::kAbsent) return;
  state_ = State::kStarting;
  alive_since_ = now;
  ready_since_.reset();
}

void ColdStart::SawLoading(std::int64_t now) {
  MutexLock lock(mutex_);
  ready_since_.reset();
  if (state_ == State::kStarting) return;
  state_ = State::kStarting;
  alive_since_ = now;
}

void ColdStart::SawReady(std::int64_t now) {
  SawLife(now);
  MutexLock lock(mutex_);
  if (state_ == State::kStarting && !ready_since_) ready_since_ = now;
}

std::optional<std::int64_t> ColdStart::SawToken(std::int64_t now, std::int64_t received) {
  SawLife(now);
  MutexLock lock(mutex_);
  if (state_ != State::kStarting) return std::nullopt;
  state_ = State::kWarm;
  std::int64_t idle = 0;
  if (ready_since_) idle = std::max<std::int64_t>(received - *ready_since_, 0);
  return std::max<std::int64_t>(now - alive_since_ - idle, 0);
}

}  // namespace sonde::gateway
