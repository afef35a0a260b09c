#include "app/alertmanager_routes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "alerting/matcher_syntax.h"
#include "alerting/time_text.h"
#include "app/version.h"
#include "base/json.h"
#include "base/regex.h"
#include "model/fingerprint.h"

namespace sonde::app {
namespace {

using alerting::Alertmanager;
using alerting::AlertView;
using alerting::FormatTimeMillis;

constexpr std::uint64_t kMaxAlertsBody = 64ULL << 20;
constexpr std::size_t kMaxAlertsInBody = 100'000;

api::Answer Json(std::string body) {
  api::Answer answer;
  answer.body = std::move(body);
  return answer;
}

api::Answer Fail(int status, std::string_view message) {
  api::Answer answer;
  answer.status = status;
  AppendJsonString(answer.body, message);
  return answer;
}

api::Answer Fail(const Error& error) {
  return Fail(error.kind() == ErrorKind::kNotFound ? 404
              : error.kind() == ErrorKind::kIo     ? 500
                                                   : 400,
              error.message());
}

void WriteLabels(JsonWriter& json, LabelsView labels) {
  json.BeginObject();
  for (const LabelView label : labels)
    json.Key(label.name).String(label.value);
  json.EndObject();
}

void WriteStrings(JsonWriter& json, std::string_view key, const std::vector<std::string>& values) {
  json.Key(key).BeginArray();
  for (const std::string& value : values)
    json.String(value);
  json.EndArray();
}

void WriteAlert(JsonWriter& json, const AlertView& view) {
  const Alert& alert = view.alert->alert;
  json.BeginObject().Key("annotations");
  WriteLabels(json, alert.annotations);
  json.Key("endsAt").String(FormatTimeMillis(alert.ends_at));
  json.Key("fingerprint").String(FormatFingerprint(view.alert->fingerprint));
  json.Key("receivers").BeginArray();
  for (const std::string& name : view.receivers)
    json.BeginObject().Key("name").String(name).EndObject();
  json.EndArray().Key("startsAt").String(FormatTimeMillis(alert.starts_at));
  json.Key("status").BeginObject();
  WriteStrings(json, "inhibitedBy", view.inhibited_by);
  WriteStrings(json, "mutedBy", view.muted_by);
  WriteStrings(json, "silencedBy", view.silenced_by);
  json.Key("state").String(view.suppressed() ? "suppressed"
                           : view.processed  ? "active"
                                             : "unprocessed");
  json.EndObject().Key("updatedAt").String(FormatTimeMillis(view.alert->updated_at));
  json.Key("generatorURL").String(alert.generator_url);
  json.Key("labels");
  WriteLabels(json, alert.labels);
  json.EndObject();
}

Result<std::vector<Matcher>> Filters(const net::Query& query) {
  std::vector<Matcher> out;
  for (const std::string_view text : query.GetAll("filter"))
    out.push_back(TRY(alerting::ParseMatcher(text)));
  return out;
}

Result<bool> Flag(const net::Query& query, std::string_view name, bool fallback) {
  const std::string_view text = query.Get(name);
  if (text.empty()) return fallback;
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return Error(ErrorKind::kInvalid, std::string(name) + " must be true or false");
}

/// Which alerts a request asks for.
struct AlertFilter {
  std::vector<Matcher> matchers;
  std::optional<Regex> receiver;
  bool active = true, silenced = true, inhibited = true, unprocessed = true, muted = true;

  static Result<AlertFilter> Parse(const net::Query& query) {
    AlertFilter filter;
    filter.matchers = TRY(Filters(query));
    if (query.Has("receiver")) filter.receiver = TRY(Regex::Compile(query.Get("receiver")));
    filter.active = TRY(Flag(query, "active", true));
    filter.silenced = TRY(Flag(query, "silenced", true));
    filter.inhibited = TRY(Flag(query, "inhibited", true));
    filter.unprocessed = TRY(Flag(query, "unprocessed", true));
    filter.muted = TRY(Flag(query, "muted", true));
    return filter;
  }

  bool Wants(const AlertView& view) const {
    if (!MatchesAll(matchers, view.alert->alert.labels)) return false;
    if (!silenced && !view.silenced_by.empty()) return false;
    if (!inhibited && !view.inhibited_by.empty()) return false;
    if (!muted && !view.muted_by.empty()) return false;
    if (!unprocessed && !view.processed && !view.suppressed()) return false;
    if (!active && view.processed && !view.suppressed()) return false;
    return !receiver ||
           std::any_of(view.receivers.begin(), view.receivers.end(),
                       [&](const std::string& name) { return receiver->Matches(name); });
  }
};

// Alerts.

Result<Labels> ReadLabels(JsonView object) {
  LabelsBuilder builder;
  bool strings = true;
  std::size_t too_long = 0;
  object.ForEach([&](std::string_view key, JsonView value) {
    const auto text = value.string();
    strings &= text.has_value();
    too_long += key.size() > kMaxLabelBytes || (text && text->size() > kMaxLabelBytes) ? 1U : 0U;
    if (text && too_long == 0) builder.Set(key, *text);
  });
  if (!strings || too_long > 0)
    return Error(ErrorKind::kInvalid, "labels and annotations must be strings below 16 MiB");
  return builder.Build();
}

Result<Timestamp> ReadTime(JsonView value) {
  if (!value.exists() || value.is_null()) return Timestamp{0};
  return alerting::ParseTime(value.string().value_or("?"));
}

Result<Alert> ReadAlert(JsonView object) {
  Alert alert;
  if (!object.is_object()) return Error(ErrorKind::kInvalid, "an alert must be an object");
  alert.labels = TRY(ReadLabels(object["labels"]));
  alert.annotations = TRY(ReadLabels(object["annotations"]));
  alert.starts_at = TRY(ReadTime(object["startsAt"]));
  alert.ends_at = TRY(ReadTime(object["endsAt"]));
  alert.generator_url = object["generatorURL"].string().value_or("");
  return alert;
}

api::Answer PostAlerts(Alertmanager& alertmanager, std::string_view body) {
  const auto document = JsonDocument::Parse(body, 16);
  if (!document) return Fail(document.error());
  const JsonView root = document->root();
  if (!root.is_array()) return Fail(400, "expected an array of alerts");
  if (root.size() > kMaxAlertsInBody) return Fail(400, "more than 100000 alerts in one request");
  std::vector<Alert> alerts;
  for (std::size_t i = 0; i < root.size(); ++i) {
    auto alert = ReadAlert(root.at(i));
    if (!alert) return Fail(400, "alert " + std::to_string(i) + ": " + alert.error().message());
    alerts.push_back(*std::move(alert));
  }
  if (const auto status = alertmanager.Put(alerts); !status) return Fail(status.error());
  return Json("");
}

api::Answer GetAlerts(const Alertmanager& alertmanager, const net::Query& query) {
  const auto filter = AlertFilter::Parse(query);
  if (!filter) return Fail(filter.error());
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const AlertView& view : alertmanager.ListAlerts()) {
    if (filter->Wants(view)) WriteAlert(json, view);
  }
  json.EndArray();
  return Json(out + "\n");
}

api::Answer GetGroups(const Alertmanager& alertmanager, const net::Query& query) {
  const auto filter = AlertFilter::Parse(query);
  if (!filter) return Fail(filter.error());
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const alerting::GroupView& group : alertmanager.ListGroups()) {
    if (filter->receiver && !filter->receiver->Matches(group.receiver)) continue;
    AlertFilter of_group = *filter;
    of_group.receiver.reset();
    std::vector<const AlertView*> wanted;
    for (const AlertView& view : group.alerts) {
      if (of_group.Wants(view)) wanted.push_back(&view);
    }
    if (wanted.empty()) continue;
    json.BeginObject().Key("alerts").BeginArray();
    for (const AlertView* view : wanted)
      WriteAlert(json, *view);
    json.EndArray().Key("labels");
    WriteLabels(json, group.labels);
    json.Key("receiver").BeginObject().Key("name").String(group.receiver).EndObject().EndObject();
  }
  json.EndArray();
  return Json(out + "\n");
}

// Silences.

void WriteSilence(JsonWriter& json, const alerting::Silence& silence, Timestamp now) {
  json.BeginObject().Key("id").String(silence.id);
  json.Key("status").BeginObject().Key("state").String(ToString(silence.State(now))).EndObject();
  json.Key("updatedAt").String(FormatTimeMillis(silence.updated_at));
  json.Key("comment").String(silence.comment).Key("createdBy").String(silence.created_by);
  json.Key("endsAt").String(FormatTimeMillis(silence.ends_at)).Key("matchers").BeginArray();
  for (const Matcher& matcher : silence.matchers) {
    json.BeginObject().Key("isEqual").Bool(!matcher.negative());
    json.Key("isRegex").Bool(matcher.regex() != nullptr);
    json.Key("name").String(matcher.name()).Key("value").String(matcher.value()).EndObject();
  }
  json.EndArray().Key("startsAt").String(FormatTimeMillis(silence.starts_at)).EndObject();
}

Result<alerting::Silence> ReadSilence(std::string_view body) {
  const JsonDocument document = TRY(JsonDocument::Parse(body, 16));
  const JsonView root = document.root();
  if (!root.is_object()) return Error(ErrorKind::kInvalid, "expected a silence");
  alerting::Silence silence;
  silence.id = root["id"].string().value_or("");
  silence.created_by = root["createdBy"].string().value_or("");
  silence.comment = root["comment"].string().value_or("");
  silence.starts_at = TRY(ReadTime(root["startsAt"]));
  silence.ends_at = TRY(ReadTime(root["endsAt"]));
  for (std::size_t i = 0; i < root["matchers"].size(); ++i) {
    const JsonView matcher = root["matchers"].at(i);
    const bool equal = matcher["isEqual"].boolean().value_or(true);
    const bool regex = matcher["isRegex"].boolean().value_or(false);
    using enum Matcher::Type;
    const auto type = regex ? (equal ? kRegex : kNotRegex) : (equal ? kEqual : kNotEqual);
    silence.matchers.push_back(
        TRY(Matcher::Make(type, std::string(matcher["name"].string().value_or("")),
                          std::string(matcher["value"].string().value_or("")))));
  }
  return silence;
}

api::Answer PostSilence(Alertmanager& alertmanager, std::string_view body) {
  auto silence = ReadSilence(body);
  if (!silence) return Fail(silence.error());
  const auto id = alertmanager.SetSilence(*std::move(silence));
  if (!id) return Fail(id.error());
  std::string out;
  JsonWriter(out).BeginObject().Key("silenceID").String(*id).EndObject();
  return Json(out + "\n");
}

/// The filter of a request may name fewer matchers than the silence has.
bool Covers(const std::vector<Matcher>& filter, const alerting::Silence& silence) {
  return std::all_of(filter.begin(), filter.end(), [&](const Matcher& wanted) {
    const auto found = std::find_if(silence.matchers.begin(), silence.matchers.end(),
                                    [&](const Matcher& m) { return m.name() == wanted.name(); });
    return found == silence.matchers.end() ? wanted.MatchesEmpty() : wanted.Matches(found->value());
  });
}

api::Answer GetSilences(const Alertmanager& alertmanager, const net::Query& query, Timestamp now) {
  const auto filter = Filters(query);
  if (!filter) return Fail(filter.error());
  auto silences = alertmanager.ListSilences();
  std::erase_if(silences, [&](const alerting::Silence& s) { return !Covers(*filter, s); });
  // Active ones that end first, then pending ones that begin first, then the last that ended.
  std::stable_sort(silences.begin(), silences.end(),
                   [&](const alerting::Silence& a, const alerting::Silence& b) {
                     const auto rank = [&](const alerting::Silence& s) {
                       return s.State(now) == alerting::SilenceState::kActive    ? 0
                              : s.State(now) == alerting::SilenceState::kPending ? 1
                                                                                 : 2;
                     };
                     if (rank(a) != rank(b)) return rank(a) < rank(b);
                     if (rank(a) == 0) return a.ends_at < b.ends_at;
                     return rank(a) == 1 ? a.starts_at < b.starts_at : a.ends_at > b.ends_at;
                   });
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const alerting::Silence& silence : silences) {
    const auto wanted = Flag(query, ToString(silence.State(now)), true);
    if (!wanted) return Fail(wanted.error());
    if (*wanted) WriteSilence(json, silence, now);
  }
  json.EndArray();
  return Json(out + "\n");
}

api::Answer OneSilence(Alertmanager& alertmanager, const api::SondeRequest& request,
                       Timestamp now) {
  if (request.method == "DELETE") {
    const auto status = alertmanager.ExpireSilence(request.path_value);
    return status ? Json("") : Fail(status.error());
  }
  const auto silence = alertmanager.FindSilence(request.path_value);
  if (!silence) return Fail(404, "silence not found");
  std::string out;
  JsonWriter json(out);
  WriteSilence(json, *silence, now);
  return Json(out + "\n");
}

// What it is.

api::Answer GetStatus(const AlertmanagerApi& api) {
  const api::BuildStatus build = BuildInfo();
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("cluster").BeginObject();
  json.Key("peers").BeginArray().EndArray().Key("status").String("disabled").EndObject();
  json.Key("config").BeginObject().Key("original").String(api.config_yaml()).EndObject();
  json.Key("uptime").String(FormatTimeMillis(api.started));
  json.Key("versionInfo").BeginObject();
  json.Key("branch").String(build.branch).Key("buildDate").String(build.build_date);
  json.Key("buildUser").String(build.build_user).Key("goVersion").String("");
  json.Key("revision").String(build.revision).Key("version").String(build.version);
  json.EndObject().EndObject();
  return Json(out + "\n");
}

api::Answer GetReceivers(const Alertmanager& alertmanager) {
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const std::string& name : alertmanager.ReceiverNames())
    json.BeginObject().Key("name").String(name).EndObject();
  json.EndArray();
  return Json(out + "\n");
}

}  // namespace

std::vector<api::SondeRoute> AlertmanagerRoutes(const AlertmanagerApi& api) {
  using Handler = std::function<api::Answer(Alertmanager&, const api::SondeRequest&)>;
  std::vector<api::SondeRoute> routes;
  const auto add = [&](const char* path, std::vector<std::string> methods, Handler handler,
                       std::uint64_t max_body) {
    api::SondeRoute route;
    route.path = path;
    route.methods = std::move(methods);
    route.max_body_bytes = max_body;
    route.handle = [get = api.alertmanager,
                    handler = std::move(handler)](const api::SondeRequest& request) {
      Alertmanager* alertmanager = get();
      if (alertmanager == nullptr) return Fail(503, "alerting is not started yet");
      return handler(*alertmanager, request);
    };
    routes.push_back(std::move(route));
  };
  const Clock& clock = api.clock;
  add(
      "/api/v2/alerts", {"GET", "POST"},
      [](Alertmanager& a, const api::SondeRequest& r) {
        return r.method == "POST" ? PostAlerts(a, r.body) : GetAlerts(a, r.query);
      },
      kMaxAlertsBody);
  add(
      "/api/v2/alerts/groups", {"GET"},
      [](Alertmanager& a, const api::SondeRequest& r) { return GetGroups(a, r.query); }, 0);
  add(
      "/api/v2/silences", {"GET", "POST"},
      [&clock](Alertmanager& a, const api::SondeRequest& r) {
        return r.method == "POST" ? PostSilence(a, r.body) : GetSilences(a, r.query, clock.Now());
      },
      1 << 20);
  add(
      "/api/v2/silence/*", {"GET", "DELETE"},
      [&clock](Alertmanager& a, const api::SondeRequest& r) {
        return OneSilence(a, r, clock.Now());
      },
      1 << 10);
  add(
      "/api/v2/status", {"GET"},
      [api](Alertmanager&, const api::SondeRequest&) { return GetStatus(api); }, 0);
  add(
      "/api/v2/receivers", {"GET"},
      [](Alertmanager& a, const api::SondeRequest&) { return GetReceivers(a); }, 0);
  return routes;
}

}  // namespace sonde::app
