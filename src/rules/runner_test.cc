#include "rules/runner.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "promql/engine.h"
#include "rules/memory_storage.h"

// When groups run. The clock is moved by hand; one thread evaluates, so the store in memory is
// safe.

namespace sonde::rules {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kInterval{10'000};

class RunnerTest : public ::testing::Test {
 protected:
  static GroupOptions OneGroup(std::string name, std::vector<RuleOptions> rules) {
    return {.name = std::move(name),
            .file = "f.yml",
            .interval = kInterval,
            .query_offset = {},
            .limit = 0,
            .rules = std::move(rules)};
  }
  static RuleOptions Record(std::string name, std::string expr) {
    return {.alerting = false,
            .name = std::move(name),
            .expr = std::move(expr),
            .hold = Duration(0),
            .keep_firing_for = Duration(0),
            .labels = {},
            .annotations = {}};
  }
  static RuleOptions AlwaysAlert(Duration hold) {
    return {.alerting = true,
            .name = "A",
            .expr = "vector(1)",
            .hold = hold,
            .keep_firing_for = Duration(0),
            .labels = {},
            .annotations = {}};
  }

  void Pass(Duration by) {
    clock_.Advance(by);
    runner_.RunDue();
  }
  std::size_t Count(const std::string& metric) {
    const auto found = query_.Ask(metric, clock_.Now());
    EXPECT_TRUE(found);
    return found->size();
  }
  double Metric(const std::string& name) {
    for (const auto& family : registry_.Snapshot()) {
      if (family.name == name && !family.points.empty()) return family.points.front().value;
    }
    return -1;
  }

  ManualClock clock_{{1'700'000'000'000}};
  MemorySink sink_;
  Logger logger_{sink_, clock_};
  MemoryStorage storage_;
  std::unique_ptr<promql::Evaluator> evaluator_ = promql::NewEvaluator(clock_);
  InstantQuery query_{storage_, *evaluator_, {}, {}};
  instrument::Registry registry_;
  std::vector<Alert> sent_;
  Runner runner_{{.query = query_,
                  .store = storage_,
                  .clock = clock_,
                  .logger = logger_,
                  .alerts =
                      [this](std::vector<Alert> alerts) {
                        sent_.insert(sent_.end(), alerts.begin(), alerts.end());
                      }},
                 registry_,
                 1};
};

TEST_F(RunnerTest, EachGroupHasItsSlot) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {Record("x", "vector(1)")})}, {}));
  runner_.RunDue();
  EXPECT_FALSE(runner_.groups()[0].last_evaluation);
  Pass(kInterval);
  const auto first = runner_.groups()[0].last_evaluation;
  ASSERT_TRUE(first);
  EXPECT_LE(*first, clock_.Now());
  EXPECT_GT(*first, clock_.Now() - kInterval);
  Pass(kInterval);
  EXPECT_EQ(*runner_.groups()[0].last_evaluation, *first + kInterval);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 2);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_missed_total"), 0);
}

TEST_F(RunnerTest, MissedSlotsAreCountedNotMadeUpFor) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {Record("x", "vector(1)")})}, {}));
  Pass(kInterval);
  Pass(4 * kInterval);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 5);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_missed_total"), 3);
  EXPECT_EQ(Metric("prometheus_rule_evaluations_total"), 2);
}

TEST_F(RunnerTest, AClockThatIsSetBackStopsNothing) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {Record("x", "vector(1)")})}, {}));
  Pass(kInterval);
  clock_.Advance(-100 * kInterval);
  runner_.RunDue();
  Pass(kInterval);
  EXPECT_LE(*runner_.groups()[0].last_evaluation, clock_.Now());
}

TEST_F(RunnerTest, AnUnchangedGroupGoesOnAfterAReload) {
  const auto groups = std::vector{OneGroup("a", {AlwaysAlert(3 * kInterval)})};
  ASSERT_TRUE(runner_.Apply(groups, {}));
  for (int i = 0; i < 3; ++i) {
    Pass(kInterval);
    ASSERT_TRUE(runner_.Apply(groups, {}));
  }
  EXPECT_EQ(runner_.groups()[0].rules[0]->state(), AlertState::kPending);
  Pass(kInterval);
  EXPECT_EQ(runner_.groups()[0].rules[0]->state(), AlertState::kFiring);
  EXPECT_THAT(sent_, SizeIs(1));
}

TEST_F(RunnerTest, SeriesOfARemovedGroupBecomeStaleAfterTwoIntervals) {
  ASSERT_TRUE(
      runner_.Apply({OneGroup("a", {Record("x", "vector(1)"), Record("y", "vector(2)")})}, {}));
  Pass(kInterval);
  ASSERT_TRUE(runner_.Apply({OneGroup("b", {Record("x", "vector(1)")})}, {}));
  Pass(kInterval);
  EXPECT_EQ(Count("y"), 1U);
  Pass(kInterval);
  runner_.RunDue();
  EXPECT_EQ(Count("y"), 0U);
  EXPECT_EQ(Count("x"), 1U);  // Another group gives it now.
}

TEST_F(RunnerTest, ABadRuleChangesNothing) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {Record("x", "vector(1)")})}, {}));
  const Status status = runner_.Apply({OneGroup("b", {Record("x", "sum(")})}, {});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), ::testing::StartsWith("f.yml: group b: rule x: 1:"));
  ASSERT_THAT(runner_.groups(), SizeIs(1));
  EXPECT_EQ(runner_.groups()[0].name, "a");
}

TEST_F(RunnerTest, AlertsAreWrittenWhenRestorationIsOver) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {AlwaysAlert(Duration(0))})}, {}));
  Pass(kInterval);
  EXPECT_EQ(Count("ALERTS"), 0U);
  Pass(kInterval);
  Pass(kInterval);
  EXPECT_EQ(Count("ALERTS"), 1U);
}

TEST_F(RunnerTest, TheThreadRunsAndStops) {
  ASSERT_TRUE(runner_.Apply({OneGroup("a", {Record("x", "vector(1)")})}, {}));
  runner_.Start();
  runner_.Stop();
  runner_.Stop();
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(RunnerTest, SlotsAreTheReferences) {
  const auto group = Group::Make(
      OneGroup("a", {}), {},
      {.query = query_, .store = storage_, .clock = clock_, .logger = logger_, .alerts = {}}, true);
  ASSERT_TRUE(group);
  const Timestamp slot = (*group)->SlotAt(clock_.Now());
  for (int ms = 0; ms < kInterval.count(); ms += 777)
    EXPECT_EQ((*group)->SlotAt(slot + Duration(ms)), slot);
  EXPECT_EQ((*group)->SlotAt(slot + kInterval), slot + kInterval);
}

}  // namespace
}  // namespace sonde::rules
