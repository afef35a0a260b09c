#include "api/rules_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/params.h"
#include "api/result_json.h"
#include "api/status.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"
#include "base/quote.h"

namespace sonde::api {
namespace {

constexpr std::string_view kZeroTime = "0001-01-01T00:00:00Z";  // Go's zero time: never evaluated.

Error Invalid(std::string_view name, std::string_view message) {
  return InvalidParameter(name, Error(ErrorKind::kInvalid, std::string(message)));
}

/// Where a page of groups goes on. Opaque to clients; the same while file and name are.
std::string TokenOf(const rules::GroupView& group) {
  return Sha256Hex(group.file + ";" + group.name).substr(0, 40);
}

struct RulesFilter {
  bool alerting = true;
  bool recording = true;
  bool alerts = true;
  std::vector<std::string_view> names;
  std::vector<std::string_view> groups;
  std::vector<std::string_view> files;
  std::vector<std::vector<Matcher>> matchers;  // One set must match.
  std::uint64_t limit = 0;                     // Groups of a page; 0: all.
  std::string token;

  static Result<RulesFilter> Parse(const net::Query& parameters) {
    RulesFilter filter;
    const std::string_view type = parameters.Get("type");
    if (!type.empty() && type != "alert" && type != "record")
      return Invalid("type", "not supported value " + QuoteGo(type));
    filter.alerting = type != "record";
    filter.recording = type != "alert";
    filter.names = parameters.GetAll("rule_name[]");
    filter.groups = parameters.GetAll("rule_group[]");
    filter.files = parameters.GetAll("file[]");
    if (parameters.Has("match[]")) filter.matchers = TRY(MatchParams(parameters));
    const std::string_view exclude = parameters.Get("exclude_alerts");
    static constexpr std::string_view kTrue[] = {"1", "t", "T", "TRUE", "true", "True"};
    static constexpr std::string_view kFalse[] = {"", "0", "f", "F", "FALSE", "false", "False"};
    filter.alerts = std::ranges::find(kTrue, exclude) == std::end(kTrue);
    if (filter.alerts && std::ranges::find(kFalse, exclude) == std::end(kFalse))
      return Invalid("exclude_alerts", "cannot parse " + QuoteGo(exclude) + " as true or false");
    TRY(filter.ParsePage(parameters));
    return filter;
  }

  Status ParsePage(const net::Query& parameters) {
    token = parameters.Get("group_next_token");
    const std::string_view text = parameters.Get("group_limit");
    if (text.empty()) {
      if (token.empty()) return OkStatus();
      return Error(ErrorKind::kInvalid,
                   "invalid parameter \"group_limit\": group_limit needs to be present in order to "
                   "paginate over the groups");
    }
    const auto number = ParseInt(text);
    if (!number) return Invalid("group_limit", "group_limit must be a number");
    if (*number <= 0) return Invalid("group_limit", "group_limit must be greater than 0");
    limit = static_cast<std::uint64_t>(*number);
    return OkStatus();
  }

  static bool Selects(const std::vector<std::string_view>& wanted, std::string_view name) {
    return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
  }

  bool Takes(const rules::GroupView& group) const {
    return Selects(groups, group.name) && Selects(files, group.file);
  }

  bool Takes(const rules::RuleView& rule) const {
    if (rule.options.alerting ? !alerting : !recording) return false;
    if (!Selects(names, rule.options.name)) return false;
    if (matchers.empty()) return true;
    std::vector<LabelView> pairs;
    for (const auto& [name, value] : rule.options.labels)
      pairs.push_back({name, value});
    const Labels labels = Labels::FromPairs(pairs);
    return std::ranges::any_of(
        matchers, [&](const std::vector<Matcher>& set) { return MatchesAll(set, labels); });
  }
};

void AppendLabelsKey(JsonWriter& json, std::string_view key, LabelsView labels) {
  std::string text;
  AppendLabels(text, labels);
  json.Key(key).Raw(text);
}

void AppendPairs(JsonWriter& json, std::string_view key, const rules::TextPairs& pairs) {
  json.Key(key).BeginObject();
  for (const auto& [name, value] : pairs)
    json.Key(name).String(value);
  json.EndObject();
}

std::string TimeText(const std::optional<Timestamp>& time) {
  return time ? FormatRfc3339(*time) : std::string(kZeroTime);
}

double Seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

void AppendAlert(JsonWriter& json, const rules::AlertView& alert) {
  json.BeginObject();
  AppendLabelsKey(json, "labels", alert.labels);
  AppendLabelsKey(json, "annotations", alert.annotations);
  json.Key("state").String(rules::ToString(alert.state));
  json.Key("activeAt").String(FormatRfc3339(alert.active_at));
  if (alert.keep_firing_since)
    json.Key("keepFiringSince").String(FormatRfc3339(*alert.keep_firing_since));
  std::string value;
  AppendFloatE(value, alert.value);
  json.Key("value").String(value).EndObject();
}

void AppendRule(JsonWriter& json, const rules::RuleView& rule, bool alerts) {
  json.BeginObject();
  if (rule.options.alerting) json.Key("state").String(rules::ToString(rule.state()));
  json.Key("name").String(rule.options.name).Key("query").String(rule.query);
  if (rule.options.alerting) {
    json.Key("duration").Double(Seconds(rule.options.hold));
    json.Key("keepFiringFor").Double(Seconds(rule.options.keep_firing_for));
  }
  if (rule.options.alerting || !rule.options.labels.empty())
    AppendPairs(json, "labels", rule.options.labels);
  if (rule.options.alerting) {
    AppendPairs(json, "annotations", rule.options.annotations);
    json.Key("alerts").BeginArray();
    if (alerts) {
      for (const rules::AlertView& alert : rule.alerts)
        AppendAlert(json, alert);
    }
    json.EndArray();
  }
  json.Key("health").String(rules::ToString(rule.health));
  if (!rule.last_error.empty()) json.Key("lastError").String(rule.last_error);
  json.Key("evaluationTime").Double(rule.evaluation_seconds);
  json.Key("lastEvaluation").String(TimeText(rule.last_evaluation));
  json.Key("type").String(rule.options.alerting ? "alerting" : "recording").EndObject();
}

void AppendGroup(JsonWriter& json, const rules::GroupView& group,
                 const std::vector<const rules::RuleView*>& chosen, bool alerts) {
  json.BeginObject().Key("name").String(group.name).Key("file").String(group.file);
  json.Key("rules").BeginArray();
  for (const rules::RuleView* rule : chosen)
    AppendRule(json, *rule, alerts);
  json.EndArray();
  json.Key("interval").Double(Seconds(group.interval)).Key("limit").Int(group.limit);
  json.Key("evaluationTime").Double(group.evaluation_seconds);
  json.Key("lastEvaluation").String(TimeText(group.last_evaluation)).EndObject();
}

}  // namespace

Answer RulesAnswer(const std::vector<rules::GroupView>& groups, const net::Query& parameters) {
  const auto filter = RulesFilter::Parse(parameters);
  if (!filter) return Answer::Failure(filter.error());
  std::string next;
  std::uint64_t written = 0;
  bool reached = filter->token.empty();
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("groups").BeginArray();
  for (const rules::GroupView& group : groups) {
    if (!reached) reached = TokenOf(group) == filter->token;
    if (!reached || !filter->Takes(group)) continue;
    std::vector<const rules::RuleView*> chosen;
    for (const auto& rule : group.rules) {
      if (filter->Takes(*rule)) chosen.push_back(rule.get());
    }
    if (chosen.empty()) continue;
    if (filter->limit > 0 && written == filter->limit) {
      next = TokenOf(group);
      break;
    }
    ++written;
    AppendGroup(json, group, chosen, filter->alerts);
  }
  json.EndArray();
  if (!next.empty()) json.Key("groupNextToken").String(next);
  json.EndObject();
  if (!reached) {
    return Answer::Failure(
        Invalid("group_next_token", "invalid group_next_token. were rule groups changed?"));
  }
  return Answer::Success(data);
}

Answer AlertsAnswer(const std::vector<rules::GroupView>& groups) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("alerts").BeginArray();
  for (const rules::GroupView& group : groups) {
    for (const auto& rule : group.rules) {
      for (const rules::AlertView& alert : rule->alerts)
        AppendAlert(json, alert);
    }
  }
  json.EndArray().EndObject();
  return Answer::Success(data);
}

}  // namespace sonde::api
