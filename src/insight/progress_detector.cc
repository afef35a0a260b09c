#include "insight/progress_detector.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sonde::insight {
namespace {

/// Of the power that it draws while it works: a batch that waits for a collective spins, but draws
/// less than one that computes.
constexpr double kWorkingPowerShare = 0.7;
/// A lesson of a false accusation is forgotten by half in this time.
constexpr double kLessonHalfLifeMs = 6 * 3'600'000.0;
/// What came back after longer was stuck, whatever it did then.
constexpr double kLongestLessonMs = 180'000;
constexpr Duration kCanaryRetry{10'000};

bool Rose(const std::optional<double>& before, const std::optional<double>& now) {
  return before && now && *now > *before;
}
bool Fell(const std::optional<double>& before, const std::optional<double>& now) {
  return before && now && *now < *before;
}
double Or0(const std::optional<double>& value) {
  return value.value_or(0);
}
double Seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

/// Anything from which it could be told that work is being done.
bool TellsOfWork(const ProgressReading& r) {
  return r.steps || r.generated_tokens || r.prompt_tokens || r.succeeded;
}
bool HasWork(const ProgressReading& r) {
  return Or0(r.running) > 0 || Or0(r.waiting) > 0 || Or0(r.gateway_outstanding) > 0;
}

}  // namespace

std::string_view ToString(ProgressState state) {
  static constexpr std::string_view kNames[kProgressStates] = {
      "unknown",    "idle",          "progressing",   "saturated",
      "prefilling", "quiet",         "starting",      "asleep",
      "down",       "stuck_running", "stuck_waiting", "stuck_empty_steps",
      "stuck_lost", "stuck_silent"};
  return kNames[static_cast<int>(state)];
}

bool ProgressDetector::SawRestart(const ProgressReading& reading) const {
  return Fell(last_->steps, reading.steps) ||
         Fell(last_->generated_tokens, reading.generated_tokens) ||
         Fell(last_->prompt_tokens, reading.prompt_tokens) ||
         Fell(last_->succeeded, reading.succeeded);
}

bool ProgressDetector::SawProgress(const ProgressReading& reading) const {
  return Rose(last_->generated_tokens, reading.generated_tokens) ||
         Rose(last_->prompt_tokens, reading.prompt_tokens) ||
         Rose(last_->succeeded, reading.succeeded) ||
         Rose(gateway_tokens_, reading.gateway_tokens) ||
         // The scheduler gives a request blocks, or takes one into the batch.
         Rose(last_->kv_usage, reading.kv_usage) || Rose(last_->running, reading.running) ||
         (!reading.kv_usage && Rose(last_->steps, reading.steps));
}

void ProgressDetector::Learn(const ProgressReading& reading) {
  const auto pause = static_cast<double>(reading.time.ms - quiet_since_.ms);
  if (HasWork(*last_)) {
    if (IsStuck(verdict_.state)) {
      if (pause <= kLongestLessonMs) lesson_ms_ = std::max(lesson_ms_, pause);
    } else if (verdict_.state != ProgressState::kPrefilling) {
      longest_pause_ms_ = std::max(longest_pause_ms_, pause);
    }
  }
  if (reading.gpu_power_watts && Or0(reading.running) > 0) {
    busy_power_ = std::max(busy_power_ * 0.999, *reading.gpu_power_watts);
  }
}

Duration ProgressDetector::Patience() const {
  const double usual =
      std::clamp(2 * longest_pause_ms_, static_cast<double>(options_.patience.count()),
                 static_cast<double>(options_.max_patience.count()));
  const double taught =
      std::min(1.5 * lesson_ms_, static_cast<double>(options_.prefill_patience.count()));
  return Duration(static_cast<std::int64_t>(std::max(usual, taught)));
}

bool ProgressDetector::WorksOnPrompt(const ProgressReading& reading, Duration quiet) const {
  // Silicon that computes gets hot; silicon that spins on a lost partner does not.
  return quiet <= options_.prefill_patience && Or0(reading.running) > 0 &&
         reading.gpu_power_watts && busy_power_ > 0 &&
         *reading.gpu_power_watts >= kWorkingPowerShare * busy_power_;
}

ProgressState ProgressDetector::Judge(const ProgressReading& reading, Duration quiet) const {
  using enum ProgressState;
  if (canary_failures_ >= 2) return kStuckSilent;
  if (reading.asleep) return kAsleep;
  if (!TellsOfWork(reading)) {
    // A page without counters: only its silence can be heard.
    return HasWork(reading) || !reading.running ? kUnknown : kIdle;
  }
  if (!HasWork(reading)) return restarted_ ? kStarting : kIdle;
  if (quiet.count() == 0) return Or0(reading.waiting) > 0 ? kSaturated : kProgressing;
  if (quiet < Patience()) return restarted_ ? kStarting : kQuiet;
  if (WorksOnPrompt(reading, quiet)) return kPrefilling;
  if (steps_moved_) return kStuckEmptySteps;
  if (Or0(reading.running) > 0) return kStuckRunning;
  if (Or0(reading.waiting) > 0) return kStuckWaiting;
  // A request can be on its way into the engine (tokenized, its images decoded) for a while.
  return quiet < options_.max_patience ? kQuiet : kStuckLost;
}

std::string ProgressDetector::Explain(const ProgressReading& reading, ProgressState state,
                                      Duration quiet) const {
  using enum ProgressState;
  const double seconds = Seconds(quiet);
  std::string power;
  if (reading.gpu_power_watts) {
    power = fmt::format("; its accelerators draw {:.0f} W", *reading.gpu_power_watts);
    if (busy_power_ > 0) power += fmt::format(" ({:.0f} W when it works)", busy_power_);
    if (reading.gpu_utilization)
      power += fmt::format(" at {:.0f} % utilization", *reading.gpu_utilization * 100);
  }
  switch (state) {
    case kUnknown:
      return "it exports no counter of steps, tokens or requests";
    case kIdle:
      return "no request is running or waiting";
    case kProgressing:
      return fmt::format("{:.0f} requests are running and tokens are coming", Or0(reading.running));
    case kSaturated:
      return fmt::format("{:.0f} requests are running and tokens are coming, {:.0f} are waiting",
                         Or0(reading.running), Or0(reading.waiting));
    case kPrefilling:
      return fmt::format("no token for {:.0f} s, but it works on a long prompt{}", seconds, power);
    case kQuiet:
      return fmt::format("no progress for {:.0f} s; it is accused after {:.0f} s", seconds,
                         Seconds(Patience()));
    case kStarting:
      return "its counters began anew and it has done nothing since";
    case kAsleep:
      return "it says that its weights are offloaded";
    case kDown:
      return "nobody answers at its address";
    case kStuckRunning:
      return fmt::format("{:.0f} requests are in the batch and no counter has moved for {:.0f} s{}",
                         Or0(reading.running), seconds, power);
    case kStuckWaiting:
      return fmt::format(
          "{:.0f} requests wait, none is in the batch, and no counter has moved for {:.0f} s{}",
          Or0(reading.waiting), seconds, power);
    case kStuckEmptySteps:
      return fmt::format(
          "it makes steps, but none of {:.0f} requests has got a token for {:.0f} s{}",
          std::max(Or0(reading.running) + Or0(reading.waiting), Or0(reading.gateway_outstanding)),
          seconds, power);
    case kStuckLost:
      return fmt::format(
          "the gateway waits for {:.0f} answers, the engine says that it has no request, for "
          "{:.0f} s",
          Or0(reading.gateway_outstanding), seconds);
    case kStuckSilent:
      return canary_failures_ >= 2
                 ? std::string("two canaries in a row got no token")
                 : fmt::format("it takes connections and has answered nothing for {:.0f} s",
                               seconds);
  }
  return {};
}

const ProgressVerdict& ProgressDetector::Observe(const ProgressReading& reading) {
  using enum ProgressState;
  const Timestamp now = reading.time;
  ProgressState state = kUnknown;
  Duration quiet{0};
  verdict_.restarted = false;
  if (last_) {
    lesson_ms_ *= std::exp2(-static_cast<double>(now.ms - last_->time.ms) / kLessonHalfLifeMs);
    if (lesson_ms_ < static_cast<double>(options_.patience.count())) lesson_ms_ = 0;
  }
  if (!reading.reachable) {
    if (reading.silent && !was_silent_) silent_since_ = last_ ? last_->time : now;
    // Its web server may be too busy for us, and its tokens flow all the same.
    if (Rose(gateway_tokens_, reading.gateway_tokens)) silent_since_ = now;
    was_silent_ = reading.silent;
    quiet = Duration(now.ms - silent_since_.ms);
    // Nobody else can say whether it works, unless the gateway waits for it.
    const Duration patience = Or0(reading.gateway_outstanding) > 0 && reading.gateway_tokens
                                  ? options_.patience
                                  : options_.max_patience;
    state = !reading.silent           ? kDown
            : quiet >= patience       ? kStuckSilent
            : IsStuck(verdict_.state) ? verdict_.state
                                      : kQuiet;
    if (!reading.silent) last_.reset();  // What comes after it is another process.
  } else {
    was_silent_ = false;
    if (!last_) {
      quiet_since_ = now;
    } else if (SawRestart(reading)) {
      restarted_ = true;
      verdict_.restarted = true;
      quiet_since_ = now;
      canary_failures_ = 0;
      longest_pause_ms_ = 0;
    } else if (SawProgress(reading)) {
      Learn(reading);
      restarted_ = false;
      quiet_since_ = now;
      canary_failures_ = 0;
      verdict_.last_progress = now;
      canary_at_ = now;
    } else if (!HasWork(reading)) {
      quiet_since_ = now;  // Patience begins when it gets work.
    }
    if (quiet_since_.ms == now.ms) {
      steps_moved_ = false;
    } else if (last_ && Rose(last_->steps, reading.steps)) {
      steps_moved_ = true;
    }
    quiet = Duration(now.ms - quiet_since_.ms);
    state = Judge(reading, quiet);
    last_ = reading;
  }
  gateway_tokens_ = reading.gateway_tokens;
  if (state != verdict_.state || verdict_.since.ms == 0) verdict_.since = now;
  verdict_.state = state;
  verdict_.evidence = Explain(reading, state, quiet);
  if (canary_at_.ms == 0) canary_at_ = now;
  const Duration wait = canary_failures_ > 0 ? kCanaryRetry : options_.canary_interval;
  verdict_.canary_due = options_.canary_interval.count() > 0 &&
                        (state == kIdle || canary_failures_ > 0) && reading.reachable &&
                        now.ms - canary_at_.ms >= wait.count();
  if (verdict_.canary_due) canary_at_ = now;  // One at a time; the next when its turn comes.
  return verdict_;
}

void ProgressDetector::CanaryReturned(Timestamp time, bool got_token) {
  canary_at_ = time;
  if (got_token) {
    canary_failures_ = 0;
    verdict_.last_progress = time;
  } else {
    ++canary_failures_;
  }
}

}  // namespace sonde::insight
