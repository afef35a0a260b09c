#include "collect/probe/canary_prober.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "base/json.h"
#include "collect/probe/probe_servers_for_test.h"

namespace sonde::collect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kChat = "/v1/chat/completions";

FoundEngine Engine(const std::string& url, std::vector<std::string> models,
                   const std::string& engine = "vllm") {
  FoundEngine found;
  found.url = url;
  found.identity.engine = engine;
  found.identity.models = std::move(models);
  found.identity.serves_api = true;
  found.up = true;
  return found;
}

std::vector<std::string> Places(const CanaryOptions& canary,
                                const std::vector<FoundEngine>& engines,
                                const GatewayPlace& gateway = {}) {
  std::vector<std::string> all;
  for (const CanaryEndpoint& endpoint : EndpointsOf(canary, engines, gateway))
    all.push_back(endpoint.instance + " " + endpoint.model);
  return all;
}

TEST(CanaryEndpoints, EveryModelOfEveryEngine) {
  CanaryOptions canary;
  canary.engines = true;
  FoundEngine metrics_only = Engine("http://d:8002", {"m"}, "triton");
  metrics_only.identity.serves_api = false;
  const std::vector<FoundEngine> engines = {Engine("http://a:8000", {"m", "n"}),
                                            Engine("http://b:8000/v1", {"m"}), metrics_only};
  EXPECT_THAT(Places(canary, engines), ElementsAre("a:8000 m", "a:8000 n", "b:8000 m"));
  canary.models = {"n"};
  EXPECT_THAT(Places(canary, engines), ElementsAre("a:8000 n"));
}

TEST(CanaryEndpoints, NothingThatCostsMoneyOrLoadsModelsUnlessNamed) {
  CanaryOptions canary;
  canary.engines = true;
  const std::vector<FoundEngine> engines = {Engine("https://api.deepseek.com", {"deepseek-flash"}),
                                            Engine("http://o:11434", {"x"}, "ollama"),
                                            Engine("http://l:8080", {"x", "y"}, "llamacpp"),
                                            Engine("http://k:8080", {"x"}, "llamacpp")};
  EXPECT_THAT(Places(canary, engines), ElementsAre("k:8080 x"));
  canary.models = {"x"};
  EXPECT_THAT(Places(canary, engines), ElementsAre("o:11434 x", "l:8080 x", "k:8080 x"));
}

TEST(CanaryEndpoints, TheGatewaysFreeModelsOrThoseNamed) {
  CanaryOptions canary;
  canary.gateway = true;
  const GatewayPlace gateway{"http://127.0.0.1:9798", {"m"}};
  EXPECT_THAT(Places(canary, {}, gateway), ElementsAre("127.0.0.1:9798 m"));
  canary.models = {"deepseek-flash"};
  EXPECT_THAT(Places(canary, {}, gateway), ElementsAre("127.0.0.1:9798 deepseek-flash"));
  EXPECT_THAT(Places(canary, {}), IsEmpty());
}

TEST(CanaryEndpoints, AreBounded) {
  CanaryOptions canary;
  canary.engines = true;
  std::vector<std::string> adapters(100, "m");
  for (std::size_t i = 0; i < adapters.size(); ++i)
    adapters[i] += std::to_string(i);
  EXPECT_EQ(Places(canary, {Engine("http://a:8000", adapters)}).size(), kMaxProbedModels);
}

TEST(Hosted, IsAPublicNameWithTls) {
  EXPECT_TRUE(IsHosted("https://api.deepseek.com"));
  EXPECT_TRUE(IsHosted("https://api.deepseek.com/v1"));
  for (const char* url : {"http://api.deepseek.com", "https://10.0.0.5:8000", "https://[::1]:8000",
                          "https://localhost", "https://vllm", "https://vllm.ns.svc",
                          "https://gpu7.lan:8443", "https://a.internal", "nonsense"}) {
    EXPECT_FALSE(IsHosted(url)) << url;
  }
}

TEST(CanaryGate, OneForEachPlaceAndTheGatewaysAlone) {
  CanaryGate gate;
  EXPECT_TRUE(gate.TryEnter("a", false));
  EXPECT_FALSE(gate.TryEnter("a", false));
  EXPECT_TRUE(gate.TryEnter("b", false));
  EXPECT_FALSE(gate.TryEnter("g", true));
  gate.Leave("a", false);
  EXPECT_FALSE(gate.TryEnter("a", false)) << "the gateway's turn would never come";
  gate.Leave("b", false);
  EXPECT_TRUE(gate.TryEnter("g", true));
  EXPECT_FALSE(gate.TryEnter("a", false));
  EXPECT_FALSE(gate.TryEnter("g", true));
  gate.Leave("g", true);
  EXPECT_TRUE(gate.TryEnter("a", false));
}

Question Ask(const std::string& name, const std::string& answer) {
  Question question;
  question.name = name;
  question.prompt = "the secret prompt " + name;
  question.exact = ExactMatch{{answer}, false};
  return question;
}

class CanaryTest : public ProbeTest {
 protected:
  CanaryTest() {
    suite_.name = "s";
    suite_.questions = {Ask("one", "1"), Ask("two", "2")};
    canary_.url = server_.url();
    canary_.models = {"m"};
    canary_.suites = {"s"};
    canary_.interval = Duration(20);
    canary_.timeout = Duration(10'000);
  }
  ~CanaryTest() override {
    if (prober_ != nullptr) prober_->Stop();
  }

  Result<std::unique_ptr<CanaryProber>> Make(std::vector<CanaryOptions> canaries) {
    return CanaryProber::Make(std::move(canaries), {suite_}, sources_,
                              {loops_.at(0), pool_, env_, clock_, Logger(sink_, clock_), registry_,
                               "deepseek_", /*seed=*/7});
  }
  void Start(std::vector<CanaryOptions> canaries) {
    auto prober = Make(std::move(canaries));
    ASSERT_TRUE(prober) << prober.error().message();
    prober_ = *std::move(prober);
    prober_->Start();
  }
  std::string At(const std::string& more = "") const {
    return "model=m,instance=" + server_.instance() + ",suite=s" + more;
  }
  double Failures(const std::string& probe, const std::string& reason) const {
    return Metric("probe_failures_total", At(",probe=" + probe + ",reason=" + reason));
  }
  /// A stream that says `text`.
  static FakeReply Stream(const std::string& text) {
    std::string body = "data: {\"choices\":[{\"delta\":{\"content\":";
    AppendJsonString(body, text);
    body +=
        "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}"
        "\n\n"
        "data: [DONE]\n\n";
    return {200, body, "text/event-stream"};
  }

  FaultEnv env_;
  Suite suite_;
  CanaryOptions canary_;
  CanaryProber::Sources sources_;
  std::unique_ptr<CanaryProber> prober_;
};

TEST_F(CanaryTest, MeasuresAndJudges) {
  server_.Answer(kChat, [](const SeenCall& call) {
    return Stream(call.canary == "s/one" ? "<think>2?</think>1" : "7");
  });
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Metric("model_accuracy_ratio", At()) == 0.5; }));
  EXPECT_EQ(Metric("probe_success", At(",probe=one")), 1);
  EXPECT_EQ(Metric("probe_success", At(",probe=two")), 0);
  EXPECT_GE(Failures("two", "wrong"), 1);
  EXPECT_EQ(Failures("one", "wrong"), kNone);
  EXPECT_GT(Metric("probe_ttft_seconds", At(",probe=one")), 0);
  EXPECT_GE(Metric("probe_duration_seconds", At(",probe=one")),
            Metric("probe_ttft_seconds", At(",probe=one")));
  EXPECT_GT(Metric("probe_last_run_timestamp_seconds", At(",probe=one")), 1.7e9);
  EXPECT_GE(Metric("probe_tokens_total", At(",kind=prompt")), 18);
  EXPECT_GE(Metric("probe_tokens_total", At(",kind=generation")), 6);

  const SeenCall call = server_.seen().front();
  const auto body = JsonDocument::Parse(call.body);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->root()["model"].string(), "m");
  EXPECT_EQ(body->root()["user"].string(), "sonde-canary");
  EXPECT_EQ(body->root()["temperature"].number(), 0);
  EXPECT_EQ(body->root()["max_tokens"].number(), 512);
  EXPECT_EQ(body->root()["stream"].boolean(), true);
  EXPECT_THAT(sink_.text(), Not(HasSubstr("secret")));
}

TEST_F(CanaryTest, SaysWhatWentWrong) {
  struct Case {
    FakeReply reply;
    const char* reason;
  };
  const std::string cut = "data: {\"choices\":[{\"delta\":{\"content\":\"1\"}}]}\n\n";
  const std::vector<Case> cases = {
      {{401, "{}"}, "unauthorized"},
      {{402, "{}"}, "payment_required"},
      {{429, "{}"}, "overloaded"},
      {{503, "{}"}, "overloaded"},
      {{404, "{}"}, "client_error"},
      {{500, "{}"}, "server_error"},
      {{200, "<html>", "text/html"}, "malformed"},
      {{200, "data: {\"error\":{}}\n\n", "text/event-stream"}, "server_error"},
      {{200, cut, "text/event-stream"}, "broken_stream"},
      {{200, R"({"choices":[{"message":{"content":"12"},"finish_reason":"length"}]})"},
       "truncated"},
      {{200, R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})"}, "empty"},
  };
  std::atomic<std::size_t> at{0};
  server_.Answer(kChat,
                 [&](const SeenCall&) { return cases[std::min(at++, cases.size() - 1)].reply; });
  suite_.questions = {Ask("one", "1")};
  Start({canary_});
  for (const Case& c : cases) {
    EXPECT_TRUE(WaitFor([&] { return Failures("one", c.reason) >= 1; })) << c.reason;
  }
}

TEST_F(CanaryTest, AServerThatIsNotThereHasAFailureAndNoAccuracy) {
  const std::string url = server_.url();
  canary_.url = "http://127.0.0.1:1";
  canary_.models = {};  // It cannot be asked for them either.
  suite_.questions = {Ask("one", "1")};
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] {
    return Metric("probe_failures_total",
                  "model=,instance=127.0.0.1:1,suite=s,probe=one,reason=connect") >= 1;
  }));
  EXPECT_EQ(Metric("probe_success", "model=,instance=127.0.0.1:1,suite=s,probe=one"), 0);
  EXPECT_TRUE(Metrics("model_accuracy_ratio").empty());
}

TEST_F(CanaryTest, AHangingServerTimesOut) {
  server_.Answer(kChat, [](const SeenCall&) {
    FakeReply reply = Stream("1");
    reply.delay = Duration(600'000);
    return reply;
  });
  canary_.timeout = Duration(100);
  suite_.questions = {Ask("one", "1")};
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Failures("one", "timeout") >= 1; }));
}

TEST_F(CanaryTest, ListsTheModelsItself) {
  server_.Answer("/v1/models", [](const SeenCall&) -> FakeReply {
    return {200, R"({"object":"list","data":[{"id":"m","object":"model"}]})"};
  });
  server_.Answer(kChat, [](const SeenCall&) { return Stream("1"); });
  canary_.models = {};
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Metric("probe_success", At(",probe=one")) == 1; }));
}

TEST_F(CanaryTest, OneCanaryAtATimeForEachEngine) {
  server_.Answer(kChat, [](const SeenCall&) {
    FakeReply reply = Stream("1");
    reply.delay = Duration(2);
    return reply;
  });
  canary_.models = {"m", "n", "o"};
  CanaryOptions second = canary_;
  second.models = {"p", "q"};
  Start({canary_, second});
  EXPECT_TRUE(WaitFor([&] { return server_.seen().size() >= 40; }));
  EXPECT_EQ(server_.most_at_once(), 1);
}

TEST_F(CanaryTest, ASaturatedEngineIsLeftAlone) {
  std::atomic<bool> saturated{true};
  sources_.saturated = [&](const CanaryEndpoint& endpoint, bool is_gateway) {
    EXPECT_EQ(endpoint.model, "m");
    EXPECT_FALSE(is_gateway);
    return saturated.load();
  };
  server_.Answer(kChat, [](const SeenCall&) { return Stream("1"); });
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Metric("probe_skipped_total", At(",reason=saturated")) >= 2; }));
  EXPECT_TRUE(server_.seen().empty());
  saturated = false;
  EXPECT_TRUE(WaitFor([&] { return Metric("probe_success", At(",probe=one")) == 1; }));
}

TEST_F(CanaryTest, AnEngineThatIsGoneLeavesNoSeries) {
  std::atomic<bool> there{true};
  canary_.url.clear();
  canary_.engines = true;
  sources_.engines = [&] {
    return there ? std::vector<FoundEngine>{Engine(server_.url(), {"m"})}
                 : std::vector<FoundEngine>{};
  };
  server_.Answer(kChat, [](const SeenCall&) { return Stream("1"); });
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Metric("model_accuracy_ratio", At()) == 0.5; }));
  there = false;
  EXPECT_TRUE(WaitFor([&] { return Metrics("probe_success").empty(); }));
  EXPECT_TRUE(Metrics("model_accuracy_ratio").empty());
}

TEST_F(CanaryTest, ASuiteThatIsNotThereIsNamed) {
  canary_.suites = {"s", "sums"};
  const auto prober = Make({canary_});
  ASSERT_FALSE(prober);
  EXPECT_EQ(prober.error().message(),
            "sonde.probes.canaries: there is no suite \"sums\"; there are: s");
}

TEST_F(CanaryTest, TheKeyIsSentAndNotLogged) {
  ASSERT_TRUE(env_.CreateDir("/keys"));
  ASSERT_TRUE(WriteFileAtomically(env_, "/keys/k", "sk-secret\n"));
  canary_.access.authorization = ProbeCredentials{.file = "/keys/k"};
  server_.Answer(kChat, [](const SeenCall& call) -> FakeReply {
    return call.authorization == "Bearer sk-secret" ? Stream("1") : FakeReply{401, "{}"};
  });
  Start({canary_});
  EXPECT_TRUE(WaitFor([&] { return Metric("probe_success", At(",probe=one")) == 1; }));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("sk-secret")));
}

}  // namespace
}  // namespace sonde::collect
