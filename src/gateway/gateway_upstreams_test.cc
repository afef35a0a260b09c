#include "gateway/gateway_for_test.h"

// Which engine gets a request, what happens if it cannot have it, cold starts, and new settings
// under load.

namespace sonde::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// A port on which nobody listens.
std::uint16_t FreePort() {
  const net::RawListener listener;
  return listener.port();
}

std::string ChatFor(std::string_view model) {
  return R"({"model":")" + std::string(model) + "\"}";
}

TEST_F(GatewayTest, RoutesByModel) {
  FakeEngine& one = AddEngine({"x", "shared"});
  FakeEngine& two = AddEngine({"y", "shared"});
  Start();
  for (int i = 0; i < 4; ++i) {
    Ask(Post(kChat, ChatFor("x")));
    Ask(Post("/v1/embeddings", ChatFor("y")));
    Ask(Get("/v1/models/y"));
  }
  EXPECT_EQ(one.seen().size(), 4U);
  EXPECT_EQ(two.seen().size(), 8U);
  for (int i = 0; i < 10; ++i) {
    Ask(Post(kChat, ChatFor("shared")));
  }
  EXPECT_GT(one.seen().size(), 4U);
  EXPECT_GT(two.seen().size(), 8U);
}

TEST_F(GatewayTest, ConfiguredModelsAreExactlyThese) {
  FakeEngine& engine = AddEngine({"real"});
  GatewayOptions options = Options();
  options.upstreams[0].models = {"b", "a"};
  Start(options);
  EXPECT_THAT(Ask(Post(kChat, ChatFor("a"))), StartsWith("HTTP/1.1 200 "));
  const std::string answer = Ask(Post(kChat, ChatFor("real")));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answer, HasSubstr("\"code\":\"model_not_found\""));
  EXPECT_EQ(engine.seen().size(), 1U);
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "client_error"}, {"code", "404"}}), 1);
}

TEST_F(GatewayTest, WeightsShareTheLoad) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  const auto hold = [&](FakeEngine& engine) {
    engine.set_script([&, e = &engine](net::Fiber& fiber, net::HttpRequest& request,
                                       net::HttpResponse& response) {
      if (!request.ReadBody(1 << 20)) return;
      e->Note({});
      while (!flag_ && fiber.Sleep(Duration(1))) {
      }
      static_cast<void>(response.Reply(200, "application/json", "{}").ok());
    });
  };
  hold(one);
  hold(two);
  GatewayOptions options = Options();
  options.upstreams[0].weight = 3;
  Start(options);
  std::vector<net::RawSocket> clients;
  for (std::size_t i = 1; i <= 40; ++i) {
    clients.push_back(Connect());
    clients.back().Send(Post(kChat, ChatFor("m")));
    ASSERT_TRUE(WaitFor([&] { return one.seen().size() + two.seen().size() == i; }));
  }
  EXPECT_EQ(one.seen().size(), 30U);
  EXPECT_EQ(two.seen().size(), 10U);
  EXPECT_EQ(gateway_->Upstreams()[0].outstanding, 30U);
  flag_ = true;
  for (net::RawSocket& client : clients) {
    client.ReadToEnd();
  }
  EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].outstanding == 0; }));
}

TEST_F(GatewayTest, ListsTheModelsOfAllUpstreams) {
  AddEngine({"b", "shared"});
  AddEngine({"c", "shared"});
  AddEngine({"x"});
  GatewayOptions options = Options();
  options.upstreams[2].models = {"a"};
  options.upstreams[2].name = "third";
  Start(options);
  const std::string answer = Ask(Get("/v1/models"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(BodyOf(answer),
            R"({"object":"list","data":[{"id":"a","object":"model","owned_by":"third"},)"
            R"({"id":"b","object":"model","created":7,"max_model_len":null},)"
            R"({"id":"c","object":"model","created":7,"max_model_len":null},)"
            R"({"id":"shared","object":"model","created":7,"max_model_len":null}]})");
}

TEST_F(GatewayTest, TheOnlyUpstreamListsItsModelsItself) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(engine, 401, "application/json", "whose key is this?"));
  Start();
  EXPECT_THAT(Ask(Get("/v1/models")), HasSubstr("whose key is this?"));
}

TEST_F(GatewayTest, AnUpstreamThatRefusesIsPassedOver) {
  FakeEngine& engine = AddEngine();
  GatewayOptions options = Options();
  options.upstreams.insert(
      options.upstreams.begin(),
      {.name = "gone", .url = "http://127.0.0.1:" + std::to_string(FreePort()), .models = {"m"}});
  options.probe_interval = Duration(600'000);
  Start(options, false);
  for (int i = 0; i < 6; ++i) {
    ASSERT_THAT(Ask(Post(kChat, ChatFor("m"))), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(engine.seen().size(), 6U);
  EXPECT_TRUE(gateway_->Upstreams()[0].ejected);
  EXPECT_FALSE(gateway_->Upstreams()[0].up);
  EXPECT_NE(gateway_->Upstreams()[0].last_error, "");
  EXPECT_EQ(Metric("upstream_up", {{"instance", "gone"}}), 0);
  EXPECT_TRUE(WaitFor([&] { return Metric("upstream_up") == 1; }));
}

TEST_F(GatewayTest, NobodyCanBeReached) {
  GatewayOptions options = Options();
  options.upstreams = {{.url = "http://127.0.0.1:" + std::to_string(FreePort()), .models = {"m"}}};
  Start(options, false);
  const std::string answer = Ask(Post(kChat, ChatFor("m")));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer,
              HasSubstr(R"("type":"upstream_error","param":null,"code":"upstream_unavailable"}})"));
  EXPECT_THAT(Ask(Get("/v1/models")), StartsWith("HTTP/1.1 502 "));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}, {"code", "502"}}), 1);
}

TEST_F(GatewayTest, ARequestThatAnEngineHasTakenIsNotSentToAnother) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  const auto cut = [&](FakeEngine& engine) {
    engine.set_script(
        [e = &engine](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
          auto body = request.ReadBody(1 << 20);
          if (!body) return;
          e->Note({});
          response.headers().Set("Content-Length", "5");
          if (response.Start(200)) static_cast<void>(response.Write("ab").ok());
        });
  };
  cut(one);
  cut(two);
  Start();
  const std::string answer = Ask(Post(kChat, ChatFor("m")));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nab"));
  EXPECT_EQ(one.seen().size() + two.seen().size(), 1U);
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "server_error"}, {"code", "200"}}), 1);
}

TEST_F(GatewayTest, KeysAreSentWhereTheClientHasNone) {
  FakeEngine& engine = AddEngine();
  GatewayOptions options = Options();
  options.upstreams[0].authorization = "Bearer ours";
  options.upstreams[0].url += "/v1/";
  Start(options);
  Ask(Post(kChat, ChatFor("m")));
  Ask(Post(kChat, ChatFor("m"), "Authorization: Bearer theirs\r\n"));
  const auto seen = engine.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].line, "POST /v1/chat/completions") << "the base URL's /v1 is the path's";
  EXPECT_EQ(seen[0].headers.Get("Authorization"), "Bearer ours");
  EXPECT_EQ(seen[1].headers.Get("Authorization"), "Bearer theirs");
  EXPECT_EQ(seen[1].headers.Count("Authorization"), 1U);
}

TEST_F(GatewayTest, AnEngineThatComesBackHasAColdStart) {
  const std::uint16_t port = FreePort();
  GatewayOptions options = Options();
  options.upstreams = {{.name = "late", .url = "http://127.0.0.1:" + std::to_string(port)}};
  Start(options, false);
  EXPECT_TRUE(WaitFor([&] { return !gateway_->Upstreams()[0].last_error.empty(); }));
  FakeEngine& engine = AddEngine({"m"}, port);
  WaitForModels();
  engine.set_script(Stream({Chunk("a"), kDoneEvent}));
  Ask(Post(kChat, ChatFor("m")));
  Ask(Post(kChat, ChatFor("m")));
  ASSERT_TRUE(Counted(2));
  EXPECT_THAT(Points("cold_starts_total"),
              ElementsAre("instance=late kind=absent model=m source=gateway 1"));
  EXPECT_EQ(Metric("cold_start_seconds", {{"instance", "late"}}), 1);
  EXPECT_EQ(Metric("upstream_up", {{"instance", "late"}}), 1);
  EXPECT_THAT(sink_.text(), HasSubstr("after a cold start"));
}

TEST_F(GatewayTest, AnEngineThatWasThereHasNone) {
  AddEngine();
  Start();
  Ask(Post(kChat, ChatFor("m")));
  ASSERT_TRUE(Counted(1));
  EXPECT_THAT(Points("cold_starts_total"), IsEmpty());
}

TEST_F(GatewayTest, AnEngineThatIsLoadingIsNotUp) {
  FakeEngine& engine = AddEngine();
  Start();
  engine.set_loading(true);
  EXPECT_TRUE(WaitFor([&] { return !gateway_->Upstreams()[0].up; }));
  EXPECT_THAT(gateway_->Upstreams()[0].last_error, HasSubstr("503"));
  EXPECT_THAT(Ask(Get("/-/gateway/ready")), StartsWith("HTTP/1.1 503 "));
  engine.set_loading(false);
  EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  Ask(Post(kChat, ChatFor("m")));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("cold_starts_total"), 1);
}

TEST_F(GatewayTest, AnEngineWithHealthIsAskedForItsModelsOnce) {
  FakeEngine& engine = AddEngine();
  engine.set_has_health(true);
  Start();
  const std::uint64_t probes = engine.probes();
  engine.set_loading(true);
  EXPECT_TRUE(WaitFor([&] { return !gateway_->Upstreams()[0].up; }));
  EXPECT_THAT(gateway_->Upstreams()[0].last_error, HasSubstr("GET /health: status 503"));
  engine.set_loading(false);
  EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  EXPECT_EQ(engine.probes(), probes);
}

TEST_F(GatewayTest, ABusyEngineIsNotAskedForItsModels) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    engine.Note({});
    while (!flag_ && fiber.Sleep(Duration(1))) {
    }
    static_cast<void>(response.Reply(200, "application/json", "{}").ok());
  });
  GatewayOptions options = Options();
  options.probe_interval = Duration(10);
  Start(options);
  net::RawSocket client = Connect();
  client.Send(Post(kChat, ChatFor("m")));
  ASSERT_TRUE(WaitFor([&] { return !engine.seen().empty(); }));
  const std::uint64_t probes = engine.probes();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LE(engine.probes(), probes + 1);  // One may have been under way.
  flag_ = true;
  client.ReadToEnd();
  EXPECT_TRUE(WaitFor([&] { return engine.probes() > probes + 1; }));
}

TEST_F(GatewayTest, SettingsChangeUnderARunningStream) {
  FakeEngine& old_engine = AddEngine({"old"});
  old_engine.set_script(
      [&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
        if (!request.ReadBody(1 << 20)) return;
        response.headers().Set("Content-Type", "text/event-stream");
        if (!response.Start(200) || !response.Write(Chunk("a"))) return;
        while (!flag_ && fiber.Sleep(Duration(1))) {
        }
        if (response.Write(Chunk("b") + kDoneEvent)) static_cast<void>(response.Finish().ok());
      });
  Start();
  net::RawSocket client = Connect();
  client.Send(Post(kChat, R"({"model":"old","stream":true})"));
  std::string answer = client.ReadUntil("}]}\n\n");

  FakeEngine& new_engine = AddEngine({"new"});
  GatewayOptions options = Options();
  options.upstreams.erase(options.upstreams.begin());
  ASSERT_TRUE(gateway_->Reload(options));
  WaitForModels();
  ASSERT_EQ(gateway_->Upstreams().size(), 1U);
  EXPECT_EQ(gateway_->Upstreams()[0].url, new_engine.url());
  EXPECT_THAT(Ask(Post(kChat, ChatFor("new"))), StartsWith("HTTP/1.1 200 "));
  flag_ = true;
  answer += client.ReadToEnd();
  EXPECT_EQ(BodyOf(answer), Chunk("a") + Chunk("b") + kDoneEvent);
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 2);
  const std::uint64_t probes = old_engine.probes();
  const std::uint64_t others = new_engine.probes();
  EXPECT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  EXPECT_GE(new_engine.probes(), others);
  EXPECT_EQ(old_engine.probes(), probes) << "an engine that has left is asked no more";
}

TEST_F(GatewayTest, BadSettingsChangeNothing) {
  AddEngine();
  Start();
  GatewayOptions options = Options();
  options.upstreams.push_back({.url = "nonsense"});
  EXPECT_FALSE(gateway_->Reload(options));
  EXPECT_EQ(gateway_->Upstreams().size(), 1U);
  EXPECT_TRUE(gateway_->Upstreams()[0].up) << "what stays keeps its health";
  EXPECT_TRUE(gateway_->Reload(Options()));
  EXPECT_TRUE(gateway_->Upstreams()[0].up);
  EXPECT_THAT(Ask(Post(kChat, ChatFor("m"))), StartsWith("HTTP/1.1 200 "));
}

TEST_F(GatewayTest, ReloadsUnderLoad) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  one.set_script(Stream({Chunk("a"), Chunk("b"), kDoneEvent}));
  two.set_script(Stream({Chunk("a"), Chunk("b"), kDoneEvent}));
  Start();
  std::thread reloader([&] {
    while (!flag_) {
      GatewayOptions options = Options();
      options.upstreams.erase(options.upstreams.begin() +
                              static_cast<std::ptrdiff_t>(number_++ % 2));
      EXPECT_TRUE(gateway_->Reload(options));
      EXPECT_FALSE(gateway_->Upstreams().empty());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(BodyOf(Ask(Post(kChat, ChatFor("m")))), Chunk("a") + Chunk("b") + kDoneEvent);
  }
  flag_ = true;
  reloader.join();
  ASSERT_TRUE(Counted(300));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 300) << "not one is lost";
}

TEST_F(GatewayTest, ManyStreamsOutliveManyReloads) {
  const auto streams = [&](FakeEngine& engine) {
    engine.set_script(
        [&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
          if (!request.ReadBody(1 << 20)) return;
          response.headers().Set("Content-Type", "text/event-stream");
          if (!response.Start(200)) return;
          while (!flag_) {
            if (!response.Write(Chunk("a")) || !fiber.Sleep(Duration(2))) return;
          }
          if (response.Write(Chunk("z") + kDoneEvent)) static_cast<void>(response.Finish().ok());
        });
  };
  streams(AddEngine());
  streams(AddEngine());
  Start();
  std::vector<net::RawSocket> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(Connect());
    clients.back().Send(Post(kChat, R"({"model":"m","stream":true})"));
    ASSERT_THAT(clients.back().ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  for (int i = 0; i < 50; ++i) {
    GatewayOptions options = Options();
    switch (i % 5) {
      case 0:
        options.upstreams.erase(options.upstreams.begin());
        break;
      case 1:
        options.idle_timeout += Duration(1 + i);  // Every upstream begins anew.
        break;
      case 2:
        options.upstreams[1].weight = 1 + i;
        break;
      case 3:
        options.access.tenant_header = "X-Tenant";
        options.access.default_limits.requests_per_minute = 1;
        break;
      default:
        options.balance.policy = BalancePolicy::kPrefixAffinity;
    }
    ASSERT_TRUE(gateway_->Reload(options));
  }
  flag_ = true;
  for (net::RawSocket& client : clients) {
    const std::string body = Unchunk(client.ReadToEnd());
    EXPECT_TRUE(body.ends_with(Chunk("z") + kDoneEvent)) << body;
  }
  ASSERT_TRUE(Counted(40));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "success"}}), 40);
}

TEST_F(GatewayTest, SessionsAndPromptsKeepTheirEngine) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  GatewayOptions options = Options();
  options.balance.policy = BalancePolicy::kSessionAffinity;
  Start(options);
  // The engine that got the request: 0 or 1.
  const auto engine_of = [&](const std::string& body, const std::string& more = "") {
    const std::size_t before = one.seen().size();
    EXPECT_THAT(Ask(Post(kChat, body, more)), StartsWith("HTTP/1.1 200 "));
    return one.seen().size() == before ? 1 : 0;
  };
  int engines[2] = {0, 0};
  for (int i = 0; i < 12; ++i) {
    const std::string session = "s" + std::to_string(i);
    const int home = engine_of(R"({"model":"m"})", "X-Session-Id: " + session + "\r\n");
    ++engines[home];
    EXPECT_EQ(
        engine_of(R"({"model":"m","user":"somebody else"})", "X-Session-Id: " + session + "\r\n"),
        home);
    EXPECT_EQ(engine_of(R"({"model":"m","user":"x","prompt_cache_key":")" + session + "\"}"), home)
        << "the same name, from the body";
    EXPECT_EQ(engine_of(R"({"user":")" + session + R"(","model":"m"})"), home);
  }
  EXPECT_GT(engines[0], 0);
  EXPECT_GT(engines[1], 0);

  options.balance.policy = BalancePolicy::kPrefixAffinity;
  ASSERT_TRUE(gateway_->Reload(options));
  for (int i = 0; i < 6; ++i) {
    const std::string beginning = R"("messages":[{"role":"system","content":")" +
                                  std::string(3000, static_cast<char>('a' + i));
    const int home = engine_of(R"({"model":"m",)" + beginning + R"(hello"}]})");
    for (int k = 0; k < 4; ++k) {
      EXPECT_EQ(engine_of(R"({"temperature":0.)" + std::to_string(k) + R"(,"model":"m",)" +
                          beginning + std::to_string(k) + R"("}]})"),
                home)
          << "what stands before the prompt does not matter";
    }
  }
  EXPECT_EQ(one.seen().size() + two.seen().size(), 12U * 4 + 6 * 5);
}

TEST_F(GatewayTest, ModelListsAreRead) {
  FakeEngine& engine = AddEngine({"m2", "m1"});
  Start();
  EXPECT_THAT(gateway_->Upstreams()[0].models, ElementsAre("m1", "m2"));
  EXPECT_EQ(gateway_->Upstreams()[0].name, engine.url().substr(7));
  EXPECT_THAT(Ask(Get("/-/gateway/ready")), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace sonde::gateway
