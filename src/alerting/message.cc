#include "alerting/message.h"

#include <algorithm>

#include "alerting/time_text.h"
#include "base/json.h"
#include "base/utf8.h"
#include "model/fingerprint.h"
#include "net/http.h"

namespace sonde::alerting {
namespace {

constexpr std::size_t kMaxTitleRunes = 1024;
constexpr std::size_t kMaxShownBytes = 512;

/// What all have in common.
Labels Common(const std::vector<NotifiedAlert>& alerts, Labels Alert::*member) {
  if (alerts.empty()) return {};
  LabelsBuilder common(alerts.front().alert.*member);
  for (const NotifiedAlert& other : alerts) {
    for (const LabelView label : alerts.front().alert.*member) {
      if ((other.alert.*member).Get(label.name) != label.value) common.Delete(label.name);
    }
  }
  return common.Build();
}

void WriteLabels(JsonWriter& json, LabelsView labels) {
  json.BeginObject();
  for (const LabelView label : labels)
    json.Key(label.name).String(label.value);
  json.EndObject();
}

void WriteAlert(JsonWriter& json, const NotifiedAlert& told) {
  const Alert& alert = told.alert;
  json.BeginObject().Key("status").String(told.resolved ? "resolved" : "firing").Key("labels");
  WriteLabels(json, alert.labels);
  json.Key("annotations");
  WriteLabels(json, alert.annotations);
  json.Key("startsAt").String(FormatTime(alert.starts_at));
  json.Key("endsAt").String(FormatTime(alert.ends_at));
  json.Key("generatorURL").String(alert.generator_url);
  json.Key("fingerprint").String(FormatFingerprint(FingerprintOf(alert.labels))).EndObject();
}

std::string Truncated(std::string text, std::size_t max_runes) {
  std::size_t at = 0;
  for (std::size_t runes = 0; at < text.size(); ++runes) {
    if (runes == max_runes - 1) {
      const std::size_t last = DecodeRune(std::string_view(text).substr(at)).size;
      if (at + last >= text.size()) return text;
      text.resize(at);
      return text + "…";
    }
    at += DecodeRune(std::string_view(text).substr(at)).size;
  }
  return text;
}

SendResult Failed(int status, std::string_view body, bool retry) {
  SendResult result;
  result.retry = retry;
  result.detail = "status " + std::to_string(status) + ": " +
                  std::string(body.substr(0, std::min(body.size(), kMaxShownBytes)));
  return result;
}

std::string TitleLink(const NotificationData& data) {
  return data.external_url +
         "/#/alerts?receiver=" + net::PercentEncode(data.notification->receiver);
}

/// A text of the configuration as it goes out.
Result<std::string> Text(const std::string& text, std::string fallback,
                         const NotificationData& data, const Renderer& render) {
  if (text.empty()) return fallback;
  if (text.find("{{") == std::string::npos) return text;
  if (!render) return fallback;
  return render(text, data);
}

}  // namespace

NotificationData MakeNotificationData(const Notification& notification,
                                      const std::string& external_url) {
  NotificationData data;
  data.notification = &notification;
  data.external_url = external_url;
  for (const NotifiedAlert& alert : notification.alerts)
    data.firing_count += alert.resolved ? 0 : 1;
  data.firing = data.firing_count > 0;
  data.common_labels = Common(notification.alerts, &Alert::labels);
  data.common_annotations = Common(notification.alerts, &Alert::annotations);
  return data;
}

std::string DefaultSubject(const NotificationData& data) {
  std::string out =
      data.firing ? "[FIRING:" + std::to_string(data.firing_count) + "]" : "[RESOLVED]";
  const Labels& group = data.notification->group_labels;
  out += " ";
  bool first = true;
  for (const LabelView label : group) {
    if (!first) out += " ";
    out += label.value;
    first = false;
  }
  out += " ";
  if (data.common_labels.size() <= group.size()) return out;
  std::string more;
  for (const LabelView label : data.common_labels) {
    if (group.Has(label.name)) continue;
    if (!more.empty()) more += " ";
    more += label.value;
  }
  return out + "(" + more + ")";
}

std::string WebhookBody(const NotificationData& data) {
  const Notification& n = *data.notification;
  const std::uint64_t max = n.integration->max_alerts;
  const std::size_t shown =
      max == 0 ? n.alerts.size() : std::min<std::size_t>(n.alerts.size(), max);
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("receiver").String(n.receiver);
  json.Key("status").String(data.firing ? "firing" : "resolved").Key("alerts").BeginArray();
  for (std::size_t i = 0; i < shown; ++i)
    WriteAlert(json, n.alerts[i]);
  json.EndArray().Key("groupLabels");
  WriteLabels(json, n.group_labels);
  json.Key("commonLabels");
  WriteLabels(json, data.common_labels);
  json.Key("commonAnnotations");
  WriteLabels(json, data.common_annotations);
  json.Key("externalURL").String(data.external_url);
  json.Key("routeLabels").BeginObject().EndObject();
  json.Key("notification_reason").String(ToString(n.reason));
  json.Key("version").String("4").Key("groupKey").String(n.group_key);
  json.Key("truncatedAlerts").Uint(n.alerts.size() - shown).EndObject();
  return out + "\n";
}

Result<std::string> SlackBody(const NotificationData& data, const Renderer& render) {
  const Integration& slack = *data.notification->integration;
  const auto text = [&](const std::string& written, std::string fallback) {
    return Text(written, std::move(fallback), data, render);
  };
  const std::string subject = DefaultSubject(data);
  const std::string channel = TRY(text(slack.channel, ""));
  const std::string username = TRY(text(slack.username, "Alertmanager"));
  const std::string title = Truncated(TRY(text(slack.title, subject)), kMaxTitleRunes);
  const std::string title_link = TRY(text(slack.title_link, TitleLink(data)));
  const std::string pretext = TRY(text(slack.pretext, ""));
  const std::string body = TRY(text(slack.text, ""));
  const std::string fallback = TRY(text(slack.fallback, subject + " | " + TitleLink(data)));
  const std::string color = TRY(text(slack.color, data.firing ? "danger" : "good"));
  std::string out;
  JsonWriter json(out);
  const auto optional = [&](const char* key, const std::string& value) {
    if (!value.empty()) json.Key(key).String(value);
  };
  json.BeginObject();
  optional("channel", channel);
  optional("username", username);
  optional("icon_emoji", TRY(text(slack.icon_emoji, "")));
  optional("icon_url", TRY(text(slack.icon_url, "")));
  if (slack.link_names) json.Key("link_names").Bool(true);
  json.Key("attachments").BeginArray().BeginObject();
  optional("title", title);
  optional("title_link", title_link);
  optional("pretext", pretext);
  json.Key("text").String(body).Key("fallback").String(fallback);
  json.Key("callback_id").String(TRY(text(slack.callback_id, "")));
  if (!slack.fields.empty()) {
    json.Key("fields").BeginArray();
    for (const SlackField& field : slack.fields) {
      json.BeginObject();
      optional("title", TRY(text(field.title, field.title)));
      optional("value", TRY(text(field.value, field.value)));
      json.Key("short").Bool(field.is_short).EndObject();
    }
    json.EndArray();
  }
  optional("image_url", TRY(text(slack.image_url, "")));
  optional("thumb_url", TRY(text(slack.thumb_url, "")));
  json.Key("footer").String(TRY(text(slack.footer, "")));
  optional("color", color);
  json.Key("mrkdwn_in").BeginArray();
  for (const std::string& name : slack.mrkdwn_in)
    json.String(name);
  json.EndArray().EndObject().EndArray().EndObject();
  return out + "\n";
}

SendResult JudgeWebhook(int status, std::string_view body) {
  if (status / 100 == 2) {
    SendResult fine;
    fine.ok = true;
    fine.detail = "status " + std::to_string(status);
    return fine;
  }
  return Failed(status, body, status == 429 || status / 100 == 5);
}

SendResult JudgeSlack(int status, std::string_view body) {
  SendResult result = JudgeWebhook(status, body);
  if (!result.ok || !body.starts_with("{")) return result;
  const auto document = JsonDocument::Parse(body, 32);
  if (!document || document->root()["ok"].boolean().value_or(true)) return result;
  const std::string_view error = document->root()["error"].string().value_or("");
  return Failed(status, body,
                error == "ratelimited" || error == "rate_limited" || error == "internal_error" ||
                    error == "service_unavailable");
}

}  // namespace sonde::alerting
