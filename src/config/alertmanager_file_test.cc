#include "config/alertmanager_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "alerting/route.h"

namespace sonde::config {
namespace {

const std::filesystem::path kConformance = "../shared/conformance/alertmanager";

std::vector<std::vector<std::string>> ReadTable(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream in(kConformance / name);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::vector<std::string> row;
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');)
      row.push_back(cell);
    rows.push_back(row);
  }
  return rows;
}

TEST(AlertmanagerFile, JudgesAsTheReference) {
  const auto rows = ReadTable("expectations.tsv");
  if (rows.empty()) GTEST_SKIP() << kConformance << " is not here";
  PosixEnv env;
  for (const auto& row : rows) {
    const auto config = LoadAlertmanagerFile(env, kConformance / row[0]);
    EXPECT_EQ(config.ok(), row[1] == "ok")
        << row[0] << ": " << (config ? "accepted" : config.error().message());
    if (config || row.size() < 3) continue;
    std::string want = row[2];  // The line stands in our message's beginning.
    if (const auto line = want.find("  line "); line != std::string::npos)
      want = want.substr(want.find(": ", line) + 2);
    EXPECT_NE(config.error().message().find(want), std::string::npos)
        << row[0] << ": " << config.error().message();
  }
}

TEST(AlertmanagerFile, RoutesAsTheReference) {
  const auto rows = ReadTable("routing_expectations.tsv");
  if (rows.empty()) GTEST_SKIP() << kConformance << " is not here";
  PosixEnv env;
  for (const auto& row : rows) {
    const auto config = LoadAlertmanagerFile(env, kConformance / row[0]);
    ASSERT_TRUE(config) << config.error().message();
    const alerting::RouteTree tree(config->options.route);
    const std::size_t equals = row[1].find('=');
    const Labels labels = Labels::Of({{row[1].substr(0, equals), row[1].substr(equals + 1)}});
    std::string receivers;
    for (const alerting::Route* route : tree.Match(labels))
      receivers += (receivers.empty() ? "" : ",") + route->receiver;
    EXPECT_EQ(receivers, row[2]) << row[0] << " " << row[1];
  }
}

constexpr std::string_view kBase = "receivers: [{name: a}]\nroute: {receiver: a";

/// `more` stands inside the root route, `after` below it.
void ExpectError(const std::string& more, const std::string& after, std::string_view want) {
  PosixEnv env;
  const auto config =
      ParseAlertmanagerFile(env, std::string(kBase) + more + "}\n" + after, "am.yml");
  if (want.empty()) {
    EXPECT_TRUE(config) << config.error().message();
    return;
  }
  ASSERT_FALSE(config) << more << after;
  EXPECT_NE(config.error().message().find(want), std::string::npos) << config.error().message();
  EXPECT_EQ(config.error().message().rfind("am.yml:", 0), 0U);
}

TEST(AlertmanagerFile, Errors) {
  ExpectError("", "", "");
  ExpectError(", reciever: b", "",
              "am.yml:2:22: field reciever not found in type config.plain; "
              "did you mean receiver?");
  ExpectError(", matchers: [a=b]", "", "root route must not have any matchers");
  ExpectError(", continue: true", "", "cannot have continue in root route");
  ExpectError(", routes: [{receiver: x}]", "", R"(undefined receiver "x" used in route)");
  ExpectError(", routes: [{mute_time_intervals: [x]}]", "",
              R"(undefined time interval "x" used in route)");
  ExpectError(", routes: [{matchers: ['a']}]", "", "expected one of = != =~ !~");
  ExpectError(", routes: [{match_re: {a: '('}}]", "", "error parsing regexp");
  ExpectError(", routes: [{match_re: {a: }}]", "", "\"a\"");
  ExpectError(", group_by: [a, a]", "", R"(duplicated label "a" in group_by)");
  ExpectError(", group_by: [a, ...]", "", "cannot have wildcard group_by");
  ExpectError(", group_interval: 0s", "", "group_interval cannot be zero");
  ExpectError(", repeat_interval: 0s", "", "repeat_interval cannot be zero");
  ExpectError("", "inhibit_rules: [{source_matchers: ['=']}]", "bad matcher format");
  ExpectError("", "time_intervals: [{name: x}, {name: x}]", "is not unique");
  ExpectError("", "time_intervals: [{}]", "missing name in time interval");
  ExpectError("", "time_intervals: [{name: x, time_intervals: [{weekdays: [moonday]}]}]",
              "'moonday' is not valid");
  ExpectError("", "time_intervals: [{name: x, time_intervals: [{location: Moon/Crater}]}]",
              "unknown time zone Moon/Crater");
  ExpectError("", "time_intervals: [{name: x, time_intervals: [{times: [{start_time: '09:00'}]}]}]",
              "both start and end times must be provided");
  PosixEnv env;
  EXPECT_FALSE(ParseAlertmanagerFile(env, "", "am.yml"));
  EXPECT_FALSE(ParseAlertmanagerFile(env, "route: {receiver: a}", "am.yml"));
}

TEST(AlertmanagerFile, Values) {
  PosixEnv env;
  const auto config = ParseAlertmanagerFile(env, R"(
global:
  slack_api_url: http://127.0.0.1:1/secret
  resolve_timeout: 2m
  http_config: {basic_auth: {username: u, password: p}}
route:
  receiver: a
  group_by: [x]
  routes:
    - {matchers: ['sev=~"a|b"', c!=d], receiver: b, group_wait: 1s, active_time_intervals: [t]}
inhibit_rules:
  - {source_match: {sev: a}, target_matchers: ['{sev="b"}'], equal: [x, y]}
time_intervals:
  - name: t
    time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}], months: ['1:3']}]
receivers:
  - name: a
    webhook_configs:
      - {url: 'http://127.0.0.1:1/', max_alerts: 3, http_config: {authorization: {credentials: s}}}
      - {url_file: hook, send_resolved: false}
  - name: b
    slack_configs: [{channel: '#ops', title: 'T {{ .Status }}'}]
    email_configs: [{to: x@example.org, from: y@example.org, smarthost: 'h:25'}]
)",
                                            "dir/am.yml");
  ASSERT_TRUE(config) << config.error().message();
  const alerting::Options& options = config->options;
  EXPECT_EQ(options.resolve_timeout, Duration(120'000));
  ASSERT_EQ(options.receivers.size(), 2U);
  const auto& hooks = options.receivers[0].integrations;
  ASSERT_EQ(hooks.size(), 2U);
  EXPECT_EQ(hooks[0].max_alerts, 3U);
  EXPECT_TRUE(hooks[0].send_resolved);
  EXPECT_EQ(hooks[0].http.credentials, "s");
  EXPECT_EQ(hooks[0].http.user, "");
  EXPECT_EQ(hooks[1].url_file, "dir/hook");
  EXPECT_FALSE(hooks[1].send_resolved);
  EXPECT_EQ(hooks[1].http.password, "p");
  const auto& chat = options.receivers[1].integrations;
  ASSERT_EQ(chat.size(), 2U);
  EXPECT_EQ(chat[0].type, "email");
  EXPECT_EQ(chat[1].url, "http://127.0.0.1:1/secret");
  EXPECT_EQ(chat[1].channel, "#ops");
  EXPECT_FALSE(chat[1].send_resolved);
  ASSERT_EQ(config->warnings.size(), 2U);
  EXPECT_NE(config->warnings[0].find("email_configs"), std::string::npos);
  EXPECT_NE(config->warnings[1].find("title is a template"), std::string::npos);
  EXPECT_EQ(config->original.find("secret\n"), std::string::npos) << config->original;
  ASSERT_EQ(options.inhibit_rules.size(), 1U);
  EXPECT_EQ(options.inhibit_rules[0].target[0].ToString(), R"(sev="b")");
  EXPECT_EQ(options.route.routes[0].matchers.size(), 2U);
}

}  // namespace
}  // namespace sonde::config
