#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "tsdb/bench_series.h"
#include "tsdb/database.h"

// Times are CPU time of the whole process, the threads of the store included:
// MeasureProcessCPUTime.

namespace sonde::tsdb {
namespace {

constexpr std::size_t kBatch = 2000;
constexpr std::int64_t kStart = 1'700'006'400'000;

class NoLog final : public LogSink {
 public:
  void Write(std::string_view) override {}
};

double ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  double pages = 0;
  in >> pages >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// A store in a temporary folder, removed at the end.
class BenchStore {
 public:
  BenchStore() {
    std::string name = (std::filesystem::temp_directory_path() / "sonde-bench-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    Open();
  }
  ~BenchStore() {
    database_.reset();
    std::filesystem::remove_all(dir_);
  }
  void Open() {
    database_.reset();
    registry_ = std::make_unique<instrument::Registry>();
    Options options;
    options.directory = dir_;
    auto database = Database::Open(env_, clock_, Logger(sink_, clock_), *registry_, options);
    if (!database) {
      std::fprintf(stderr, "%s\n", database.error().message().c_str());
      std::abort();
    }
    database_ = *std::move(database);
  }
  void Close() { database_.reset(); }
  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }

  /// One sample for every series, in batches; makes the series the first time.
  void AppendRound(const std::vector<Labels>& series, std::vector<storage::SeriesRef>& refs,
                   std::int64_t round) {
    const Timestamp t{kStart + round * 15'000};
    for (std::size_t begin = 0; begin < series.size(); begin += kBatch) {
      auto appender = database_->NewAppender();
      const std::size_t end = std::min(series.size(), begin + kBatch);
      for (std::size_t i = begin; i < end; ++i) {
        const double v = Value(i, round);
        if (refs.size() <= i) {
          refs.push_back(appender->Append(series[i], t, v).ref);
        } else {
          appender->Append(refs[i], t, v);
        }
      }
      if (!appender->Commit()) std::abort();
    }
  }

 private:
  /// A mix: constants, counters with whole steps, and noisy floats.
  static double Value(std::size_t series, std::int64_t round) {
    const auto r = static_cast<double>(round);
    switch (series % 5) {
      case 0:
        return 1;
      case 1:
        return std::sin(r * 1.7 + static_cast<double>(series)) * 100;
      default:
        return std::floor(r * static_cast<double>(series % 97) * 1.3);
    }
  }

  PosixEnv env_;
  SystemClock clock_;
  NoLog sink_;
  std::string dir_;
  std::unique_ptr<instrument::Registry> registry_;
  std::unique_ptr<Database> database_;
};

/// Samples of known series, by reference: the steady state of scraping and remote write.
void BM_AppendKnown(benchmark::State& state) {
  const auto series = MakeBenchSeries(static_cast<std::size_t>(state.range(0)));
  BenchStore store;
  std::vector<storage::SeriesRef> refs;
  store.AppendRound(series, refs, 0);
  std::int64_t round = 1;
  for (auto _ : state) {
    store.AppendRound(series, refs, round++);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * series.size()));
}
BENCHMARK(BM_AppendKnown)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->MeasureProcessCPUTime()
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);

/// The first sample of new series, and what they cost in memory with eight samples.
void BM_AppendNew(benchmark::State& state) {
  const auto series = MakeBenchSeries(static_cast<std::size_t>(state.range(0)));
  std::vector<storage::SeriesRef> refs;
  refs.reserve(series.size());
  double bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto store = std::make_unique<BenchStore>();
    refs.clear();
    const double before = ResidentBytes();
    state.ResumeTiming();
    store->AppendRound(series, refs, 0);
    state.PauseTiming();
    for (int round = 1; round < 8; ++round) {
      store->AppendRound(series, refs, round);
    }
    bytes = ResidentBytes() - before;
    store.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * series.size()));
  state.counters["bytes/series x8"] = bytes / static_cast<double>(series.size());
}
BENCHMARK(BM_AppendNew)
    ->Arg(1'000'000)
    ->MeasureProcessCPUTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

/// Opening a store after a kill: series x 8 samples in the log.
void BM_Replay(benchmark::State& state) {
  const auto series = MakeBenchSeries(static_cast<std::size_t>(state.range(0)));
  BenchStore store;
  std::vector<storage::SeriesRef> refs;
  for (int round = 0; round < 8; ++round) {
    store.AppendRound(series, refs, round);
  }
  store.Close();
  for (auto _ : state) {
    store.Open();
    state.PauseTiming();
    store.Close();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_Replay)->Arg(1'000'000)->MeasureProcessCPUTime()->UseRealTime()->Iterations(3)->Unit(
    benchmark::kMillisecond);

/// Selecting and reading at a million series.
class SelectBench : public benchmark::Fixture {
 public:
  void SetUp(const benchmark::State&) override {
    if (store_ != nullptr) return;
    store_ = std::make_unique<BenchStore>();
    const auto series = MakeBenchSeries(1'000'000);
    std::vector<storage::SeriesRef> refs;
    for (int round = 0; round < 8; ++round) {
      store_->AppendRound(series, refs, round);
    }
  }
  static void Run(benchmark::State& state, const std::vector<Matcher>& matchers, bool sorted) {
    std::size_t found = 0;
    std::size_t samples = 0;
    for (auto _ : state) {
      const auto querier = *(*store_).operator*().NewQuerier({kStart}, {kStart + 3'600'000});
      const auto set = *querier->Select(sorted, {}, matchers);
      found = set->size();
      samples = 0;
      const auto reader = set->NewReader();
      for (std::size_t i = 0; i < set->size(); ++i) {
        reader->Seek(i);
        while (const std::size_t size = reader->Next()->size()) {
          samples += size;
        }
      }
    }
    state.counters["series"] = static_cast<double>(found);
    state.counters["samples"] = static_cast<double>(samples);
  }
  static std::unique_ptr<BenchStore> store_;
};
std::unique_ptr<BenchStore> SelectBench::store_;

BENCHMARK_F(SelectBench, OneName)(benchmark::State& state) {
  Run(state, {Matcher::Equal("__name__", "vllm:request_prompt_tokens_sum")}, false);
}
BENCHMARK_F(SelectBench, OneSeries)(benchmark::State& state) {
  Run(state,
      {Matcher::Equal("__name__", "vllm:gauge_or_counter_3"),
       Matcher::Equal("instance", "10.16.0.7:8000")},
      false);
}
BENCHMARK_F(SelectBench, NameAndRegex)(benchmark::State& state) {
  Run(state,
      {Matcher::Equal("__name__", "vllm:request_prompt_tokens_sum"),
       *Matcher::Make(Matcher::Type::kRegex, "pod", "vllm-.*-[b-n].*")},
      false);
}
BENCHMARK_F(SelectBench, BucketsSorted)(benchmark::State& state) {
  Run(state, {Matcher::Equal("__name__", "vllm:e2e_request_latency_seconds_bucket")}, true);
}
BENCHMARK_F(SelectBench, Everything)(benchmark::State& state) {
  Run(state, {*Matcher::Make(Matcher::Type::kRegex, "__name__", ".+")}, false);
}
BENCHMARK_F(SelectBench, LabelValues)(benchmark::State& state) {
  const auto querier = *(*store_).operator*().NewQuerier({kStart}, {kStart + 3'600'000});
  for (auto _ : state) {
    benchmark::DoNotOptimize(querier->LabelValues("pod", {}, 0)->size());
  }
}

}  // namespace
}  // namespace sonde::tsdb
