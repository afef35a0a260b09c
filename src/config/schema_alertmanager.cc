#include "config/schema_alertmanager.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "alerting/matcher_syntax.h"
#include "alerting/time_interval.h"
#include "base/quote.h"
#include "base/regex.h"
#include "config/alertmanager_file.h"
#include "config/schema_blocks.h"
#include "model/names.h"

// alertmanager.yml as a whole: global, the routing tree, inhibition, time intervals, and the checks
// that concern several of them. The messages are the reference's, so that people find them.

namespace sonde::config {

extern const Block kRouteBlock;

namespace {

using enum FieldType;

constexpr Field kGlobalFields[] = {
    {"resolve_timeout", kDuration, "5m"},
    {"http_config", kBlock, nullptr, kNone, &kReceiverHttpBlock},
    {"jira_api_url", kUrl},
    {"smtp_from", kString},
    {"smtp_hello", kString, "localhost"},
    {"smtp_smarthost", kString},
    {"smtp_auth_username", kString},
    {"smtp_auth_password", kString, nullptr, kSecret},
    {"smtp_auth_password_file", kString, nullptr, kFile},
    {"smtp_auth_secret", kString, nullptr, kSecret},
    {"smtp_auth_secret_file", kString, nullptr, kFile},
    {"smtp_auth_identity", kString},
    {"smtp_require_tls", kBool, "true"},
    {"smtp_tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"smtp_force_implicit_tls", kBool},
    {"slack_api_url", kUrl, nullptr, kSecret},
    {"slack_api_url_file", kString, nullptr, kFile},
    {"slack_app_token", kString, nullptr, kSecret},
    {"slack_app_token_file", kString, nullptr, kFile},
    {"slack_app_url", kUrl, "https://slack.com/api/chat.postMessage"},
    {"pagerduty_url", kUrl, "https://events.pagerduty.com/v2/enqueue"},
    {"opsgenie_api_url", kUrl, "https://api.opsgenie.com/"},
    {"opsgenie_api_key", kString, nullptr, kSecret},
    {"opsgenie_api_key_file", kString, nullptr, kFile},
    {"wechat_api_url", kUrl, "https://qyapi.weixin.qq.com/cgi-bin/"},
    {"wechat_api_secret", kString, nullptr, kSecret},
    {"wechat_api_secret_file", kString, nullptr, kFile},
    {"wechat_api_corp_id", kString},
    {"victorops_api_url", kUrl, "https://alert.victorops.com/integrations/generic/20131114/alert/"},
    {"victorops_api_key", kString, nullptr, kSecret},
    {"victorops_api_key_file", kString, nullptr, kFile},
    {"telegram_api_url", kUrl, "https://api.telegram.org"},
    {"telegram_bot_token", kString, nullptr, kSecret},
    {"telegram_bot_token_file", kString, nullptr, kFile},
    {"webex_api_url", kUrl, "https://webexapis.com/v1/messages"},
    {"rocketchat_api_url", kUrl, "https://open.rocket.chat/"},
    {"rocketchat_token", kString, nullptr, kSecret},
    {"rocketchat_token_file", kString, nullptr, kFile},
    {"rocketchat_token_id", kString, nullptr, kSecret},
    {"rocketchat_token_id_file", kString, nullptr, kFile},
    {"mattermost_webhook_url", kUrl, nullptr, kSecret},
    {"mattermost_webhook_url_file", kString, nullptr, kFile},
};

void AtMostOneOf(const BlockView& view, std::string_view a, std::string_view b,
                 Diagnostics& diagnostics) {
  if (MoreThanOne(view, {a, b}))
    diagnostics.Fail(view.MarkOf(b),
                     fmt::format("at most one of {} & {} must be configured", a, b));
}

bool HasEither(const BlockView& view, std::string_view a, std::string_view b) {
  return !view.Text(a).empty() || !view.Text(b).empty();
}

void CheckGlobal(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* key :
       {"slack_api_url", "slack_app_token", "opsgenie_api_key", "victorops_api_key",
        "telegram_bot_token", "rocketchat_token", "rocketchat_token_id", "wechat_api_secret",
        "smtp_auth_password", "smtp_auth_secret", "mattermost_webhook_url"}) {
    AtMostOneOf(view, key, std::string(key) + "_file", diagnostics);
  }
  const bool has_url = HasEither(view, "slack_api_url", "slack_api_url_file");
  const bool has_token = HasEither(view, "slack_app_token", "slack_app_token_file");
  // The same address in both places is fine: the token is sent there.
  if (has_url && has_token && view.Text("slack_app_url") != view.Text("slack_api_url")) {
    diagnostics.Fail(view.mark(),
                     "at most one of slack_app_token/slack_app_token_file & "
                     "slack_api_url/slack_api_url_file must be configured");
  }
  const std::string smarthost = view.Text("smtp_smarthost");
  if (!smarthost.empty() && smarthost.find(':') == std::string::npos) {
    diagnostics.Fail(view.MarkOf("smtp_smarthost"),
                     fmt::format("address {}: missing port in address", smarthost));
  }
}
constexpr Block kGlobalBlock = {"global", "config.plain", kGlobalFields, CheckGlobal};

// Matchers.

void CheckMatcherList(const BlockView& view, std::string_view key, Diagnostics& diagnostics) {
  const YamlNode* list = view.Raw(key);
  if (list == nullptr || list->is_null()) return;
  const auto check = [&](const YamlNode& node) {
    const auto parsed = alerting::ParseMatchers(node.text);
    if (!parsed) {
      diagnostics.Fail(node.mark, parsed.error().message());
    } else if (!parsed->warning.empty()) {
      diagnostics.Warn(node.mark, parsed->warning);
    }
  };
  if (list->is_scalar()) check(*list);
  for (const YamlNode& item : list->items)
    check(item);
}

void CheckOldMatchers(const BlockView& view, std::string_view key, bool regex,
                      Diagnostics& diagnostics) {
  const YamlNode* map = view.Raw(key);
  if (map == nullptr || map->is_null()) return;
  for (const YamlEntry& entry : map->entries) {
    if (!IsLegacyLabelName(entry.key)) {
      diagnostics.Fail(entry.mark, fmt::format("invalid label name {}", QuoteGo(entry.key)));
    }
    if (!regex) continue;
    if (entry.value.is_null()) {
      diagnostics.Fail(entry.mark, fmt::format("invalid regexp value for {}", QuoteGo(entry.key)));
    } else if (const auto compiled = Regex::Compile(entry.value.text); !compiled) {
      diagnostics.Fail(entry.value.mark,
                       fmt::format("error parsing regexp: {}", compiled.error().message()));
    }
  }
}

// Routes.

constexpr Field kRouteFields[] = {
    {"receiver", kString},
    {"group_by", kStrings},
    {"group_wait", kDuration},
    {"group_interval", kDuration},
    {"repeat_interval", kDuration},
    {"match", kStringMap},
    {"match_re", kStringMap},
    {"matchers", kStrings},
    {"continue", kBool},
    {"mute_time_intervals", kStrings},
    {"active_time_intervals", kStrings},
    {"routes", kBlocks, nullptr, kNone, &kRouteBlock},
    {"labels", kStringMap, nullptr, kIdle},
};

void CheckRoute(const BlockView& view, Diagnostics& diagnostics) {
  CheckMatcherList(view, "matchers", diagnostics);
  CheckOldMatchers(view, "match", false, diagnostics);
  CheckOldMatchers(view, "match_re", true, diagnostics);
  const auto group_by = view.Strings("group_by");
  std::set<std::string> seen;
  for (const std::string& label : group_by) {
    if (label != "..." && !IsValidName(label)) {
      diagnostics.Fail(view.MarkOf("group_by"),
                       fmt::format("invalid label name {} in group_by list", QuoteGo(label)));
    }
    if (!seen.insert(label).second) {
      diagnostics.Fail(view.MarkOf("group_by"),
                       fmt::format("duplicated label {} in group_by", QuoteGo(label)));
    }
  }
  if (seen.contains("...") && seen.size() > 1) {
    diagnostics.Fail(view.MarkOf("group_by"),
                     "cannot have wildcard group_by (`...`) and other labels at the same time");
  }
  for (const char* key : {"group_interval", "repeat_interval"}) {
    if (view.Has(key) && view.Time(key).count() == 0)
      diagnostics.Fail(view.MarkOf(key), fmt::format("{} cannot be zero", key));
  }
}

// Inhibition.

constexpr Field kInhibitFields[] = {
    {"name", kString},
    {"source_match", kStringMap},
    {"source_match_re", kStringMap},
    {"source_matchers", kStrings},
    {"target_match", kStringMap},
    {"target_match_re", kStringMap},
    {"target_matchers", kStrings},
    {"equal", kStrings},
};

void CheckInhibitRule(const BlockView& view, Diagnostics& diagnostics) {
  for (const char* side : {"source", "target"}) {
    CheckMatcherList(view, fmt::format("{}_matchers", side), diagnostics);
    CheckOldMatchers(view, fmt::format("{}_match", side), false, diagnostics);
    CheckOldMatchers(view, fmt::format("{}_match_re", side), true, diagnostics);
  }
  for (const std::string& label : view.Strings("equal")) {
    if (!IsValidName(label)) {
      diagnostics.Fail(view.MarkOf("equal"),
                       fmt::format("invalid label name {} in equal list", QuoteGo(label)));
    }
  }
}
constexpr Block kInhibitBlock = {"inhibit_rule", "config.InhibitRule", kInhibitFields,
                                 CheckInhibitRule};

// Time intervals.

constexpr Field kTimeRangeFields[] = {{"start_time", kString}, {"end_time", kString}};
void CheckTimeRange(const BlockView& view, Diagnostics& diagnostics) {
  if (view.Text("start_time").empty() || view.Text("end_time").empty()) {
    diagnostics.Fail(view.mark(), "both start and end times must be provided");
    return;
  }
  const auto begin = alerting::ParseTimeOfDay(view.Text("start_time"));
  const auto end = alerting::ParseTimeOfDay(view.Text("end_time"));
  if (!begin) diagnostics.Fail(view.MarkOf("start_time"), begin.error().message());
  if (!end) diagnostics.Fail(view.MarkOf("end_time"), end.error().message());
  if (begin && end && *begin >= *end)
    diagnostics.Fail(view.mark(), "start time cannot be equal or greater than end time");
}
constexpr Block kTimeRangeBlock = {"time_range", "timeinterval.yamlTimeRange", kTimeRangeFields,
                                   CheckTimeRange, true};

constexpr Field kTimeIntervalFields[] = {
    {"times", kBlocks, nullptr, kNone, &kTimeRangeBlock},
    {"weekdays", kStrings},
    {"days_of_month", kStrings},
    {"months", kStrings},
    {"years", kStrings},
    {"location", kString},
};
template <class F>
void CheckRanges(const BlockView& view, std::string_view key, F parse, Diagnostics& diagnostics) {
  for (const std::string& text : view.Strings(key)) {
    const auto range = parse(text);
    if (!range) diagnostics.Fail(view.MarkOf(key), range.error().message());
  }
}
void CheckTimeInterval(const BlockView& view, Diagnostics& diagnostics) {
  CheckRanges(view, "weekdays", alerting::ParseWeekdays, diagnostics);
  CheckRanges(view, "days_of_month", alerting::ParseDaysOfMonth, diagnostics);
  CheckRanges(view, "months", alerting::ParseMonths, diagnostics);
  CheckRanges(view, "years", alerting::ParseYears, diagnostics);
}
constexpr Block kTimeIntervalBlock = {"time_interval_entry", "timeinterval.TimeInterval",
                                      kTimeIntervalFields, CheckTimeInterval};

constexpr Field kNamedIntervalFields[] = {
    {"name", kString},
    {"time_intervals", kBlocks, nullptr, kNone, &kTimeIntervalBlock},
};
void CheckNamedInterval(const BlockView& view, Diagnostics& diagnostics) {
  Require(view, "name", "missing name in time interval", diagnostics);
}
constexpr Block kNamedIntervalBlock = {"time_interval", "config.TimeInterval", kNamedIntervalFields,
                                       CheckNamedInterval, true};

constexpr Field kTracingFields[] = {
    {"client_type", kString},
    {"endpoint", kString},
    {"sampling_fraction", kFloat},
    {"insecure", kBool},
    {"tls_config", kBlock, nullptr, kNone, &kTlsBlock},
    {"headers", kStringMap},
    {"compression", kString},
    {"timeout", kDuration},
};
constexpr Block kTracingBlock = {"alertmanager_tracing", "tracing.TracingConfig", kTracingFields};

constexpr Field kRootFields[] = {
    {"global", kBlock, nullptr, kNone, &kGlobalBlock},
    {"route", kBlock, nullptr, kNone, &kRouteBlock},
    {"inhibit_rules", kBlocks, nullptr, kNone, &kInhibitBlock},
    {"receivers", kBlocks, nullptr, kNone, &kReceiverBlock},
    {"templates", kStrings, nullptr, kFile},
    {"mute_time_intervals", kBlocks, nullptr, kNone, &kNamedIntervalBlock},
    {"time_intervals", kBlocks, nullptr, kNone, &kNamedIntervalBlock},
    {"tracing", kBlock, nullptr, kIdle, &kTracingBlock},
    {"event_recorder", kAny, nullptr, kIdle},
};

// What concerns several sections.

struct Names {
  std::set<std::string> receivers;
  std::set<std::string> intervals;
};

void CheckReceiverSecrets(const BlockView& receiver, const BlockView& global,
                          Diagnostics& diagnostics) {
  struct Need {
    const char* list;
    const char* own;
    const char* shared;
    const char* message;
  };
  constexpr Need kNeeds[] = {
      {"opsgenie_configs", "api_key", "opsgenie_api_key",
       "no global OpsGenie API Key set either inline or in a file"},
      {"wechat_configs", "api_secret", "wechat_api_secret",
       "no global Wechat Api Secret set either inline or in a file"},
      {"victorops_configs", "api_key", "victorops_api_key", "no global VictorOps API Key set"},
      {"telegram_configs", "bot_token", "telegram_bot_token",
       "missing bot_token or bot_token_file on telegram_config"},
      {"rocketchat_configs", "token", "rocketchat_token",
       "no global Rocketchat Token set either inline or in a file"},
      {"rocketchat_configs", "token_id", "rocketchat_token_id",
       "no global Rocketchat TokenID set either inline or in a file"},
      {"mattermost_configs", "webhook_url", "mattermost_webhook_url",
       "missing webhook_url or webhook_url_file on mattermost_config"},
  };
  for (const Need& need : kNeeds) {
    for (const BlockView& config : receiver.Children(need.list)) {
      if (!HasEither(config, need.own, std::string(need.own) + "_file") &&
          !HasEither(global, need.shared, std::string(need.shared) + "_file"))
        diagnostics.Fail(config.mark(), need.message);
    }
  }
  for (const BlockView& wechat : receiver.Children("wechat_configs")) {
    if (!HasEither(wechat, "corp_id", "corp_id") && global.Text("wechat_api_corp_id").empty())
      diagnostics.Fail(wechat.mark(), "no global Wechat CorpID set");
  }
  for (const BlockView& jira : receiver.Children("jira_configs")) {
    if (jira.Text("api_url").empty() && global.Text("jira_api_url").empty())
      diagnostics.Fail(jira.mark(), "no global Jira Cloud URL set");
  }
  for (const BlockView& slack : receiver.Children("slack_configs")) {
    const bool own = HasEither(slack, "api_url", "api_url_file") ||
                     HasEither(slack, "app_token", "app_token_file");
    const bool shared = HasEither(global, "slack_api_url", "slack_api_url_file") ||
                        HasEither(global, "slack_app_token", "slack_app_token_file");
    if (!own && !shared) {
      diagnostics.Fail(slack.mark(),
                       "no Slack API URL nor App token set either inline or in a file");
    }
  }
  for (const BlockView& email : receiver.Children("email_configs")) {
    if (email.Text("smarthost").empty() && global.Text("smtp_smarthost").empty())
      diagnostics.Fail(email.mark(), "no global SMTP smarthost set");
    if (email.Text("from").empty() && global.Text("smtp_from").empty())
      diagnostics.Fail(email.mark(), "no global SMTP from set");
  }
}

void CheckRouteNames(const BlockView& route, const Names& names, Diagnostics& diagnostics) {
  const std::string receiver = route.Text("receiver");
  if (!receiver.empty() && !names.receivers.contains(receiver)) {
    diagnostics.Fail(route.MarkOf("receiver"),
                     fmt::format("undefined receiver {} used in route", QuoteGo(receiver)));
  }
  for (const char* key : {"mute_time_intervals", "active_time_intervals"}) {
    for (const std::string& name : route.Strings(key)) {
      if (names.intervals.contains(name)) continue;
      diagnostics.Fail(route.MarkOf(key),
                       fmt::format("undefined time interval {} used in route", QuoteGo(name)));
    }
  }
  for (const BlockView& child : route.Children("routes"))
    CheckRouteNames(child, names, diagnostics);
}

void CheckRootRoute(const BlockView& route, Diagnostics& diagnostics) {
  Require(route, "receiver", "root route must specify a default receiver", diagnostics);
  for (const char* key : {"match", "match_re", "matchers"}) {
    const YamlNode* node = route.Raw(key);
    if (node != nullptr && (!node->items.empty() || !node->entries.empty() || node->is_scalar()))
      diagnostics.Fail(node->mark, "root route must not have any matchers");
  }
  if (!route.Strings("mute_time_intervals").empty()) {
    diagnostics.Fail(route.MarkOf("mute_time_intervals"),
                     "root route must not have any mute time intervals");
  }
  if (!route.Strings("active_time_intervals").empty()) {
    diagnostics.Fail(route.MarkOf("active_time_intervals"),
                     "root route must not have any active time intervals");
  }
  if (route.Bool("continue"))
    diagnostics.Fail(route.MarkOf("continue"), "cannot have continue in root route");
}

void CheckRoot(const BlockView& view, Diagnostics& diagnostics) {
  const BlockView global = view.Child("global");
  Names names;
  for (const BlockView& receiver : view.Children("receivers")) {
    const std::string name = receiver.Text("name");
    if (!names.receivers.insert(name).second) {
      diagnostics.Fail(receiver.MarkOf("name"),
                       fmt::format("notification config name {} is not unique", QuoteGo(name)));
    }
    CheckReceiverSecrets(receiver, global, diagnostics);
  }
  for (const char* key : {"mute_time_intervals", "time_intervals"}) {
    for (const BlockView& interval : view.Children(key)) {
      if (!names.intervals.insert(interval.Text("name")).second) {
        diagnostics.Fail(interval.MarkOf("name"), fmt::format("time interval {} is not unique",
                                                              QuoteGo(interval.Text("name"))));
      }
    }
  }
  if (!view.Has("route")) {
    diagnostics.Fail(view.mark(), "no routes provided");
    return;
  }
  CheckRootRoute(view.Child("route"), diagnostics);
  CheckRouteNames(view.Child("route"), names, diagnostics);
}

void CheckReceiverHttp(const BlockView& view, Diagnostics& diagnostics) {
  CheckHttpClient(view, diagnostics);
}
constexpr Field kReceiverHttpFields[] = {{nullptr, kInline, nullptr, kNone, &kHttpClientBlock}};

}  // namespace

const Block kRouteBlock = {"route", "config.plain", kRouteFields, CheckRoute};
const Block kReceiverHttpBlock = {"receiver_http_config", "config.HTTPClientConfig",
                                  kReceiverHttpFields, CheckReceiverHttp};
const Block kAlertmanagerBlock = {"alertmanager", "config.plain", kRootFields, CheckRoot, true};

}  // namespace sonde::config
