#include "rules/alerting_rule.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "promql/engine.h"
#include "rules/group.h"
#include "rules/memory_storage.h"

// Alerting and recording rules through their group, over a store in memory and a clock that is
// moved by hand.

namespace sonde::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kMinute{60'000};

class GroupTest : public ::testing::Test {
 protected:
  std::shared_ptr<Group> Make(std::vector<RuleOptions> rules, bool restored = true, int limit = 0) {
    auto made =
        Group::Make({.name = "g",
                     .file = "f",
                     .interval = kMinute,
                     .query_offset = {},
                     .limit = limit,
                     .rules = std::move(rules)},
                    options_,
                    {.query = query_,
                     .store = storage_,
                     .clock = clock_,
                     .logger = logger_,
                     .alerts = [this](std::vector<Alert> alerts) { sent_ = std::move(alerts); }},
                    restored);
    EXPECT_TRUE(made) << made.error().message();
    return *made;
  }

  static RuleOptions AlertRule(Duration hold = Duration(0), Duration keep = Duration(0)) {
    return {.alerting = true,
            .name = "Hot",
            .expr = "temperature > 80",
            .hold = hold,
            .keep_firing_for = keep,
            .labels = {{"severity", "page"}},
            .annotations = {{"summary", "{{ $labels.gpu }} is at {{ $value }}"}}};
  }
  static RuleOptions RecordRule(std::string name, std::string expr) {
    return {.alerting = false,
            .name = std::move(name),
            .expr = std::move(expr),
            .hold = Duration(0),
            .keep_firing_for = Duration(0),
            .labels = {},
            .annotations = {}};
  }

  void Feed(Timestamp at, double value, const char* gpu = "0") {
    ASSERT_EQ(
        storage_.store().Append(Labels::Of({{"__name__", "temperature"}, {"gpu", gpu}}), at, value),
        storage::AppendError::kNone);
  }

  /// One round: sample, then evaluation.
  void Round(Group& group, Timestamp at, double value) {
    Feed(at, value);
    clock_.Set(at);
    sent_.clear();
    group.Evaluate(at);
  }

  std::vector<std::string> Series(const std::string& text, Timestamp at) {
    std::vector<std::string> out;
    const auto found = query_.Ask(text, at);
    EXPECT_TRUE(found) << found.error().message();
    for (const auto& series : *found)
      out.push_back(series.labels.ToString() + " " +
                    std::to_string(static_cast<long>(series.points[0].v)));
    return out;
  }

  static AlertState StateOf(const Group& group) { return group.view().rules[0]->state(); }
  static Timestamp At(int minutes) { return Timestamp{1'700'000'000'000} + minutes * kMinute; }

  ManualClock clock_{At(0)};
  MemorySink sink_;
  Logger logger_{sink_, clock_};
  MemoryStorage storage_;
  std::unique_ptr<promql::Evaluator> evaluator_ = promql::NewEvaluator(clock_);
  InstantQuery query_{storage_, *evaluator_, {}, {}};
  RunnerOptions options_;
  std::vector<Alert> sent_;
};

TEST_F(GroupTest, AnAlertIsPendingThenFiresThenIsResolved) {
  const auto group = Make({AlertRule(2 * kMinute)});
  Round(*group, At(0), 85);
  EXPECT_EQ(StateOf(*group), AlertState::kPending);
  EXPECT_THAT(sent_, IsEmpty());
  EXPECT_THAT(
      Series("ALERTS", At(0)),
      ElementsAre(R"(ALERTS{alertname="Hot", alertstate="pending", gpu="0", severity="page"} 1)"));
  EXPECT_THAT(
      Series("ALERTS_FOR_STATE", At(0)),
      ElementsAre(R"(ALERTS_FOR_STATE{alertname="Hot", gpu="0", severity="page"} 1700000000)"));
  Round(*group, At(1), 86);
  EXPECT_EQ(StateOf(*group), AlertState::kPending);
  Round(*group, At(2), 87);
  EXPECT_EQ(StateOf(*group), AlertState::kFiring);
  EXPECT_THAT(
      Series("ALERTS", At(2)),
      ElementsAre(R"(ALERTS{alertname="Hot", alertstate="firing", gpu="0", severity="page"} 1)"));
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].labels.ToString(), R"({alertname="Hot", gpu="0", severity="page"})");
  EXPECT_EQ(sent_[0].annotations.ToString(), R"({summary="0 is at 87"})");
  EXPECT_EQ(sent_[0].starts_at, At(2));
  EXPECT_EQ(sent_[0].ends_at, At(2) + 4 * kMinute);
  EXPECT_EQ(sent_[0].generator_url, "/graph?g0.expr=temperature+%3E+80&g0.tab=1");
  Round(*group, At(3), 50);
  EXPECT_EQ(StateOf(*group), AlertState::kInactive);
  EXPECT_THAT(Series("ALERTS", At(3)), IsEmpty());
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].ends_at, At(3));
  // Resolved ones are sent again, until they are forgotten.
  int resent = 0;
  for (int minute = 4; minute < 30; ++minute) {
    Round(*group, At(minute), 50);
    resent += sent_.empty() ? 0 : 1;
  }
  EXPECT_EQ(resent,
            7);  // Each time when more than the resend delay has passed: every other minute.
}

TEST_F(GroupTest, ANewBreachAfterTheEndIsANewAlert) {
  const auto group = Make({AlertRule()});
  Round(*group, At(0), 85);
  EXPECT_EQ(StateOf(*group), AlertState::kFiring);
  Round(*group, At(1), 10);
  Round(*group, At(2), 85);
  ASSERT_THAT(sent_, SizeIs(1));
  EXPECT_EQ(sent_[0].starts_at, At(2));
}

TEST_F(GroupTest, KeepFiringForHoldsAnAlert) {
  const auto group = Make({AlertRule(Duration(0), 2 * kMinute)});
  Round(*group, At(0), 85);
  Round(*group, At(1), 10);
  EXPECT_EQ(StateOf(*group), AlertState::kFiring);
  EXPECT_EQ(group->view().rules[0]->alerts[0].keep_firing_since, At(1));
  Round(*group, At(2), 10);
  EXPECT_EQ(StateOf(*group), AlertState::kFiring);
  Round(*group, At(3), 10);
  EXPECT_EQ(StateOf(*group), AlertState::kInactive);
}

TEST_F(GroupTest, APendingAlertThatEndsIsForgotten) {
  const auto group = Make({AlertRule(5 * kMinute)});
  Round(*group, At(0), 85);
  Round(*group, At(1), 10);
  EXPECT_THAT(group->view().rules[0]->alerts, IsEmpty());
  EXPECT_THAT(sent_, IsEmpty());
}

TEST_F(GroupTest, TheLimitClearsAllAlerts) {
  const auto group = Make({AlertRule()}, true, 1);
  Feed(At(0), 90, "1");
  Round(*group, At(0), 90);
  const auto rule = group->view().rules[0];
  EXPECT_EQ(rule->last_error, "exceeded limit of 1 with 2 alerts");
  EXPECT_EQ(rule->health, RuleHealth::kBad);
  EXPECT_THAT(rule->alerts, IsEmpty());
  EXPECT_EQ(group->counts().failures.load(), 1U);
}

TEST_F(GroupTest, SameLabelsTwiceIsAnError) {
  RuleOptions rule = AlertRule();
  rule.labels = {{"gpu", "all"}};
  const auto group =
      Make({rule, RecordRule("x", "label_replace(temperature, \"gpu\", \"\", \"\", \"\")")});
  Feed(At(0), 90, "1");
  Round(*group, At(0), 90);
  EXPECT_EQ(group->view().rules[0]->last_error,
            "vector contains metrics with the same labelset after applying alert labels");
  EXPECT_EQ(group->view().rules[1]->health, RuleHealth::kBad);
}

TEST_F(GroupTest, RecordedSeriesVanishWithTheirSource) {
  const auto group =
      Make({RecordRule("hot", "temperature > 80"), RecordRule("hot:count", "count(hot)")});
  Feed(At(0), 90, "1");
  Round(*group, At(0), 90);
  EXPECT_THAT(Series("hot", At(0)), SizeIs(2));
  EXPECT_THAT(Series("hot:count", At(0)), ElementsAre("hot:count 2"));  // In order, in one round.
  Feed(At(1), 10, "1");
  Round(*group, At(1), 90);
  EXPECT_THAT(Series("hot", At(1)), ElementsAre(R"(hot{gpu="0"} 90)"));
  EXPECT_THAT(Series("hot:count", At(1)), ElementsAre("hot:count 1"));
  EXPECT_EQ(group->counts().last_samples.load(), 2U);
}

TEST_F(GroupTest, AChangedGroupKeepsAlertsAndMarksWhatIsGone) {
  const auto before = Make({AlertRule(10 * kMinute), RecordRule("old", "temperature")});
  Round(*before, At(0), 85);
  RuleOptions changed = AlertRule(10 * kMinute);
  changed.annotations = {{"summary", "new"}};
  const auto after = Make({RecordRule("new", "temperature"), changed});
  after->TakeStateFrom(*before);
  Round(*after, At(1), 85);
  EXPECT_EQ(after->view().rules[1]->alerts[0].active_at, At(0));
  EXPECT_THAT(Series("old", At(1)), IsEmpty());
  EXPECT_THAT(Series("new", At(1)), SizeIs(1));
}

// What a restart does to an alert of `for: 20m` that had been pending for 5 minutes.
class RestoreTest : public GroupTest {
 protected:
  Timestamp Beginning(Duration hold, int up_minutes, int down_minutes) {
    const auto before = Make({AlertRule(hold)});
    for (int i = 0; i <= up_minutes; ++i)
      Round(*before, At(i), 85);
    const int back = up_minutes + down_minutes;
    const auto after = Make({AlertRule(hold)}, false);
    Round(*after, At(back), 85);
    EXPECT_TRUE(storage_.store().series() > 0);
    EXPECT_FALSE(after->restored());
    Round(*after, At(back + 1), 85);
    after->RestoreState(At(back + 1));
    EXPECT_TRUE(after->restored());
    return after->view().rules[0]->alerts[0].active_at;
  }
};

TEST_F(RestoreTest, WhatIsLeftOfForIsWaitedFor) {
  // 5 of 30 minutes were over when it went down; it comes back at minute 15: the outage does not
  // count.
  EXPECT_EQ(Beginning(30 * kMinute, 5, 10), At(0) + 11 * kMinute);
}
TEST_F(RestoreTest, AtLeastTheGracePeriodIsLeft) {
  // 15 of 20 minutes were over: 5 are left, which is less than 10.
  EXPECT_EQ(Beginning(20 * kMinute, 15, 10), At(26) + 10 * kMinute - 20 * kMinute);
}
TEST_F(RestoreTest, AFiringAlertKeepsItsBeginning) {
  EXPECT_EQ(Beginning(10 * kMinute, 12, 5), At(0));
}
TEST_F(RestoreTest, AfterALongOutageAllIsNew) {
  EXPECT_EQ(Beginning(30 * kMinute, 5, 90), At(95));
}
TEST_F(RestoreTest, ShortForsAreNotRestored) {
  EXPECT_EQ(Beginning(5 * kMinute, 3, 10), At(13));
}

}  // namespace
}  // namespace sonde::rules
