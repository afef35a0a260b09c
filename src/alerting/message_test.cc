#include "alerting/message.h"

#include <gtest/gtest.h>

#include "alerting/time_text.h"
#include "model/fingerprint.h"

namespace sonde::alerting {
namespace {

Notification Example(std::uint64_t max_alerts) {
  auto integration = std::make_shared<Integration>();
  integration->max_alerts = max_alerts;
  Notification n;
  n.receiver = "team x";
  n.integration = integration;
  n.group_key = "{}:{alertname=\"Slow\"}";
  n.group_labels = Labels::Of({{"alertname", "Slow"}});
  n.reason = NotificationReason::kFirst;
  Alert a;
  a.labels = Labels::Of({{"alertname", "Slow"}, {"node", "1"}, {"sev", "page"}});
  a.annotations = Labels::Of({{"summary", "too slow"}});
  a.starts_at = {1'795'536'000'250};
  a.generator_url = "http://p/?a=1&b=2";
  Alert b = a;
  b.labels = Labels::Of({{"alertname", "Slow"}, {"node", "2"}, {"sev", "page"}});
  b.ends_at = {1'795'536'060'000};
  n.alerts = {{a, false}, {b, true}};
  return n;
}

TEST(Messages, Webhook) {
  const Notification n = Example(1);
  EXPECT_EQ(
      WebhookBody(MakeNotificationData(n, "http://sonde")),
      R"({"receiver":"team x","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Slow","node":"1","sev":"page"},"annotations":{"summary":"too slow"},"startsAt":"2026-11-24T16:00:00.25Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/?a=1&b=2","fingerprint":")" +
          FormatFingerprint(FingerprintOf(n.alerts[0].alert.labels)) +
          R"("}],"groupLabels":{"alertname":"Slow"},"commonLabels":{"alertname":"Slow","sev":"page"},"commonAnnotations":{"summary":"too slow"},"externalURL":"http://sonde","routeLabels":{},"notification_reason":"first notification","version":"4","groupKey":"{}:{alertname=\"Slow\"}","truncatedAlerts":1})"
          "\n");
}

TEST(Messages, Slack) {
  const Notification n = Example(0);
  const auto body = SlackBody(MakeNotificationData(n, "http://sonde"), nullptr);
  ASSERT_TRUE(body);
  EXPECT_EQ(
      *body,
      R"x({"username":"Alertmanager","attachments":[{"title":"[FIRING:1] Slow (page)","title_link":"http://sonde/#/alerts?receiver=team%20x","text":"","fallback":"[FIRING:1] Slow (page) | http://sonde/#/alerts?receiver=team%20x","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]})x"
      "\n");
}

TEST(Messages, SlackRendersTemplates) {
  Notification n = Example(0);
  auto integration = std::make_shared<Integration>();
  integration->kind = IntegrationKind::kSlack;
  integration->title = "{{ x }}";
  integration->text = "plain";
  n.integration = integration;
  const NotificationData data = MakeNotificationData(n, "");
  const auto rendered = SlackBody(data, [](std::string_view text, const NotificationData&) {
    return Result<std::string>("<" + std::string(text) + ">");
  });
  ASSERT_TRUE(rendered);
  EXPECT_NE(rendered->find(R"("title":"<{{ x }}>")"), std::string::npos) << *rendered;
  EXPECT_NE(rendered->find(R"("text":"plain")"), std::string::npos);
  EXPECT_FALSE(SlackBody(data, [](std::string_view, const NotificationData&) {
    return Result<std::string>(Error(ErrorKind::kInvalid, "no"));
  }));
}

TEST(Messages, WhatAnswersMean) {
  EXPECT_TRUE(JudgeWebhook(204, "").ok);
  EXPECT_TRUE(JudgeWebhook(503, "x").retry);
  EXPECT_TRUE(JudgeWebhook(429, "x").retry);
  EXPECT_FALSE(JudgeWebhook(404, "x").retry);
  EXPECT_FALSE(JudgeWebhook(302, "x").ok);
  EXPECT_TRUE(JudgeSlack(200, "ok").ok);
  EXPECT_TRUE(JudgeSlack(200, R"({"ok":true})").ok);
  EXPECT_FALSE(JudgeSlack(200, R"({"ok":false,"error":"channel_not_found"})").ok);
  EXPECT_FALSE(JudgeSlack(200, R"({"ok":false,"error":"channel_not_found"})").retry);
  EXPECT_TRUE(JudgeSlack(200, R"({"ok":false,"error":"ratelimited"})").retry);
}

TEST(Times, ThereAndBack) {
  EXPECT_EQ(FormatTime({0}), "0001-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime({1'795'536'000'000}), "2026-11-24T16:00:00Z");
  EXPECT_EQ(FormatTimeMillis({1'795'536'000'000}), "2026-11-24T16:00:00.000Z");
  EXPECT_EQ(ParseTime("2026-11-24T18:00:00.2509+02:00")->ms, 1'795'536'000'250);
  EXPECT_EQ(ParseTime("0001-01-01T00:00:00Z")->ms, 0);
  for (const char* bad :
       {"", "2026-11-24", "2026-13-01T00:00:00Z", "2026-11-24T16:00:00", "2026-11-24T16:00:00.Z",
        "2026-11-24T24:00:00Z", "2026-11-24T16:00:00Zx", "2026-11-24T16:00:00+2:00"})
    EXPECT_FALSE(ParseTime(bad)) << bad;
}

}  // namespace
}  // namespace sonde::alerting
