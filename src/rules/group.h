#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "model/alert.h"
#include "rules/alerting_rule.h"
#include "rules/rule.h"
#include "storage/storage.h"

namespace sonde::rules {

/// Takes the alerts that are to be sent. Called by rule threads, several at once; must not block.
using AlertSink = std::function<void(std::vector<Alert> alerts)>;

/// What groups work with. All references must outlive them.
struct GroupContext {
  const InstantQuery& query;
  storage::Appendable& store;
  const Clock& clock;
  Logger logger;
  AlertSink alerts;  ///< Null: nobody listens.
};

/// What a group has done since it was made. Written by its evaluations, read by anyone.
struct GroupCounts {
  std::atomic<std::uint64_t> iterations{0};  ///< Scheduled, with the missed ones.
  std::atomic<std::uint64_t> missed{0};
  std::atomic<std::uint64_t> evaluations{0};  ///< Of rules.
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> last_samples{0};
};

/// Rules that are evaluated in order at the same times, each seeing what those before it have
/// stored.
///
/// Evaluate, RestoreState, TakeStateFrom and MarkStale are for one thread at a time, which the
/// Runner sees to; the rest is thread-safe.
class Group {
 public:
  /// kInvalid if a rule does not parse; names it. `restored`: as AlertingRule::Make.
  static Result<std::shared_ptr<Group>> Make(GroupOptions options, const RunnerOptions& all,
                                             GroupContext context, bool restored);

  /// Evaluates all rules as of `time`, stores what they give, marks what has gone as stale, and
  /// hands the alerts that are due to the sink. Ends early, between two rules, if `stop` becomes
  /// true.
  void Evaluate(Timestamp time, const std::atomic<bool>* stop = nullptr) EXCLUDES(mutex_);

  /// Takes over what the same group remembered before a change of its rules: rules are the same if
  /// kind, name and labels are. Series of rules that are gone become stale in the next evaluation.
  void TakeStateFrom(Group& before) EXCLUDES(mutex_);
  /// AlertingRule::RestoreState for each rule.
  void RestoreState(Timestamp now) EXCLUDES(mutex_);
  bool restored() const;
  /// Writes stale markers for what the group's rules gave last, but for series in `alive`.
  void MarkStale(Timestamp now, const std::unordered_set<Labels>& alive);
  /// The series that its rules gave last are added.
  void AddSeries(std::unordered_set<Labels>& all) const;

  /// The grid point of this group at or before `time`: groups are spread over their interval by a
  /// hash of file and name, as the reference does it.
  Timestamp SlotAt(Timestamp time) const;

  const GroupOptions& options() const { return options_; }
  Duration interval() const { return interval_; }
  GroupView view() const EXCLUDES(mutex_);
  GroupCounts& counts() { return counts_; }
  const GroupCounts& counts() const { return counts_; }

 private:
  using Series = std::unordered_map<Labels, storage::SeriesRef>;
  struct Entry {
    std::unique_ptr<Rule> rule;
    AlertingRule* alerting = nullptr;  // The same, if it is one.
    Series series;                     // That it gave last.
    std::string query;
    RuleHealth health = RuleHealth::kUnknown;
    std::string last_error;
    double seconds = 0;
    std::optional<Timestamp> last_evaluation;
  };

  Group(GroupOptions options, const RunnerOptions& all, GroupContext context);

  std::size_t EvaluateRule(Entry& entry, Timestamp time);
  Status Store(Entry& entry, std::span<const RuleSample> samples, Timestamp time);
  void MarkRemoved(Timestamp time);
  void Publish(std::size_t index) EXCLUDES(mutex_);

  const GroupOptions options_;
  const RunnerOptions all_;
  const GroupContext context_;
  const Duration interval_;
  const Duration query_offset_;
  std::vector<Entry> entries_;
  std::vector<Labels> removed_;  // Series of rules that are gone.
  GroupCounts counts_;

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<const RuleView>> views_ GUARDED_BY(mutex_);
  double evaluation_seconds_ GUARDED_BY(mutex_) = 0;
  std::optional<Timestamp> last_evaluation_ GUARDED_BY(mutex_);
};

}  // namespace sonde::rules
