#include "config/alertmanager_file.h"

#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "alerting/matcher_syntax.h"
#include "base/quote.h"
#include "config/emit.h"
#include "config/fill.h"

namespace sonde::config {
namespace {

constexpr std::uint64_t kMaxFileBytes = 16U << 20;

std::string OwnOr(const BlockView& own, std::string_view key, const BlockView& global,
                  std::string_view shared) {
  std::string text = own.Text(key);
  return text.empty() ? global.Text(shared) : text;
}

alerting::HttpOptions FillHttp(const BlockView& view, const FillContext& context) {
  alerting::HttpOptions http;
  const discovery::HttpAccessOptions access = FillHttpAccess(view, context);
  if (access.basic_auth) {
    http.user = access.basic_auth->username;
    http.user_file = access.basic_auth->username_file;
    http.password = access.basic_auth->password;
    http.password_file = access.basic_auth->password_file;
  }
  if (access.authorization) {
    http.authorization_type = access.authorization->type;
    http.credentials = access.authorization->credentials;
    http.credentials_file = access.authorization->credentials_file;
  }
  http.tls = access.tls;
  http.follow_redirects = access.follow_redirects;
  http.proxy_url = view.Text("proxy_url");
  if (const YamlNode* headers = view.Raw("http_headers")) {
    for (const YamlEntry& entry : headers->entries) {
      for (const char* list : {"values", "secrets"}) {
        const YamlNode* values = entry.value.Find(list);
        if (values == nullptr) continue;
        if (values->is_scalar()) http.headers.emplace_back(entry.key, values->text);
        for (const YamlNode& value : values->items)
          http.headers.emplace_back(entry.key, value.text);
      }
    }
  }
  return http;
}

void FillSlack(const BlockView& view, const BlockView& global, const FillContext& context,
               alerting::Integration& out) {
  out.kind = alerting::IntegrationKind::kSlack;
  out.url = view.Text("api_url");
  out.url_file = context.Resolve(view.Text("api_url_file"));
  out.app_token = view.Text("app_token");
  out.app_token_file = context.Resolve(view.Text("app_token_file"));
  const bool own = !out.url.empty() || !out.url_file.empty();
  if (out.app_token.empty() && out.app_token_file.empty() && !own) {
    out.app_token = global.Text("slack_app_token");
    out.app_token_file = context.Resolve(global.Text("slack_app_token_file"));
    out.url = global.Text("slack_api_url");
    out.url_file = context.Resolve(global.Text("slack_api_url_file"));
  }
  if (!out.app_token.empty() || !out.app_token_file.empty()) {
    if (out.url.empty() && out.url_file.empty())
      out.url = OwnOr(view, "app_url", global, "slack_app_url");
  }
  for (const auto& [member, key] : {std::pair{&out.channel, "channel"},
                                    {&out.username, "username"},
                                    {&out.color, "color"},
                                    {&out.title, "title"},
                                    {&out.title_link, "title_link"},
                                    {&out.pretext, "pretext"},
                                    {&out.text, "text"},
                                    {&out.fallback, "fallback"},
                                    {&out.footer, "footer"},
                                    {&out.callback_id, "callback_id"},
                                    {&out.icon_emoji, "icon_emoji"},
                                    {&out.icon_url, "icon_url"},
                                    {&out.image_url, "image_url"},
                                    {&out.thumb_url, "thumb_url"}}) {
    *member = view.Text(key);
  }
  out.short_fields = view.Bool("short_fields");
  out.link_names = view.Bool("link_names");
  if (view.Has("mrkdwn_in")) out.mrkdwn_in = view.Strings("mrkdwn_in");
  for (const BlockView& field : view.Children("fields")) {
    const bool is_short = field.Has("short") ? field.Bool("short") : out.short_fields;
    out.fields.push_back({field.Text("title"), field.Text("value"), is_short});
  }
}

/// Templates of one's own are not rendered yet: what is sent instead must be no surprise.
void WarnOfTemplates(const BlockView& view, Diagnostics& diagnostics) {
  if (view.node() == nullptr) return;
  for (const YamlEntry& entry : view.node()->entries) {
    if (entry.value.text.find("{{") == std::string::npos) continue;
    diagnostics.Warn(entry.value.mark,
                     fmt::format("{} is a template, which this version does not render: the "
                                 "default text is sent",
                                 entry.key));
  }
}

alerting::Receiver FillReceiver(const BlockView& view, const BlockView& global,
                                const FillContext& context, Diagnostics& diagnostics) {
  alerting::Receiver receiver;
  receiver.name = view.Text("name");
  for (const ReceiverKind& kind : ReceiverKinds()) {
    int index = 0;
    for (const BlockView& config : view.Children(kind.key)) {
      alerting::Integration out;
      out.type = kind.type;
      out.index = index++;
      out.send_resolved = config.Bool("send_resolved");
      if (out.type != "email") {
        const BlockView& owner = config.Has("http_config") ? config : global;
        out.http = FillHttp(owner.Child("http_config"), context);
      }
      if (out.type == "slack") WarnOfTemplates(config, diagnostics);
      if (out.type == "webhook") {
        out.kind = alerting::IntegrationKind::kWebhook;
        out.url = config.Text("url");
        out.url_file = context.Resolve(config.Text("url_file"));
        out.max_alerts = config.Uint("max_alerts");
        out.timeout = config.Time("timeout");
      } else if (out.type == "slack") {
        FillSlack(config, global, context, out);
        out.timeout = config.Time("timeout");
      }
      receiver.integrations.push_back(std::move(out));
    }
  }
  return receiver;
}

void AddOldMatchers(const BlockView& view, std::string_view key, Matcher::Type type,
                    std::vector<Matcher>& out) {
  const YamlNode* map = view.Raw(key);
  if (map == nullptr) return;
  for (const YamlEntry& entry : map->entries) {
    if (auto matcher = Matcher::Make(type, entry.key, entry.value.text))
      out.push_back(*std::move(matcher));
  }
}

std::vector<Matcher> FillMatchers(const BlockView& view, const std::string& prefix) {
  std::vector<Matcher> out;
  AddOldMatchers(view, prefix + "match", Matcher::Type::kEqual, out);
  AddOldMatchers(view, prefix + "match_re", Matcher::Type::kRegex, out);
  for (const std::string& text : view.Strings(prefix + "matchers")) {
    if (auto parsed = alerting::ParseMatchers(text))
      out.insert(out.end(), parsed->matchers.begin(), parsed->matchers.end());
  }
  return out;
}

alerting::RouteOptions FillRoute(const BlockView& view) {
  alerting::RouteOptions route;
  route.receiver = view.Text("receiver");
  if (view.Has("group_by")) route.group_by = view.Strings("group_by");
  if (view.Has("group_wait")) route.group_wait = view.Time("group_wait");
  if (view.Has("group_interval")) route.group_interval = view.Time("group_interval");
  if (view.Has("repeat_interval")) route.repeat_interval = view.Time("repeat_interval");
  route.matchers = FillMatchers(view, "");
  route.continues = view.Bool("continue");
  route.mute_time_intervals = view.Strings("mute_time_intervals");
  route.active_time_intervals = view.Strings("active_time_intervals");
  for (const BlockView& child : view.Children("routes"))
    route.routes.push_back(FillRoute(child));
  return route;
}

using TimeZones = std::map<std::string, std::shared_ptr<const alerting::TimeZone>>;

alerting::TimeInterval FillTimeInterval(const BlockView& view, Env& env, TimeZones& zones,
                                        Diagnostics& diagnostics) {
  alerting::TimeInterval out;
  for (const BlockView& range : view.Children("times")) {
    out.minutes.push_back({alerting::ParseTimeOfDay(range.Text("start_time")).value_or(0),
                           alerting::ParseTimeOfDay(range.Text("end_time")).value_or(0)});
  }
  const auto fill = [&](const char* key, auto parse, std::vector<alerting::NumberRange>& ranges) {
    for (const std::string& text : view.Strings(key)) {
      if (auto range = parse(text)) ranges.push_back(*range);
    }
  };
  fill("weekdays", alerting::ParseWeekdays, out.weekdays);
  fill("days_of_month", alerting::ParseDaysOfMonth, out.days_of_month);
  fill("months", alerting::ParseMonths, out.months);
  fill("years", alerting::ParseYears, out.years);
  const std::string location = view.Text("location");
  if (location.empty()) return out;
  auto& zone = zones[location];
  if (zone == nullptr) {
    auto loaded = alerting::TimeZone::Load(env, location);
    if (!loaded) {
      diagnostics.Fail(view.MarkOf("location"), loaded.error().message());
      return out;
    }
    zone = std::make_shared<const alerting::TimeZone>(*std::move(loaded));
  }
  out.location = zone;
  return out;
}

}  // namespace

Result<AlertmanagerConfig> ParseAlertmanagerFile(Env& env, std::string_view text,
                                                 const std::string& file) {
  const YamlDocument document =
      TRY(ParseYaml(text, file, {.max_bytes = kMaxFileBytes, .max_nodes = 500'000}));
  Diagnostics diagnostics{file};
  Validate(kAlertmanagerBlock, document.root, document, diagnostics);
  if (!diagnostics.ok()) return diagnostics.ToError();

  const BlockView view(kAlertmanagerBlock, &document.root);
  const BlockView global = view.Child("global");
  FillContext context;
  context.directory = std::filesystem::path(file).parent_path().string();
  context.environment = [](const std::string&) { return std::nullopt; };
  AlertmanagerConfig config;
  config.file = file;
  alerting::Options& options = config.options;
  options.resolve_timeout = global.Time("resolve_timeout");
  options.route = FillRoute(view.Child("route"));
  for (const BlockView& rule : view.Children("inhibit_rules")) {
    options.inhibit_rules.push_back({rule.Text("name"), FillMatchers(rule, "source_"),
                                     FillMatchers(rule, "target_"), rule.Strings("equal")});
  }
  TimeZones zones;
  for (const char* key : {"mute_time_intervals", "time_intervals"}) {
    for (const BlockView& named : view.Children(key)) {
      alerting::NamedTimeInterval interval;
      interval.name = named.Text("name");
      for (const BlockView& entry : named.Children("time_intervals"))
        interval.entries.push_back(FillTimeInterval(entry, env, zones, diagnostics));
      options.time_intervals.push_back(std::move(interval));
    }
  }
  for (const BlockView& receiver : view.Children("receivers"))
    options.receivers.push_back(FillReceiver(receiver, global, context, diagnostics));
  for (const std::string& pattern : view.Strings("templates"))
    options.templates.push_back(context.Resolve(pattern));
  if (!diagnostics.ok()) return diagnostics.ToError();
  config.warnings = diagnostics.warnings();
  config.original = EmitYaml(view);
  return config;
}

Result<AlertmanagerConfig> LoadAlertmanagerFile(Env& env, const std::string& file) {
  const std::string text = TRY(env.ReadFile(file, kMaxFileBytes));
  return ParseAlertmanagerFile(env, text, file);
}

}  // namespace sonde::config
