#include <set>

#include "gateway/api_keys.h"
#include "gateway/gateway_for_test.h"

// Keys, tenants and their limits, request ids, and retries: as clients and engines see them.

namespace sonde::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kBody = R"({"model":"m"})";

std::string Bearer(std::string_view key) {
  return "Authorization: Bearer " + std::string(key) + "\r\n";
}

class GatewayTenantsTest : public GatewayTest {
 protected:
  GatewayOptions WithKeys() const {
    GatewayOptions options = Options();
    options.access.keys = *ParseKeyFile("a key-of-tenant-a\nb key-of-tenant-b");
    options.access.require_key = true;
    return options;
  }
};

TEST_F(GatewayTenantsTest, WrongKeysAreRefusedBeforeAnythingIsRead) {
  FakeEngine& engine = AddEngine();
  Start(WithKeys());
  for (const std::string more :
       {"", "Authorization: Bearer wrong-key\r\n", "Authorization: Basic a2V5LW9mLXRlbmFudC1h\r\n",
        "x-api-key: key-of-tenant-aa\r\n", "Authorization: Bearer \r\n"}) {
    const std::string answer = Ask(Post(kChat, kBody, more));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 ")) << more;
    EXPECT_THAT(
        answer,
        HasSubstr(R"("type":"invalid_request_error","param":null,"code":"invalid_api_key")"));
    EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer"));
    EXPECT_THAT(answer, HasSubstr("X-Request-Id: "));
    EXPECT_THAT(answer, Not(HasSubstr("wrong-key")));
  }
  EXPECT_THAT(Ask(Get("/v1/models")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask(Get("/metrics")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask(Get("/-/gateway/healthy")), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(engine.seen().empty());
  ASSERT_TRUE(Counted(5));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "client_error"}, {"code", "401"}}), 5);
  EXPECT_EQ(Metric("requests_rejected_total", {{"reason", "key"}}), 5);
}

TEST_F(GatewayTenantsTest, AGatewayKeyStaysHere) {
  FakeEngine& engine = AddEngine();
  Start(WithKeys());
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Ask(Post(kChat, kBody, "x-api-key: key-of-tenant-b\r\n")),
              StartsWith("HTTP/1.1 200 "));
  auto seen = engine.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_FALSE(seen[0].headers.Has("Authorization"));
  EXPECT_FALSE(seen[1].headers.Has("x-api-key"));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("key-of-tenant")));

  GatewayOptions options = WithKeys();
  options.access.forward_key = true;
  ASSERT_TRUE(gateway_->Reload(options));
  Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  options.upstreams[0].authorization = "Bearer ours";
  ASSERT_TRUE(gateway_->Reload(options));
  WaitForModels();
  Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  Ask(Post(kChat, kBody, "x-api-key: key-of-tenant-b\r\n"));
  seen = engine.seen();
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[2].headers.Get("Authorization"), "Bearer key-of-tenant-a") << "as told";
  EXPECT_EQ(seen[3].headers.Get("Authorization"), "Bearer ours");
  EXPECT_EQ(seen[3].headers.Count("Authorization"), 1U);
  EXPECT_EQ(seen[4].headers.Get("Authorization"), "Bearer ours");
  EXPECT_FALSE(seen[4].headers.Has("x-api-key"));
}

TEST_F(GatewayTenantsTest, AKeyOfTheUpstreamPassesIfNoneIsRequired) {
  FakeEngine& engine = AddEngine();
  GatewayOptions options = WithKeys();
  options.access.require_key = false;
  Start(options);
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("their-own"))), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(engine.seen()[0].headers.Get("Authorization"), "Bearer their-own");
}

TEST_F(GatewayTenantsTest, KeysChangeWithAReload) {
  AddEngine();
  GatewayOptions options = WithKeys();
  Start(options);
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))), StartsWith("HTTP/1.1 200 "));
  options.access.keys = *ParseKeyFile("a another-key-of-a");
  ASSERT_TRUE(gateway_->Reload(options));
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("another-key-of-a"))), StartsWith("HTTP/1.1 200 "));
}

TEST_F(GatewayTenantsTest, RequestsPerMinute) {
  FakeEngine& engine = AddEngine();
  GatewayOptions options = WithKeys();
  options.access.tenants = {{"a", {.requests_per_minute = 2}}};
  Start(options);
  const std::string first = Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  EXPECT_THAT(first, HasSubstr("x-ratelimit-limit-requests: 2\r\n"));
  EXPECT_THAT(first, HasSubstr("x-ratelimit-remaining-requests: 1\r\n"));
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))), StartsWith("HTTP/1.1 200 "));
  const std::string third = Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  EXPECT_THAT(third, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(third, HasSubstr("\r\nRetry-After: "));
  EXPECT_THAT(third, HasSubstr("x-ratelimit-remaining-requests: 0\r\n"));
  EXPECT_THAT(third, HasSubstr(R"("type":"requests","param":null,"code":"rate_limit_exceeded")"));
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-b"))), StartsWith("HTTP/1.1 200 "))
      << "another tenant";
  EXPECT_EQ(engine.seen().size(), 3U);
  ASSERT_TRUE(Counted(4));
  EXPECT_EQ(Metric("requests_total", {{"outcome", "client_error"}, {"code", "429"}}), 1)
      << "the tenant's doing: it is no overload";
  EXPECT_THAT(Points("requests_rejected_total"),
              ::testing::ElementsAre("model=m reason=requests source=gateway tenant=a 1"));
}

TEST_F(GatewayTenantsTest, TokensAreCountedByWhatTheAnswerSays) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":400,"completion_tokens":700}})"));
  GatewayOptions options = WithKeys();
  options.access.default_limits.tokens_per_minute = 1000;
  Start(options);
  const std::string first = Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  EXPECT_THAT(first, HasSubstr("x-ratelimit-limit-tokens: 1000\r\n"));
  EXPECT_THAT(first, HasSubstr("x-ratelimit-remaining-tokens: 996\r\n")) << "13 bytes: 4 tokens";
  ASSERT_TRUE(Counted(1));
  // 1100 were used, so 100 are owed, and a request must wait for them.
  std::string second;
  ASSERT_TRUE(WaitFor([&] {
    second = Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
    return second.starts_with("HTTP/1.1 429 ");
  }));
  EXPECT_THAT(second, HasSubstr(R"("type":"tokens")"));
  EXPECT_THAT(second, HasSubstr("x-ratelimit-remaining-tokens: 0\r\n"));
}

TEST_F(GatewayTenantsTest, ConcurrentRequests) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    engine.Note({});
    while (!flag_ && fiber.Sleep(Duration(1))) {
    }
    static_cast<void>(response.Reply(200, "application/json", "{}").ok());
  });
  GatewayOptions options = WithKeys();
  options.access.default_limits.concurrent_requests = 1;
  Start(options);
  net::RawSocket running = Connect();
  running.Send(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  ASSERT_TRUE(WaitFor([&] { return engine.seen().size() == 1; }));
  const std::string second = Ask(Post(kChat, kBody, Bearer("key-of-tenant-a")));
  EXPECT_THAT(second, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(second, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(second, HasSubstr(R"("type":"concurrent_requests")"));
  // A client that leaves gives its place back.
  running.Reset();
  flag_ = true;
  EXPECT_TRUE(WaitFor([&] {
    return Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))).starts_with("HTTP/1.1 200 ");
  }));
}

TEST_F(GatewayTenantsTest, TheUpstreamsLimitsAreNotTheTenants) {
  FakeEngine& engine = AddEngine();
  engine.set_script([](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("x-ratelimit-limit-requests", "99999");
    static_cast<void>(response.Reply(200, "application/json", "{}").ok());
  });
  GatewayOptions options = WithKeys();
  options.access.tenants = {{"a", {.requests_per_minute = 10}}};
  Start(options);
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-a"))), Not(HasSubstr("99999")));
  EXPECT_THAT(Ask(Post(kChat, kBody, Bearer("key-of-tenant-b"))),
              HasSubstr("x-ratelimit-limit-requests: 99999"))
      << "no limits of ours: it passes";
}

TEST_F(GatewayTenantsTest, SaneRequestIdsPassAndOthersAreReplaced) {
  FakeEngine& engine = AddEngine();
  Start();
  const auto ask = [&](const std::string& id) {
    const std::string answer = Ask(Post(kChat, kBody, "X-Request-Id: " + id + "\r\n"));
    const std::size_t at = answer.find("X-Request-Id: ") + 14;
    const std::string given = answer.substr(at, answer.find('\r', at) - at);
    EXPECT_EQ(engine.seen().back().headers.Get("X-Request-Id"), given) << "the upstream's, too";
    EXPECT_EQ(engine.seen().back().headers.Count("X-Request-Id"), 1U);
    return given;
  };
  EXPECT_EQ(ask("req_1-a.b:c/d"), "req_1-a.b:c/d");
  EXPECT_EQ(ask(std::string(128, 'x')), std::string(128, 'x'));
  std::set<std::string> made;
  for (const std::string& bad :
       {std::string(129, 'x'), std::string("two words"), std::string(), std::string("\xC3\xA4")}) {
    const std::string given = ask(bad);
    EXPECT_EQ(given.size(), 32U);
    EXPECT_EQ(given.find_first_not_of("0123456789abcdef"), std::string::npos);
    made.insert(given);
  }
  EXPECT_EQ(made.size(), 4U);
}

// ----------------------------------------------------------------------------------- retries

TEST_F(GatewayTenantsTest, HostedErrorsPassThroughUnchanged) {
  FakeEngine& engine = AddEngine();
  AddEngine();
  GatewayOptions options = Options();
  options.upstreams[1].models = {"other"};
  Start(options, false);
  ASSERT_TRUE(WaitFor([&] { return gateway_->Upstreams()[0].up; }));
  for (const int status : {400, 401, 402, 422, 429, 500, 503}) {
    const std::string body = R"({"error":{"message":"it says )" + std::to_string(status) +
                             R"(","type":"x","param":null,"code":"y"}})";
    engine.set_script(Reply(engine, status, "application/json", body));
    const std::string answer = Ask(Post(kChat, kBody));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(status) + " "));
    EXPECT_EQ(BodyOf(answer), body);
    engine.set_script(Reply(engine, 200, "application/json", "{}"));
    Ask(Post(kChat, kBody));  // Not so many failures in a row that it is ejected.
  }
}

TEST_F(GatewayTenantsTest, ConfiguredStatusesGoToAnotherUpstream) {
  FakeEngine& full = AddEngine();
  FakeEngine& free = AddEngine();
  full.set_script(Reply(full, 429, "application/json", "full"));
  free.set_script(Reply(free, 200, "application/json", "{\"ok\":1}"));
  GatewayOptions options = Options();
  options.retry.statuses = {429, 503};
  options.balance.policy = BalancePolicy::kWeightedRoundRobin;
  Start(options);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(BodyOf(Ask(Post(kChat, kBody))), "{\"ok\":1}");
  }
  EXPECT_GT(full.seen().size(), 2U);
  EXPECT_EQ(free.seen().size(), 10U);
  for (const SeenRequest& request : free.seen())
    EXPECT_EQ(request.body, kBody);
  // If the other has nothing better to say, its answer stands.
  free.set_script(Reply(free, 503, "application/json", "also full"));
  const std::string answer = Ask(Post(kChat, kBody));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 429 ") || answer.starts_with("HTTP/1.1 503 ")) << answer;
  ASSERT_TRUE(Counted(11));
  EXPECT_EQ(Metric("requests_total"), 11) << "one request, however many attempts";
}

TEST_F(GatewayTenantsTest, RetriesAreBounded) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  one.set_script(Reply(one, 429, "application/json", "full"));
  two.set_script(Reply(two, 429, "application/json", "full"));
  GatewayOptions options = Options();
  options.retry.statuses = {429};
  options.retry.budget = 0.1;
  Start(options);
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(Ask(Post(kChat, kBody)), StartsWith("HTTP/1.1 429 "));
  }
  const std::size_t attempts = one.seen().size() + two.seen().size();
  EXPECT_LE(attempts, 100 + 20 + 10);
  EXPECT_GE(attempts, 100 + 20);
}

TEST_F(GatewayTenantsTest, ABrokenConnectionIsRetriedOnlyIfToldSo) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  const auto breaks_off = [](FakeEngine& engine) {
    return [&engine](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse&) {
      if (!request.ReadBody(1 << 20)) return;
      engine.Note({});
      fiber.Cancel();  // The connection ends without an answer.
    };
  };
  one.set_script(breaks_off(one));
  two.set_script(breaks_off(two));
  GatewayOptions options = Options();
  Start(options);
  EXPECT_THAT(Ask(Post(kChat, kBody)), StartsWith("HTTP/1.1 502 "));
  EXPECT_EQ(one.seen().size() + two.seen().size(), 1U);
  two.set_script(Reply(two, 200, "application/json", "{}"));
  options.retry.broken = true;
  ASSERT_TRUE(gateway_->Reload(options));
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(Ask(Post(kChat, kBody)), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(GatewayTenantsTest, ADrainedUpstreamFinishesWhatItHas) {
  FakeEngine& one = AddEngine();
  FakeEngine& two = AddEngine();
  one.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    one.Note({});
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200) || !response.Write(Chunk("a"))) return;
    while (!flag_ && fiber.Sleep(Duration(1))) {
    }
    if (response.Write(kDoneEvent)) static_cast<void>(response.Finish().ok());
  });
  Start();
  const std::string name = gateway_->Upstreams()[0].name;
  ASSERT_TRUE(gateway_->SetWeight(gateway_->Upstreams()[1].name, 0));
  net::RawSocket client = Connect();
  client.Send(Post(kChat, R"({"model":"m","stream":true})"));
  std::string answer = client.ReadUntil("}]}\n\n");
  ASSERT_TRUE(gateway_->ClearWeight(gateway_->Upstreams()[1].name));
  ASSERT_TRUE(gateway_->SetWeight(name, 0));
  for (int i = 0; i < 5; ++i)
    Ask(Post(kChat, kBody));
  EXPECT_EQ(one.seen().size(), 1U);
  EXPECT_EQ(two.seen().size(), 5U);
  flag_ = true;
  answer += client.ReadToEnd();
  EXPECT_EQ(BodyOf(answer), Chunk("a") + kDoneEvent);
  ASSERT_TRUE(gateway_->SetWeight(gateway_->Upstreams()[1].name, 0));
  EXPECT_THAT(Ask(Post(kChat, kBody)), HasSubstr("\"code\":\"no_upstream\""));
}

}  // namespace
}  // namespace sonde::gateway
