#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <benchmark/benchmark.h>

#include "base/hash.h"
#include "wire/exposition_parser.h"
#include "wire/fleet_bench.h"

namespace sonde::wire {
namespace {

std::string FleetPage() {
  return bench::TextPage(bench::Fleet(2000, false).series());
}

void Report(benchmark::State& state, std::size_t samples, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(samples));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["ns_per_sample"] =
      benchmark::Counter(static_cast<double>(samples) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

enum class Work { kDelimit, kHash, kLabels };

void Parse(benchmark::State& state, const std::string& page, ExpositionFormat format, Work work) {
  std::size_t samples = 0;
  std::size_t bytes = 0;
  ExpositionParser parser(page, format);
  while (state.KeepRunning()) {
    parser.Reset(page, format);
    std::uint64_t sum = 0;
    for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
      if (kind == EntryKind::kInvalid) return state.SkipWithError(parser.error().message().c_str());
      if (kind != EntryKind::kSample) continue;
      ++samples;
      if (work == Work::kHash) sum += Xxh3(parser.series());
      if (work == Work::kLabels) sum += parser.Labels()->packed().size();
      benchmark::DoNotOptimize(parser.value());
    }
    benchmark::DoNotOptimize(sum);
    bytes += page.size();
  }
  Report(state, samples, bytes);
}

// What no parser can beat: finding the lines, the last space and the digits of the value.
void BM_Floor(benchmark::State& state) {
  const std::string page = FleetPage();
  std::size_t samples = 0;
  while (state.KeepRunning()) {
    const char* end = page.data() + page.size();
    for (const char* p = page.data(); p < end;) {
      const auto* eol =
          static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
      if (*p != '#') {
        const auto* space =
            static_cast<const char*>(memrchr(p, ' ', static_cast<std::size_t>(eol - p)));
        double value = 0;
        std::from_chars(space + 1, eol, value);
        benchmark::DoNotOptimize(value);
        ++samples;
      }
      p = eol + 1;
    }
  }
  Report(state, samples, samples);
}
BENCHMARK(BM_Floor);

void BM_ParseFleet(benchmark::State& state) {
  Parse(state, FleetPage(), ExpositionFormat::kText, Work::kDelimit);
}
void BM_ParseFleetAndHash(benchmark::State& state) {
  Parse(state, FleetPage(), ExpositionFormat::kText, Work::kHash);
}
void BM_ParseFleetAndLabels(benchmark::State& state) {
  Parse(state, FleetPage(), ExpositionFormat::kText, Work::kLabels);
}
void BM_ParseFleetOpenMetrics(benchmark::State& state) {
  Parse(state, FleetPage() + "# EOF\n", ExpositionFormat::kOpenMetrics, Work::kDelimit);
}
BENCHMARK(BM_ParseFleet);
BENCHMARK(BM_ParseFleetAndHash);
BENCHMARK(BM_ParseFleetAndLabels);
BENCHMARK(BM_ParseFleetOpenMetrics);

// Other projects' pages, where they are present; run from the repository's root.
void BM_ParseSample(benchmark::State& state, const char* name, ExpositionFormat format) {
  std::ifstream in(std::filesystem::path("../shared/conformance/textparse") / name,
                   std::ios::binary);
  if (!in) return state.SkipWithError("not there");
  Parse(state, std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()),
        format, Work::kDelimit);
}
BENCHMARK_CAPTURE(BM_ParseSample, alltypes, "alltypes.237mfs.prom.txt", ExpositionFormat::kText);
BENCHMARK_CAPTURE(BM_ParseSample, alltypes_nometa, "alltypes.237mfs.nometa.prom.txt",
                  ExpositionFormat::kText);
BENCHMARK_CAPTURE(BM_ParseSample, openmetrics, "alltypes.5mfs.om.txt",
                  ExpositionFormat::kOpenMetrics);

}  // namespace
}  // namespace sonde::wire
