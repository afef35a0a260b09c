#include "rules/runner.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace sonde::rules {
namespace {

/// The thread looks at the clock at least so often: somebody may have set it.
constexpr Duration kLongestSleep{1'000};

}  // namespace

struct Runner::Shared {
  mutable Mutex mutex;
  std::vector<std::shared_ptr<Group>> groups GUARDED_BY(mutex);

  template <class F>
  void AddPoints(std::vector<instrument::Point>& points, F value) const EXCLUDES(mutex) {
    MutexLock lock(mutex);
    for (const auto& group : groups) {
      points.push_back({{{"rule_group", group->options().file + ";" + group->options().name}},
                        value(*group),
                        nullptr});
    }
  }

  static double Count(const std::atomic<std::uint64_t>& count) {
    return static_cast<double>(count.load(std::memory_order_relaxed));
  }

  static void Register(const std::shared_ptr<Shared>& shared, instrument::Registry& registry);
};

void Runner::Shared::Register(const std::shared_ptr<Shared>& shared,
                              instrument::Registry& registry) {
  using instrument::FamilyType;
  const auto add = [&](const char* name, const char* help, FamilyType type,
                       double (*value)(const Group&)) {
    registry.AddCollector(name, help, type,
                          [shared, value](std::vector<instrument::Point>& points) {
                            shared->AddPoints(points, value);
                          });
  };
  add("prometheus_rule_evaluations_total", "Rules that were evaluated.", FamilyType::kCounter,
      [](const Group& g) { return Count(g.counts().evaluations); });
  add("prometheus_rule_evaluation_failures_total",
      "Evaluations of rules that failed: /api/v1/rules says why.", FamilyType::kCounter,
      [](const Group& g) { return Count(g.counts().failures); });
  add("prometheus_rule_group_iterations_total", "Slots of the group, with those that were missed.",
      FamilyType::kCounter, [](const Group& g) { return Count(g.counts().iterations); });
  add("prometheus_rule_group_iterations_missed_total",
      "Slots that passed while the group was still being evaluated.", FamilyType::kCounter,
      [](const Group& g) { return Count(g.counts().missed); });
  add("prometheus_rule_group_last_evaluation_samples", "Samples that the last evaluation gave.",
      FamilyType::kGauge, [](const Group& g) { return Count(g.counts().last_samples); });
  add("prometheus_rule_group_rules", "Rules of the group.", FamilyType::kGauge,
      [](const Group& g) { return static_cast<double>(g.options().rules.size()); });
  add("prometheus_rule_group_interval_seconds", "How often the group is evaluated.",
      FamilyType::kGauge,
      [](const Group& g) { return static_cast<double>(g.interval().count()) / 1000; });
  add("prometheus_rule_group_last_duration_seconds", "How long the last evaluation took.",
      FamilyType::kGauge, [](const Group& g) { return g.view().evaluation_seconds; });
  add("prometheus_rule_group_last_evaluation_timestamp_seconds",
      "The slot of the last evaluation; 0 before the first.", FamilyType::kGauge,
      [](const Group& g) { return g.view().last_evaluation.value_or(Timestamp{}).seconds(); });
  registry.AddCollector(
      "sonde_alerts", "Alerts of all rules by state.", FamilyType::kGauge,
      [shared](std::vector<instrument::Point>& points) {
        std::size_t pending = 0;
        std::size_t firing = 0;
        {
          MutexLock lock(shared->mutex);
          for (const auto& group : shared->groups) {
            for (const auto& rule : group->view().rules) {
              for (const AlertView& alert : rule->alerts)
                ++(alert.state == AlertState::kFiring ? firing : pending);
            }
          }
        }
        points.push_back({{{"state", "firing"}}, static_cast<double>(firing), nullptr});
        points.push_back({{{"state", "pending"}}, static_cast<double>(pending), nullptr});
      });
}

Runner::Runner(GroupContext context, instrument::Registry& registry, std::size_t threads)
    : context_(std::move(context)), shared_(std::make_shared<Shared>()), pool_(threads, "rule") {
  Shared::Register(shared_, registry);
}

Runner::~Runner() {
  Stop();
}

Runner::Slot Runner::MakeSlot(std::shared_ptr<Group> group) const {
  Slot slot;
  slot.due = group->SlotAt(context_.clock.Now()) + group->interval();
  slot.restoring = !group->restored();
  slot.group = std::move(group);
  return slot;
}

Status Runner::Apply(std::vector<GroupOptions> groups, const RunnerOptions& options) {
  std::ranges::sort(groups, [](const GroupOptions& a, const GroupOptions& b) {
    return std::tie(a.file, a.name) < std::tie(b.file, b.name);
  });
  MutexLock lock(mutex_);
  while (paused_)
    changed_.Wait(mutex_);
  std::vector<std::shared_ptr<Group>> made;
  const bool same_options = options == options_;
  for (GroupOptions& group : groups) {
    const auto same = std::ranges::find_if(
        slots_, [&](const auto& slot) { return same_options && slot->group->options() == group; });
    if (same != slots_.end()) {
      made.push_back((*same)->group);
    } else {
      made.push_back(TRY(Group::Make(std::move(group), options, context_, started_before_)));
    }
  }
  paused_ = true;
  WaitUntilIdle();
  std::vector<std::unique_ptr<Slot>> before = std::move(slots_);
  slots_.clear();
  for (std::shared_ptr<Group>& group : made) {
    const auto old = std::ranges::find_if(before, [&](const auto& slot) {
      return slot != nullptr && slot->group->options().file == group->options().file &&
             slot->group->options().name == group->options().name;
    });
    if (old != before.end() && (*old)->group == group) {
      slots_.push_back(std::move(*old));
      continue;
    }
    if (old != before.end()) {
      group->TakeStateFrom(*(*old)->group);
      old->reset();
    }
    slots_.push_back(std::make_unique<Slot>(MakeSlot(std::move(group))));
  }
  for (const auto& slot : before) {
    if (slot == nullptr) continue;
    retired_.push_back({slot->group, context_.clock.Now() + 2 * slot->group->interval()});
  }
  options_ = options;
  started_before_ = true;
  paused_ = false;
  changed_.NotifyAll();
  MutexLock shared_lock(shared_->mutex);
  shared_->groups.clear();
  for (const auto& slot : slots_)
    shared_->groups.push_back(slot->group);
  return OkStatus();
}

void Runner::WaitUntilIdle() {
  while (std::ranges::any_of(slots_, [](const auto& slot) { return slot->running; }))
    changed_.Wait(mutex_);
}

void Runner::MarkRetired(Timestamp now) {
  if (std::ranges::none_of(retired_, [&](const Retired& r) { return r.due <= now; })) return;
  if (std::ranges::any_of(slots_, [](const auto& slot) { return slot->running; })) return;
  std::unordered_set<Labels> alive;
  for (const auto& slot : slots_)
    slot->group->AddSeries(alive);
  std::vector<std::shared_ptr<Group>> due;
  std::erase_if(retired_, [&](const Retired& retired) {
    if (retired.due <= now) due.push_back(retired.group);
    return retired.due <= now;
  });
  paused_ = true;  // Nobody changes the groups while the markers are stored without the lock.
  mutex_.Unlock();
  for (const auto& group : due)
    group->MarkStale(now, alive);
  mutex_.Lock();
  paused_ = false;
  changed_.NotifyAll();
}

Duration Runner::Dispatch() {
  MutexLock lock(mutex_);
  if (stopping_ || paused_) return kLongestSleep;
  const Timestamp now = context_.clock.Now();
  MarkRetired(now);
  Duration sleep = kLongestSleep;
  for (const auto& owned : slots_) {
    Slot* slot = owned.get();
    if (slot->running) continue;
    const Duration interval = slot->group->interval();
    // A clock that was set back: the slots are those of the new time.
    if (slot->due - now > 2 * interval) slot->due = slot->group->SlotAt(now) + interval;
    if (slot->due > now) {
      sleep = std::min(sleep, slot->due - now);
      continue;
    }
    const Timestamp at = std::max(slot->due, slot->group->SlotAt(now));
    const auto missed = static_cast<std::uint64_t>((at - slot->due) / interval);
    slot->group->counts().missed.fetch_add(missed, std::memory_order_relaxed);
    slot->group->counts().iterations.fetch_add(missed + 1, std::memory_order_relaxed);
    slot->due = at + interval;
    slot->running = true;
    const bool restore = slot->restoring && ++slot->rounds == 2;
    const bool submitted = pool_.Submit([this, slot, at, restore] {
      slot->group->Evaluate(at, &stop_rules_);
      // The alerts of the first round are there, and the samples from before the restart, too.
      if (restore) slot->group->RestoreState(at);
      MutexLock done(mutex_);
      slot->running = false;
      changed_.NotifyAll();
    });
    if (!submitted) slot->running = false;
  }
  return sleep;
}

void Runner::RunDue() {
  Dispatch();
  MutexLock lock(mutex_);
  WaitUntilIdle();
}

void Runner::Run() {
  while (true) {
    const Duration sleep = Dispatch();
    MutexLock lock(mutex_);
    if (stopping_) return;
    changed_.WaitFor(mutex_, std::max(sleep, Duration(1)));
    if (stopping_) return;
  }
}

void Runner::Start() {
  thread_ = std::jthread([this] {
    SetThreadName("rules");
    Run();
  });
}

void Runner::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stop_rules_.store(true, std::memory_order_relaxed);
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  pool_.Stop();
}

std::vector<GroupView> Runner::groups() const {
  std::vector<std::shared_ptr<Group>> groups;
  {
    MutexLock lock(mutex_);
    for (const auto& slot : slots_)
      groups.push_back(slot->group);
  }
  std::vector<GroupView> views;
  views.reserve(groups.size());
  for (const auto& group : groups)
    views.push_back(group->view());
  return views;
}

}  // namespace sonde::rules
