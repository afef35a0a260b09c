#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "insight/options.h"

// Finds an engine that answers its health checks and makes no progress. No I/O and no clock: what
// was seen is told, reading by reading, and the verdict comes back. What counts as progress, the
// states and their limits: docs/progress.md.

namespace sonde::insight {

/// What was seen of one engine (of one data-parallel rank) at one time. What is absent is not
/// known. Counters are as the engine exports them; a fall is a restart.
struct ProgressReading {
  Timestamp time;
  /// Its metrics page came. False: see `silent`.
  bool reachable = true;
  /// Its page (or a probe) was asked for and nothing came in time, although the connection was
  /// taken. Else an unreachable engine is simply down: refused, no such host.
  bool silent = false;
  bool asleep = false;  ///< It says that its weights are offloaded.

  std::optional<double> running;           ///< Requests in the batch.
  std::optional<double> waiting;           ///< Requests before it.
  std::optional<double> steps;             ///< Counter: its heartbeat.
  std::optional<double> generated_tokens;  ///< Counter.
  std::optional<double> prompt_tokens;     ///< Counter.
  std::optional<double> succeeded;         ///< Counter: requests that ended well.
  /// 0 to 1. Rises while a long prompt is read in chunks. An engine that has none is taken at its
  /// heartbeat's word: steps without effect are known only of engines that have one.
  std::optional<double> kv_usage;

  // At our gateway, for this upstream.
  std::optional<double> gateway_outstanding;  ///< Requests sent and not answered in full.
  std::optional<double> gateway_tokens;       ///< Counter: chunks with tokens that came back.

  // Of its accelerators; means where it has several.
  std::optional<double> gpu_utilization;  ///< 0 to 1.
  std::optional<double> gpu_power_watts;
};

enum class ProgressState : unsigned char {
  kUnknown,          ///< It exports nothing from which it could be told.
  kIdle,             ///< No work, and none is asked for.
  kProgressing,      ///< Work is done.
  kSaturated,        ///< Work is done, and more is waiting.
  kPrefilling,       ///< No token for a while, and evidence that a long prompt is being read.
  kQuiet,            ///< No progress, for less than its patience.
  kStarting,         ///< It restarted; nothing has been done yet.
  kAsleep,           ///< It says so.
  kDown,             ///< Nobody is there. An alert on `up` says it better.
  kStuckRunning,     ///< Requests in the batch, and nothing moves.
  kStuckWaiting,     ///< Requests wait, none is in the batch, and nothing moves.
  kStuckEmptySteps,  ///< Steps are made, and no request gets anything from them.
  kStuckLost,        ///< It says that it has no work, and our gateway waits for its answers.
  kStuckSilent,      ///< It takes connections and answers nothing.
};
inline constexpr int kProgressStates = 14;
std::string_view ToString(ProgressState state);  ///< As a label value: "stuck_running" …
inline bool IsStuck(ProgressState state) {
  return state >= ProgressState::kStuckRunning;
}

struct ProgressVerdict {
  ProgressState state = ProgressState::kUnknown;
  Timestamp since;          ///< When it came into this state.
  Timestamp last_progress;  ///< 0: none was seen yet.
  std::string evidence;     ///< One sentence for a person.
  bool canary_due = false;  ///< It is idle and nothing has been heard of it for long.
  bool restarted = false;   ///< This reading is the first after a restart.
};

/// One per engine (and data-parallel rank). Not thread-safe.
class ProgressDetector {
 public:
  explicit ProgressDetector(const ProgressOptions& options) : options_(options) {}

  /// Readings come in time order.
  const ProgressVerdict& Observe(const ProgressReading& reading);
  /// A canary that was due came back: with a token, or with none in its time. Two failures in a row
  /// accuse the engine, whatever its counters say.
  void CanaryReturned(Timestamp time, bool got_token);

  const ProgressVerdict& verdict() const { return verdict_; }

 private:
  bool SawRestart(const ProgressReading& reading) const;
  bool SawProgress(const ProgressReading& reading) const;
  void Learn(const ProgressReading& reading);
  Duration Patience() const;
  bool WorksOnPrompt(const ProgressReading& reading, Duration quiet) const;
  ProgressState Judge(const ProgressReading& reading, Duration quiet) const;
  std::string Explain(const ProgressReading& reading, ProgressState state, Duration quiet) const;

  const ProgressOptions options_;
  ProgressVerdict verdict_;
  std::optional<ProgressReading> last_;  // The last one in which it was reachable.
  Timestamp quiet_since_;                // Since then it has had work and not moved.
  Timestamp silent_since_;
  bool was_silent_ = false;
  bool steps_moved_ = false;              // While quiet.
  bool restarted_ = false;                // And nothing done since.
  std::optional<double> gateway_tokens_;  // Of the last reading, reachable or not.
  double longest_pause_ms_ = 0;           // That ended by itself before an accusation.
  double lesson_ms_ = 0;   // The longest that did so after one: a false alarm, fading.
  double busy_power_ = 0;  // Watts while it makes progress, as a slow maximum.
  Timestamp canary_at_;
  int canary_failures_ = 0;
};

}  // namespace sonde::insight
