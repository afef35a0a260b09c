#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "alerting/inhibitor.h"
#include "alerting/notification.h"
#include "alerting/notification_log.h"
#include "alerting/options.h"
#include "alerting/record_log.h"
#include "alerting/route.h"
#include "alerting/silences.h"
#include "alerting/stored_alert.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/result.h"

// The alerting pipeline: alerts come in, are routed, grouped, and leave as notifications, unless an
// inhibition, a time interval or a silence mutes them. Timing and order are Alertmanager's
// (docs/alerting.md); tests/alerting/*.timeline shows them in simulated time.

namespace sonde::alerting {

struct AlertmanagerSettings {
  std::filesystem::path data_dir;        ///< Of silences and notifications; empty: memory only.
  Duration data_retention{432'000'000};  ///< Of what has ended: 120 h.
  Duration gc_interval{1'800'000};
  std::size_t max_alerts = 500'000;         ///< More are refused.
  std::size_t max_alert_bytes = 256 << 10;  ///< Labels and annotations of one alert.
  SilenceLimits silences;
};

/// An alert with all that the API shows of it.
struct AlertView {
  StoredAlertPtr alert;
  std::vector<std::string> receivers;
  bool processed = false;  ///< Its group has been flushed, or it is muted.
  std::vector<std::string> silenced_by;
  std::vector<std::string> inhibited_by;
  std::vector<std::string> muted_by;

  bool suppressed() const {
    return !silenced_by.empty() || !inhibited_by.empty() || !muted_by.empty();
  }
};

struct GroupView {
  Labels labels;
  std::string receiver;
  std::string route_id;
  std::vector<AlertView> alerts;
};

/// What the counters of a pipeline show.
struct AlertmanagerCounts {
  std::uint64_t alerts_received = 0;
  std::uint64_t alerts_invalid = 0;
  std::uint64_t notifications = 0;         ///< Attempts.
  std::uint64_t notifications_failed = 0;  ///< Given up.
  std::uint64_t damaged_records = 0;
};

/// Owns alerts, groups, silences and the notification log. Thread-safe. It has no thread: somebody
/// calls Tick, and again when NextTick says so or after `wake` was called.
class Alertmanager {
 public:
  /// References outlive it; `send` is called without a lock. `wake` may be called from any thread.
  struct Context {
    const Clock& clock;
    Env& env;
    Logger logger;
    Sender send;
    std::function<void()> wake = {};
    std::uint64_t seed = 1;
  };

  /// Reads what a former process left. kIo if the folder cannot be used; damaged records are
  /// counted, logged and left out.
  static Result<std::unique_ptr<Alertmanager>> Open(Options options, AlertmanagerSettings settings,
                                                    Context context);

  /// Takes alerts as the API does: missing times are filled in, empty labels left out. Valid ones
  /// are stored even if others are not; the error (kInvalid, kLimit) then names the first of those.
  Status Put(std::span<const Alert> alerts) EXCLUDES(mutex_);

  /// Does everything that is due and returns when the next thing will be.
  Timestamp Tick() EXCLUDES(mutex_);

  /// Another configuration: the tree, rules and receivers are replaced, groups are made anew from
  /// the alerts; the notification log sees to it that nothing is sent twice.
  void Reload(Options options) EXCLUDES(mutex_);

  /// As Silences. When it returns without an error the change survives a crash.
  Result<std::string> SetSilence(Silence silence) EXCLUDES(mutex_);
  Status ExpireSilence(std::string_view id) EXCLUDES(mutex_);
  std::optional<Silence> FindSilence(std::string_view id) const EXCLUDES(mutex_);
  std::vector<Silence> ListSilences() const EXCLUDES(mutex_);

  /// All that have not been resolved, by labels.
  std::vector<AlertView> ListAlerts() const EXCLUDES(mutex_);
  std::vector<GroupView> ListGroups() const EXCLUDES(mutex_);
  std::vector<std::string> ReceiverNames() const EXCLUDES(mutex_);
  AlertmanagerCounts counts() const EXCLUDES(mutex_);

  /// Waits for nothing; the logs are complete at any time. Later completions are ignored.
  ~Alertmanager();

 private:
  struct Setup;
  struct Attempt;
  struct Flush;
  struct Group;
  /// One alert in the store, and where it is routed.
  struct Entry {
    StoredAlertPtr alert;
    std::vector<const Route*> routes;
  };
  struct Shared;

  Alertmanager(Options options, AlertmanagerSettings settings, Context context);

  Status PutOne(const Alert& alert, Timestamp now) REQUIRES(mutex_);
  void Dispatch(const StoredAlertPtr& alert, Entry& entry, Timestamp now) REQUIRES(mutex_);
  void Schedule(Group& group, Timestamp at) REQUIRES(mutex_);
  /// The wall clock was set back: what was due in a minute still is.
  void ShiftTimers(Duration by) REQUIRES(mutex_);
  void Process(Group& group, Timestamp now) REQUIRES(mutex_);
  void StartFlush(Group& group, Timestamp now) REQUIRES(mutex_);
  void ContinueFlush(Group& group, Timestamp now) REQUIRES(mutex_);
  void FinishFlush(Group& group, Timestamp now) REQUIRES(mutex_);
  std::vector<StoredAlertPtr> Unmuted(Group& group, std::vector<StoredAlertPtr> alerts,
                                      Timestamp now) REQUIRES(mutex_);
  std::vector<std::string> MutingIntervals(const Route& route, Timestamp now) const
      REQUIRES(mutex_);
  void PrepareAttempts(Group& group, const std::vector<StoredAlertPtr>& alerts, Timestamp now)
      REQUIRES(mutex_);
  void Complete(std::uint64_t group_id, std::uint64_t flush_id, std::size_t index,
                const NotificationEntry& entry, SendResult result) EXCLUDES(mutex_);
  void RecordSent(NotificationEntry entry, Timestamp now) REQUIRES(mutex_);
  void Collect(Timestamp now) REQUIRES(mutex_);
  AlertView ViewOf(const StoredAlertPtr& alert, Timestamp now) const REQUIRES(mutex_);
  /// Writes pending records; nobody waits for this lock but other writers.
  Status WriteRecords() EXCLUDES(mutex_, io_mutex_);
  Status LoadRecords();

  struct Outgoing {
    std::shared_ptr<const Notification> notification;
    std::uint64_t group_id, flush_id;
    std::size_t index;
    NotificationEntry entry;
  };

  const AlertmanagerSettings settings_;
  const Context context_;
  const std::shared_ptr<Shared> shared_;  // Outlives this for late completions.

  mutable Mutex mutex_;
  std::unique_ptr<Setup> setup_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Entry> alerts_ GUARDED_BY(mutex_);
  std::unordered_map<const Route*, std::unordered_map<Labels, std::unique_ptr<Group>>> groups_
      GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Group*> groups_by_id_ GUARDED_BY(mutex_);
  std::set<std::pair<Timestamp, std::uint64_t>> timers_ GUARDED_BY(mutex_);  // Due, group id.
  Silences silences_ GUARDED_BY(mutex_);
  NotificationLog log_ GUARDED_BY(mutex_);
  Rng rng_ GUARDED_BY(mutex_);
  std::vector<Outgoing> outgoing_ GUARDED_BY(mutex_);
  std::vector<std::string> pending_silences_ GUARDED_BY(mutex_);
  std::vector<std::string> pending_log_ GUARDED_BY(mutex_);
  AlertmanagerCounts counts_ GUARDED_BY(mutex_);
  Timestamp next_gc_ GUARDED_BY(mutex_);
  Timestamp last_tick_ GUARDED_BY(mutex_) = Timestamp::Min();
  std::uint64_t next_id_ GUARDED_BY(mutex_) = 1;

  Mutex io_mutex_;  // Taken before mutex_.
  std::optional<RecordLog> silence_file_ GUARDED_BY(io_mutex_);
  std::optional<RecordLog> log_file_ GUARDED_BY(io_mutex_);
};

/// A random UUID (version 4).
std::string NewUuid(Rng& rng);

}  // namespace sonde::alerting
