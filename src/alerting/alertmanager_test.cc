#include "alerting/alertmanager.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/fault_env.h"

namespace sonde::alerting {
namespace {

constexpr Duration kMinute{60'000};

struct Pipeline {
  explicit Pipeline(AlertmanagerSettings settings = {}) {
    Options options = Options::ListOnly();
    Integration hook;
    hook.kind = IntegrationKind::kWebhook;
    hook.type = "webhook";
    options.receivers[0].integrations.push_back(hook);
    options.inhibit_rules.push_back(
        {"", {Matcher::Equal("sev", "high")}, {Matcher::Equal("sev", "low")}, {"zone"}});
    auto opened = Alertmanager::Open(
        options, settings,
        {clock, env, Logger(sink, clock),
         [this](const Notification&, auto done) { waiting.push_back(std::move(done)); }});
    alertmanager = *std::move(opened);
  }

  static Alert Make(std::initializer_list<LabelView> labels) {
    Alert alert;
    alert.labels = Labels::Of(labels);
    return alert;
  }
  Status Put(const Alert& alert) { return alertmanager->Put(std::span<const Alert>(&alert, 1)); }

  Silence Quiet(std::string value, Duration length) const {
    Silence silence;
    silence.matchers = {Matcher::Equal("alertname", std::move(value))};
    silence.starts_at = clock.Now();
    silence.ends_at = clock.Now() + length;
    silence.created_by = silence.comment = "me";
    return silence;
  }

  ManualClock clock{Timestamp{1'795'536'000'000}};
  FaultEnv env;
  MemorySink sink;
  std::vector<std::function<void(SendResult)>> waiting;
  std::unique_ptr<Alertmanager> alertmanager;
};

TEST(Alertmanager, FillsInTimesAndRefusesWhatIsWrong) {
  Pipeline p;
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "A"}})));
  auto alerts = p.alertmanager->ListAlerts();
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].alert->alert.starts_at, p.clock.Now());
  EXPECT_EQ(alerts[0].alert->alert.ends_at, p.clock.Now() + 5 * kMinute);
  EXPECT_FALSE(alerts[0].processed);
  EXPECT_FALSE(p.Put({}));
  Alert backwards = Pipeline::Make({{"alertname", "B"}});
  backwards.starts_at = p.clock.Now();
  backwards.ends_at = p.clock.Now() - kMinute;
  EXPECT_FALSE(p.Put(backwards));
  EXPECT_FALSE(p.Put(Pipeline::Make({{"alertname", "\xff"}})));
  // The good ones of a batch are kept.
  const std::vector<Alert> batch = {backwards, Pipeline::Make({{"alertname", "C"}})};
  EXPECT_FALSE(p.alertmanager->Put(batch));
  EXPECT_EQ(p.alertmanager->ListAlerts().size(), 2U);
  EXPECT_EQ(p.alertmanager->counts().alerts_invalid, 4U);
}

TEST(Alertmanager, Bounds) {
  AlertmanagerSettings settings;
  settings.max_alerts = 2;
  settings.max_alert_bytes = 100;
  Pipeline p(settings);
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "A"}})));
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "B"}})));
  EXPECT_EQ(p.Put(Pipeline::Make({{"alertname", "C"}})).error().kind(), ErrorKind::kLimit);
  EXPECT_TRUE(p.Put(Pipeline::Make({{"alertname", "B"}})));
  Alert large = Pipeline::Make({{"alertname", "A"}});
  large.annotations = Labels::Of({{"text", std::string(101, 'x')}});
  EXPECT_EQ(p.Put(large).error().kind(), ErrorKind::kLimit);
}

TEST(Alertmanager, OldAlertsAreForgotten) {
  Pipeline p;
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "A"}, {"sev", "high"}})));
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "B"}, {"sev", "low"}})));
  EXPECT_EQ(p.alertmanager->ListAlerts()[1].inhibited_by.size() +
                p.alertmanager->ListAlerts()[0].inhibited_by.size(),
            1U);
  p.clock.Advance(31 * kMinute);
  p.alertmanager->Tick();
  EXPECT_TRUE(p.alertmanager->ListAlerts().empty());
}

TEST(Alertmanager, SilencesChangeAsInTheReference) {
  Pipeline p;
  auto& a = *p.alertmanager;
  const std::string id = *a.SetSilence(p.Quiet("A", 10 * kMinute));
  EXPECT_EQ(id.size(), 36U);
  // Its end alone may change.
  Silence longer = *a.FindSilence(id);
  longer.ends_at = longer.ends_at + kMinute;
  EXPECT_EQ(*a.SetSilence(longer), id);
  // Other matchers make another one, and end the first.
  Silence other = longer;
  other.matchers = {Matcher::Equal("alertname", "B")};
  const std::string second = *a.SetSilence(other);
  EXPECT_NE(second, id);
  EXPECT_EQ(a.FindSilence(id)->State(p.clock.Now()), SilenceState::kExpired);
  EXPECT_FALSE(a.ExpireSilence(id));
  EXPECT_EQ(a.ExpireSilence("x").error().kind(), ErrorKind::kNotFound);
  // One that has not begun is over at once when it is expired.
  Silence later = p.Quiet("C", 20 * kMinute);
  later.starts_at = later.starts_at + kMinute;
  const std::string third = *a.SetSilence(later);
  EXPECT_EQ(a.FindSilence(third)->State(p.clock.Now()), SilenceState::kPending);
  ASSERT_TRUE(a.ExpireSilence(third));
  EXPECT_EQ(a.FindSilence(third)->ends_at, p.clock.Now());
  // What cannot be.
  Silence everything = p.Quiet("", kMinute);
  EXPECT_FALSE(a.SetSilence(everything));
  Silence past = p.Quiet("A", -kMinute);
  EXPECT_FALSE(a.SetSilence(past));
  Silence unknown = p.Quiet("A", kMinute);
  unknown.id = "x";
  EXPECT_EQ(a.SetSilence(unknown).error().kind(), ErrorKind::kNotFound);
  // Five days after their end they are forgotten.
  p.clock.Advance(121 * 60 * kMinute);
  a.Tick();
  EXPECT_EQ(a.FindSilence(id), std::nullopt);
}

TEST(Alertmanager, AClockThatIsSetBackDelaysNothing) {
  Pipeline p;
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "A"}})));
  p.clock.Advance(Duration(20'000));
  p.alertmanager->Tick();
  EXPECT_TRUE(p.waiting.empty());
  p.clock.Advance(-60 * kMinute);
  p.alertmanager->Tick();
  p.clock.Advance(Duration(9'000));
  p.alertmanager->Tick();
  EXPECT_TRUE(p.waiting.empty());
  p.clock.Advance(Duration(1'000));
  p.alertmanager->Tick();
  EXPECT_EQ(p.waiting.size(), 1U);
}

TEST(Alertmanager, LateCompletionsDoNoHarm) {
  Pipeline p;
  ASSERT_TRUE(p.Put(Pipeline::Make({{"alertname", "A"}})));
  p.clock.Advance(kMinute);
  p.alertmanager->Tick();
  ASSERT_EQ(p.waiting.size(), 1U);
  p.alertmanager->Reload(Options::ListOnly());
  p.waiting[0]({true, false, Duration(0), ""});
  EXPECT_EQ(p.alertmanager->counts().notifications, 1U);
  p.alertmanager.reset();
  p.waiting[0]({true, false, Duration(0), ""});
}

}  // namespace
}  // namespace sonde::alerting
