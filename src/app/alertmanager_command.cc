#include "app/alertmanager_command.h"

#include <cstdio>

#include <fmt/format.h>

#include "alerting/matcher_syntax.h"
#include "alerting/route.h"
#include "app/process.h"
#include "config/alertmanager_file.h"

namespace sonde::app {
namespace {

void Show(const alerting::Route& route, int depth, std::string& out) {
  out += fmt::format("{:{}}{}  receiver: {}{}\n", "", depth * 2,
                     alerting::FormatMatchers(route.matchers), route.receiver,
                     route.continues ? "  continue: true" : "");
  for (const auto& child : route.routes)
    Show(*child, depth + 1, out);
}

int Finish(const AlertmanagerVerdict& verdict) {
  Print(verdict.good ? stdout : stderr, verdict.text);
  return verdict.good ? 0 : 1;
}

}  // namespace

AlertmanagerVerdict CheckAlertmanagerConfigs(Env& env, const std::vector<std::string>& files) {
  AlertmanagerVerdict verdict;
  for (const std::string& file : files) {
    const auto config = config::LoadAlertmanagerFile(env, file);
    if (!config) {
      verdict.good = false;
      verdict.text += fmt::format("{}\n{}: FAILED\n", config.error().message(), file);
      continue;
    }
    for (const std::string& warning : config->warnings)
      verdict.text += fmt::format("{} (warning)\n", warning);
    const alerting::Options& options = config->options;
    verdict.text += fmt::format(
        "{}: SUCCESS: {} receivers, {} inhibit rules, {} time intervals, {} templates\n", file,
        options.receivers.size(), options.inhibit_rules.size(), options.time_intervals.size(),
        options.templates.size());
  }
  return verdict;
}

AlertmanagerVerdict ShowRoutes(Env& env, const std::string& file) {
  const auto config = config::LoadAlertmanagerFile(env, file);
  if (!config) return {config.error().message() + "\n", false};
  AlertmanagerVerdict verdict;
  Show(alerting::RouteTree(config->options.route).root(), 0, verdict.text);
  return verdict;
}

AlertmanagerVerdict TestRoutes(Env& env, const std::string& file,
                               const std::vector<std::string>& labels, std::string_view verify) {
  const auto config = config::LoadAlertmanagerFile(env, file);
  if (!config) return {config.error().message() + "\n", false};
  LabelsBuilder builder;
  for (const std::string& text : labels) {
    const auto matcher = alerting::ParseMatcher(text);
    if (!matcher || matcher->type() != Matcher::Type::kEqual)
      return {fmt::format("{} is not LABEL=VALUE\n", text), false};
    builder.Set(matcher->name(), matcher->value());
  }
  const alerting::RouteTree tree(config->options.route);
  std::string receivers;
  for (const alerting::Route* route : tree.Match(builder.Build()))
    receivers += (receivers.empty() ? "" : ",") + route->receiver;
  if (verify.empty() || verify == receivers) return {receivers + "\n", true};
  return {fmt::format("expected {}, got {}\n", verify, receivers), false};
}

int RunCheckAlertmanager(const std::vector<std::string>& files) {
  PosixEnv env;
  return Finish(CheckAlertmanagerConfigs(env, files));
}

int RunRoutesShow(const std::string& file) {
  PosixEnv env;
  return Finish(ShowRoutes(env, file));
}

int RunRoutesTest(const std::string& file, const std::vector<std::string>& labels,
                  const std::string& verify) {
  PosixEnv env;
  return Finish(TestRoutes(env, file, labels, verify));
}

}  // namespace sonde::app
