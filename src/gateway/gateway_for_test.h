#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "gateway/gateway.h"
#include "net/http_server.h"
#include "net/raw_socket_for_test.h"

// A gateway on loopback with scripted engines behind it.

namespace sonde::gateway {

/// Looks every millisecond whether `done`, for at most 20 s.
inline bool WaitFor(const std::function<bool()>& done) {
  for (int i = 0; i < 20'000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return done();
}

/// A request as an engine saw it.
struct SeenRequest {
  std::string line;  // "POST /v1/chat/completions?a=b"
  net::Headers headers;
  std::string body;
};

/// An engine that answers GET /v1/models with its list and everything else as it is told.
/// Thread-safe.
class FakeEngine {
 public:
  using Script = std::function<void(net::Fiber&, net::HttpRequest&, net::HttpResponse&)>;

  FakeEngine(net::LoopGroup& loops, std::vector<std::string> models, Script script,
             std::uint16_t port = 0)
      : models_(std::move(models)),
        script_(std::move(script)),
        server_(
            loops, net::HttpServerOptions{.max_body_bytes = 1ULL << 30},
            [this](net::Fiber& f, net::HttpRequest& q, net::HttpResponse& r) { Handle(f, q, r); },
            Logger(sink_, clock_), registry_, "engine") {
    const Status started = server_.Start({"127.0.0.1", port});
    EXPECT_TRUE(started);
  }
  ~FakeEngine() { Stop(); }
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  void Stop() { server_.Stop(Duration(1)); }
  std::uint16_t port() const { return server_.port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  void set_script(Script script) {
    MutexLock lock(mutex_);
    script_ = std::move(script);
  }
  void set_models(std::vector<std::string> models) {
    MutexLock lock(mutex_);
    models_ = std::move(models);
  }
  /// Probes get 503, as from an engine that is loading.
  void set_loading(bool loading) { loading_ = loading; }
  /// Whether GET /health exists; at first it does not.
  void set_has_health(bool has) { has_health_ = has; }
  /// Without the gateway's own probes.
  std::vector<SeenRequest> seen() const {
    MutexLock lock(mutex_);
    return seen_;
  }
  std::uint64_t probes() const {
    MutexLock lock(mutex_);
    return probes_;
  }
  void Note(SeenRequest request) {
    MutexLock lock(mutex_);
    seen_.push_back(std::move(request));
  }

 private:
  void Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (request.target() == "/health" && request.headers().Get("User-Agent") == "Sonde") {
      static_cast<void>(response.Reply(has_health_ ? (loading_ ? 503 : 200) : 404, "", "").ok());
      return;
    }
    if (request.target() == "/v1/models" && request.headers().Get("User-Agent") == "Sonde") {
      static_cast<void>(
          response.Reply(loading_ ? 503 : 200, "application/json", ModelsPage()).ok());
      return;
    }
    Script script;
    {
      MutexLock lock(mutex_);
      script = script_;
    }
    if (script) script(fiber, request, response);
  }
  std::string ModelsPage() {
    MutexLock lock(mutex_);
    ++probes_;
    std::string page = R"({"object":"list","data":[)";
    for (const std::string& model : models_) {
      page += (page.back() == '[' ? "" : ",") +
              (R"({"id":")" + model + R"(","object":"model","created":7,"max_model_len":null})");
    }
    return page + "]}";
  }

  std::atomic<bool> loading_{false};
  std::atomic<bool> has_health_{false};
  mutable Mutex mutex_;
  std::vector<std::string> models_ GUARDED_BY(mutex_);
  Script script_ GUARDED_BY(mutex_);
  std::vector<SeenRequest> seen_ GUARDED_BY(mutex_);
  std::uint64_t probes_ GUARDED_BY(mutex_) = 0;
  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  net::HttpServer server_;
};

/// Reads the whole request, notes it with `engine`, and answers with `body`.
inline FakeEngine::Script Answer(FakeEngine*& engine, int status, std::string type,
                                 std::string body) {
  return [&engine, status, type = std::move(type), body = std::move(body)](
             net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
    auto text = request.ReadBody(1ULL << 30);
    if (!text) return;
    engine->Note({std::string(request.method()) + " " + std::string(request.target()),
                  request.headers(), *text});
    static_cast<void>(response.Reply(status, type, body).ok());
  };
}

inline std::string Event(std::string_view data) {
  return "data: " + std::string(data) + "\n\n";
}
inline std::string Chunk(std::string_view content) {
  return Event(R"({"choices":[{"index":0,"delta":{"content":")" + std::string(content) +
               R"("},"finish_reason":null}]})");
}
inline const std::string kRoleChunk =
    Event(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})");
inline const std::string kStopChunk =
    Event(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
inline const std::string kDoneEvent = Event("[DONE]");
inline constexpr std::string_view kChat = "/v1/chat/completions";

class GatewayTest : public ::testing::Test {
 protected:
  ~GatewayTest() override {
    if (gateway_ != nullptr) gateway_->Stop(Duration(1));
    engines_.clear();
    loops_.Stop();
  }

  /// A new engine; its script answers with 200 and an empty chat completion.
  FakeEngine& AddEngine(std::vector<std::string> models = {"m"}, std::uint16_t port = 0) {
    auto cell = std::make_unique<FakeEngine*>(nullptr);
    engines_.push_back(std::make_unique<FakeEngine>(loops_, std::move(models), nullptr, port));
    *cell = engines_.back().get();
    engines_.back()->set_script(Answer(
        *cell, 200, "application/json",
        R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}})"));
    cells_.push_back(std::move(cell));
    return *engines_.back();
  }
  /// A script that answers for `engine`.
  FakeEngine::Script Reply(FakeEngine& engine, int status, std::string type, std::string body) {
    cells_.push_back(std::make_unique<FakeEngine*>(&engine));
    return Answer(*cells_.back(), status, std::move(type), std::move(body));
  }
  /// A script that streams `pieces`, chunked, at once.
  static FakeEngine::Script Stream(std::vector<std::string> pieces) {
    return [pieces = std::move(pieces)](net::Fiber&, net::HttpRequest& request,
                                        net::HttpResponse& response) {
      if (!request.ReadBody(1 << 20)) return;
      response.headers().Set("Content-Type", "text/event-stream; charset=utf-8");
      if (!response.Start(200)) return;
      for (const std::string& piece : pieces) {
        if (!response.Write(piece)) return;
      }
      static_cast<void>(response.Finish().ok());
    };
  }

  GatewayOptions Options() const {
    GatewayOptions options;
    options.listen_address = "127.0.0.1:0";
    options.probe_interval = Duration(20);
    for (const auto& engine : engines_) {
      options.upstreams.push_back({.url = engine->url()});
    }
    return options;
  }
  /// Starts with all engines, and waits until their models are known.
  void Start() { Start(Options()); }
  void Start(const GatewayOptions& options, bool wait = true) {
    auto gateway = Gateway::Create(loops_, options, clock_, Logger(sink_, clock_, LogLevel::kDebug),
                                   registry_);
    ASSERT_TRUE(gateway) << gateway.error().message();
    gateway_ = *std::move(gateway);
    const Status started = gateway_->Start();
    ASSERT_TRUE(started) << started.error().message();
    if (wait) WaitForModels();
  }
  void WaitForModels() {
    EXPECT_TRUE(WaitFor([&] {
      return std::ranges::all_of(gateway_->Upstreams(),
                                 [](const auto& u) { return u.up && !u.models.empty(); });
    }));
  }

  net::RawSocket Connect() { return net::RawSocket::Connect(gateway_->port()); }
  static std::string Post(std::string_view path, std::string_view body,
                          std::string_view more = "") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: g\r\nConnection: close\r\n" +
           std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }
  static std::string Get(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n";
  }
  /// Sends a request that closes, gives all of the answer.
  std::string Ask(std::string_view request) {
    net::RawSocket socket = Connect();
    socket.Send(request);
    return socket.ReadToEnd();
  }
  static std::string BodyOf(const std::string& answer) {
    const std::size_t at = answer.find("\r\n\r\n");
    if (at == std::string::npos) return "no body in: " + answer;
    std::string body = answer.substr(at + 4);
    if (answer.find("Transfer-Encoding: chunked") > at) return body;
    return Unchunk(body);
  }
  /// The content of a chunked body; "<cut>" behind one that is not whole.
  static std::string Unchunk(std::string_view body) {
    std::string out;
    while (true) {
      const std::size_t line = body.find("\r\n");
      if (line == std::string_view::npos) return out + "<cut>";
      const std::size_t size = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
      body.remove_prefix(line + 2);
      if (size == 0) return out;
      if (body.size() < size + 2) return out + std::string(body) + "<cut>";
      out += body.substr(0, size);
      body.remove_prefix(size + 2);
    }
  }

  using Match = std::map<std::string, std::string>;
  /// The sum of a family's points whose labels include `match`: values, or counts of histograms;
  /// without the prefix.
  double Metric(const std::string& name, const Match& match = {}) const {
    double sum = 0;
    ForPoints(name, match, [&](const instrument::Point& point) {
      if (point.histogram == nullptr) {
        sum += point.value;
        return;
      }
      for (const std::uint64_t count : point.histogram->counts()) {
        sum += static_cast<double>(count);
      }
    });
    return sum;
  }
  double HistogramSum(const std::string& name, const Match& match = {}) const {
    double sum = 0;
    ForPoints(name, match, [&](const instrument::Point& point) { sum += point.histogram->sum(); });
    return sum;
  }
  /// A request is counted after its last byte: waits for it.
  bool Counted(double requests) {
    return WaitFor(
        [&] { return Metric("requests_total") >= requests && Metric("requests_running") == 0; });
  }
  /// The labels of the points of a family: "code=200 finish_reason=stop model=m … 1".
  std::vector<std::string> Points(const std::string& name) const {
    std::vector<std::string> all;
    ForPoints(name, {}, [&](const instrument::Point& point) {
      std::string text;
      for (const auto& [label, value] :
           std::map<std::string, std::string>(point.labels.begin(), point.labels.end())) {
        text += label + "=" + value + " ";
      }
      if (point.histogram == nullptr) text += std::to_string(static_cast<long long>(point.value));
      all.push_back(text);
    });
    return all;
  }

  // For scripts, which may outlive the test's body.
  std::atomic<std::uint64_t> number_{0};
  std::atomic<bool> flag_{false};
  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  net::LoopGroup loops_{2};
  std::vector<std::unique_ptr<FakeEngine*>> cells_;
  std::vector<std::unique_ptr<FakeEngine>> engines_;
  std::unique_ptr<Gateway> gateway_;

 private:
  void ForPoints(const std::string& name, const Match& match,
                 const std::function<void(const instrument::Point&)>& visit) const {
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != "deepseek_" + name) continue;
      for (const auto& point : family.points) {
        const std::map<std::string, std::string> labels(point.labels.begin(), point.labels.end());
        const bool fits = std::ranges::all_of(match, [&](const auto& pair) {
          const auto it = labels.find(pair.first);
          return it != labels.end() && it->second == pair.second;
        });
        if (fits) visit(point);
      }
    }
  }
};

}  // namespace sonde::gateway
