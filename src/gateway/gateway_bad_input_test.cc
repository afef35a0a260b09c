#include <fstream>

#include <unistd.h>

#include "gateway/gateway_for_test.h"

// Upstreams that lie, stall and never end; clients that vanish; clocks that step. Each case: what
// the client gets, that the gateway serves the next one, and that memory stays bounded.

namespace sonde::gateway {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kStreamBody = R"({"model":"m","stream":true})";

/// Resident memory of this process, in bytes.
std::size_t Resident() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// An upstream whose bytes are written by hand. Its probe has been answered.
class BadInputTest : public GatewayTest {
 protected:
  void StartRaw(GatewayOptions options = {}) {
    options.listen_address = "127.0.0.1:0";
    options.probe_interval = Duration(600'000);
    options.upstreams = {
        {.url = "http://127.0.0.1:" + std::to_string(listener_.port()), .models = {"m"}}};
    Start(options, false);
    net::RawSocket probe = listener_.Accept();
    probe.ReadUntil("\r\n\r\n");
    probe.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  }
  net::RawSocket Request(net::RawSocket& client) {
    client.Send(Post(kChat, kStreamBody));
    net::RawSocket engine = listener_.Accept();
    engine.ReadUntil(kStreamBody);
    return engine;
  }
  /// The next request goes well, on a connection of its own.
  void ServesTheNext() {
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    engine.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnext");
    EXPECT_EQ(BodyOf(client.ReadToEnd()), "next");
    EXPECT_TRUE(Idle());
  }
  bool Idle() {
    return WaitFor([&] {
      return gateway_->Upstreams()[0].outstanding == 0 &&
             gateway_->Upstreams()[0].outstanding_tokens == 0 && Metric("requests_running") == 0;
    });
  }

  net::RawListener listener_;
};

// ---------------------------------------------------------------------------------- upstreams

TEST_F(BadInputTest, HalfAChunk) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nonly half");
  engine.Close();
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("only half"));
  EXPECT_THAT(answer, Not(EndsWith("0\r\n\r\n"))) << "the client must see that it is cut";
  ServesTheNext();
}

TEST_F(BadInputTest, AChunkSizeThatIsNone) {
  StartRaw();
  for (const char* size : {"zz", "-5", "fffffffffffffffff", "5 5", ""}) {
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    engine.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(size) +
                "\r\nhello\r\n0\r\n\r\n");
    engine.Close();
    EXPECT_THAT(client.ReadToEnd(), Not(EndsWith("0\r\n\r\n"))) << size;
  }
  ServesTheNext();
}

TEST_F(BadInputTest, LessThanTheAnnouncedLength) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  engine.Close();
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 100\r\n"));
  EXPECT_THAT(answer, EndsWith("short"));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}}), 1);
  ServesTheNext();
}

TEST_F(BadInputTest, MoreThanTheAnnouncedLengthReachesNobody) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON");
  EXPECT_EQ(BodyOf(client.ReadToEnd()), "first");
  // The connection is not used again, so what it said beyond is nobody's answer.
  ServesTheNext();
}

TEST_F(BadInputTest, BytesThatComeWhileNobodyAskedReachNobody) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
  EXPECT_EQ(BodyOf(client.ReadToEnd()), "first");
  engine.Send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON");
  EXPECT_EQ(engine.ReadToEnd(), "") << "the gateway has closed it";
  ServesTheNext();
}

TEST_F(BadInputTest, TwoLengths) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 502 "));
  ServesTheNext();
}

TEST_F(BadInputTest, AGigabyteOfHeaders) {
  StartRaw();
  const std::size_t before = Resident();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\n");
  const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
  std::size_t sent = 0;
  while (sent < (1U << 30) && engine.Send(line))
    sent += line.size();
  EXPECT_LT(sent, 64U << 20) << "it hangs up";
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 502 "));
  EXPECT_LT(Resident(), before + (64U << 20));
  engine.Close();
  ServesTheNext();
}

TEST_F(BadInputTest, OneEndlessHeaderLine) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  const std::string piece(16'384, 'x');
  std::size_t sent = 0;
  while (sent < (1U << 30) && engine.Send(piece))
    sent += piece.size();
  EXPECT_LT(sent, 64U << 20);
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 502 "));
  engine.Close();
  ServesTheNext();
}

TEST_F(BadInputTest, AnAnswerOfAGigabyteTakesNoMemory) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  // One JSON string, which the scanner must not keep.
  constexpr std::size_t kSize = 1U << 30;
  const std::string head = R"({"choices":[{"message":{"content":")";
  const std::string tail = R"("},"finish_reason":"stop"}],"usage":{"completion_tokens":7}})";
  std::thread writer([&] {
    engine.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(head.size() + kSize + tail.size()) + "\r\n\r\n" + head);
    const std::string piece(1U << 20, 'y');
    for (std::size_t i = 0; i < kSize / piece.size(); ++i) {
      if (!engine.Send(piece)) return;
    }
    engine.Send(tail);
  });
  client.ReadUntil("\r\n\r\n");
  const std::size_t before = Resident();
  std::size_t peak = before;
  std::size_t received = 0;
  std::string last;
  while (received < head.size() + kSize + tail.size()) {
    last = client.ReadBytes(
        std::min<std::size_t>(1U << 20, head.size() + kSize + tail.size() - received));
    if (last.empty()) break;
    received += last.size();
    peak = std::max(peak, Resident());
  }
  writer.join();
  EXPECT_EQ(received, head.size() + kSize + tail.size());
  EXPECT_THAT(last, EndsWith(tail));
  // AddressSanitizer keeps up to 256 MiB of what this test itself has freed.
  EXPECT_LT(peak, before + (384U << 20));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("generation_tokens_total"), 7);
}

TEST_F(BadInputTest, AnAnswerThatNeverEnds) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  const std::size_t before = Resident();
  // A line that never ends either: no event, no bound but our own.
  std::thread writer([&] {
    const std::string piece(1U << 20, 'z');
    while (engine.Send(piece)) {
    }
  });
  client.ReadUntil("\r\n\r\n");
  for (int i = 0; i < 512; ++i)
    ASSERT_EQ(client.ReadBytes(1U << 20).size(), 1U << 20);
  // AddressSanitizer keeps up to 256 MiB of what this test itself has freed.
  EXPECT_LT(Resident(), before + (384U << 20));
  client.Close();
  writer.join();  // The gateway has told the upstream to stop.
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "cancelled"}}), 1);
  EXPECT_TRUE(Idle());
}

TEST_F(BadInputTest, KeepAliveCommentsAreNoStall) {
  GatewayOptions options;
  options.idle_timeout = Duration(2'000);
  StartRaw(options);
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  engine.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
  // As the hosted API queues a request: longer in all than the timeout.
  std::string expected;
  for (int i = 0; i < 12; ++i) {
    engine.Send(": keep-alive\n\n");
    expected += ": keep-alive\n\n";
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  engine.Send(Chunk("a") + kDoneEvent);
  engine.Close();
  EXPECT_EQ(BodyOf(client.ReadToEnd()), expected + Chunk("a") + kDoneEvent);
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 1);
}

TEST_F(BadInputTest, BlankLinesBeforeJson) {
  StartRaw();
  net::RawSocket client = Connect();
  net::RawSocket engine = Request(client);
  const std::string body =
      "\n\n\n\n"
      R"({"choices":[{"message":{"content":"a"}}],"usage":{"completion_tokens":9}})";
  engine.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(BodyOf(client.ReadToEnd()), body);
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("generation_tokens_total"), 9);
}

// ------------------------------------------------------------------------------------ clients

TEST_F(BadInputTest, ClientsVanishAtEachStage) {
  StartRaw();
  const std::string request = Post(kChat, kStreamBody);
  const std::size_t head = request.find("\r\n\r\n") + 4;
  // Before a byte, within the request line, the header, before and within the body.
  for (const std::size_t sent : {std::size_t{0}, std::size_t{3}, head - 10, head, head + 5}) {
    net::RawSocket client = Connect();
    client.Send(request.substr(0, sent));
    client.Reset();
  }
  {  // While the engine thinks.
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    client.Reset();
    EXPECT_EQ(engine.ReadToEnd(), "") << "the engine is told at once";
  }
  {  // Within the answer.
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    engine.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + Chunk("a"));
    client.ReadUntil("}]}\n\n");
    client.Reset();
    EXPECT_EQ(engine.ReadToEnd(), "");
  }
  {  // A whole request, and then gone without reading.
    net::RawSocket client = Connect();
    net::RawSocket engine = Request(client);
    client.Close();
    EXPECT_EQ(engine.ReadToEnd(), "");
  }
  EXPECT_TRUE(Idle());
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 0);
  ServesTheNext();
}

TEST_F(BadInputTest, AClientThatSendsEndlessHeaders) {
  StartRaw();
  const std::size_t before = Resident();
  net::RawSocket client = Connect();
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\n");
  // It is refused at once; what still comes is read and dropped, so that the answer arrives.
  const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
  for (int i = 0; i < 100'000 && client.Send(line); ++i) {
  }
  client.ShutdownWrite();
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  EXPECT_LT(Resident(), before + (64U << 20));
  ServesTheNext();
}

TEST_F(BadInputTest, AClientThatSendsABodyWithoutEnd) {
  GatewayOptions options;
  options.max_body_bytes = 8U << 20;
  StartRaw(options);
  const std::size_t before = Resident();
  net::RawSocket client = Connect();
  // No model in it, so it is read until it is too much.
  client.Send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.Send("1\r\n[\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, '[') + "\r\n";
  for (int i = 0; i < 1'500 && client.Send(chunk); ++i) {
  }
  client.ShutdownWrite();
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
  EXPECT_LT(Resident(), before + (64U << 20));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"code", "413"}}), 1);
  EXPECT_EQ(Metric("requests_rejected_total", {{"reason", "too_large"}}), 1);
  ServesTheNext();
}

TEST_F(BadInputTest, GarbageIsRefused) {
  StartRaw();
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("hello\r\n\r\n"), std::string("GET /v1/models HTTP/9.9\r\n\r\n"),
        std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: "
                    "5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: "
                    "5\r\nContent-Length: 6\r\n\r\nhello!"),
        std::string(100'000, 'A')}) {
    net::RawSocket client = Connect();
    client.Send(garbage);
    client.ShutdownWrite();
    const std::string answer = client.ReadToEnd();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 4") ||
                answer.starts_with("HTTP/1.1 5"))
        << answer;
  }
  ServesTheNext();
}

TEST_F(BadInputTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  FakeEngine& engine = AddEngine();
  engine.set_script([](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    auto body = request.ReadBody(1 << 20);
    if (!body) return;
    // The later, the faster.
    if (body->find("\"0\"") != std::string::npos && !fiber.Sleep(Duration(50))) return;
    static_cast<void>(response.Reply(200, "application/json", *body).ok());
  });
  Start();
  net::RawSocket client = Connect();
  std::string requests;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string body = R"({"model":"m","user":")" + std::to_string(i) + "\"}";
    requests += "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body;
    expected += body;
  }
  client.Send(requests);
  std::string bodies;
  for (int i = 0; i < 20; ++i) {
    const std::string head = client.ReadUntil("\r\n\r\n");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 "));
    bodies += client.ReadUntil("}");
  }
  EXPECT_EQ(bodies, expected);
}

// ------------------------------------------------------------------------------------- clocks

/// A wall clock that is set back and forth at each look; the monotonic one goes on.
class SteppingClock final : public Clock {
 public:
  Timestamp Now() const override {
    const std::int64_t step = (looks_.fetch_add(1) % 2 == 0 ? -1 : 1) * 86'400'000LL;
    return {system_.Now().ms + step};
  }
  std::int64_t MonotonicNanos() const override { return system_.MonotonicNanos(); }

 private:
  SystemClock system_;
  mutable std::atomic<std::uint64_t> looks_{0};
};

TEST_F(BadInputTest, AWallClockThatStepsChangesNothing) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Stream({Chunk("a"), Chunk("b"), kDoneEvent}));
  const SteppingClock clock;
  GatewayOptions options = Options();
  options.access.tenant_header = "X-Tenant";
  options.access.default_limits.requests_per_minute = 1000;
  auto gateway = Gateway::Create(loops_, options, clock, Logger(sink_, clock), registry_);
  ASSERT_TRUE(gateway);
  gateway_ = *std::move(gateway);
  ASSERT_TRUE(gateway_->Start());
  WaitForModels();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(BodyOf(Ask(Post(kChat, kStreamBody))), Chunk("a") + Chunk("b") + kDoneEvent);
  }
  ASSERT_TRUE(Counted(20));
  EXPECT_LT(HistogramSum("inference_latency_seconds"), 60);
  EXPECT_GE(HistogramSum("inference_latency_seconds"), 0);
  gateway_->Stop(Duration(1));
  gateway_.reset();  // Before its clock.
}

}  // namespace
}  // namespace sonde::gateway
