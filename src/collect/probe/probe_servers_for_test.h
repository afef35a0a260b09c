#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_server.h"

// A scripted HTTP server on loopback, and what the tests of probes share.

namespace sonde::collect {

/// A request as the server saw it.
struct SeenCall {
  std::string path;
  std::string authorization;
  std::string canary;  ///< The header sonde-canary.
  std::string body;
};
struct FakeReply {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  Duration delay{0};
};

/// Answers paths as it is told; others with 404. Thread-safe.
class FakeServer {
 public:
  using Script = std::function<FakeReply(const SeenCall&)>;

  FakeServer(net::LoopGroup& loops, net::HttpServerOptions options = {})
      : server_(
            loops, std::move(options),
            [this](net::Fiber& f, net::HttpRequest& q, net::HttpResponse& r) { Handle(f, q, r); },
            Logger(sink_, clock_), registry_, "fake") {
    const Status started = server_.Start({"127.0.0.1", 0});
    EXPECT_TRUE(started);
  }
  ~FakeServer() { server_.Stop(Duration(1)); }

  std::uint16_t port() const { return server_.port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  std::string instance() const { return "127.0.0.1:" + std::to_string(port()); }

  void Answer(const std::string& path, Script script) {
    MutexLock lock(mutex_);
    scripts_[path] = std::move(script);
  }
  std::vector<SeenCall> seen() const {
    MutexLock lock(mutex_);
    return seen_;
  }
  /// The most requests that were under way at once.
  int most_at_once() const { return most_; }

 private:
  void Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    const int now = ++under_way_;
    for (int most = most_; now > most && !most_.compare_exchange_weak(most, now);) {
    }
    SeenCall call{std::string(request.target()),
                  std::string(request.headers().Get("Authorization")),
                  std::string(request.headers().Get("sonde-canary")),
                  {}};
    if (auto body = request.ReadBody(1 << 20)) call.body = *std::move(body);
    Script script;
    {
      MutexLock lock(mutex_);
      seen_.push_back(call);
      if (const auto found = scripts_.find(call.path); found != scripts_.end())
        script = found->second;
    }
    const FakeReply reply = script ? script(call) : FakeReply{404, "{}"};
    if (reply.delay > Duration(0)) static_cast<void>(fiber.Sleep(reply.delay).ok());
    --under_way_;
    static_cast<void>(response.Reply(reply.status, reply.type, reply.body).ok());
  }

  mutable Mutex mutex_;
  std::map<std::string, Script> scripts_ GUARDED_BY(mutex_);
  std::vector<SeenCall> seen_ GUARDED_BY(mutex_);
  std::atomic<int> under_way_{0};
  std::atomic<int> most_{0};
  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  net::HttpServer server_;
};

/// What a metric has that is not there.
inline constexpr double kNone = -1e300;

class ProbeTest : public ::testing::Test {
 protected:
  ~ProbeTest() override = default;

  /// Looks every millisecond whether `done`, for at most 20 s.
  static bool WaitFor(const std::function<bool()>& done) {
    for (int i = 0; i < 20'000; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done();
  }
  /// The point whose labels are `labels` ("a=b,c=d", in any order), or kNone. `name` without the
  /// prefix deepseek_, unless it is another.
  double Metric(const std::string& name, const std::string& labels) const {
    const auto all = Metrics(name);
    const auto found = all.find(Sorted(labels));
    return found == all.end() ? kNone : found->second;
  }
  std::map<std::string, double> Metrics(const std::string& name) const {
    std::map<std::string, double> all;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name && family.name != "deepseek_" + name) continue;
      for (const auto& point : family.points) {
        std::string text;
        for (const auto& [label, value] : point.labels)
          text += (text.empty() ? "" : ",") + label + "=" + value;
        all[Sorted(text)] = point.value;
      }
    }
    return all;
  }

  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  ThreadPool pool_{2, "work"};
  net::LoopGroup loops_{2};
  FakeServer server_{loops_};

 private:
  static std::string Sorted(std::string_view labels) {
    std::map<std::string_view, bool> parts;
    while (!labels.empty()) {
      const std::string_view part = labels.substr(0, labels.find(','));
      parts[part] = true;
      labels.remove_prefix(std::min(labels.size(), part.size() + 1));
    }
    std::string out;
    for (const auto& [part, unused] : parts)
      out += (out.empty() ? "" : ",") + std::string(part);
    return out;
  }
};

}  // namespace sonde::collect
