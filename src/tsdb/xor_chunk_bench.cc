#include <vector>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "tsdb/xor_chunk.h"

namespace sonde::tsdb {
namespace {

enum Shape { kConstant, kCounter, kGauge, kRandom };

std::string MakeChunk(Shape shape, std::uint32_t samples) {
  XorChunkBuilder builder;
  Rng rng(1);
  double value = 1000;
  for (std::uint32_t i = 0; i < samples; ++i) {
    if (shape == kCounter) value += static_cast<double>(rng.Below(50));
    if (shape == kGauge) value = static_cast<double>(rng.Below(1000)) / 10;
    if (shape == kRandom) value = rng.Uniform();
    const auto jitter = static_cast<std::int64_t>(shape == kRandom ? rng.Below(20) : 0);
    builder.Append({1'700'000'000'000 + 15'000 * static_cast<std::int64_t>(i) + jitter}, value);
  }
  return std::string(builder.bytes()) + std::string(kDecodeSlackBytes, '\0');
}

void BM_Decode(benchmark::State& state) {
  const std::uint32_t samples = 120;
  const std::string padded = MakeChunk(static_cast<Shape>(state.range(0)), samples);
  const std::string_view chunk(padded.data(), padded.size() - kDecodeSlackBytes);
  std::vector<Timestamp> times(samples);
  std::vector<double> values(samples);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        DecodeChunk(ChunkEncoding::kXor, chunk, padded.size(), times.data(), values.data()).ok());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * samples);
  state.counters["bytes/sample"] = static_cast<double>(chunk.size()) / static_cast<double>(samples);
}
BENCHMARK(BM_Decode)->Arg(kConstant)->Arg(kCounter)->Arg(kGauge)->Arg(kRandom);

void BM_Encode(benchmark::State& state) {
  const auto shape = static_cast<Shape>(state.range(0));
  const std::string padded = MakeChunk(shape, 120);
  const std::string_view chunk(padded.data(), padded.size() - kDecodeSlackBytes);
  std::vector<Timestamp> times(120);
  std::vector<double> values(120);
  if (!DecodeChunk(ChunkEncoding::kXor, chunk, padded.size(), times.data(), values.data())) return;
  XorChunkBuilder builder;
  for (auto _ : state) {
    builder.Reset();
    for (std::size_t i = 0; i < 120; ++i) {
      builder.Append(times[i], values[i]);
    }
    benchmark::DoNotOptimize(builder.bytes().data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 120);
}
BENCHMARK(BM_Encode)->Arg(kConstant)->Arg(kCounter)->Arg(kGauge)->Arg(kRandom);

}  // namespace
}  // namespace sonde::tsdb
