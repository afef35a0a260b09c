#include "base/random.h"
#include "gateway/gateway_for_test.h"

// No request is ever answered with another's bytes: many clients at once, over shared keep-alive
// connections on both sides, with answers of all shapes, and with clients and engines that break
// off. Everything that an answer says repeats the mark of its request, so that one foreign byte
// shows.

namespace sonde::gateway {
namespace {

/// What the engine answers to the request with this mark: the mark and the place, over and over.
std::string AnswerFor(const std::string& mark, std::uint64_t pieces) {
  std::string text;
  for (std::uint64_t i = 0; i < pieces; ++i) {
    text += "data: {\"choices\":[{\"delta\":{\"content\":\"" + mark + "." + std::to_string(i) +
            "\"}}]}\n\n";
  }
  return text + "data: [DONE]\n\n";
}

/// The number behind `key` in a JSON text of ours.
std::uint64_t Number(std::string_view body, std::string_view key) {
  const std::size_t at = body.find(key);
  if (at == std::string_view::npos) return 0;
  return std::stoull(std::string(body.substr(at + key.size(), 12)));
}

/// Reads a whole chunked or announced answer from a keep-alive connection. Empty if it is cut.
std::string ReadAnswer(net::RawSocket& socket) {
  const std::string head = socket.ReadUntil("\r\n\r\n");
  if (!head.ends_with("\r\n\r\n") || !head.starts_with("HTTP/1.1 200 ")) return "";
  const std::size_t length = head.find("Content-Length: ");
  if (length != std::string::npos) {
    const std::size_t size = std::stoull(head.substr(length + 16, 12));
    std::string body = socket.ReadBytes(size);
    return body.size() == size ? body : "";
  }
  std::string body;
  while (true) {
    const std::string line = socket.ReadUntil("\r\n");
    if (!line.ends_with("\r\n")) return "";
    const std::size_t size = std::stoull(line, nullptr, 16);
    const std::string piece = socket.ReadBytes(size + 2);
    if (piece.size() != size + 2) return "";
    if (size == 0) return body;
    body.append(piece, 0, size);
  }
}

TEST_F(GatewayTest, NoRequestIsAnsweredWithAnothersBytes) {
  for (int i = 0; i < 3; ++i) {
    FakeEngine& engine = AddEngine();
    engine.set_script(
        [&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
          auto body = request.ReadBody(1 << 20);
          if (!body) return;
          Rng rng(number_.fetch_add(1) + 1);
          const std::uint64_t mark = Number(*body, "\"user\":\"");
          const std::uint64_t pieces = Number(*body, "\"max_tokens\":");
          const std::string answer = AnswerFor(std::to_string(mark), pieces);
          const bool cut = rng.Below(12) == 0;
          response.headers().Set("Content-Type", "text/event-stream");
          if (rng.Below(2) == 0)
            response.headers().Set("Content-Length", std::to_string(answer.size()));
          if (!response.Start(200)) return;
          std::size_t at = 0;
          while (at < answer.size()) {
            if (cut && at > answer.size() / 2) {
              fiber.Cancel();  // The connection ends here.
              return;
            }
            const std::size_t size = 1 + rng.Below(300);
            if (!response.Write(std::string_view(answer).substr(at, size))) return;
            at += size;
            if (rng.Below(8) == 0 && !fiber.Sleep(Duration(1))) return;
          }
          static_cast<void>(response.Finish().ok());
        });
  }
  GatewayOptions options = Options();
  options.balance.policy = BalancePolicy::kWeightedRandom;
  options.health.failures = 1'000'000;  // Cut answers are part of the game.
  Start(options);

  constexpr int kClients = 16;
  constexpr int kRequests = 60;
  std::atomic<int> whole{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      Rng rng(static_cast<std::uint64_t>(c) + 77);
      auto socket = std::make_unique<net::RawSocket>(Connect());
      for (int r = 0; r < kRequests; ++r) {
        const std::string mark = std::to_string(1'000'000 + c * 1000 + r);
        const std::uint64_t pieces = 1 + rng.Below(40);
        const std::string body = R"({"model":"m","stream":true,"user":")" + mark +
                                 R"(","max_tokens":)" + std::to_string(pieces) + "}";
        socket->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body);
        if (rng.Below(10) == 0) {
          // Leave in the middle; the gateway closes the engine's connection, and nobody inherits
          // what was still on it.
          socket->ReadBytes(rng.Below(150));
          if (rng.Below(2) == 0) socket->Reset();
          socket = std::make_unique<net::RawSocket>(Connect());
          continue;
        }
        const std::string answer = ReadAnswer(*socket);
        if (answer.empty()) {  // Cut.
          socket = std::make_unique<net::RawSocket>(Connect());
          continue;
        }
        whole.fetch_add(1);
        if (answer != AnswerFor(mark, pieces)) wrong.fetch_add(1);
      }
    });
  }
  for (std::thread& client : clients)
    client.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(whole.load(), kClients * kRequests / 2) << "most are neither left nor cut";
  EXPECT_TRUE(WaitFor([&] { return Metric("requests_running") == 0; }));
  for (const UpstreamStatus& upstream : gateway_->Upstreams()) {
    EXPECT_EQ(upstream.outstanding, 0U);
    EXPECT_EQ(upstream.outstanding_tokens, 0);
  }
}

}  // namespace
}  // namespace sonde::gateway
