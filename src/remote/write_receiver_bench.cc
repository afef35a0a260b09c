#include <string>
#include <unordered_map>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/compress.h"
#include "base/hash.h"
#include "remote/write_receiver.h"
#include "wire/fleet_bench.h"
#include "wire/remote_write.h"

// The receive path without a store: 2,000 series of one sample a request, as agents send them. CPU
// per sample is what the receiver adds to whatever the store costs.

namespace sonde::remote {
namespace {

constexpr std::size_t kPerRequest = 2000;

// Touches one slot per series, as any store must, and does nothing else.
class NullStorage final : public storage::Appendable {
 public:
  std::unique_ptr<storage::Appender> NewAppender() override {
    return std::make_unique<NullAppender>(*this);
  }

 private:
  class NullAppender final : public storage::Appender {
   public:
    explicit NullAppender(NullStorage& store) : store_(store) {}
    storage::AppendResult Append(storage::SeriesRef ref, Timestamp t, double v) override {
      store_.slots_[ref.value - 1] = {t, v};
      return {ref, storage::AppendError::kNone};
    }
    storage::AppendResult Append(LabelsView labels, Timestamp t, double v) override {
      auto [it, added] = store_.refs_.try_emplace(labels.Hash(), store_.slots_.size() + 1);
      if (added) store_.slots_.emplace_back();
      return Append(storage::SeriesRef{it->second}, t, v);
    }
    storage::AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override {
      return {};
    }
    storage::AppendResult AppendFloatHistogram(LabelsView, Timestamp,
                                               const FloatHistogram&) override {
      return {};
    }
    storage::AppendError AppendExemplar(storage::SeriesRef, const Exemplar&) override {
      return storage::AppendError::kNone;
    }
    void UpdateMetadata(storage::SeriesRef, const Metadata&) override {}
    Status Commit() override { return OkStatus(); }
    void Rollback() override {}

   private:
    NullStorage& store_;
  };

  std::vector<FloatSample> slots_;
  std::unordered_map<std::uint64_t, std::uint64_t> refs_;
};

std::vector<std::string> MakeRequests(std::size_t series, bool compressed) {
  bench::Fleet fleet(series, true);
  fleet.Step();
  std::vector<std::string> requests;
  for (std::size_t i = 0; i < series; i += kPerRequest) {
    std::string raw;
    wire::WriteRequestWriter writer(raw);
    for (std::size_t j = i; j < std::min(series, i + kPerRequest); ++j) {
      const bench::FleetSeries& s = fleet.series()[j];
      LabelsBuilder builder;
      builder.Set(kMetricName, s.name);
      for (const auto& [name, value] : s.labels)
        builder.Set(name, value);
      writer.BeginSeries(builder.Build());
      writer.Sample({1'760'000'000'000}, s.value);
    }
    writer.Finish();
    std::string& request = requests.emplace_back();
    if (compressed) {
      SnappyCompress(raw, request);
    } else {
      request = std::move(raw);
    }
  }
  return requests;
}

void Report(benchmark::State& state, std::size_t samples) {
  state.SetItemsProcessed(static_cast<std::int64_t>(samples));
  state.counters["us_per_sample"] =
      benchmark::Counter(static_cast<double>(samples) / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_Walk(benchmark::State& state) {
  const auto requests = MakeRequests(static_cast<std::size_t>(state.range(0)), false);
  std::size_t samples = 0;
  wire::WriteRequestReader reader;
  while (state.KeepRunning()) {
    for (const std::string& request : requests) {
      reader.Reset(request);
      while (*reader.NextBatch()) {
        for (const auto& series : reader.series())
          samples += series.samples;
      }
    }
  }
  Report(state, samples);
}
BENCHMARK(BM_Walk)->Arg(100'000);

void BM_SnappyWalkHash(benchmark::State& state) {
  const auto requests = MakeRequests(static_cast<std::size_t>(state.range(0)), true);
  std::size_t samples = 0;
  std::string raw;
  wire::WriteRequestReader reader;
  while (state.KeepRunning()) {
    for (const std::string& request : requests) {
      if (!SnappyDecompress(request, 64 << 20, raw)) state.SkipWithError("snappy");
      reader.Reset(raw);
      while (*reader.NextBatch()) {
        for (const auto& series : reader.series()) {
          samples += series.samples;
          benchmark::DoNotOptimize(Xxh3Wide(series.labels));
        }
      }
    }
  }
  Report(state, samples);
}
BENCHMARK(BM_SnappyWalkHash)->Arg(100'000);

void BM_Receive(benchmark::State& state) {
  const auto requests = MakeRequests(static_cast<std::size_t>(state.range(0)), true);
  NullStorage store;
  ManualClock clock({1'760'000'000'000});
  instrument::Registry registry;
  WriteReceiver receiver(store, clock, registry);
  const WriteHeaders headers{"application/x-protobuf", "snappy"};
  for (const std::string& request : requests)
    receiver.Receive(headers, request);
  std::size_t samples = 0;
  while (state.KeepRunning()) {
    for (const std::string& request : requests) {
      if (receiver.Receive(headers, request).status != 204) state.SkipWithError("refused");
    }
    samples += static_cast<std::size_t>(state.range(0));
  }
  Report(state, samples);
}
BENCHMARK(BM_Receive)->Arg(100'000)->Arg(1'000'000);

void BM_ReceiveNewSeries(benchmark::State& state) {
  const auto requests = MakeRequests(static_cast<std::size_t>(state.range(0)), true);
  ManualClock clock({1'760'000'000'000});
  const WriteHeaders headers{"application/x-protobuf", "snappy"};
  std::size_t samples = 0;
  while (state.KeepRunning()) {
    NullStorage store;
    instrument::Registry registry;
    WriteReceiver receiver(store, clock, registry);
    for (const std::string& request : requests)
      receiver.Receive(headers, request);
    samples += static_cast<std::size_t>(state.range(0));
  }
  Report(state, samples);
}
BENCHMARK(BM_ReceiveNewSeries)->Arg(100'000);

}  // namespace
}  // namespace sonde::remote
