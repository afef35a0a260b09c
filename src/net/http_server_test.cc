#include "net/http_server.h"

#include <atomic>
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
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "net/raw_socket_for_test.h"

namespace sonde::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Set once, waited for; across threads.
class Event {
 public:
  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  bool Wait() {
    MutexLock lock(mutex_);
    for (int i = 0; i < 200 && !set_; ++i) {
      changed_.WaitFor(mutex_, Duration(100));
    }
    return set_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ GUARDED_BY(mutex_) = false;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpHandler handler, HttpServerOptions options = {}, std::size_t loops = 1) {
    loops_ = std::make_unique<LoopGroup>(loops);
    server_ =
        std::make_unique<HttpServer>(*loops_, std::move(options), std::move(handler),
                                     Logger(sink_, clock_, LogLevel::kDebug), registry_, "test");
    const Status started = server_->Start({"127.0.0.1", 0});
    ASSERT_TRUE(started) << started.error().message();
    ASSERT_NE(server_->port(), 0);
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Stop(Duration(1));
  }

  RawSocket Connect() { return RawSocket::Connect(server_->port()); }
  /// Sends `request` on a new connection, gives all that comes until it is closed.
  std::string Ask(std::string_view request) {
    RawSocket socket = Connect();
    socket.Send(request);
    return socket.ReadToEnd();
  }
  double Metric(std::string_view name, std::string_view label = "", std::string_view value = "") {
    double sum = 0;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name) continue;
      for (const auto& point : family.points) {
        bool match = label.empty();
        for (const auto& [n, v] : point.labels) {
          match |= n == label && v == value;
        }
        if (match) sum += point.value;
      }
    }
    return sum;
  }

  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  std::unique_ptr<LoopGroup> loops_;
  std::unique_ptr<HttpServer> server_;
};

/// Answers with what it saw: "METHOD path?query body".
void Echo(Fiber&, HttpRequest& request, HttpResponse& response) {
  auto body = request.ReadBody(1 << 20);
  if (!body) return;  // The server answers with the right status.
  std::string text = std::string(request.method()) + " " + std::string(request.path());
  if (!request.query().empty()) text += "?" + std::string(request.query());
  static_cast<void>(response.Reply(200, "text/plain", text + " " + *body).ok());
}

std::string BodyOf(const std::string& answer) {
  const std::size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? "no body in: " + answer : answer.substr(at + 4);
}

TEST_F(HttpServerTest, AnswersAndCloses) {
  Start(&Echo);
  const std::string answer = Ask("GET /a?b=c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 11\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nDate: "));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(BodyOf(answer), "GET /a?b=c ");
  server_->Stop();
  EXPECT_EQ(Metric("sonde_http_requests_total", "code", "200"), 1);
  EXPECT_EQ(Metric("sonde_http_requests_in_flight"), 0);
}

TEST_F(HttpServerTest, KeepsConnectionsAlive) {
  Start(&Echo);
  RawSocket socket = Connect();
  for (int i = 0; i < 5; ++i) {
    socket.Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(socket.ReadUntil("POST /x hi"), HasSubstr("200 OK"));
  }
  server_->Stop();  // A request is counted after its answer.
  EXPECT_EQ(Metric("sonde_http_connections_accepted_total"), 1);
  EXPECT_EQ(Metric("sonde_http_requests_total"), 5);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start(&Echo);
  const std::string answer = Ask(
      "\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::size_t one = answer.find("GET /1 ");
  const std::size_t two = answer.find("POST /2 abc");
  const std::size_t three = answer.find("GET /3 ");
  ASSERT_NE(three, std::string::npos) << answer;
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
}

TEST_F(HttpServerTest, OldClients) {
  Start(&Echo);
  EXPECT_THAT(Ask("GET / HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close"));
  RawSocket socket = Connect();
  socket.Send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(socket.ReadUntil("GET /1 "), HasSubstr("Connection: keep-alive"));
  socket.Send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(socket.ReadToEnd(), EndsWith("GET /2 "));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start(&Echo);
  const std::string answer = Ask("HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_EQ(BodyOf(answer), "");
}

TEST_F(HttpServerTest, AClientThatClosesItsHalfStillGetsItsAnswer) {
  Start(&Echo);
  RawSocket socket = Connect();
  socket.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  socket.ShutdownWrite();
  EXPECT_THAT(socket.ReadToEnd(), EndsWith("GET /a "));
}

TEST_F(HttpServerTest, MalformedRequestsAreRefused) {
  Start(&Echo);
  const auto status = [&](std::string_view request) { return Ask(request).substr(9, 3); };
  EXPECT_EQ(status("GARBAGE\r\n\r\n"), "400");
  EXPECT_EQ(status("GET / HTTP/1.1\nHost: h\n\n"), "400");
  EXPECT_EQ(
      status(
          "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      "400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "400");
  EXPECT_EQ(
      status(
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
      "400");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"), "501");
  EXPECT_EQ(status("GET / HTTP/2.0\r\n\r\n"), "505");
  EXPECT_EQ(status("GET /" + std::string(70'000, 'x') + " HTTP/1.1\r\n\r\n"), "414");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"),
            "431");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2'000'000, 'x')), "431");
  EXPECT_GE(Metric("sonde_http_rejected_total", "reason", "malformed"), 5);
  EXPECT_EQ(Metric("sonde_http_rejected_total", "reason", "header_too_large"), 3);
}

TEST_F(HttpServerTest, NothingAfterABadRequestIsRead) {
  Start(&Echo);
  const std::string answer =
      Ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
          "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(answer, Not(HasSubstr("smuggled")));
}

TEST_F(HttpServerTest, SlowHeadersTimeOut) {
  Start(&Echo, {.header_timeout = Duration(5)});
  RawSocket socket = Connect();
  socket.Send("GET / HT");
  EXPECT_THAT(socket.ReadToEnd(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(Ask(""), "");  // Nothing at all: closed without a word.
  EXPECT_EQ(Metric("sonde_http_rejected_total", "reason", "header_timeout"), 1);
}

TEST_F(HttpServerTest, SlowBodiesTimeOut) {
  Start(&Echo, {.body_timeout = Duration(5)});
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe"),
              StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(Metric("sonde_http_rejected_total", "reason", "body_timeout"), 1);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  Start(&Echo, {.idle_timeout = Duration(5)});
  RawSocket socket = Connect();
  socket.Send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(socket.ReadToEnd(), EndsWith("GET /x "));
}

TEST_F(HttpServerTest, AClientThatTakesNothingIsGone) {
  Event ended;
  ErrorKind kind = ErrorKind::kInvalid;
  Start(
      [&](Fiber&, HttpRequest&, HttpResponse& response) {
        Status status = response.Start(200);
        const std::string piece(1 << 20, 'x');
        while (status) {
          status = response.Write(piece);
        }
        kind = status.error().kind();
        ended.Set();
      },
      {.write_timeout = Duration(5)});
  RawSocket socket = RawSocket::Connect(server_->port(), 4096);
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(ended.Wait());
  EXPECT_EQ(kind, ErrorKind::kCancelled);
}

TEST_F(HttpServerTest, LargeBodiesAreRefusedUnread) {
  std::atomic<bool> saw_limit{false};
  Start([&](Fiber&, HttpRequest& request, HttpResponse&) {
    const auto body = request.ReadBody(1000);
    saw_limit = !body && body.error().kind() == ErrorKind::kLimit;
  });
  RawSocket socket = Connect();
  socket.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n");
  // The whole 100 MB go nowhere, and the answer still arrives.
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 100; ++i) {
    if (!socket.Send(block)) break;
  }
  EXPECT_THAT(socket.ReadToEnd(), StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(saw_limit);
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
                  std::string(2000, 'x')),
              StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, ExpectContinue) {
  Start([](Fiber& fiber, HttpRequest& request, HttpResponse& response) {
    if (request.path() == "/no") {
      static_cast<void>(response.Reply(403, "text/plain", "no").ok());
    } else {
      Echo(fiber, request, response);
    }
  });
  RawSocket socket = Connect();
  socket.Send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(socket.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.Send("hi");
  EXPECT_THAT(socket.ReadUntil("POST /a hi"), StartsWith("HTTP/1.1 200"));
  // Refused without the body: it is not asked for, and the connection ends.
  socket.Send("POST /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  const std::string answer = socket.ReadToEnd();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, WhatAHandlerLeavesUnreadIsSkipped) {
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    static_cast<void>(response.Reply(200, "text/plain", std::string(request.path())).ok());
  });
  RawSocket socket = Connect();
  socket.Send(
      "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloPOST /2 HTTP/1.1\r\nHost: h\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_THAT(socket.ReadUntil("/1"), Not(HasSubstr("Connection: close")));
  EXPECT_THAT(socket.ReadUntil("/2"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, StreamsBothWays) {
  // Each piece goes back as soon as it has come.
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    ASSERT_TRUE(response.Start(200));
    while (true) {
      const auto piece = request.ReadSome();
      ASSERT_TRUE(piece);
      if (piece->empty()) break;
      ASSERT_TRUE(response.Write(*piece));
    }
    ASSERT_TRUE(response.Finish());
  });
  RawSocket socket = Connect();
  socket.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_THAT(socket.ReadUntil("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked"));
  for (const std::string word : {"one", "two", "three"}) {
    const std::string chunk = std::to_string(word.size()) + "\r\n" + word + "\r\n";
    socket.Send(chunk);
    EXPECT_EQ(socket.ReadUntil(word + "\r\n"), chunk);
  }
  socket.Send("0\r\n\r\n");
  EXPECT_EQ(socket.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");
}

TEST_F(HttpServerTest, AnAnnouncedLengthIsKept) {
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    response.headers().Set("Content-Length", "5");
    static_cast<void>(response.Start(200).ok());
    static_cast<void>(response.Write(request.path() == "/long" ? "hello, world" : "hel").ok());
    static_cast<void>(response.Finish().ok());
  });
  RawSocket socket = Connect();
  socket.Send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadUntil("hello")), "hello");
  socket.Send(
      "GET /short HTTP/1.1\r\nHost: h\r\n\r\n");  // Closed, as the client waits for two bytes more.
  EXPECT_EQ(BodyOf(socket.ReadToEnd()), "hel");
}

TEST_F(HttpServerTest, HandlersThatForgetOrGiveUp) {
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    if (request.path() == "/forgets") return;
    static_cast<void>(response.Start(200).ok());
    static_cast<void>(response.Write("half").ok());
  });
  EXPECT_THAT(Ask("GET /forgets HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(sink_.text(), HasSubstr("a handler gave no answer"));
  // No last chunk: the client sees that the answer was cut.
  EXPECT_THAT(Ask("GET /stops HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("4\r\nhalf\r\n"));
}

TEST_F(HttpServerTest, LineEndsInHeaderValuesCannotEscape) {
  Start([](Fiber&, HttpRequest&, HttpResponse& response) {
    response.headers().Set("X-Echo", "a\r\nInjected: yes");
    response.headers().Set("Bad Name", "x");
    static_cast<void>(response.Reply(200, "text/plain", "").ok());
  });
  const std::string answer = Ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("X-Echo: a  Injected: yes\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Bad Name")));
}

TEST_F(HttpServerTest, CompressesWhatPays) {
  const std::string text(5000, 'x');
  Start([&](Fiber&, HttpRequest& request, HttpResponse& response) {
    static_cast<void>(response
                          .Reply(200, request.path() == "/png" ? "image/png" : "application/json",
                                 request.path() == "/short" ? "x" : text)
                          .ok());
  });
  const auto get = [&](const std::string& path, const std::string& accept) {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept-Encoding: " +
               accept + "\r\n\r\n");
  };
  std::string plain;
  const std::string gzip = get("/", "gzip, deflate");
  EXPECT_THAT(gzip, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_THAT(gzip, HasSubstr("Vary: Accept-Encoding\r\n"));
  ASSERT_TRUE(GzipDecompress(BodyOf(gzip), 10'000, plain));
  EXPECT_EQ(plain, text);
  const std::string zstd = get("/", "gzip, zstd");
  EXPECT_THAT(zstd, HasSubstr("Content-Encoding: zstd\r\n"));
  ASSERT_TRUE(ZstdDecompress(BodyOf(zstd), 10'000, plain));
  EXPECT_EQ(plain, text);
  EXPECT_THAT(get("/", "zstd;q=0.1, gzip;q=0.9"), HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_THAT(get("/", "*"), HasSubstr("Content-Encoding: zstd\r\n"));
  EXPECT_THAT(get("/", "gzip;q=0, zstd;q=0"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(get("/", "identity"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(get("/short", "gzip"), Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(get("/png", "gzip"), Not(HasSubstr("Content-Encoding")));
}

TEST_F(HttpServerTest, DecodesRequestBodies) {
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    const auto body = request.ReadBody(100'000);
    if (body)
      static_cast<void>(response.Reply(200, "text/plain", std::to_string(body->size())).ok());
  });
  const auto post = [&](const std::string& encoding, const std::string& body) {
    return Ask("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Encoding: " + encoding +
               "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  const std::string text(50'000, 'x');
  const std::string bomb(5'000'000, 'x');
  std::string packed;
  GzipCompress(text, packed);
  EXPECT_EQ(BodyOf(post("gzip", packed)), "50000");
  EXPECT_THAT(post("gzip", packed.substr(0, packed.size() / 2)), StartsWith("HTTP/1.1 400"));
  packed.clear();
  ZstdCompress(text, packed);
  EXPECT_EQ(BodyOf(post("zstd", packed)), "50000");
  EXPECT_EQ(BodyOf(post("snappy", "raw bytes")), "9");  // Not ours to decode.
  packed.clear();
  ZstdCompress(bomb, packed);
  EXPECT_THAT(post("zstd", packed), StartsWith("HTTP/1.1 413"));
  packed.clear();
  GzipCompress(bomb, packed);
  EXPECT_THAT(post("gzip", packed), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(post("gzip", "not gzip at all"), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, LongBodiesOfKnownLength) {
  Start([](Fiber&, HttpRequest& request, HttpResponse& response) {
    auto body = request.ReadBody(10'000'000);
    ASSERT_TRUE(body);
    static_cast<void>(response.Reply(200, "application/octet-stream", *std::move(body)).ok());
  });
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) {
    body += std::to_string(i);
  }
  RawSocket socket = Connect();
  socket.Send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  socket.Send(body);
  EXPECT_EQ(BodyOf(socket.ReadToEnd()), body);
}

TEST_F(HttpServerTest, ADisconnectIsNoticedAtOnce) {
  Event waiting;
  Event gone;
  Event ended;
  ErrorKind kind = ErrorKind::kInvalid;
  Start([&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    bool left = false;
    response.OnDisconnect([&] {
      left = true;
      gone.Set();
    });
    waiting.Set();
    while (!left && fiber.Sleep(Duration(1))) {
    }
    Status status = response.Start(200);
    while (status && fiber.Sleep(Duration(1))) {
      status = response.Write("x");
    }
    kind = status ? ErrorKind::kInvalid : status.error().kind();
    ended.Set();
  });
  RawSocket socket = Connect();
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /pipelined HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(waiting.Wait());
  socket.Close();
  EXPECT_TRUE(gone.Wait());
  ASSERT_TRUE(ended.Wait());
  EXPECT_EQ(kind, ErrorKind::kCancelled);
}

TEST_F(HttpServerTest, PipelinedBytesAreNoDisconnect) {
  std::atomic<int> disconnects{0};
  Start([&](Fiber& fiber, HttpRequest& request, HttpResponse& response) {
    response.OnDisconnect([&] { ++disconnects; });
    EXPECT_TRUE(fiber.Sleep(Duration(2)).ok());
    static_cast<void>(response.Reply(200, "text/plain", std::string(request.path())).ok());
  });
  RawSocket socket = Connect();
  socket.Send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
  socket.Send("GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(socket.ReadUntil("/one"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(socket.ReadUntil("/two"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(disconnects, 0);
}

TEST_F(HttpServerTest, TooManyConnectionsGetA503) {
  Start(&Echo, {.max_connections = 2});
  RawSocket one = Connect();
  RawSocket two = Connect();
  for (RawSocket* socket : {&one, &two}) {
    socket->Send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(socket->ReadUntil("GET /x "), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(Metric("sonde_http_rejected_total", "reason", "too_many_connections"), 1);
  one.Close();
  // The place is free again, as soon as the server has seen it.
  std::string answer;
  for (int i = 0; i < 1000 && answer.find("200 OK") == std::string::npos; ++i) {
    answer = Ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, StopLetsRunningRequestsFinish) {
  Event started;
  Event may_end;
  Start([&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    started.Set();
    ThreadPool pool(1, "work");
    fiber.Await(pool, [&] { may_end.Wait(); });
    static_cast<void>(response.Reply(200, "text/plain", "finished").ok());
  });
  RawSocket idle = Connect();
  RawSocket socket = Connect();
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(started.Wait());
  std::thread stopper([&] { server_->Stop(Duration(20'000)); });
  EXPECT_EQ(idle.ReadToEnd(), "");  // Idle ones are closed at once.
  may_end.Set();
  const std::string answer = socket.ReadToEnd();
  EXPECT_THAT(answer, EndsWith("finished"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  stopper.join();
}

TEST_F(HttpServerTest, StopCancelsWhatDoesNotEnd) {
  Event started;
  std::atomic<int> cancelled{0};
  Start([&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    static_cast<void>(response.Start(200).ok());
    started.Set();
    while (response.Write("tick\n").ok() && fiber.Sleep(Duration(1)).ok()) {
    }
    cancelled += fiber.cancelled() ? 1 : 0;
  });
  RawSocket socket = Connect();
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(started.Wait());
  server_->Stop(Duration(2));
  EXPECT_EQ(cancelled, 1);
  EXPECT_THAT(socket.ReadToEnd(), Not(EndsWith("0\r\n\r\n")));
}

TEST_F(HttpServerTest, LoopsMayStopBeforeTheServer) {
  Start(&Echo, {}, 2);
  RawSocket socket = Connect();
  socket.Send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(socket.ReadUntil("GET /x "), StartsWith("HTTP/1.1 200"));
  loops_->Stop();
  EXPECT_EQ(socket.ReadToEnd(), "");
  server_->Stop();
}

TEST_F(HttpServerTest, TheAddressMustBeFree) {
  Start(&Echo);
  HttpServer second(*loops_, {}, &Echo, Logger(sink_, clock_), registry_, "second");
  const Status status = second.Start({"127.0.0.1", server_->port()});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind(), ErrorKind::kUnavailable);
  EXPECT_THAT(status.error().message(), HasSubstr("address already in use"));
  EXPECT_EQ(second.Start({"no.such.host", 0}).error().kind(), ErrorKind::kInvalid);
}

TEST_F(HttpServerTest, ManyConnectionsOnSeveralLoops) {
  Start(&Echo, {}, 3);
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 100; ++i) {
    sockets.push_back(Connect());
  }
  for (int round = 0; round < 3; ++round) {
    for (RawSocket& socket : sockets) {
      socket.Send("POST /r HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    }
    for (RawSocket& socket : sockets) {
      EXPECT_THAT(socket.ReadUntil("POST /r x"), StartsWith("HTTP/1.1 200"));
    }
  }
  EXPECT_EQ(Metric("sonde_http_connections"), 100);
  server_->Stop();
  EXPECT_EQ(Metric("sonde_http_requests_total"), 300);
  EXPECT_EQ(Metric("sonde_http_connections"), 0);
}

TEST_F(HttpServerTest, RequestsKnowTheirTimesAndPeer) {
  std::string peer;
  bool ordered = false;
  std::optional<std::uint64_t> length;
  Start([&](Fiber&, HttpRequest& request, HttpResponse& response) {
    peer = request.remote_address();
    length = request.content_length();
    const std::int64_t before = request.received_nanos();
    static_cast<void>(request.ReadBody(100).ok());
    const std::int64_t after = request.received_nanos();
    static_cast<void>(response.Reply(200, "text/plain", "x").ok());
    ordered = before > 0 && before <= after && after <= response.written_nanos();
  });
  Ask("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  server_->Stop();
  EXPECT_THAT(peer, StartsWith("127.0.0.1:"));
  EXPECT_TRUE(ordered);
  EXPECT_EQ(length, 3U);
}

}  // namespace
}  // namespace sonde::net
