#include "gateway/cold_start.h"

#include <algorithm>

namespace sonde::gateway {

std::string_view ToString(ColdStartKind kind) {
  switch (kind) {
    case ColdStartKind::kAbsent:
      return "absent";
    case ColdStartKind::kAsleep:
      return "asleep";
    case ColdStartKind::kRestart:
      return "restart";
  }
  return "";
}

void ColdStart::Begin(ColdStartKind kind, std::int64_t now) {
  state_ = State::kStarting;
  kind_ = kind;
  alive_since_ = now;
  last_start_ = now;
  ready_since_.reset();
}

void ColdStart::SawAbsence() {
  MutexLock lock(mutex_);
  state_ = State::kAbsent;
}

void ColdStart::SawLife(std::int64_t now) {
  MutexLock lock(mutex_);
  if (state_ == State::kUnknown) state_ = State::kWarm;
  if (state_ == State::kAbsent) Begin(ColdStartKind::kAbsent, now);
}

void ColdStart::SawLoading(std::int64_t now) {
  MutexLock lock(mutex_);
  ready_since_.reset();
  switch (state_) {
    case State::kStarting:
      return;
    case State::kAsleep:
      Begin(ColdStartKind::kAsleep, now);
      return;
    case State::kWarm:
      Begin(ColdStartKind::kRestart, now);
      return;
    case State::kUnknown:
    case State::kAbsent:
      Begin(ColdStartKind::kAbsent, now);
      return;
  }
}

void ColdStart::SawSleep() {
  MutexLock lock(mutex_);
  state_ = State::kAsleep;
}

void ColdStart::SawAwake(std::int64_t now) {
  MutexLock lock(mutex_);
  if (state_ == State::kAsleep) Begin(ColdStartKind::kAsleep, now);
  if (state_ == State::kUnknown) state_ = State::kWarm;
}

void ColdStart::SawReady(std::int64_t now) {
  SawLife(now);
  MutexLock lock(mutex_);
  if (state_ == State::kStarting && !ready_since_) ready_since_ = now;
}

bool ColdStart::SawRestart(std::int64_t began) {
  MutexLock lock(mutex_);
  // The same start, told again or seen by a probe already: a process is older than its first sign
  // of life, and who tells of it may be a little off.
  constexpr std::int64_t kTolerance = 1'000'000'000;
  if (last_start_ && began <= *last_start_ + kTolerance) return false;
  if (state_ == State::kStarting) return false;
  if (last_token_ && *last_token_ > began) {
    last_start_ = began;
    return true;
  }
  Begin(ColdStartKind::kRestart, began);
  return false;
}

std::optional<ColdStartEnd> ColdStart::SawToken(std::int64_t now, std::int64_t received) {
  SawLife(now);
  MutexLock lock(mutex_);
  last_token_ = now;
  if (state_ == State::kAsleep) Begin(ColdStartKind::kAsleep, received);
  if (state_ != State::kStarting) return std::nullopt;
  state_ = State::kWarm;
  std::int64_t idle = 0;
  if (ready_since_) idle = std::max<std::int64_t>(received - *ready_since_, 0);
  return ColdStartEnd{kind_, std::max<std::int64_t>(now - alive_since_ - idle, 0)};
}

}  // namespace sonde::gateway
