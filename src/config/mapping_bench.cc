#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/clock.h"
#include "collect/engine/vocabulary_mapper.h"
#include "config/mapping_file.h"
#include "scrape/scrape_step.h"
#include "storage/null_store_for_bench.h"
#include "wire/exposition_parser.h"

// What the vocabulary costs: the mapping files that ship, over a page of vLLM's of 5,000 lines. Run
// it in the repository's root.

namespace sonde::config {
namespace {

constexpr int kLines = 5'000;

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::unique_ptr<collect::VocabularyMapper> ShippedMapper() {
  std::vector<collect::MappingFile> files;
  for (const auto& entry : std::filesystem::directory_iterator("packs/mappings"))
    files.push_back(*ParseMappingFile(ReadText(entry.path()), entry.path().string()));
  return *collect::VocabularyMapper::Compile(std::move(files));
}

/// The recorded page with as many data-parallel ranks as fill `kLines` lines. `step` counts on, as
/// a later page would.
std::string Page(int step) {
  const std::string recorded = ReadText("tests/mappings/vllm.txt");
  const std::string rank = "{engine=\"0\"";
  int per_rank = 0;
  for (std::size_t at = 0; (at = recorded.find(rank, at)) != std::string::npos; ++at)
    ++per_rank;
  const int ranks = kLines / (per_rank + 1) + 1;
  std::string page;
  int count = 0;
  std::istringstream lines(recorded);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(rank);
    if (line.find("{engine=\"1\"") != std::string::npos) continue;
    for (int i = 0; i < (at == std::string::npos ? 1 : ranks) && count < kLines; ++i) {
      std::string copy = line;
      if (at != std::string::npos) copy.replace(at + 9, 1, std::to_string(i));
      page += copy;
      if (copy[0] != '#' && step > 0) page += std::to_string(step);  // 3.0 → 3.01
      page += '\n';
      ++count;
    }
  }
  return page;
}

// Parsing alone, every series' labels read, and then with mapping each of them: nothing is cached,
// as if every series were new at every scrape.
void BM_Parse(benchmark::State& state) {
  const bool map = state.range(0) != 0;
  const auto mapper = ShippedMapper();
  const std::string page = Page(0);
  wire::ExpositionParser parser(page, wire::ExpositionFormat::kText);
  std::vector<MappedSeries> mapped;
  std::size_t canonical = 0;
  for (auto _ : state) {
    parser.Reset(page, wire::ExpositionFormat::kText);
    canonical = 0;
    for (auto kind = parser.Next(); kind != wire::EntryKind::kEnd; kind = parser.Next()) {
      if (kind != wire::EntryKind::kSample) continue;
      const LabelsView labels = *parser.Labels();
      benchmark::DoNotOptimize(labels.packed().data());
      if (!map) continue;
      mapped.clear();
      mapper->Map(labels, parser.type(), mapped);
      canonical += mapped.size();
      benchmark::DoNotOptimize(mapped.data());
    }
  }
  state.counters["canonical"] = static_cast<double>(canonical);
  state.SetItemsProcessed(state.iterations() * kLines);
}
BENCHMARK(BM_Parse)->ArgName("map")->Arg(0)->Arg(1);

// A scrape whose series are all known: what every scrape but the first costs.
void BM_SettledScrape(benchmark::State& state) {
  const auto mapper = ShippedMapper();
  storage::NullStore store;
  scrape::MetadataPool pool;
  scrape::PageIngest ingest(Labels::Of({{"instance", "h:1"}, {"job", "j"}}),
                            state.range(0) != 0 ? mapper.get() : nullptr, pool);
  const scrape::ScrapeOptions options;
  ManualClock clock;
  std::vector<scrape::FetchResult> pages;
  for (const int step : {0, 1}) {
    scrape::FetchedPage page;
    page.body = Page(step);
    pages.emplace_back(std::move(page));
  }
  std::size_t scrapes = 0;
  for (auto _ : state) {
    clock.Advance(Duration(5000));
    benchmark::DoNotOptimize(
        IngestScrape(ingest, options, store, pages[scrapes++ % 2], clock.Now(), clock, 0));
  }
  state.SetItemsProcessed(state.iterations() * kLines);
}
BENCHMARK(BM_SettledScrape)->ArgName("map")->Arg(0)->Arg(1);

// The first scrape of a target.
void BM_FirstScrape(benchmark::State& state) {
  const auto mapper = ShippedMapper();
  storage::NullStore store;
  scrape::MetadataPool pool;
  const scrape::ScrapeOptions options;
  ManualClock clock;
  scrape::FetchedPage page;
  page.body = Page(0);
  const scrape::FetchResult fetched = std::move(page);
  for (auto _ : state) {
    scrape::PageIngest ingest(Labels::Of({{"instance", "h:1"}, {"job", "j"}}),
                              state.range(0) != 0 ? mapper.get() : nullptr, pool);
    benchmark::DoNotOptimize(IngestScrape(ingest, options, store, fetched, clock.Now(), clock, 0));
  }
  state.SetItemsProcessed(state.iterations() * kLines);
}
BENCHMARK(BM_FirstScrape)->ArgName("map")->Arg(0)->Arg(1);

}  // namespace
}  // namespace sonde::config
