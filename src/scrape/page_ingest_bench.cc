#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "scrape/relabel.h"
#include "scrape/scrape_step.h"
#include "storage/null_store_for_bench.h"

namespace sonde::scrape {
namespace {

/// `series` lines in families of 20, as an exporter writes them.
std::string Page(int series, int step) {
  std::string page;
  for (int i = 0; i < series; ++i) {
    const std::string family = "engine_requests_family_" + std::to_string(i / 20);
    if (i % 20 == 0)
      page += "# HELP " + family + " Requests by whatever.\n# TYPE " + family + " counter\n";
    page += family +
            "{model=\"deepseek-v3\",instance_type=\"p5.48xlarge\",route=\"/v1/chat/"
            "completions\",shard=\"" +
            std::to_string(i % 20) + "\"} " + std::to_string(i * 17 + step * 3) + "\n";
  }
  return page;
}

/// CPU per sample of a page whose series are all known.
void BM_SettledScrape(benchmark::State& state) {
  const auto series = static_cast<int>(state.range(0));
  storage::NullStore store;
  MetadataPool pool;
  PageIngest ingest(Labels::Of({{"instance", "h:1"}, {"job", "j"}}), nullptr, pool);
  const ScrapeOptions options;
  ManualClock clock;
  std::vector<FetchResult> pages;
  std::size_t bytes = 0;
  for (int step = 0; step < 2; ++step) {
    FetchedPage page;
    page.body = Page(series, step);
    bytes = page.body.size();
    pages.emplace_back(std::move(page));
  }
  std::size_t scrapes = 0;
  for (auto _ : state) {
    clock.Advance(Duration(5000));
    benchmark::DoNotOptimize(
        IngestScrape(ingest, options, store, pages[scrapes++ % 2], clock.Now(), clock, 0));
  }
  state.SetItemsProcessed(state.iterations() * series);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_SettledScrape)->Arg(2000)->Arg(100000);

/// CPU per series of a page that is seen for the first time.
void BM_FirstScrape(benchmark::State& state) {
  storage::NullStore store;
  MetadataPool pool;
  const ScrapeOptions options;
  ManualClock clock;
  FetchedPage page;
  page.body = Page(2000, 0);
  const FetchResult fetched = std::move(page);
  for (auto _ : state) {
    PageIngest ingest(Labels::Of({{"instance", "h:1"}, {"job", "j"}}), nullptr, pool);
    benchmark::DoNotOptimize(IngestScrape(ingest, options, store, fetched, clock.Now(), clock, 0));
  }
  state.SetItemsProcessed(state.iterations() * 2000);
}
BENCHMARK(BM_FirstScrape);

void BM_Relabel(benchmark::State& state) {
  std::vector<RelabelRule> rules(3);
  rules[0].source_labels = {"__name__"};
  rules[0].regex = *Regex::Compile("go_.*|process_.*");
  rules[0].action = RelabelAction::kDrop;
  rules[1].source_labels = {"instance"};
  rules[1].regex = *Regex::Compile("([^:]+):.*");
  rules[1].target_label = "host";
  rules[2].regex = *Regex::Compile("tmp_.*");
  rules[2].action = RelabelAction::kLabelDrop;
  const Labels labels = Labels::Of({{"__name__", "http_requests_total"},
                                    {"instance", "h:1"},
                                    {"job", "j"},
                                    {"path", "/v1/chat"}});
  LabelsBuilder builder;
  for (auto _ : state) {
    builder.Reset(labels);
    benchmark::DoNotOptimize(Relabel(rules, builder));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Relabel);

}  // namespace
}  // namespace sonde::scrape
