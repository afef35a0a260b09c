#include "collect/engine/engine_finder.h"

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server.h"

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;

/// A server that answers like a vLLM engine, on loopback.
class FakeEngine {
 public:
  FakeEngine(net::LoopGroup& loops, const Logger& logger, instrument::Registry& registry)
      : server_(
            loops, net::HttpServerOptions{},
            [](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
              std::string body;
              if (request.path() == "/base/v1/models") {
                body = R"({"object":"list","data":[{"id":"deepseek-v3","owned_by":"vllm"}]})";
              } else if (request.path() == "/base/metrics") {
                body = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n";
              } else if (request.path() == "/base/version") {
                body = R"({"version":"0.11.2"})";
              }
              const int status = body.empty() ? 404 : 200;
              (void)response.Reply(status, "application/json", std::move(body)).ok();
            },
            logger, registry, "fake") {
    EXPECT_TRUE(server_.Start({"127.0.0.1", 0}).ok());
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(server_.port()) + "/base/";
  }
  void Stop() { server_.Stop(Duration(0)); }

 private:
  net::HttpServer server_;
};

TEST(EngineFinder, FindsLosesAndTells) {
  SystemClock clock;
  MemorySink sink;
  const Logger logger(sink, clock);
  instrument::Registry registry;
  net::LoopGroup loops(1);
  net::HttpClient client(net::HttpClientOptions{}, registry, "finder");
  FakeEngine engine(loops, logger, registry);
  EngineFinderOptions options;
  options.urls = {engine.url()};
  options.autodetect = false;
  options.interval = Duration(20);
  Mutex mutex;
  CondVar changed;
  std::vector<FoundEngine> told;
  EngineFinder finder(options, loops.at(0), client, clock, logger, registry);
  ASSERT_EQ(finder.engines().size(), 1U);
  EXPECT_FALSE(finder.engines()[0].up);
  finder.Start([&](const std::vector<FoundEngine>& engines) {
    MutexLock lock(mutex);
    told = engines;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (told.empty())
      changed.Wait(mutex);
  }
  ASSERT_EQ(finder.engines().size(), 1U);
  const FoundEngine found = finder.engines()[0];
  EXPECT_TRUE(found.up);
  EXPECT_TRUE(found.configured);
  EXPECT_EQ(found.identity, (EngineIdentity{"vllm", "0.11.2", {"deepseek-v3"}, "/metrics", true}));
  EXPECT_THAT(sink.text(), HasSubstr("found an inference engine"));

  engine.Stop();
  {
    MutexLock lock(mutex);
    while (told[0].up)
      changed.Wait(mutex);
  }
  EXPECT_THAT(sink.text(), HasSubstr("an inference engine does not answer"));
  bool shown = false;
  for (const instrument::FamilySnapshot& family : registry.Snapshot()) {
    if (family.name != "sonde_engine_up") continue;
    ASSERT_EQ(family.points.size(), 1U);
    EXPECT_EQ(family.points[0].value, 0);
    shown = true;
  }
  EXPECT_TRUE(shown);
  finder.Stop();
  finder.Stop();
  loops.Stop();
}

TEST(EngineFinder, StopsWhileAProbeHangs) {
  SystemClock clock;
  MemorySink sink;
  const Logger logger(sink, clock);
  instrument::Registry registry;
  net::LoopGroup loops(1);
  net::HttpClient client(net::HttpClientOptions{}, registry, "finder");
  std::atomic<bool> asked{false};
  net::HttpServer server(
      loops, net::HttpServerOptions{},
      [&](net::Fiber& fiber, net::HttpRequest&, net::HttpResponse&) {
        asked = true;
        (void)fiber.Sleep(Duration(3'600'000)).ok();
      },
      logger, registry, "deaf");
  ASSERT_TRUE(server.Start({"127.0.0.1", 0}).ok());
  EngineFinderOptions options;
  options.urls = {"http://127.0.0.1:" + std::to_string(server.port())};
  options.autodetect = false;
  options.timeout = Duration(3'600'000);
  EngineFinder finder(options, loops.at(0), client, clock, logger, registry);
  finder.Start({});
  while (!asked)
    std::this_thread::yield();
  finder.Stop();
  EXPECT_FALSE(finder.engines()[0].up);
  server.Stop(Duration(0));
  loops.Stop();
}

}  // namespace
}  // namespace sonde::collect
