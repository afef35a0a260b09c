#include <array>
#include <string>

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "gateway/metrics.h"
#include "gateway/request_scanner.h"
#include "gateway/stream_meter.h"

// What measuring costs: nanoseconds for each chunk of a stream, and bytes per second of what is
// skipped.

namespace sonde::gateway {
namespace {

class NoSink final : public MeterSink {
 public:
  void OnFirstToken(std::int64_t) override {}
  void OnTokens(std::int64_t, std::uint64_t count) override { tokens += count; }
  std::uint64_t tokens = 0;
};

/// A chunk as vLLM writes it.
std::string Chunk(const std::string& delta) {
  return R"(data: {"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk","created":1760000000,"model":"deepseek-ai/DeepSeek-V3.2","choices":[{"index":0,"delta":{)" +
         delta + R"(},"logprobs":null,"finish_reason":null,"token_ids":null}]})" + "\n\n";
}

void Stream(benchmark::State& state, const std::string& chunk) {
  NoSink sink;
  StreamMeter meter(AnswerKind::kEvents, 0, sink);
  std::int64_t now = 0;
  for (auto _ : state) {
    meter.OnWritten(chunk, now += 20'000'000);
  }
  benchmark::DoNotOptimize(sink.tokens);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(chunk.size()));
}

void BM_ContentChunk(benchmark::State& state) {
  Stream(state, Chunk(R"("content":" token")"));
}
void BM_ReasoningChunk(benchmark::State& state) {
  Stream(state, Chunk(R"("reasoning_content":" token","content":null)"));
}
void BM_KeepAlive(benchmark::State& state) {
  Stream(state, ": keep-alive\n\n");
}
void BM_ChunkWithLogprobs(benchmark::State& state) {
  std::string logprobs;
  for (int i = 0; i < 20; ++i) {
    logprobs +=
        R"({"token":" token","logprob":-0.123456789,"bytes":[32,116,111,107,101,110],"top_logprobs":[]},)";
  }
  logprobs.pop_back();
  Stream(state, Chunk(R"("content":" token"},"logprobs":{"content":[)" + logprobs + "]"));
}
void BM_UsageChunk(benchmark::State& state) {
  Stream(state,
         "data: "
         "{\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"total_tokens\":1500,"
         "\"completion_tokens\":"
         "300,\"prompt_tokens_details\":{\"cached_tokens\":1024}}}\n\n");
}
BENCHMARK(BM_ContentChunk);
BENCHMARK(BM_ReasoningChunk);
BENCHMARK(BM_ChunkWithLogprobs);
BENCHMARK(BM_UsageChunk);
BENCHMARK(BM_KeepAlive);

void BM_Request(benchmark::State& state) {
  const std::string body = R"({"messages":[{"role":"user","content":")" +
                           std::string(static_cast<std::size_t>(state.range(0)), 'x') +
                           R"("}],"model":"m","stream":true})";
  for (auto _ : state) {
    RequestScanner scanner;
    scanner.Feed(body);
    benchmark::DoNotOptimize(scanner.model());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_Request)->Arg(1'000)->Arg(100'000)->Arg(10'000'000);

void BM_Embeddings(benchmark::State& state) {
  std::string body = R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[)";
  for (int i = 0; i < 4096; ++i) {
    body += "-0.0123456789,";
  }
  body += R"(0]}],"usage":{"prompt_tokens":8,"total_tokens":8}})";
  NoSink sink;
  for (auto _ : state) {
    StreamMeter meter(AnswerKind::kJson, 0, sink);
    meter.OnWritten(body, 1);
    meter.Finish();
    benchmark::DoNotOptimize(meter.usage());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(BM_Embeddings);

/// What the end of a request costs: counting, judging, pricing and remembering it.
void BM_CountRequest(benchmark::State& state) {
  SystemClock clock;
  instrument::Registry registry;
  GatewayMetrics metrics(registry, "deepseek_", 100, clock);
  PriceOptions price{.model = "deepseek-.*", .output = 1};
  price.windows = {{.from_minute = 540, .to_minute = 720, .factor = 2}};
  CHECK(metrics.Configure({}, {price}, {}));
  ModelMetrics& model = metrics.Model("deepseek-v3", true, "acme");
  NoSink sink;
  StreamMeter meter(AnswerKind::kEvents, 0, sink);
  meter.OnWritten(Chunk(R"("content":" token")"), 20'000'000);
  meter.OnWritten(Chunk(R"("content":" token")"), 40'000'000);
  meter.Finish();
  std::uint64_t number = 0;
  for (auto _ : state) {
    const std::string id = "request-" + std::to_string(++number);
    metrics.Count(model, {.code = 200,
                          .streaming = true,
                          .finish_reason = "stop",
                          .nanos = 50'000'000,
                          .meter = &meter,
                          .request_id = id});
  }
}
BENCHMARK(BM_CountRequest);

void BM_GiveFeedback(benchmark::State& state) {
  FeedbackBook book;
  constexpr std::string_view kBody = R"({"request_id":"r","score":"up","tags":["slow","helpful"]})";
  const std::array<std::string_view, 1> ids = {"r"};
  book.Remember(ids, nullptr, 0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(book.Give(*ParseFeedback(kBody), 1));
  }
}
BENCHMARK(BM_GiveFeedback);

}  // namespace
}  // namespace sonde::gateway
