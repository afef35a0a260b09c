#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "promql/engine.h"
#include "rules/group.h"
#include "rules/memory_storage.h"

// What a round of rules costs: 1,000 rules over 20,000 series, half of them recording, half
// alerting with templates. For comparing one version with another only: the tests' store looks at
// every series for every rule, and most of a round's time is that.

namespace sonde::rules {
namespace {

constexpr int kRules = 1'000;
constexpr int kSeries = 20'000;
constexpr int kMetrics = 200;  // So each rule sees 100 series.

GroupOptions MakeRules() {
  GroupOptions group{.name = "bench",
                     .file = "bench.yml",
                     .interval = Duration(60'000),
                     .query_offset = {},
                     .limit = 0,
                     .rules = {}};
  for (int i = 0; i < kRules; ++i) {
    const std::string metric = "m" + std::to_string(i % kMetrics);
    RuleOptions rule;
    rule.alerting = i % 2 == 1;
    rule.name = (rule.alerting ? "Alert" : "rule:") + std::to_string(i);
    rule.expr = rule.alerting ? metric + " > 50" : "sum by (node) (" + metric + ")";
    if (rule.alerting) {
      rule.labels = {{"severity", "page"}};
      rule.annotations = {{"summary", "{{ $labels.node }} is at {{ $value | humanize }}"}};
    }
    group.rules.push_back(std::move(rule));
  }
  return group;
}

void BM_EvaluateGroup(benchmark::State& state) {
  ManualClock clock(Timestamp{1'700'000'000'000});
  MemorySink sink;
  const Logger logger(sink, clock);
  MemoryStorage storage;
  const auto evaluator = promql::NewEvaluator(clock);
  const InstantQuery query(storage, *evaluator, {}, {});
  const auto group = Group::Make(
      MakeRules(), {},
      {.query = query, .store = storage, .clock = clock, .logger = logger, .alerts = {}}, true);
  CHECK(group.ok());
  for (auto _ : state) {
    state.PauseTiming();
    clock.Advance(Duration(60'000));
    for (int i = 0; i < kSeries; ++i) {
      const std::string name = "m" + std::to_string(i % kMetrics);
      const std::string node = "n" + std::to_string(i / kMetrics);
      static_cast<void>(storage.store().Append(Labels::Of({{"__name__", name}, {"node", node}}),
                                               clock.Now(), i % 53));
    }
    state.ResumeTiming();
    (*group)->Evaluate(clock.Now());
  }
  state.SetItemsProcessed(state.iterations() * kRules);
}
BENCHMARK(BM_EvaluateGroup)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sonde::rules
