#include "gateway/gateway_for_test.h"

// What the gateway makes of what it observes: objectives, prices, feedback, exemplars.

namespace sonde::gateway {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kPlain = R"({"model":"m"})";
constexpr std::string_view kStreamed = R"({"model":"m","stream":true})";

TEST_F(GatewayTest, JudgesRequestsByTheDefaultObjective) {
  FakeEngine& engine = AddEngine();
  Start();
  Ask(Post(kChat, kPlain));
  engine.set_script(Stream({kRoleChunk, Chunk("a"), kStopChunk, kDoneEvent}));
  Ask(Post(kChat, kStreamed));
  engine.set_script(Reply(engine, 500, "application/json", "{}"));
  Ask(Post(kChat, kPlain));
  engine.set_script(Reply(engine, 429, "application/json", "{}"));
  Ask(Post(kChat, kPlain));
  engine.set_script(Reply(engine, 400, "application/json", "{}"));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(5));
  EXPECT_EQ(Metric("slo_requests_total"), 4) << "a client's error is not ours to answer for";
  EXPECT_EQ(Metric("slo_good_requests_total"), 2);
  EXPECT_EQ(Metric("slo_misses_total", {{"reason", "server_error"}}), 1);
  EXPECT_EQ(Metric("slo_misses_total", {{"reason", "overloaded"}}), 1);
  EXPECT_THAT(Points("slo_good_requests_total"),
              ElementsAre("input_class=short model=m objective=default source=gateway 2"));
  EXPECT_EQ(Metric("slo_target_ratio", {{"objective", "default"}}), 0.99);
}

TEST_F(GatewayTest, ObjectivesAreReloaded) {
  FakeEngine& engine = AddEngine();
  engine.set_script([](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20) || !fiber.Sleep(Duration(30))) return;
    static_cast<void>(response
                          .Reply(200, "application/json",
                                 R"({"usage":{"prompt_tokens":5000,"completion_tokens":1}})")
                          .ok());
  });
  GatewayOptions options = Options();
  options.slo.objectives = {{.name = "loose", .e2e = Duration(600'000)}};
  Start(options);
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(1));
  options.slo.objectives = {{.name = "other", .model = "n"},
                            {.name = "tight", .input_classes = {"medium"}, .e2e = Duration(1)}};
  ASSERT_TRUE(gateway_->Reload(options));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(2));
  EXPECT_THAT(Points("slo_good_requests_total"),
              ElementsAre("input_class=medium model=m objective=loose source=gateway 1",
                          "input_class=medium model=m objective=tight source=gateway 0"));
  EXPECT_EQ(Metric("slo_misses_total", {{"objective", "tight"}, {"reason", "e2e"}}), 1);
  options.slo.objectives = {{.name = "bad", .model = "("}};
  EXPECT_FALSE(gateway_->Reload(options));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(3));
  EXPECT_EQ(Metric("slo_requests_total", {{"objective", "tight"}}), 2) << "nothing has changed";
}

TEST_F(GatewayTest, CostsWhatTheTableSays) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"usage":{"prompt_tokens":100,"completion_tokens":30,"prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40,"completion_tokens_details":{"reasoning_tokens":10}}})"));
  GatewayOptions options = Options();
  options.prices = {{.model = "m",
                     .upstream = "http://127.0.0.1:.*",
                     .currency = "CNY",
                     .cache_hit = 1e4,
                     .cache_miss = 1e5,
                     .output = 1e6}};
  Start(options);
  Ask(Post(kChat, kPlain));
  engine.set_script(Reply(engine, 402, "application/json", R"({"error":{"message":"pay"}})"));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(2));
  EXPECT_NEAR(Metric("cost_total", {{"currency", "CNY"}, {"kind", "cache_hit"}}), 0.6, 1e-9);
  EXPECT_NEAR(Metric("cost_total", {{"kind", "cache_miss"}}), 4, 1e-9);
  EXPECT_NEAR(Metric("cost_total", {{"kind", "reasoning"}}), 10, 1e-9);
  EXPECT_NEAR(Metric("cost_total", {{"kind", "answer"}}), 20, 1e-9);
  EXPECT_EQ(Metric("requests_total", {{"outcome", "insufficient_balance"}, {"code", "402"}}), 1);
  EXPECT_EQ(Metric("slo_misses_total", {{"reason", "insufficient_balance"}}), 1);
}

TEST_F(GatewayTest, CountsWhatContradictsItself) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Reply(
      engine, 200, "application/json",
      R"({"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":131,"prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":41}})"));
  Start();
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(1));
  EXPECT_THAT(Points("usage_faults_total"), ElementsAre("kind=cache_sum model=m source=gateway 1",
                                                        "kind=total model=m source=gateway 1"));
}

TEST_F(GatewayTest, CountsKeepAlivesWhileARequestIsQueued) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Stream({": keep-alive\n\n", ": keep-alive\n\n", kRoleChunk, Chunk("a"),
                            ": not queued any more\n\n", kStopChunk, kDoneEvent}));
  Start();
  Ask(Post(kChat, kStreamed));
  engine.set_script(
      Reply(engine, 200, "application/json", "\n\n\n{\"usage\":{\"prompt_tokens\":1}}\n"));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(2));
  EXPECT_EQ(Metric("upstream_keepalives_total"), 5);
}

TEST_F(GatewayTest, TheAnswersFirstTokenIsNotTheReasonings) {
  FakeEngine& engine = AddEngine();
  engine.set_script([](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    if (!request.ReadBody(1 << 20)) return;
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200)) return;
    if (!response.Write(Event(R"({"choices":[{"delta":{"reasoning":"so"}}]})"))) return;
    if (!fiber.Sleep(Duration(40)) || !response.Write(Chunk("a") + kDoneEvent)) return;
    static_cast<void>(response.Finish().ok());
  });
  Start();
  Ask(Post(kChat, kStreamed));
  ASSERT_TRUE(Counted(1));
  EXPECT_EQ(Metric("time_to_first_reasoning_token_seconds"), 1);
  EXPECT_EQ(Metric("time_to_first_answer_token_seconds"), 1);
  EXPECT_NEAR(HistogramSum("time_to_first_reasoning_token_seconds"),
              HistogramSum("time_to_first_token_seconds"), 1e-9);
  EXPECT_GE(HistogramSum("time_to_first_answer_token_seconds"),
            HistogramSum("time_to_first_token_seconds") + 0.039);
}

TEST_F(GatewayTest, ExamplesOfLatenciesNameTheRequest) {
  FakeEngine& engine = AddEngine();
  engine.set_script(Stream({kRoleChunk, Chunk("a"), kStopChunk, kDoneEvent}));
  Start();
  Ask(Post(kChat, kStreamed, "X-Request-Id: mine\r\n"));
  ASSERT_TRUE(Counted(1));
  for (const char* name :
       {"deepseek_inference_latency_seconds", "deepseek_time_to_first_token_seconds"}) {
    std::vector<std::string> ids;
    for (const auto& family : registry_.Snapshot()) {
      if (family.name != name) continue;
      for (const auto& example : family.points.at(0).histogram->examples()) {
        if (!example.label.empty()) ids.push_back(example.label + "=" + example.id);
      }
    }
    EXPECT_THAT(ids, ElementsAre("request_id=mine")) << name;
  }
}

TEST_F(GatewayTest, FeedbackJoinsByRequestId) {
  FakeEngine& engine = AddEngine();
  engine.set_script(
      Reply(engine, 200, "application/json", R"({"id":"chatcmpl-7","usage":{"prompt_tokens":1}})"));
  Start();
  Ask(Post(kChat, kPlain, "X-Request-Id: r1\r\n"));
  Ask(Post(kChat, kPlain, "X-Request-Id: r2\r\n"));
  ASSERT_TRUE(Counted(2));
  EXPECT_THAT(Points("user_satisfaction_ratio"), IsEmpty());
  const auto give = [&](const char* id, FeedbackVerdict verdict) {
    return gateway_->GiveFeedback({id, verdict, {"slow", "blue"}});
  };
  const auto receipt = give("r1", FeedbackVerdict::kPositive);
  ASSERT_TRUE(receipt) << receipt.error().message();
  EXPECT_EQ(receipt->model, "m");
  EXPECT_THAT(receipt->unknown_tags, ElementsAre("blue"));
  EXPECT_FALSE(receipt->replaced);
  EXPECT_EQ(Metric("user_satisfaction_ratio", {{"model", "m"}}), 1);
  ASSERT_TRUE(give("chatcmpl-7", FeedbackVerdict::kNegative)) << "the later one of that id";
  EXPECT_EQ(Metric("user_satisfaction_ratio"), 0.5);
  EXPECT_TRUE(give("r1", FeedbackVerdict::kNegative)->replaced);
  EXPECT_EQ(Metric("user_satisfaction_ratio"), 0);
  ASSERT_TRUE(give("r1", FeedbackVerdict::kNegative));
  EXPECT_EQ(Metric("feedback_total", {{"verdict", "positive"}}), 1);
  EXPECT_EQ(Metric("feedback_total", {{"verdict", "negative"}}), 2) << "the same again is no news";
  EXPECT_EQ(Metric("feedback_replaced_total", {{"verdict", "positive"}}), 1);
  EXPECT_EQ(Metric("feedback_tags_total", {{"tag", "slow"}}), 2);
  const auto unknown = give("r3", FeedbackVerdict::kPositive);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind(), ErrorKind::kNotFound);
}

TEST_F(GatewayTest, AnEngineSaysThatItWasRestarted) {
  AddEngine();
  GatewayOptions options = Options();
  options.upstreams[0].name = "engine";
  Start(options);
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(1));
  EXPECT_FALSE(gateway_->SawRestart("nobody", clock_.Now()));
  const Timestamp began = clock_.Now() + Duration(1);
  ASSERT_TRUE(WaitFor([&] { return clock_.Now() > began; }));
  ASSERT_TRUE(gateway_->SawRestart("engine", began));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(2));
  EXPECT_THAT(Points("cold_starts_total"),
              ElementsAre("instance=engine kind=restart model=m source=gateway 1"));
  EXPECT_EQ(Metric("cold_start_seconds", {{"kind", "restart"}}), 1);
  ASSERT_TRUE(gateway_->SawRestart("engine", began)) << "told again";
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(3));
  EXPECT_EQ(Metric("cold_starts_total"), 1);
}

TEST_F(GatewayTest, AnEngineSaysThatItSleeps) {
  AddEngine();
  GatewayOptions options = Options();
  options.upstreams[0].name = "engine";
  Start(options);
  EXPECT_FALSE(gateway_->SawSleep("nobody"));
  EXPECT_FALSE(gateway_->SawAwake("nobody"));
  ASSERT_TRUE(gateway_->SawSleep("engine"));
  Ask(Post(kChat, kPlain));  // Wakes it.
  ASSERT_TRUE(Counted(1));
  ASSERT_TRUE(gateway_->SawSleep("engine"));
  ASSERT_TRUE(gateway_->SawAwake("engine"));
  Ask(Post(kChat, kPlain));
  ASSERT_TRUE(Counted(2));
  EXPECT_THAT(Points("cold_starts_total"),
              ElementsAre("instance=engine kind=asleep model=m source=gateway 2"));
  EXPECT_EQ(Metric("cold_start_seconds", {{"kind", "asleep"}}), 2);
}

TEST(GatewayMetrics, TenantsHaveSeriesOfTheirOwn) {
  SystemClock clock;
  instrument::Registry registry;
  GatewayMetrics metrics(registry, "deepseek_", 1, clock);
  ASSERT_TRUE(metrics.Configure({}, {}, {}));
  ModelMetrics& acme = metrics.Model("m", false, "acme");
  EXPECT_EQ(&acme, &metrics.Model("m", false, "acme"));
  EXPECT_EQ(metrics.Model("m", false, "initech").model(), "m") << "the same name, once counted";
  EXPECT_EQ(metrics.Model("n", false, "acme").model(), "other") << "one name is allowed";
  EXPECT_EQ(metrics.Model("n", true, "acme").model(), "n");
  metrics.Count(acme, {.code = 200, .request_id = "r"});
  std::vector<std::string> tenants;
  for (const auto& family : registry.Snapshot()) {
    if (family.name != "deepseek_slo_requests_total") continue;
    for (const auto& [name, value] : family.points.at(0).labels) {
      if (name == "tenant") tenants.push_back(value);
    }
  }
  EXPECT_THAT(tenants, ElementsAre("acme"));
}

TEST(OutcomeOfStatus, TheHostedApisCodes) {
  const auto outcome = [](int status) { return std::string(ToString(OutcomeOfStatus(status))); };
  EXPECT_EQ(outcome(200), "success");
  for (const int status : {400, 401, 404, 422})
    EXPECT_EQ(outcome(status), "client_error") << status;
  EXPECT_EQ(outcome(402), "insufficient_balance");
  EXPECT_EQ(outcome(429), "overloaded");
  EXPECT_EQ(outcome(500), "server_error");
  EXPECT_EQ(outcome(503), "overloaded");
}

}  // namespace
}  // namespace sonde::gateway
