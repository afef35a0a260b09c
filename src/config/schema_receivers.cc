#include <initializer_list>
#include <string_view>

#include "config/alertmanager_file.h"
#include "config/schema_alertmanager.h"
#include "config/schema_blocks.h"

// The kinds of receivers of alertmanager.yml, each as a table of its keys.

namespace sonde::config {
namespace {

using enum FieldType;

bool HasText(const BlockView& view, std::string_view key) {
  return view.Has(key) && !view.Text(key).empty();
}

void AtLeastOne(const BlockView& view, std::initializer_list<std::string_view> keys,
                std::string_view message, Diagnostics& diagnostics) {
  for (const std::string_view key : keys) {
    if (HasText(view, key)) return;
  }
  diagnostics.Fail(view.mark(), message);
}

void AtMostOne(const BlockView& view, std::initializer_list<std::string_view> keys,
               std::string_view message, Diagnostics& diagnostics) {
  if (MoreThanOne(view, keys)) diagnostics.Fail(view.mark(), message);
}

void CheckReceiver(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "name", "missing name in receiver", diagnostics);
}

void CheckDiscord(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"webhook_url", "webhook_url_file"},
            "at most one of webhook_url & webhook_url_file must be configured", diagnostics);
  AtLeastOne(view, {"webhook_url", "webhook_url_file"},
             "one of webhook_url or webhook_url_file must be configured", diagnostics);
}

void CheckEmail(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"to"}, "missing to address in email config", diagnostics);
  AtMostOne(view, {"auth_password", "auth_password_file"},
            "at most one of auth_password & auth_password_file must be configured", diagnostics);
  AtMostOne(view, {"auth_secret", "auth_secret_file"},
            "at most one of auth_secret & auth_secret_file must be configured", diagnostics);
}

void CheckIncidentio(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"url", "url_file"}, "one of url or url_file must be configured", diagnostics);
  AtMostOne(view, {"url", "url_file"}, "at most one of url & url_file must be configured",
            diagnostics);
  AtMostOne(view, {"alert_source_token", "alert_source_token_file"},
            "at most one of alert_source_token & alert_source_token_file must be configured",
            diagnostics);
}

void CheckPagerduty(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"service_key", "service_key_file"},
            "at most one of service_key & service_key_file must be configured", diagnostics);
  AtMostOne(view, {"routing_key", "routing_key_file"},
            "at most one of routing_key & routing_key_file must be configured", diagnostics);
  AtLeastOne(view, {"service_key", "service_key_file", "routing_key", "routing_key_file"},
             "missing service or routing key in PagerDuty config", diagnostics);
}

void CheckSlack(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"api_url", "api_url_file"},
            "at most one of api_url & api_url_file must be configured", diagnostics);
  AtMostOne(view, {"app_token", "app_token_file"},
            "at most one of app_token & app_token_file must be configured", diagnostics);
}

void CheckWebhook(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"url", "url_file"}, "one of url or url_file must be configured", diagnostics);
  AtMostOne(view, {"url", "url_file"}, "at most one of url & url_file must be configured",
            diagnostics);
}

void CheckOpsgenie(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"api_key", "api_key_file"},
            "at most one of api_key & api_key_file must be configured", diagnostics);
}

void CheckWechat(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"api_secret", "api_secret_file"},
            "at most one of api_secret & api_secret_file must be configured", diagnostics);
  if (!IsOneOf(view.Text("message_type"), {"", "text", "markdown"}))
    diagnostics.Fail(view.MarkOf("message_type"),
                     "weChat message type does not match valid options text, markdown");
}

void CheckPushover(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"user_key", "user_key_file"},
             "one of user_key or user_key_file must be configured", diagnostics);
  AtMostOne(view, {"user_key", "user_key_file"},
            "at most one of user_key & user_key_file must be configured", diagnostics);
  AtLeastOne(view, {"token", "token_file"}, "one of token or token_file must be configured",
             diagnostics);
  AtMostOne(view, {"token", "token_file"}, "at most one of token & token_file must be configured",
            diagnostics);
}

void CheckVictorops(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"routing_key"}, "missing Routing key in VictorOps config", diagnostics);
  AtMostOne(view, {"api_key", "api_key_file"},
            "at most one of api_key & api_key_file must be configured", diagnostics);
}

void CheckSns(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"target_arn", "topic_arn", "phone_number"},
             "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config",
             diagnostics);
  AtMostOne(view, {"target_arn", "topic_arn", "phone_number"},
            "must provide only one of a Target ARN, Topic ARN, or Phone Number for SNS config",
            diagnostics);
}

void CheckTelegram(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"bot_token", "bot_token_file"},
            "at most one of bot_token & bot_token_file must be configured", diagnostics);
  AtLeastOne(view, {"chat_id", "chat_id_file"},
             "missing chat_id or chat_id_file on telegram_config", diagnostics);
  AtMostOne(view, {"chat_id", "chat_id_file"},
            "at most one of chat_id & chat_id_file must be configured", diagnostics);
  if (!IsOneOf(view.Text("parse_mode"), {"", "HTML", "Markdown", "MarkdownV2"}))
    diagnostics.Fail(view.MarkOf("parse_mode"),
                     "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or "
                     "empty string");
}

void CheckWebex(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"room_id"}, "missing room_id on webex_config", diagnostics);
}

void CheckMsteams(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"webhook_url", "webhook_url_file"},
             "one of webhook_url or webhook_url_file must be configured", diagnostics);
  AtMostOne(view, {"webhook_url", "webhook_url_file"},
            "at most one of webhook_url & webhook_url_file must be configured", diagnostics);
}

void CheckMsteamsv2(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"webhook_url", "webhook_url_file"},
             "one of webhook_url or webhook_url_file must be configured", diagnostics);
  AtMostOne(view, {"webhook_url", "webhook_url_file"},
            "at most one of webhook_url & webhook_url_file must be configured", diagnostics);
}

void CheckJira(const BlockView& view, Diagnostics& diagnostics) {
  AtLeastOne(view, {"project"}, "missing project in jira_config", diagnostics);
  AtLeastOne(view, {"issue_type"}, "missing issue_type in jira_config", diagnostics);
}

void CheckRocketchat(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"token", "token_file"}, "at most one of token & token_file must be configured",
            diagnostics);
  AtMostOne(view, {"token_id", "token_id_file"},
            "at most one of token_id & token_id_file must be configured", diagnostics);
}

void CheckMattermost(const BlockView& view, Diagnostics& diagnostics) {
  AtMostOne(view, {"webhook_url", "webhook_url_file"},
            "at most one of webhook_url & webhook_url_file must be configured", diagnostics);
}

constexpr Field kThreadingFields[] = {
    {"enabled", kBool},
    {"thread_by_date", kString},
};
constexpr Block kThreadingBlock = {"threading", "email.ThreadingConfig", kThreadingFields};

constexpr Field kPagerdutyImageFields[] = {
    {"href", kString},
    {"src", kString},
    {"alt", kString},
    {"text", kString},
};
constexpr Block kPagerdutyImageBlock = {"pagerduty_image", "config.PagerdutyImage",
                                        kPagerdutyImageFields};

constexpr Field kPagerdutyLinkFields[] = {
    {"href", kString},
    {"text", kString},
};
constexpr Block kPagerdutyLinkBlock = {"pagerduty_link", "config.PagerdutyLink",
                                       kPagerdutyLinkFields};

constexpr Field kSlackFieldFields[] = {
    {"title", kString},
    {"value", kString},
    {"short", kBool},
};
constexpr Block kSlackFieldBlock = {"slack_field", "config.plain", kSlackFieldFields};

constexpr Field kSlackConfirmFields[] = {
    {"text", kString},
    {"title", kString},
    {"ok_text", kString},
    {"dismiss_text", kString},
};
constexpr Block kSlackConfirmBlock = {"slack_confirm", "config.plain", kSlackConfirmFields};

constexpr Field kSlackActionFields[] = {
    {"type", kString},
    {"text", kString},
    {"url", kString},
    {"style", kString},
    {"name", kString},
    {"value", kString},
    {"confirm", kBlock, nullptr, kNone, &kSlackConfirmBlock},
};
constexpr Block kSlackActionBlock = {"slack_action", "config.plain", kSlackActionFields};

constexpr Field kOpsgenieResponderFields[] = {
    {"id", kString},
    {"name", kString},
    {"username", kString},
    {"type", kString},
};
constexpr Block kOpsgenieResponderBlock = {"opsgenie_responder", "config.OpsGenieConfigResponder",
                                           kOpsgenieResponderFields};

constexpr Field kSigv4Fields[] = {
    {"region", kString},
    {"access_key", kString},
    {"secret_key", kString, nullptr, kSecret},
    {"profile", kString},
    {"role_arn", kString},
    {"external_id", kString},
    {"use_fips_sts_endpoint", kBool},
};
constexpr Block kSigv4Block = {"sigv4", "sigv4.plain", kSigv4Fields};

constexpr Field kRocketchatFieldFields[] = {
    {"short", kBool},
    {"title", kString},
    {"value", kString},
};
constexpr Block kRocketchatFieldBlock = {"rocketchat_field", "config.RocketchatAttachmentField",
                                         kRocketchatFieldFields};

constexpr Field kRocketchatActionFields[] = {
    {"type", kString},
    {"text", kString},
    {"url", kString},
    {"image_url", kString},
    {"is_webview", kBool},
    {"webview_height_ratio", kString},
    {"msg", kString},
    {"msg_in_chat_window", kBool},
    {"msg_processing_type", kString},
};
constexpr Block kRocketchatActionBlock = {"rocketchat_action", "config.RocketchatAttachmentAction",
                                          kRocketchatActionFields};

constexpr Field kMattermostFieldFields[] = {
    {"title", kString},
    {"value", kString},
    {"short", kBool},
};
constexpr Block kMattermostFieldBlock = {"mattermost_field", "config.MattermostField",
                                         kMattermostFieldFields};

constexpr Field kDiscordFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"webhook_url", kString, nullptr, kSecret},
    {"webhook_url_file", kString, nullptr, kFile},
    {"content", kString},
    {"title", kString},
    {"message", kString},
    {"username", kString},
    {"avatar_url", kString},
};
constexpr Block kDiscordBlock = {"discord_config", "discord.plain", kDiscordFields, CheckDiscord,
                                 true};

constexpr Field kEmailFields[] = {
    {"send_resolved", kBool, "false"},
    {"to", kString},
    {"from", kString},
    {"hello", kString},
    {"smarthost", kString},
    {"auth_username", kString},
    {"auth_password", kString, nullptr, kSecret},
    {"auth_password_file", kString, nullptr, kFile},
    {"auth_secret", kString, nullptr, kSecret},
    {"auth_secret_file", kString, nullptr, kFile},
    {"auth_identity", kString},
    {"headers", kStringMap},
    {"html", kString},
    {"text", kString},
    {"require_tls", kBool},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"force_implicit_tls", kBool},
    {"threading", kBlock, nullptr, kNone, &kThreadingBlock},
};
constexpr Block kEmailBlock = {"email_config", "email.plain", kEmailFields, CheckEmail, true};

constexpr Field kIncidentioFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"url", kString, nullptr, kSecret},
    {"url_file", kString, nullptr, kFile},
    {"alert_source_token", kString, nullptr, kSecret},
    {"alert_source_token_file", kString, nullptr, kFile},
    {"max_alerts", kUint},
    {"timeout", kDuration},
};
constexpr Block kIncidentioBlock = {"incidentio_config", "incidentio.plain", kIncidentioFields,
                                    CheckIncidentio, true};

constexpr Field kPagerdutyFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"service_key", kString, nullptr, kSecret},
    {"service_key_file", kString, nullptr, kFile},
    {"routing_key", kString, nullptr, kSecret},
    {"routing_key_file", kString, nullptr, kFile},
    {"url", kUrl},
    {"client", kString},
    {"client_url", kString},
    {"description", kString},
    {"details", kAny},
    {"images", kBlocks, nullptr, kNone, &kPagerdutyImageBlock},
    {"links", kBlocks, nullptr, kNone, &kPagerdutyLinkBlock},
    {"source", kString},
    {"severity", kString},
    {"class", kString},
    {"component", kString},
    {"group", kString},
    {"timeout", kDuration},
};
constexpr Block kPagerdutyBlock = {"pagerduty_config", "pagerduty.plain", kPagerdutyFields,
                                   CheckPagerduty, true};

constexpr Field kSlackFields[] = {
    {"send_resolved", kBool, "false"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kUrl, nullptr, kSecret},
    {"api_url_file", kString, nullptr, kFile},
    {"app_token", kString, nullptr, kSecret},
    {"app_token_file", kString, nullptr, kFile},
    {"app_url", kUrl},
    {"channel", kString},
    {"username", kString},
    {"color", kString},
    {"title", kString},
    {"title_link", kString},
    {"pretext", kString},
    {"text", kString},
    {"message_text", kString, nullptr, kIdle},
    {"fields", kBlocks, nullptr, kNone, &kSlackFieldBlock},
    {"short_fields", kBool},
    {"footer", kString},
    {"fallback", kString},
    {"callback_id", kString},
    {"icon_emoji", kString},
    {"icon_url", kString},
    {"image_url", kString},
    {"thumb_url", kString},
    {"link_names", kBool},
    {"mrkdwn_in", kStrings},
    {"actions", kBlocks, nullptr, kIdle, &kSlackActionBlock},
    {"update_message", kBool, nullptr, kIdle},
    {"timeout", kDuration},
};
constexpr Block kSlackBlock = {"slack_config", "slack.plain", kSlackFields, CheckSlack, true};

constexpr Field kWebhookFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"url", kString, nullptr, kSecret},
    {"url_file", kString, nullptr, kFile},
    {"max_alerts", kUint},
    {"timeout", kDuration},
    {"payload", kAny, nullptr, kIdle},
};
constexpr Block kWebhookBlock = {"webhook_config", "webhook.plain", kWebhookFields, CheckWebhook,
                                 true};

constexpr Field kOpsgenieFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_key", kString, nullptr, kSecret},
    {"api_key_file", kString, nullptr, kFile},
    {"api_url", kUrl},
    {"message", kString},
    {"description", kString},
    {"source", kString},
    {"details", kStringMap},
    {"entity", kString},
    {"responders", kBlocks, nullptr, kNone, &kOpsgenieResponderBlock},
    {"actions", kString},
    {"tags", kString},
    {"note", kString},
    {"priority", kString},
    {"update_alerts", kBool},
};
constexpr Block kOpsgenieBlock = {"opsgenie_config", "opsgenie.plain", kOpsgenieFields,
                                  CheckOpsgenie, true};

constexpr Field kWechatFields[] = {
    {"send_resolved", kBool, "false"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_secret", kString, nullptr, kSecret},
    {"api_secret_file", kString, nullptr, kFile},
    {"corp_id", kString},
    {"message", kString},
    {"api_url", kUrl},
    {"to_user", kString},
    {"to_party", kString},
    {"to_tag", kString},
    {"agent_id", kString},
    {"message_type", kString},
};
constexpr Block kWechatBlock = {"wechat_config", "wechat.plain", kWechatFields, CheckWechat, true};

constexpr Field kPushoverFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"user_key", kString, nullptr, kSecret},
    {"user_key_file", kString, nullptr, kFile},
    {"token", kString, nullptr, kSecret},
    {"token_file", kString, nullptr, kFile},
    {"title", kString},
    {"message", kString},
    {"url", kString},
    {"url_title", kString},
    {"device", kString},
    {"sound", kString},
    {"priority", kString},
    {"retry", kDuration},
    {"expire", kDuration},
    {"ttl", kDuration},
    {"html", kBool},
    {"monospace", kBool},
};
constexpr Block kPushoverBlock = {"pushover_config", "pushover.plain", kPushoverFields,
                                  CheckPushover, true};

constexpr Field kVictoropsFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_key", kString, nullptr, kSecret},
    {"api_key_file", kString, nullptr, kFile},
    {"api_url", kUrl},
    {"routing_key", kString},
    {"message_type", kString},
    {"state_message", kString},
    {"entity_display_name", kString},
    {"monitoring_tool", kString},
    {"custom_fields", kStringMap},
};
constexpr Block kVictoropsBlock = {"victorops_config", "victorops.plain", kVictoropsFields,
                                   CheckVictorops, true};

constexpr Field kSnsFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kString},
    {"sigv4", kBlock, nullptr, kNone, &kSigv4Block},
    {"topic_arn", kString},
    {"phone_number", kString},
    {"target_arn", kString},
    {"subject", kString},
    {"message", kString},
    {"attributes", kStringMap},
    {"use_aws_http_client", kBool},
};
constexpr Block kSnsBlock = {"sns_config", "sns.plain", kSnsFields, CheckSns, true};

constexpr Field kTelegramFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kUrl},
    {"bot_token", kString, nullptr, kSecret},
    {"bot_token_file", kString, nullptr, kFile},
    {"chat_id", kInt},
    {"chat_id_file", kString, nullptr, kFile},
    {"message_thread_id", kInt},
    {"message", kString},
    {"disable_notifications", kBool},
    {"parse_mode", kString},
};
constexpr Block kTelegramBlock = {"telegram_config", "telegram.plain", kTelegramFields,
                                  CheckTelegram, true};

constexpr Field kWebexFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kUrl},
    {"message", kString},
    {"room_id", kString},
};
constexpr Block kWebexBlock = {"webex_config", "webex.plain", kWebexFields, CheckWebex, true};

constexpr Field kMsteamsFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"webhook_url", kString, nullptr, kSecret},
    {"webhook_url_file", kString, nullptr, kFile},
    {"title", kString},
    {"summary", kString},
    {"text", kString},
};
constexpr Block kMsteamsBlock = {"msteams_config", "msteams.plain", kMsteamsFields, CheckMsteams,
                                 true};

constexpr Field kMsteamsv2Fields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"webhook_url", kString, nullptr, kSecret},
    {"webhook_url_file", kString, nullptr, kFile},
    {"title", kString},
    {"text", kString},
};
constexpr Block kMsteamsv2Block = {"msteamsv2_config", "msteamsv2.plain", kMsteamsv2Fields,
                                   CheckMsteamsv2, true};

constexpr Field kJiraFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kUrl},
    {"api_type", kString},
    {"project", kString},
    {"summary", kAny},
    {"description", kAny},
    {"labels", kStrings},
    {"priority", kString},
    {"issue_type", kString},
    {"reopen_transition", kString},
    {"resolve_transition", kString},
    {"wont_fix_resolution", kString},
    {"reopen_duration", kDuration},
    {"fields", kAny},
};
constexpr Block kJiraBlock = {"jira_config", "jira.plain", kJiraFields, CheckJira, true};

constexpr Field kRocketchatFields[] = {
    {"send_resolved", kBool, "false"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"api_url", kUrl},
    {"token_id", kString, nullptr, kSecret},
    {"token_id_file", kString, nullptr, kFile},
    {"token", kString, nullptr, kSecret},
    {"token_file", kString, nullptr, kFile},
    {"channel", kString},
    {"color", kString},
    {"title", kString},
    {"title_link", kString},
    {"text", kString},
    {"fields", kBlocks, nullptr, kNone, &kRocketchatFieldBlock},
    {"short_fields", kBool},
    {"emoji", kString},
    {"icon_url", kString},
    {"image_url", kString},
    {"thumb_url", kString},
    {"link_names", kBool},
    {"actions", kBlocks, nullptr, kNone, &kRocketchatActionBlock},
};
constexpr Block kRocketchatBlock = {"rocketchat_config", "rocketchat.plain", kRocketchatFields,
                                    CheckRocketchat, true};

constexpr Field kMattermostFields[] = {
    {"send_resolved", kBool, "true"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"webhook_url", kString, nullptr, kSecret},
    {"webhook_url_file", kString, nullptr, kFile},
    {"channel", kString},
    {"username", kString},
    {"text", kString},
    {"fallback", kString},
    {"color", kString},
    {"pretext", kString},
    {"author_name", kString},
    {"author_link", kString},
    {"author_icon", kString},
    {"title", kString},
    {"title_link", kString},
    {"fields", kBlocks, nullptr, kNone, &kMattermostFieldBlock},
    {"thumb_url", kString},
    {"footer", kString},
    {"footer_icon", kString},
    {"image_url", kString},
    {"icon_url", kString},
    {"icon_emoji", kString},
    {"attachments", kAny},
    {"type", kString},
    {"props", kAny},
    {"priority", kAny},
};
constexpr Block kMattermostBlock = {"mattermost_config", "mattermost.plain", kMattermostFields,
                                    CheckMattermost, true};

constexpr Field kReceiverFields[] = {
    {"name", kString},
    {"labels", kStringMap},
    {"discord_configs", kBlocks, nullptr, kIdle, &kDiscordBlock},
    {"email_configs", kBlocks, nullptr, kIdle, &kEmailBlock},
    {"incidentio_configs", kBlocks, nullptr, kIdle, &kIncidentioBlock},
    {"pagerduty_configs", kBlocks, nullptr, kIdle, &kPagerdutyBlock},
    {"slack_configs", kBlocks, nullptr, kNone, &kSlackBlock},
    {"webhook_configs", kBlocks, nullptr, kNone, &kWebhookBlock},
    {"opsgenie_configs", kBlocks, nullptr, kIdle, &kOpsgenieBlock},
    {"wechat_configs", kBlocks, nullptr, kIdle, &kWechatBlock},
    {"pushover_configs", kBlocks, nullptr, kIdle, &kPushoverBlock},
    {"victorops_configs", kBlocks, nullptr, kIdle, &kVictoropsBlock},
    {"sns_configs", kBlocks, nullptr, kIdle, &kSnsBlock},
    {"telegram_configs", kBlocks, nullptr, kIdle, &kTelegramBlock},
    {"webex_configs", kBlocks, nullptr, kIdle, &kWebexBlock},
    {"msteams_configs", kBlocks, nullptr, kIdle, &kMsteamsBlock},
    {"msteamsv2_configs", kBlocks, nullptr, kIdle, &kMsteamsv2Block},
    {"jira_configs", kBlocks, nullptr, kIdle, &kJiraBlock},
    {"rocketchat_configs", kBlocks, nullptr, kIdle, &kRocketchatBlock},
    {"mattermost_configs", kBlocks, nullptr, kIdle, &kMattermostBlock},
};

constexpr ReceiverKind kKinds[] = {
    {"discord_configs", "discord", true},
    {"email_configs", "email", false},
    {"incidentio_configs", "incidentio", true},
    {"pagerduty_configs", "pagerduty", true},
    {"slack_configs", "slack", false},
    {"webhook_configs", "webhook", true},
    {"opsgenie_configs", "opsgenie", true},
    {"wechat_configs", "wechat", false},
    {"pushover_configs", "pushover", true},
    {"victorops_configs", "victorops", true},
    {"sns_configs", "sns", true},
    {"telegram_configs", "telegram", true},
    {"webex_configs", "webex", true},
    {"msteams_configs", "msteams", true},
    {"msteamsv2_configs", "msteamsv2", true},
    {"jira_configs", "jira", true},
    {"rocketchat_configs", "rocketchat", false},
    {"mattermost_configs", "mattermost", true},
};
}  // namespace

const Block kReceiverBlock = {"receiver", "config.Receiver", kReceiverFields, CheckReceiver, true};

std::span<const ReceiverKind> ReceiverKinds() {
  return kKinds;
}

}  // namespace sonde::config
