#include "gateway/gateway_for_test.h"

// What the gateway observes of the requests that go through it.

namespace sonde::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kStreamBody = R"({"model":"m","stream":true})";

TEST_F(GatewayTest, MeasuresAStream) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200) || !response.Write(": keep-alive\n\n" + kRoleChunk)) return;
    for (const char* content : {"a", "b", "c"}) {
      if (!fiber.Sleep(Duration(30)) || !response.Write(Chunk(content))) return;
    }
    if (!fiber.Sleep(Duration(30))) return;
    const std::string usage = Event(
        R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}})");
    if (response.Write(kStopChunk + usage + kDoneEvent)) static_cast<void>(response.Finish().ok());
  });
  Start();
  const std::int64_t began = clock_.MonotonicNanos();
  BodyOf(Ask(Post(kChat, kStreamBody)));
  const double took = static_cast<double>(clock_.MonotonicNanos() - began) / 1e9;
  ASSERT_TRUE(Counted(1));
  EXPECT_THAT(
      Points("requests_total"),
      ElementsAre(
          "code=200 finish_reason=stop model=m outcome=success source=gateway streaming=true 1"));
  EXPECT_THAT(Points("inference_latency_seconds"),
              ElementsAre("model=m outcome=success source=gateway streaming=true "));
  EXPECT_THAT(Points("time_to_first_token_seconds"),
              ElementsAre("model=m source=gateway streaming=true "));
  EXPECT_THAT(Points("inter_token_latency_seconds"), ElementsAre("model=m source=gateway "));
  EXPECT_THAT(Points("time_per_output_token_seconds"),
              ElementsAre("estimated=false model=m source=gateway "));
  EXPECT_THAT(Points("generation_tokens_total"),
              ElementsAre("kind=reasoning model=m source=gateway 2",
                          "kind=answer model=m source=gateway 3"));
  EXPECT_THAT(Points("prompt_tokens_total"), ElementsAre("model=m source=gateway 9"));
  EXPECT_THAT(Points("cached_prompt_tokens_total"), ElementsAre("model=m source=gateway 4"));
  EXPECT_THAT(Points("requests_running"), ElementsAre("model=m source=gateway 0"));
  EXPECT_EQ(Metric("inference_latency_seconds"), 1);
  EXPECT_EQ(Metric("time_to_first_token_seconds"), 1);
  EXPECT_EQ(Metric("inter_token_latency_seconds"), 2);
  EXPECT_EQ(Metric("time_per_output_token_seconds"), 1);
  const double latency = HistogramSum("inference_latency_seconds");
  const double first = HistogramSum("time_to_first_token_seconds");
  EXPECT_GE(first, 0.029) << "neither the comment nor the role is a token";
  EXPECT_GE(latency, first + 0.085);
  EXPECT_LE(latency, took);
  EXPECT_NEAR(HistogramSum("time_per_output_token_seconds"),
              HistogramSum("inter_token_latency_seconds") / 4, 1e-9);
}

TEST_F(GatewayTest, MeasuresAnswersInOnePiece) {
  FakeEngine& engine = AddEngine();
  Start();
  Ask(Post(kChat, R"({"model":"m"})"));
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}})"));
  Ask(Post("/v1/embeddings", R"({"model":"m","input":"x"})"));
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"object":"response","status":"completed","usage":{"input_tokens":1,"output_tokens":10}})"));
  Ask(Post("/v1/responses", R"({"model":"m","input":"x"})"));
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"type":"message","stop_reason":"end_turn","usage":{"input_tokens":2,"output_tokens":20}})"));
  Ask(Post("/anthropic/v1/messages", R"({"model":"m","messages":[]})"));
  ASSERT_TRUE(Counted(4));
  EXPECT_EQ(Metric("requests_total", {{"streaming", "false"}, {"outcome", "success"}}), 4);
  EXPECT_EQ(Metric("requests_total", {{"finish_reason", ""}}), 1);
  EXPECT_EQ(Metric("requests_total", {{"finish_reason", "stop"}}), 2);
  EXPECT_EQ(Metric("requests_total", {{"finish_reason", "end_turn"}}), 1);
  EXPECT_EQ(Metric("prompt_tokens_total"), 3 + 7 + 1 + 2);
  EXPECT_EQ(Metric("generation_tokens_total"), 2 + 10 + 20);
  EXPECT_EQ(Metric("time_to_first_token_seconds"), 0) << "it equals the latency";
  EXPECT_EQ(Metric("time_per_output_token_seconds"), 0);
}

TEST_F(GatewayTest, WithoutUsageTokensAreCountedByChunks) {
  FakeEngine& engine = AddEngine();
  engine.set_script(
      Stream({kRoleChunk, Chunk("a"), Chunk("b"), Chunk("c"), kStopChunk, kDoneEvent}));
  Start();
  Ask(Post(kChat, kStreamBody));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("generation_tokens_total", {{"kind", "answer"}}), 3);
  EXPECT_EQ(Metric("time_per_output_token_seconds", {{"estimated", "true"}}), 1);
  EXPECT_EQ(Metric("prompt_tokens_total"), 0);
}

TEST_F(GatewayTest, StatusesAreOutcomes) {
  FakeEngine& engine = AddEngine();
  Start();
  double requests = 0;
  const auto outcome = [&](int status) {
    engine.set_script(Reply(engine, status, "application/json",
                            R"({"error":{"message":"no"},"usage":{"prompt_tokens":5}})"));
    const std::string answer = Ask(Post(kChat, R"({"model":"m"})"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status)));
    EXPECT_TRUE(Counted(++requests));
    std::string found;
    for (const char* name : {"success", "client_error", "server_error", "overloaded", "cancelled",
                             "timeout", "insufficient_balance"}) {
      if (Metric("requests_total", {{"outcome", name}, {"code", std::to_string(status)}}) == 1)
        found += name;
    }
    return found;
  };
  EXPECT_EQ(outcome(400), "client_error");
  EXPECT_EQ(outcome(401), "client_error");
  EXPECT_EQ(outcome(402), "insufficient_balance");
  EXPECT_EQ(outcome(422), "client_error");
  EXPECT_EQ(outcome(429), "overloaded");
  EXPECT_EQ(outcome(500), "server_error");
  EXPECT_EQ(outcome(503), "overloaded");
  EXPECT_EQ(outcome(504), "server_error");
  EXPECT_EQ(outcome(529), "server_error");
  EXPECT_EQ(outcome(201), "server_error") << "an error object in a good answer";
  EXPECT_EQ(Metric("prompt_tokens_total"), 5) << "of the last one only";
}

TEST_F(GatewayTest, ErrorsWithinAStream) {
  FakeEngine& engine = AddEngine();
  Start();
  engine.set_script(
      Stream({Chunk("a"), Event(R"({"error":{"message":"engine died","code":500}})"), kDoneEvent}));
  Ask(Post(kChat, kStreamBody));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}, {"code", "200"}}), 1);
  engine.set_script(
      Stream({Event(R"({"error":{"message":"queue is full","code":503}})"), kDoneEvent}));
  Ask(Post(kChat, kStreamBody));
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "overloaded"}, {"code", "200"}}), 1);
  engine.set_script(
      Stream({Event(R"({"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]})"),
              kDoneEvent}));
  Ask(Post(kChat, kStreamBody));
  ASSERT_TRUE(Counted(3));
  EXPECT_EQ(Metric("requests_total",
                   {{"outcome", "overloaded"}, {"finish_reason", "insufficient_system_resource"}}),
            1);
}

TEST_F(GatewayTest, ABrokenStreamIsCutForTheClientToo) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (response.Start(200)) static_cast<void>(response.Write(Chunk("a")).ok());
    // Returns without Finish: the connection is cut.
  });
  Start();
  EXPECT_EQ(BodyOf(Ask(Post(kChat, kStreamBody))), Chunk("a") + "<cut>");
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}, {"code", "200"}}), 1);
  EXPECT_EQ(Metric("time_to_first_token_seconds"), 1);
}

/// An engine whose bytes are written by hand; its models are configured, and nothing is asked of
/// it.
class RawEngineTest : public GatewayTest {
 protected:
  void StartRaw(GatewayOptions options = {}) {
    options.listen_address = "127.0.0.1:0";
    options.probe_interval = Duration(600'000);
    options.upstreams = {
        {.url = "http://127.0.0.1:" + std::to_string(listener_.port()), .models = {"m"}}};
    Start(options, false);
    // The first probe.
    net::RawSocket probe = listener_.Accept();
    probe.ReadUntil("\r\n\r\n");
    probe.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  }
  /// Sends a streaming request, and takes it on the engine's side.
  net::RawSocket Request(net::RawSocket& client) {
    client.Send(Post(kChat, kStreamBody));
    net::RawSocket engine = listener_.Accept();
    engine.ReadUntil(kStreamBody);
    return engine;
  }

  net::RawListener listener_;
};

TEST_F(RawEngineTest, AStreamWithoutALengthThatEndsEarlyIsBroken) {
  StartRaw();
  const std::string head = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
  {
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    engine.Send(head + Chunk("a"));
    engine.Close();
    EXPECT_THAT(client.ReadToEnd(), HasSubstr(Chunk("a")));
  }
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}}), 1);
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send(head + Chunk("a") + kDoneEvent);
  engine.Close();
  EXPECT_EQ(BodyOf(client.ReadToEnd()), Chunk("a") + kDoneEvent);
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 1);
}

TEST_F(RawEngineTest, AnAnswerThatDoesNotComeTimesOut) {
  GatewayOptions options;
  options.response_timeout = Duration(30);
  options.idle_timeout = Duration(30);
  StartRaw(options);
  {
    net::RawSocket client = Connect();
    const net::RawSocket engine = Request(client);
    const std::string answer = client.ReadToEnd();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
    EXPECT_THAT(answer, HasSubstr("\"code\":\"upstream_timeout\""));
  }
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "timeout"}, {"code", "504"}}), 1);
  // In the middle of a stream.
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\ndata:\r\n");
  EXPECT_THAT(client.ReadToEnd(), Not(EndsWith("\r\n0\r\n\r\n")));
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "timeout"}, {"code", "200"}}), 1);
}

TEST_F(RawEngineTest, AnAnswerThatIsNotHttp) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(answer, HasSubstr("\"code\":\"upstream_error\""));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}, {"code", "502"}}), 1);
}

TEST_F(RawEngineTest, TheClockStartsWhenTheRequestIsComplete) {
  StartRaw();
  net::RawSocket client = Connect();
  const std::string request = Post(kChat, kStreamBody);
  client.Send(request.substr(0, request.size() - 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::int64_t began = clock_.MonotonicNanos();
  client.Send(request.substr(request.size() - 1));
  net::RawSocket engine = listener_.Accept();
  engine.ReadUntil(kStreamBody);
  const std::string body = Chunk("a") + kDoneEvent;
  engine.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_THAT(client.ReadToEnd(), EndsWith(body));
  const double took = static_cast<double>(clock_.MonotonicNanos() - began) / 1e9;
  ASSERT_TRUE(Counted(1));
  EXPECT_GT(HistogramSum("inference_latency_seconds"), 0);
  EXPECT_LE(HistogramSum("inference_latency_seconds"), took);
  EXPECT_LE(HistogramSum("time_to_first_token_seconds"), took);
}

TEST_F(GatewayTest, ModelsAreBounded) {
  FakeEngine& engine = AddEngine({"served-1", "served-2"});
  engine.set_models({"served-1", "served-2"});
  GatewayOptions options = Options();
  options.max_models = 2;
  Start(options);
  for (const char* model : {"a", "b", "c", "d", "served-1", "served-2", "a"}) {
    Ask(Post(kChat, std::string(R"({"model":")") + model + "\"}"));
  }
  Ask(Post(kChat, R"({"model":")" + std::string(300, 'x') + "\"}"));
  Ask(Post(kChat, "{}"));
  ASSERT_TRUE(Counted(9));
  const auto count = [&](const char* model) {
    return Metric("requests_total", {{"model", model}});
  };
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(count("other"), 2);
  EXPECT_EQ(count("served-1"), 1);
  EXPECT_EQ(count("served-2"), 1);
  EXPECT_EQ(count("unknown"), 2) << "none, and one that is too long to be a name";
}

TEST_F(GatewayTest, ThePrefixCanBeChanged) {
  AddEngine();
  GatewayOptions options = Options();
  options.vocabulary_prefix = "llm_";
  Start(options);
  Ask(Post(kChat, R"({"model":"m"})"));
  bool found = false;
  for (const auto& family : registry_.Snapshot()) {
    EXPECT_FALSE(family.name.starts_with("deepseek_")) << family.name;
    found |= family.name == "llm_requests_running";
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace sonde::gateway
