#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "alerting/alertmanager.h"
#include "alerting/route.h"
#include "base/env.h"

namespace sonde::alerting {
namespace {

std::vector<Alert> MakeAlerts(int count) {
  std::vector<Alert> alerts;
  for (int i = 0; i < count; ++i) {
    Alert alert;
    const std::string name = "Alert" + std::to_string(i % 50);
    const std::string node = "node-" + std::to_string(i);
    const std::string team = "team-" + std::to_string(i % 500);
    alert.labels = Labels::Of({{"alertname", name},
                               {"node", node},
                               {"team", team},
                               {"sev", i % 10 == 0 ? "critical" : "warning"},
                               {"zone", std::to_string(i % 7)}});
    alert.annotations = Labels::Of({{"summary", "something is too slow on this node"}});
    alerts.push_back(std::move(alert));
  }
  return alerts;
}

Options Tree(int nodes) {
  Options options = Options::ListOnly();
  options.route.group_wait = Duration(0);
  Integration hook;
  hook.kind = IntegrationKind::kWebhook;
  hook.type = "webhook";
  options.receivers[0].integrations.push_back(hook);
  for (int i = 0; i < nodes; ++i) {
    RouteOptions child;
    child.matchers = {Matcher::Equal("team", "team-" + std::to_string(i))};
    options.route.routes.push_back(std::move(child));
  }
  options.inhibit_rules.push_back({"",
                                   {Matcher::Equal("sev", "critical")},
                                   {Matcher::Equal("sev", "warning")},
                                   {"alertname", "team", "zone"}});
  return options;
}

/// One evaluation round of 50,000 active alerts: taken, routed, grouped, inhibited, flushed.
void BM_Round(benchmark::State& state) {
  const std::vector<Alert> alerts = MakeAlerts(50'000);
  ManualClock clock{Timestamp{1'795'536'000'000}};
  MemorySink sink;
  PosixEnv env;
  std::size_t told = 0;
  auto opened = Alertmanager::Open(
      Tree(500), {}, {clock, env, Logger(sink, clock), [&](const Notification& n, auto done) {
                        told += n.alerts.size();
                        done({true, false, Duration(0), ""});
                      }});
  auto& alertmanager = **opened;
  for (auto _ : state) {
    benchmark::DoNotOptimize(alertmanager.Put(alerts).ok());
    alertmanager.Tick();
    clock.Advance(Duration(300'000));
  }
  state.counters["told"] = static_cast<double>(told);
}
BENCHMARK(BM_Round)->Unit(benchmark::kMillisecond);

/// Label sets a second through a tree of 500 nodes.
void BM_Routing(benchmark::State& state) {
  const std::vector<Alert> alerts = MakeAlerts(50'000);
  const RouteTree tree(Tree(500).route);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(tree.Match(alerts[i].labels).data());
    i = (i + 1) % alerts.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Routing);

}  // namespace
}  // namespace sonde::alerting
