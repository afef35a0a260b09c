#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "alerting/notification.h"
#include "base/result.h"
#include "model/labels.h"

// What is written to receivers: the webhook's JSON (version 4) and Slack's, byte for byte as
// Alertmanager's Go structs encode them, and the data that templates see.

namespace sonde::alerting {

/// What a template is rendered over (Alertmanager's template.Data).
struct NotificationData {
  const Notification* notification = nullptr;
  bool firing = false;  ///< At least one alert is.
  std::size_t firing_count = 0;
  Labels common_labels;  ///< Of all alerts.
  Labels common_annotations;
  std::string external_url;
};
NotificationData MakeNotificationData(const Notification& notification,
                                      const std::string& external_url);

/// Renders a text that holds `{{`. Null: there is no engine; such texts stand for their defaults.
using Renderer =
    std::function<Result<std::string>(std::string_view text, const NotificationData& data)>;

/// `[FIRING:2] Slow eu (critical)`: the default title.
std::string DefaultSubject(const NotificationData& data);

/// `max_alerts` of the integration cuts the list and is told as truncatedAlerts.
std::string WebhookBody(const NotificationData& data);
/// An error of the renderer is returned.
Result<std::string> SlackBody(const NotificationData& data, const Renderer& render);

/// What an answer to a webhook means: 2xx fine, 429 and 5xx again later, else no.
SendResult JudgeWebhook(int status, std::string_view body);
/// Slack also says what is wrong inside of a 200.
SendResult JudgeSlack(int status, std::string_view body);

}  // namespace sonde::alerting
