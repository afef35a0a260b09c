#include "gateway/gateway.h"

#include "gateway/gateway_for_test.h"

// What goes through, and how: bytes, headers, bodies, paths, and who waits for whom.

namespace sonde::gateway {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(GatewayTest, StreamsEachByteAsSoonAsItIsThere) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    ASSERT_TRUE(response.Start(200));
    for (int i = 0; i < 4; ++i) {
      while (number_ < static_cast<std::uint64_t>(i)) {
        if (!fiber.Sleep(Duration(1))) return;
      }
      // Also half an event, and half a character.
      ASSERT_TRUE(response.Write(std::string_view("data: \xE4\xBD\xA0\n\n").substr(i * 3, 3)));
    }
    ASSERT_TRUE(response.Finish());
  });
  Start();
  net::RawSocket client = Connect();
  client.Send(Post(kChat, R"({"model":"m","stream":true})"));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_EQ(client.ReadBytes(8), "3\r\ndat\r\n") << "before the rest is released";
  number_ = 1;
  EXPECT_EQ(client.ReadBytes(8), "3\r\na: \r\n");
  number_ = 2;
  EXPECT_EQ(client.ReadBytes(8), "3\r\n\xE4\xBD\xA0\r\n");
  number_ = 3;
  EXPECT_EQ(client.ReadToEnd(), "2\r\n\n\n\r\n0\r\n\r\n");
}

TEST_F(GatewayTest, PassesTheAnswerOnUnchanged) {
  FakeEngine& engine = AddEngine();
  const std::string stream =
      kRoleChunk + ": keep-alive\n\n" + Chunk("a\\u00e4") + "junk\r\n\r" + kStopChunk + kDoneEvent;
  engine.set_script([&](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    response.headers().Add("X-Engine", "1");
    response.headers().Add("X-Engine", "2");
    response.headers().Add("X-Request-Id", "engine-id");
    response.headers().Add("Keep-Alive", "timeout=5");
    response.headers().Add("Date", "Thu, 01 Jan 1970 00:00:00 GMT");
    ASSERT_TRUE(response.Start(200));
    for (const char& byte : stream) {
      ASSERT_TRUE(response.Write({&byte, 1}));
    }
    ASSERT_TRUE(response.Finish());
  });
  Start();
  const std::string answer = Ask(Post(kChat, R"({"model":"m","stream":true})"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(BodyOf(answer), stream);
  EXPECT_THAT(answer, HasSubstr("X-Engine: 1\r\nX-Engine: 2\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Request-Id: engine-id\r\n"));
  EXPECT_THAT(answer, HasSubstr("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
  EXPECT_EQ(answer.find("Date: "), answer.rfind("Date: "));
  EXPECT_EQ(answer.find("X-Request-Id: "), answer.rfind("X-Request-Id: "));
  EXPECT_THAT(answer, Not(HasSubstr("Keep-Alive")));
}

TEST_F(GatewayTest, PassesTheRequestOnUnchanged) {
  FakeEngine& engine = AddEngine();
  Start();
  const std::string body =
      R"({ "stream_options":{}, "messages":[{"role":"user","content":"hällo"}] , "model":"m" })";
  const std::string answer = Ask(Post(
      "/v1/chat/completions?a=%20b", body,
      "Authorization: Bearer client\r\nUser-Agent: me/1\r\nX-A: 1\r\nX-A: 2\r\nConnection: "
      "x-hop\r\nX-Hop: 1\r\n"
      "TE: trailers\r\nAccept-Encoding: gzip\r\nX-Request-Id: abc-1\r\nExpect: 100-continue\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Request-Id: abc-1\r\n"));
  ASSERT_EQ(engine.seen().size(), 1U);
  const SeenRequest seen = engine.seen()[0];
  EXPECT_EQ(seen.line, "POST /v1/chat/completions?a=%20b");
  EXPECT_EQ(seen.body, body) << "nothing is added: no include_usage";
  const auto get = [&](std::string_view name) { return seen.headers.Get(name); };
  EXPECT_EQ(get("Authorization"), "Bearer client");
  EXPECT_EQ(get("User-Agent"), "me/1");
  EXPECT_EQ(get("X-Request-Id"), "abc-1");
  EXPECT_EQ(get("Accept-Encoding"), "identity");
  EXPECT_EQ(get("Host"), "127.0.0.1:" + std::to_string(engine.port()));
  EXPECT_EQ(seen.headers.Count("X-A"), 2U);
  EXPECT_FALSE(seen.headers.Has("X-Hop"));
  EXPECT_FALSE(seen.headers.Has("TE"));
  EXPECT_FALSE(seen.headers.Has("Expect"));
}

TEST_F(GatewayTest, OtherPathsPassThrough) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(engine, 404, "text/plain", "nothing here"));
  Start();
  EXPECT_EQ(BodyOf(Ask(Get("/metrics?x=1"))), "nothing here");
  EXPECT_EQ(
      BodyOf(Ask("DELETE /v1/responses/resp_1 HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")),
      "nothing here");
  EXPECT_EQ(BodyOf(Ask(Post("/v1/audio/transcriptions", std::string(100'000, 'x')))),
            "nothing here");
  EXPECT_EQ(BodyOf(Ask("HEAD /v1/models HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")), "");
  const auto seen = engine.seen();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].line, "GET /metrics?x=1");
  EXPECT_EQ(seen[1].line, "DELETE /v1/responses/resp_1");
  EXPECT_EQ(seen[2].body.size(), 100'000U);
  EXPECT_EQ(seen[3].line, "HEAD /v1/models");
  EXPECT_EQ(Metric("requests_total"), 0) << "only inference is measured";
}

TEST_F(GatewayTest, CompressedAnswersOfOtherPathsPassThrough) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(engine, 200, "text/plain", std::string(100'000, 'x')));
  Start();
  const std::string answer =
      Ask("GET /metrics HTTP/1.1\r\nHost: g\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_LT(answer.size(), 5'000U);
}

TEST_F(GatewayTest, LargeAndChunkedBodies) {
  FakeEngine& engine = AddEngine();
  Start();
  // The model comes first, so that the rest streams.
  const std::string large =
      R"({"model":"m","messages":[{"content":")" + std::string(20 << 20, 'x') + "\"}]}";
  EXPECT_THAT(Ask(Post(kChat, large)), StartsWith("HTTP/1.1 200"));
  // The model comes last.
  const std::string late =
      R"({"messages":[{"content":")" + std::string(5 << 20, 'y') + R"("}],"model":"m"})";
  std::string chunked =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\nTransfer-Encoding: "
      "chunked\r\n\r\n";
  for (std::size_t at = 0; at < late.size(); at += 70'001) {
    const std::string piece = late.substr(at, 70'001);
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    chunked += size + piece + "\r\n";
  }
  EXPECT_THAT(Ask(chunked + "0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  const auto seen = engine.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen[0].body == large);
  EXPECT_EQ(seen[0].headers.Get("Content-Length"), std::to_string(large.size()));
  EXPECT_TRUE(seen[1].body == late);
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"model", "m"}, {"outcome", "success"}}), 2);
}

TEST_F(GatewayTest, BodiesBeyondTheLimitAreRefused) {
  FakeEngine& engine = AddEngine();
  GatewayOptions options = Options();
  options.max_body_bytes = 1 << 20;
  Start(options);
  const std::string large = R"({"model":"m","x":")" + std::string(2 << 20, 'x') + "\"}";
  const std::string answer = Ask(Post(kChat, large));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, HasSubstr("\"code\":\"request_too_large\""));
  net::RawSocket client = Connect();
  client.Send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n");
  char size[20];
  std::snprintf(size, sizeof(size), "%zx\r\n", large.size());
  client.Send(size + large + "\r\n0\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(engine.seen(), IsEmpty());
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "client_error"}, {"code", "413"}}), 2);
}

TEST_F(GatewayTest, AnEngineMayRefuseABodyThatItHasNotRead) {
  FakeEngine& engine = AddEngine();
  engine.set_script([](net::Fiber&, net::HttpRequest&, net::HttpResponse& response) {
    static_cast<void>(
        response.Reply(413, "application/json", R"({"error":{"message":"too long"}})").ok());
  });
  Start();
  const std::string answer =
      Ask(Post(kChat, R"({"model":"m","x":")" + std::string(30 << 20, 'x') + "\"}"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, EndsWith(R"({"error":{"message":"too long"}})"));
}

TEST_F(GatewayTest, BadRequestsReachTheEngineWhichKnowsBest) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(engine, 400, "application/json", R"({"error":{"message":"bad JSON"}})"));
  Start();
  EXPECT_THAT(Ask(Post(kChat, "this is not JSON")), HasSubstr("bad JSON"));
  EXPECT_THAT(Ask(Post(kChat, "")), HasSubstr("bad JSON"));
  EXPECT_THAT(Ask(Post(kChat, R"({"model":7})")), HasSubstr("bad JSON"));
  ASSERT_TRUE(Counted(3));
  EXPECT_EQ(Metric("requests_total",
                   {{"model", "unknown"}, {"outcome", "client_error"}, {"code", "400"}}),
            3);
}

TEST_F(GatewayTest, AClientThatLeavesCancelsTheEngineAtOnce) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    engine.Note({});
    bool gone = false;
    response.OnDisconnect([&] {
      gone = true;
      ++number_;
    });
    response.headers().Set("Content-Type", "text/event-stream");
    if (!flag_) {
      ASSERT_TRUE(response.Start(200));
      ASSERT_TRUE(response.Write(Chunk("a")));
    }
    // No more bytes: only the connection tells that the client has left.
    while (!gone && fiber.Sleep(Duration(1))) {
    }
    response.OnDisconnect(nullptr);
  });
  Start();
  {
    net::RawSocket client = Connect();
    client.Send(Post(kChat, R"({"model":"m","stream":true})"));
    client.ReadUntil("}]}\n\n");
    EXPECT_EQ(Metric("requests_running", {{"model", "m"}}), 1);
  }
  EXPECT_TRUE(WaitFor([&] { return number_ == 1; }));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(
      Metric("requests_total", {{"outcome", "cancelled"}, {"code", "200"}, {"streaming", "true"}}),
      1);
  EXPECT_EQ(Metric("generation_tokens_total", {{"kind", "answer"}}), 1);

  // Before a byte has come, by a reset.
  flag_ = true;
  net::RawSocket client = Connect();
  client.Send(Post(kChat, R"({"model":"m"})"));
  EXPECT_TRUE(WaitFor([&] { return engine.seen().size() == 2; }));
  client.Reset();
  EXPECT_TRUE(WaitFor([&] { return number_ == 2; }));
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(
      Metric("requests_total", {{"outcome", "cancelled"}, {"code", "499"}, {"streaming", "false"}}),
      1);
  EXPECT_TRUE(gateway_->Upstreams()[0].up) << "not the engine's fault";
}

TEST_F(GatewayTest, AClientThatReadsSlowlySlowsTheEngine) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200)) return;
    const std::string event = Chunk(std::string(60'000, 'x'));
    while (number_ < (200U << 20)) {
      if (!response.Write(event)) return;
      number_ += event.size();
    }
  });
  Start();
  net::RawSocket client = net::RawSocket::Connect(gateway_->port(), /*receive_buffer=*/4096);
  client.Send(Post(kChat, R"({"model":"m","stream":true})"));
  client.ReadUntil("\r\n\r\n");
  std::uint64_t before = 1;
  int still = 0;
  EXPECT_TRUE(WaitFor([&] {
    still = number_ == before ? still + 1 : 0;
    before = number_;
    return still > 100;
  }));
  EXPECT_LT(number_, 32U << 20) << "only the sockets' buffers are full";
}

TEST_F(GatewayTest, ManyStreamsAtOnce) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200)) return;
    for (int i = 0; i < 10; ++i) {
      if (!response.Write(Chunk("t")) || !fiber.Sleep(Duration(2))) return;
    }
    if (response.Write(kStopChunk + kDoneEvent)) static_cast<void>(response.Finish().ok());
  });
  Start();
  std::vector<net::RawSocket> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(Connect());
    clients.back().Send(Post(kChat, R"({"model":"m","stream":true})"));
  }
  std::string expected;
  for (int i = 0; i < 10; ++i) {
    expected += Chunk("t");
  }
  expected += kStopChunk + kDoneEvent;
  for (net::RawSocket& client : clients) {
    ASSERT_EQ(BodyOf(client.ReadToEnd()), expected);
  }
  ASSERT_TRUE(Counted(200));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 200);
  EXPECT_EQ(Metric("inter_token_latency_seconds"), 200 * 9);
  EXPECT_EQ(Metric("generation_tokens_total"), 2'000);
}

TEST_F(GatewayTest, KeepsConnectionsAlive) {
  FakeEngine& engine = AddEngine();
  Start();
  net::RawSocket client = Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send(
        "POST /v1/embeddings HTTP/1.1\r\nHost: g\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}");
    EXPECT_THAT(client.ReadUntil("}}"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(engine.seen().size(), 3U);
}

TEST_F(GatewayTest, OldClientsGetTheirStreamUntilTheEnd) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Stream({Chunk("a"), kDoneEvent}));
  Start();
  const std::string answer =
      Ask("POST /v1/completions HTTP/1.0\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}");
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n" + Chunk("a") + kDoneEvent));
}

TEST_F(GatewayTest, WebSocketsAreNotSpoken) {
  AddEngine();
  Start();
  EXPECT_THAT(Ask("GET /v1/realtime HTTP/1.1\r\nHost: g\r\nConnection: Upgrade, close\r\nUpgrade: "
                  "websocket\r\n\r\n"),
              StartsWith("HTTP/1.1 501 "));
}

TEST_F(GatewayTest, AnswersForItselfWithoutAnUpstream) {
  Start(Options(), false);
  EXPECT_THAT(Ask(Get("/-/gateway/healthy")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask(Get("/-/gateway/ready")), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Ask(Get("/-/gateway/x")), StartsWith("HTTP/1.1 404 "));
  const std::string answer = Ask(Post(kChat, R"({"model":"m"})"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(
      BodyOf(answer),
      R"({"error":{"message":"the gateway has no upstream","type":"upstream_error","param":null,"code":"no_upstream"}})");
}

TEST_F(GatewayTest, StopCutsWhatOutlivesTheGrace) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200)) return;
    while (response.Write(Chunk("a")) && fiber.Sleep(Duration(1))) {
    }
  });
  Start();
  net::RawSocket client = Connect();
  client.Send(Post(kChat, R"({"model":"m","stream":true})"));
  client.ReadUntil("}]}\n\n");
  gateway_->Stop(Duration(20));
  gateway_->Stop();
  EXPECT_THAT(client.ReadToEnd(), Not(EndsWith("\r\n0\r\n\r\n")));
  EXPECT_EQ(Metric("requests_running"), 0);
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}}), 1);
}

TEST_F(GatewayTest, BadOptionsAreNamed) {
  const auto error = [&](GatewayOptions options) {
    const auto gateway = Gateway::Create(loops_, options, clock_, Logger(sink_, clock_), registry_);
    return gateway ? std::string() : gateway.error().message();
  };
  GatewayOptions options = Options();
  options.upstreams = {{.url = "ftp://x"}};
  EXPECT_THAT(error(options), HasSubstr("gateway upstream"));
  options.upstreams = {{.url = "http://h"}, {.url = "http://h/v1"}};
  EXPECT_EQ(error(options), "gateway: two upstreams are called \"h\"");
  options.upstreams = {{.url = "http://h", .weight = 0}};
  EXPECT_THAT(error(options), HasSubstr("weight must be above 0"));
  options.upstreams = {{.url = "http://h/?key=1"}};
  EXPECT_THAT(error(options), HasSubstr("no query"));
  options.upstreams.clear();
  options.listen_address = "nonsense";
  EXPECT_NE(error(options), "");
}

}  // namespace
}  // namespace sonde::gateway
