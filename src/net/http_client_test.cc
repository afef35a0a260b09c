#include "net/http_client.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/compress.h"
#include "net/http_server.h"
#include "net/raw_socket_for_test.h"

namespace sonde::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Url UrlFor(std::uint16_t port, std::string path = "/") {
  Url url;
  url.host = "127.0.0.1";
  url.port = port;
  url.path = std::move(path);
  return url;
}

class HttpClientTest : public ::testing::Test {
 protected:
  void StartServer(HttpHandler handler, HttpServerOptions options = {}) {
    server_ = std::make_unique<HttpServer>(loops_, std::move(options), std::move(handler),
                                           Logger(sink_, clock_), registry_, "test");
    ASSERT_TRUE(server_->Start({"127.0.0.1", 0}));
  }
  HttpClient& Client(HttpClientOptions options = {}) {
    client_ = std::make_unique<HttpClient>(std::move(options), registry_, "test");
    return *client_;
  }
  void OnLoop(const std::function<void(Fiber&)>& body) { loops_.at(0).Spawn(body).Join(); }
  Result<HttpClient::Reply> Fetch(HttpClientRequest request, std::uint64_t max_bytes = 1 << 20,
                                  Duration timeout = Duration(20'000)) {
    std::optional<Result<HttpClient::Reply>> reply;
    OnLoop(
        [&](Fiber& fiber) { reply.emplace(client_->Fetch(fiber, request, max_bytes, timeout)); });
    return *std::move(reply);
  }
  /// "200 body" or "error kind: message".
  std::string Show(HttpClientRequest request, std::uint64_t max_bytes = 1 << 20,
                   Duration timeout = Duration(20'000)) {
    const auto reply = Fetch(std::move(request), max_bytes, timeout);
    if (!reply)
      return "error " + std::string(ToString(reply.error().kind())) + ": " +
             reply.error().message();
    return std::to_string(reply->status) + " " + reply->body;
  }
  double Opened() {
    return registry_
        .GetCounter("sonde_http_client_connections_opened_total", "", {{"client", "test"}})
        .value();
  }
  void TearDown() override {
    client_.reset();
    if (server_ != nullptr) server_->Stop(Duration(1));
    loops_.Stop();
  }

  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  LoopGroup loops_{1};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

/// A server for one test: accepts connections one after the other, and lets `talk` do what servers
/// may not do.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<void(RawSocket&, int)> talk, int connections = 1)
      : thread_([this, talk = std::move(talk), connections] {
          for (int i = 0; i < connections; ++i) {
            RawSocket socket = listener_.Accept();
            talk(socket, i);
          }
        }) {}
  ~ScriptedServer() { thread_.join(); }
  std::uint16_t port() const { return listener_.port(); }

 private:
  RawListener listener_;
  std::thread thread_;
};

TEST_F(HttpClientTest, SendsAndReceives) {
  StartServer([](Fiber&, HttpRequest& request, HttpResponse& response) {
    const auto body = request.ReadBody(1000);
    std::string text(request.method());
    text += " " + std::string(request.target()) + " " + *body;
    for (const std::string name :
         {"Host", "User-Agent", "X-Mine", "Content-Length", "Authorization"}) {
      text += "\n" + name + "=" + std::string(request.headers().Get(name));
    }
    response.headers().Set("X-Theirs", "yes");
    static_cast<void>(response.Reply(201, "text/plain", text).ok());
  });
  Client();
  HttpClientRequest request{
      .method = "POST", .url = UrlFor(server_->port(), "/a?b"), .body = "hello"};
  request.headers.Add("X-Mine", "1\r\nInjected: x");
  request.url.user = "u";
  request.url.password = "p";
  const auto reply = Fetch(request);
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->status, 201);
  EXPECT_EQ(reply->headers.Get("x-theirs"), "yes");
  EXPECT_EQ(
      reply->body,
      "POST /a?b hello\nHost=127.0.0.1:" + std::to_string(server_->port()) +
          "\nUser-Agent=Sonde\nX-Mine=1  Injected: x\nContent-Length=5\nAuthorization=Basic dTpw");
}

TEST_F(HttpClientTest, ConnectionsAreReused) {
  StartServer([](Fiber&, HttpRequest& request, HttpResponse& response) {
    if (request.path() == "/close") response.headers().Set("Connection", "close");
    static_cast<void>(response.Reply(200, "text/plain", "x").ok());
  });
  Client();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 x");
  }
  EXPECT_EQ(Opened(), 1);
  EXPECT_EQ(Show({.method = "POST", .url = UrlFor(server_->port()), .body = "b"}), "200 x");
  EXPECT_EQ(Opened(), 1);
  // An answer that is not read to its end takes its connection with it.
  OnLoop([&](Fiber& fiber) {
    auto response = client_->Send(fiber, {.url = UrlFor(server_->port())});
    ASSERT_TRUE(response);
    EXPECT_TRUE((*response)->reused_connection());
  });
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 x");
  EXPECT_EQ(Opened(), 2);
}

TEST_F(HttpClientTest, AServerThatWritesSmallPiecesIsNotHeldUp) {
  constexpr int kRequests = 20;
  ScriptedServer server([](RawSocket& socket, int) {
    // Without TCP_NODELAY: the second piece waits until the first one is acknowledged.
    for (int i = 0; i < kRequests; ++i) {
      socket.ReadUntil("\r\n\r\n");
      socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
      socket.Send("h");
      socket.Send("i");
    }
  });
  Client();
  std::vector<std::int64_t> took;
  for (int i = 0; i < kRequests; ++i) {
    const std::int64_t began = clock_.MonotonicNanos();
    ASSERT_EQ(Show({.url = UrlFor(server.port())}), "200 hi");
    // A new connection is acknowledged at once for a while.
    if (i >= kRequests / 2) took.push_back(clock_.MonotonicNanos() - began);
  }
  EXPECT_EQ(Opened(), 1);
  std::ranges::sort(took);
  EXPECT_LT(took[took.size() / 2], 35'000'000) << "an acknowledgement may take 40 ms";
}

TEST_F(HttpClientTest, ConcurrentRequestsHaveTheirOwnConnections) {
  std::atomic<int> inside{0};
  StartServer([&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    ++inside;
    while (inside < 5 && fiber.Sleep(Duration(0))) {
    }
    static_cast<void>(response.Reply(200, "text/plain", "x").ok());
  });
  Client({.max_idle_per_host = 3});
  std::vector<FiberHandle> fibers;
  std::atomic<int> good{0};
  for (int i = 0; i < 5; ++i) {
    fibers.push_back(loops_.at(0).Spawn([&](Fiber& fiber) {
      const auto reply =
          client_->Fetch(fiber, {.url = UrlFor(server_->port())}, 100, Duration(20'000));
      good += reply && reply->body == "x" ? 1 : 0;
    }));
  }
  for (const FiberHandle& fiber : fibers) {
    fiber.Join();
  }
  EXPECT_EQ(good, 5);
  EXPECT_EQ(Opened(), 5);
}

TEST_F(HttpClientTest, StreamsTheResponse) {
  StartServer([](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    ASSERT_TRUE(response.Start(200));
    for (const std::string word : {"one", "two", "three"}) {
      ASSERT_TRUE(response.Write(word));
      ASSERT_TRUE(fiber.Sleep(Duration(1)));
    }
    ASSERT_TRUE(response.Finish());
  });
  Client();
  std::string all;
  int pieces = 0;
  OnLoop([&](Fiber& fiber) {
    auto response = client_->Send(fiber, {.url = UrlFor(server_->port())});
    ASSERT_TRUE(response);
    while (true) {
      const auto piece = (*response)->ReadSome(fiber);
      ASSERT_TRUE(piece);
      if (piece->empty()) break;
      all += *piece;
      ++pieces;
    }
    EXPECT_EQ(*(*response)->ReadSome(fiber), "");  // And again.
  });
  EXPECT_EQ(all, "onetwothree");
  EXPECT_GE(pieces, 2);
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 onetwothree");
  EXPECT_EQ(Opened(), 1);
}

TEST_F(HttpClientTest, DecodesIfAsked) {
  const std::string text(100'000, 'x');
  std::string asked;
  StartServer([&](Fiber&, HttpRequest& request, HttpResponse& response) {
    asked = request.headers().Get("Accept-Encoding");
    static_cast<void>(response.Reply(200, "text/plain", text).ok());
  });
  Client();
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 " + text);
  EXPECT_EQ(asked, "gzip, zstd");
  HttpClientRequest raw{.url = UrlFor(server_->port()), .decode = false};
  raw.headers.Set("Accept-Encoding", "gzip");
  const auto reply = Fetch(raw);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->headers.Get("Content-Encoding"), "gzip");
  std::string plain;
  ASSERT_TRUE(GzipDecompress(reply->body, 1 << 20, plain));
  EXPECT_EQ(plain, text);
  // The limit is on what comes out.
  EXPECT_THAT(Show({.url = UrlFor(server_->port())}, 99'999),
              StartsWith("error limit: response body is larger than 99999"));
}

TEST_F(HttpClientTest, BodyLimits) {
  StartServer([](Fiber&, HttpRequest& request, HttpResponse& response) {
    const std::string body(5000, 'x');
    if (request.path() == "/length") {
      static_cast<void>(response.Reply(200, "image/png", body).ok());
      return;
    }
    static_cast<void>(response.Start(200).ok());
    static_cast<void>(response.Write(body).ok());
    static_cast<void>(response.Finish().ok());
  });
  Client();
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/length")}, 4999), StartsWith("error limit"));
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/chunks")}, 4999), StartsWith("error limit"));
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/length")}, 5000), StartsWith("200 x"));
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/chunks")}, 5000), StartsWith("200 x"));
}

TEST_F(HttpClientTest, ALongBodyArrivesWhole) {
  std::string body;
  for (int i = 0; body.size() < 2'000'000; ++i) {
    body += std::to_string(i);
  }
  StartServer([&](Fiber&, HttpRequest&, HttpResponse& response) {
    static_cast<void>(response.Reply(200, "application/octet-stream", body).ok());
  });
  Client();
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}, 10'000'000), "200 " + body);
}

TEST_F(HttpClientTest, NobodyListens) {
  Client();
  RawListener listener;
  const std::uint16_t port = listener.port();
  listener.Close();
  HttpClientTrace trace;
  EXPECT_EQ(
      Show({.url = UrlFor(port), .trace = &trace}),
      "error unavailable: connect to 127.0.0.1:" + std::to_string(port) + ": connection refused");
  EXPECT_FALSE(trace.has_connection);
  EXPECT_GT(trace.resolved_nanos, 0);
  EXPECT_EQ(trace.connected_nanos, 0);
}

TEST_F(HttpClientTest, Timeouts) {
  StartServer([](Fiber& fiber, HttpRequest& request, HttpResponse& response) {
    if (request.path() == "/stalls") {
      static_cast<void>(response.Start(200).ok());
      static_cast<void>(response.Write("x").ok());
    }
    static_cast<void>(fiber.Sleep(Duration(60'000)).ok());
  });
  Client({.response_timeout = Duration(5), .read_timeout = Duration(5)});
  EXPECT_EQ(Show({.url = UrlFor(server_->port(), "/silent")}),
            "error timeout: response: no header in time");
  EXPECT_EQ(Show({.url = UrlFor(server_->port(), "/stalls")}),
            "error timeout: response body: no byte in time");
  Client();
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/silent")}, 100, Duration(5)),
              StartsWith("error timeout"));
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/stalls")}, 100, Duration(5)),
              StartsWith("error timeout"));
}

TEST_F(HttpClientTest, CancellingAFiberEndsItsRequest) {
  std::atomic<bool> arrived{false};
  std::atomic<bool> left{false};
  StartServer([&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    response.OnDisconnect([&] { left = true; });
    arrived = true;
    while (!left && fiber.Sleep(Duration(1))) {
    }
  });
  Client();
  ErrorKind kind = ErrorKind::kInvalid;
  const FiberHandle fiber = loops_.at(0).Spawn([&](Fiber& f) {
    const auto response = client_->Send(f, {.url = UrlFor(server_->port())});
    if (!response) kind = response.error().kind();
  });
  while (!arrived) {
    std::this_thread::yield();
  }
  fiber.Cancel();
  fiber.Join();
  EXPECT_EQ(kind, ErrorKind::kCancelled);
  while (!left) {  // The server learns of it.
    std::this_thread::yield();
  }
  server_->Stop();
}

TEST_F(HttpClientTest, AbortInterruptsARead) {
  StartServer([](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    bool left = false;
    response.OnDisconnect([&] { left = true; });
    static_cast<void>(response.Start(200).ok());
    while (!left && fiber.Sleep(Duration(1))) {
    }
  });
  Client();
  OnLoop([&](Fiber& fiber) {
    auto response = client_->Send(fiber, {.url = UrlFor(server_->port())});
    ASSERT_TRUE(response);
    fiber.loop().Post([&] { (*response)->Abort(); });
    const auto piece = (*response)->ReadSome(fiber);
    ASSERT_FALSE(piece);
    EXPECT_EQ(piece.error().kind(), ErrorKind::kCancelled);
    EXPECT_FALSE(fiber.cancelled());
    EXPECT_EQ((*response)->ReadSome(fiber).error().kind(), ErrorKind::kCancelled);
  });
}

TEST_F(HttpClientTest, BrokenServers) {
  const auto answer = [&](const std::string& bytes) {
    ScriptedServer server([&](RawSocket& socket, int) {
      socket.ReadUntil("\r\n\r\n");
      socket.Send(bytes);
    });
    Client();
    return Show({.url = UrlFor(server.port())});
  };
  EXPECT_EQ(answer(""), "error unavailable: connection closed by the server before it answered");
  EXPECT_EQ(answer("SSH-2.0-OpenSSH\r\n\r\n"), "error invalid: response: malformed status line");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"),
            "error unavailable: response body: the server closed before its end");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
            "error unavailable: response body: the server closed before its end");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
            "error invalid: response body: malformed chunk size");
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n\r\nuntil the end"), "200 until the end");
  EXPECT_EQ(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: "
                   "x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            "200 x");
  EXPECT_THAT(answer("HTTP/1.1 101 Switching Protocols\r\n\r\n"), StartsWith("error invalid"));
  EXPECT_THAT(answer("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')),
              StartsWith("error limit: response: header is larger"));
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
                .substr(0, 13),
            "error invalid");
}

TEST_F(HttpClientTest, AStaleConnectionIsReplaced) {
  // Each connection answers once and is closed when the next request has come: the client could not
  // know.
  ScriptedServer server(
      [](RawSocket& socket, int) {
        if (socket.ReadUntil("\r\n\r\n").empty()) return;
        socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        socket.ReadUntil("\r\n\r\n");
      },
      4);
  Client();
  EXPECT_EQ(Show({.url = UrlFor(server.port())}), "200 ok");
  EXPECT_EQ(Show({.url = UrlFor(server.port())}), "200 ok");
  EXPECT_EQ(Opened(), 2);
  // What may have been done once is not sent twice.
  EXPECT_THAT(Show({.method = "POST", .url = UrlFor(server.port()), .body = "x"}),
              StartsWith("error unavailable"));
  EXPECT_EQ(Opened(), 2);
  EXPECT_EQ(Show({.method = "POST", .url = UrlFor(server.port()), .body = "x"}), "200 ok");
  client_.reset();
  RawSocket::Connect(server.port()).Close();  // The fourth.
}

TEST_F(HttpClientTest, AConnectionThatWasClosedWhileIdleIsNotUsed) {
  std::atomic<bool> closed{false};
  ScriptedServer server(
      [&](RawSocket& socket, int i) {
        socket.ReadUntil("\r\n\r\n");
        socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if (i == 0) {
          socket.Close();
          closed = true;
        }
      },
      2);
  Client();
  EXPECT_EQ(Show({.url = UrlFor(server.port())}), "200 ok");
  while (!closed) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Show({.method = "POST", .url = UrlFor(server.port()), .body = "x"}), "200 ok");
  EXPECT_EQ(Opened(), 2);
}

TEST_F(HttpClientTest, IdleConnectionsAreDroppedInTime) {
  std::atomic<bool> saw_end{false};
  ScriptedServer server([&](RawSocket& socket, int) {
    socket.ReadUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    saw_end = socket.ReadToEnd().empty();
  });
  Client({.idle_timeout = Duration(3)});
  EXPECT_EQ(Show({.url = UrlFor(server.port())}), "200 ok");
  while (!saw_end) {
    std::this_thread::yield();
  }
}

TEST_F(HttpClientTest, AnEarlyRefusalOfALargeBodyIsSeen) {
  ScriptedServer server([](RawSocket& socket, int) {
    socket.ReadUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    socket.ShutdownWrite();
    socket.ReadBytes(100'000);
  });
  Client();
  EXPECT_EQ(
      Show({.method = "POST", .url = UrlFor(server.port()), .body = std::string(30'000'000, 'x')}),
      "413 big");
}

TEST_F(HttpClientTest, BodiesMayComeFromAFunction) {
  StartServer([](Fiber&, HttpRequest& request, HttpResponse& response) {
    const bool chunked = !request.content_length().has_value();
    const auto body = request.ReadBody(1000);
    if (body)
      static_cast<void>(
          response.Reply(200, "text/plain", (chunked ? "chunked " : "length ") + *body).ok());
  });
  Client();
  int calls = 0;
  const auto more = [&](Fiber&) -> Result<std::string_view> {
    static constexpr std::string_view kPieces[] = {" two", " three", ""};
    return kPieces[calls++];
  };
  HttpClientRequest request{
      .method = "POST", .url = UrlFor(server_->port()), .body = "one", .more_body = more};
  EXPECT_EQ(Show(request), "200 chunked one two three");
  calls = 0;
  request.body_length = 13;
  EXPECT_EQ(Show(request), "200 length one two three");
  calls = 0;
  request.body_length.reset();
  request.more_body = [](Fiber&) -> Result<std::string_view> {
    return Error(ErrorKind::kCancelled, "source is gone");
  };
  EXPECT_EQ(Show(request), "error cancelled: source is gone");
}

TEST_F(HttpClientTest, Redirects) {
  std::string seen;
  StartServer([&](Fiber&, HttpRequest& request, HttpResponse& response) {
    seen += std::string(request.target()) + "[" +
            std::string(request.headers().Get("Authorization")) + "] ";
    const std::string_view path = request.path();
    const auto go = [&](int status, const std::string& location) {
      response.headers().Set("Location", location);
      static_cast<void>(response.Reply(status, "text/plain", "moved").ok());
    };
    if (path == "/a") return go(302, "/b/c");
    if (path == "/b/c") return go(307, "d?x=1");
    if (path == "/b/d" && request.query() == "x=1")
      return go(301, "http://localhost:" + std::to_string(server_->port()) + "/end");
    if (path == "/loop") return go(302, "/loop");
    if (path == "/bad") return go(302, "ftp://x/");
    static_cast<void>(response.Reply(200, "text/plain", "end").ok());
  });
  Client({.follow_redirects = true});
  HttpClientRequest request{.url = UrlFor(server_->port(), "/a")};
  request.headers.Set("Authorization", "Bearer t");
  EXPECT_EQ(Show(request), "200 end");
  // Another host does not get the credentials.
  EXPECT_EQ(seen, "/a[Bearer t] /b/c[Bearer t] /b/d?x=1[Bearer t] /end[] ");
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/loop")}),
              StartsWith("error invalid: stopped after 10 redirects"));
  EXPECT_THAT(Show({.url = UrlFor(server_->port(), "/bad")}),
              StartsWith("error invalid: redirect: URL"));
  EXPECT_EQ(Show({.method = "POST", .url = UrlFor(server_->port(), "/a")}), "302 moved");
  Client();
  EXPECT_EQ(Show({.url = UrlFor(server_->port(), "/a")}), "302 moved");
}

TEST_F(HttpClientTest, ProxyGetsTheWholeUrl) {
  std::string seen;
  ScriptedServer proxy([&](RawSocket& socket, int) {
    seen = socket.ReadUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  Client({.proxy_url = "http://me:pw@127.0.0.1:" + std::to_string(proxy.port())});
  HttpClientRequest request;
  request.url = *Url::Parse("http://engine.invalid:8000/metrics");
  EXPECT_EQ(Show(request), "200 ok");
  EXPECT_THAT(
      seen,
      StartsWith(
          "GET http://engine.invalid:8000/metrics HTTP/1.1\r\nHost: engine.invalid:8000\r\n"));
  EXPECT_THAT(seen, HasSubstr("Proxy-Authorization: Basic bWU6cHc=\r\n"));
}

TEST_F(HttpClientTest, ProxyThatRefusesATunnel) {
  std::string seen;
  ScriptedServer proxy([&](RawSocket& socket, int) {
    seen = socket.ReadUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  Client({.proxy_url = "http://127.0.0.1:" + std::to_string(proxy.port())});
  HttpClientRequest request;
  request.url = *Url::Parse("https://engine.invalid/x");
  EXPECT_EQ(Show(request),
            "error unavailable: proxy refused CONNECT to engine.invalid:443 with status 403");
  EXPECT_THAT(seen,
              StartsWith("CONNECT engine.invalid:443 HTTP/1.1\r\nHost: engine.invalid:443\r\n"));
  Client({.proxy_url = "socks5://127.0.0.1:1"});
  EXPECT_THAT(Show(request), StartsWith("error invalid: proxy: URL"));
}

TEST_F(HttpClientTest, ClientsAndLoopsMayEndInAnyOrder) {
  StartServer([](Fiber&, HttpRequest&, HttpResponse& response) {
    static_cast<void>(response.Reply(200, "text/plain", "x").ok());
  });
  auto loop = std::make_unique<EventLoop>("short");
  Client();
  loop->Spawn([&](Fiber& fiber) {
        const auto reply =
            client_->Fetch(fiber, {.url = UrlFor(server_->port())}, 100, Duration(20'000));
        EXPECT_TRUE(reply);
      })
      .Join();
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 x");
  loop.reset();  // With a connection of the client in its pool.
  EXPECT_EQ(Show({.url = UrlFor(server_->port())}), "200 x");
}

TEST_F(HttpClientTest, FetchBlockingNeedsNoLoop) {
  StartServer([](Fiber&, HttpRequest&, HttpResponse& response) {
    static_cast<void>(response.Reply(200, "text/plain", "x").ok());
  });
  const auto reply = FetchBlocking({.url = UrlFor(server_->port())}, 100, Duration(20'000));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, "x");
}

TEST_F(HttpClientTest, MetricsCountAnswers) {
  StartServer([](Fiber&, HttpRequest& request, HttpResponse& response) {
    static_cast<void>(response.Reply(request.path() == "/" ? 200 : 404, "text/plain", "x").ok());
  });
  Client();
  Show({.url = UrlFor(server_->port())});
  Show({.url = UrlFor(server_->port(), "/no")});
  RawListener closed;
  const std::uint16_t port = closed.port();
  closed.Close();
  Show({.url = UrlFor(port)});
  const auto count = [&](std::string_view code) {
    return registry_
        .GetCounter("sonde_http_client_requests_total", "", {{"client", "test"}, {"code", code}})
        .value();
  };
  EXPECT_EQ(count("200"), 1);
  EXPECT_EQ(count("404"), 1);
  EXPECT_EQ(count("error"), 1);
}

}  // namespace
}  // namespace sonde::net
