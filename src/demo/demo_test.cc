#include "demo/demo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "demo/engine_server.h"
#include "net/http_server.h"

namespace sonde::demo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(DemoConfiguration, NamesEverything) {
  const std::string yaml = DemoConfiguration(DemoOptions{}, DemoCluster());
  EXPECT_THAT(yaml, HasSubstr("simulated"));
  EXPECT_THAT(
      yaml,
      HasSubstr("      - targets: [\"127.0.0.1:9811\"]\n        labels: {node: sim-node-1}\n"));
  EXPECT_THAT(
      yaml,
      HasSubstr("      - targets: [\"127.0.0.1:9825\"]\n        labels: {node: sim-node-5}\n"));
  EXPECT_THAT(yaml, HasSubstr("      - {name: deepseek-r1-1, url: \"http://127.0.0.1:9814\", "
                              "models: [deepseek-r1]}\n"));
}

TEST(PickModel, SharesAndDeterminism) {
  std::vector<Endpoint> endpoints;
  for (const EngineSpec& spec : DemoCluster())
    endpoints.push_back({spec.model, "http://x"});
  std::map<std::string, int> picked;
  for (std::uint64_t i = 0; i < 10'000; ++i)
    ++picked[PickModel(endpoints, 1, i)];
  EXPECT_EQ(picked.size(), 3U);
  EXPECT_NEAR(picked["deepseek-v3"], 5'000, 200);
  EXPECT_NEAR(picked["deepseek-r1"], 3'000, 200);
  EXPECT_EQ(PickModel(endpoints, 1, 77), PickModel(endpoints, 1, 77));
  EXPECT_EQ(PickModel({{"one", "http://x"}}, 1, 77), "one");
}

TEST(RequestBody, IsARequestThatTheEngineReads) {
  const auto request =
      ParseCompletionRequest(RequestBody("deepseek-v3", {SimTime(0), 300, 40}, 5, true, 1), true);
  ASSERT_TRUE(request.ok()) << request.error().message();
  EXPECT_EQ(request->model, "deepseek-v3");
  EXPECT_EQ(request->prompt.size(), 1'200U);
  EXPECT_EQ(request->output_tokens, 40U);
  EXPECT_TRUE(request->include_usage);
  EXPECT_EQ(ParseCompletionRequest(RequestBody("m", {SimTime(0), 300, 40}, 7, false, 1), true)
                ->max_tokens,
            26U);
}

class DemoServers : public ::testing::Test {
 protected:
  DemoServers() : sim_clock_(clock_, 200) {  // 200 times real time: nobody waits.
    EngineSpec spec = DemoCluster()[2];
    spec.failure_ratio = 0;
    node_ = std::make_unique<SimulatedNode>(spec, none_, 1);
    server_ = std::make_unique<EngineServer>(*node_, sim_clock_, 1, loops_, Logger(sink_, clock_),
                                             registry_);
    const Status started = server_->Start("127.0.0.1", 0, 0);
    EXPECT_TRUE(started.ok()) << (started ? "" : started.error().message());
  }
  ~DemoServers() override {
    server_->Stop();
    loops_.Stop();
  }

  net::HttpClient::Reply Ask(const std::string& path, const std::string& body = "",
                             bool gpus = false) {
    net::HttpClientRequest request;
    const std::uint16_t port = gpus ? server_->gpu_port() : server_->engine_port();
    request.url = *net::Url::Parse("http://127.0.0.1:" + std::to_string(port) + path);
    request.method = body.empty() ? "GET" : "POST";
    request.body = body;
    auto reply = net::FetchBlocking(request, 16U << 20, Duration(30'000));
    EXPECT_TRUE(reply.ok()) << (reply ? "" : reply.error().message());
    if (!reply) return {};
    EXPECT_EQ(reply->headers.Get("X-Sonde-Simulated"), "true") << path;
    return *std::move(reply);
  }

  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  SimClock sim_clock_;
  const Incident none_;
  net::LoopGroup loops_{1};
  std::unique_ptr<SimulatedNode> node_;
  std::unique_ptr<EngineServer> server_;
};

TEST_F(DemoServers, AStreamedAnswer) {
  const auto reply =
      Ask("/v1/chat/completions",
          R"({"model":"deepseek-r1","messages":[{"role":"user","content":"hello"}],"stream":true,
                             "stream_options":{"include_usage":true},"max_tokens":20,"min_tokens":20})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(std::string(reply.headers.Get("Content-Type")), HasSubstr("text/event-stream"));
  EXPECT_THAT(reply.body, HasSubstr("[simulated reasoning]"));
  EXPECT_THAT(reply.body, HasSubstr("[simulated answer]"));
  EXPECT_THAT(reply.body, HasSubstr("\"completion_tokens\":20"));
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  const std::string page = Ask("/metrics").body;
  EXPECT_THAT(page, HasSubstr("vllm:generation_tokens_total{engine=\"0\",model_name=\"deepseek-"
                              "r1\",simulated=\"true\"} 20.0\n"));
  EXPECT_THAT(page, HasSubstr("vllm:num_requests_running{engine=\"0\",model_name=\"deepseek-r1\","
                              "simulated=\"true\"} 0.0\n"));
  EXPECT_THAT(page,
              HasSubstr("handler=\"/v1/chat/completions\",method=\"POST\",status=\"2xx\"} 1.0\n"));
}

TEST_F(DemoServers, AnswersInOnePiece) {
  const auto chat = Ask("/v1/chat/completions",
                        R"({"model":"deepseek-r1","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(chat.status, 200);
  const auto document = JsonDocument::Parse(chat.body);
  ASSERT_TRUE(document.ok()) << chat.body;
  EXPECT_EQ(document->root()["choices"].at(0)["finish_reason"].string(), "stop");
  EXPECT_GT(document->root()["usage"]["completion_tokens"].integer().value_or(0), 0);
  const auto plain =
      Ask("/v1/completions",
          R"({"model":"deepseek-r1","prompt":"Once","max_tokens":3,"min_tokens":9})");
  EXPECT_THAT(plain.body, HasSubstr("\"object\":\"text_completion\""));
  EXPECT_THAT(plain.body, HasSubstr("\"finish_reason\":\"length\""));
}

TEST_F(DemoServers, TheOtherPaths) {
  EXPECT_THAT(Ask("/v1/models").body, HasSubstr("\"id\":\"deepseek-r1\""));
  EXPECT_EQ(Ask("/health").status, 200);
  EXPECT_THAT(Ask("/version").body, HasSubstr("simulated"));
  EXPECT_EQ(Ask("/nonsense").status, 404);
  EXPECT_THAT(Ask("/metrics").body, Not(HasSubstr("/nonsense")));
  EXPECT_THAT(Ask("/metrics", "", true).body, HasSubstr("DCGM_FI_DEV_GPU_TEMP{"));
  EXPECT_EQ(Ask("/", "", true).status, 404);
}

TEST_F(DemoServers, MistakesAreAnsweredAsVllmDoes) {
  const auto model = Ask("/v1/chat/completions",
                         R"({"model":"gpt-9","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(model.status, 404);
  EXPECT_THAT(model.body, HasSubstr("The model `gpt-9` does not exist."));
  EXPECT_EQ(Ask("/v1/chat/completions", "{").status, 400);
  const std::string huge(200'000, 'x');
  const auto longer =
      Ask("/v1/chat/completions",
          R"({"model":"deepseek-r1","messages":[{"role":"user","content":")" + huge + "\"}]}");
  EXPECT_EQ(longer.status, 400);
  EXPECT_THAT(longer.body, HasSubstr("maximum context length"));
}

TEST_F(DemoServers, AFailingEngineSaysSoInsideTheStream) {
  EngineSpec spec = DemoCluster()[0];
  spec.failure_ratio = 1;
  SimulatedNode node(spec, none_, 1);
  EngineServer server(node, sim_clock_, 1, loops_, Logger(sink_, clock_), registry_);
  ASSERT_TRUE(server.Start("127.0.0.1", 0, 0).ok());
  net::HttpClientRequest request;
  request.method = "POST";
  request.url = *net::Url::Parse("http://127.0.0.1:" + std::to_string(server.engine_port()) +
                                 "/v1/chat/completions");
  request.body =
      R"({"model":"deepseek-v3","messages":[{"role":"user","content":"hi"}],"stream":true})";
  const auto streamed = net::FetchBlocking(request, 1U << 20, Duration(30'000));
  ASSERT_TRUE(streamed.ok());
  EXPECT_EQ(streamed->status, 200);
  EXPECT_THAT(streamed->body, HasSubstr("data: {\"error\":"));
  request.body = R"({"model":"deepseek-v3","messages":[{"role":"user","content":"hi"}]})";
  EXPECT_EQ(net::FetchBlocking(request, 1U << 20, Duration(30'000))->status, 500);
  server.Stop();
}

// The clients against one engine, without a gateway: what they count is what the engine counts.
TEST_F(DemoServers, ClientsAndEngineAgree) {
  const auto trace = Trace::Parse("0,50,10\n100,60,20\n100,500,5\n100,20,30\n100000,1,1\n");
  ASSERT_TRUE(trace.ok());
  LoadOptions options;
  // A gateway that is not there: the clients must find the way.
  options.gateway_url = "http://127.0.0.1:1";
  options.endpoints = {
      {"deepseek-r1", "http://127.0.0.1:" + std::to_string(server_->engine_port())}};
  options.speed = 200;
  options.leave_ratio = 0;
  options.mistake_ratio = 0;
  options.stream_ratio = 1;
  net::HttpClient client(net::HttpClientOptions{}, registry_, "test");
  LoadGenerator clients(options, *trace, loops_, client, clock_, Logger(sink_, clock_));
  clients.Start();
  while (clients.stats().succeeded + clients.stats().failed < 4)
    std::this_thread::yield();
  clients.Stop();
  const LoadStats stats = clients.stats();
  EXPECT_EQ(stats.sent, 4U);
  EXPECT_EQ(stats.succeeded, 4U);
  EXPECT_EQ(stats.direct, 4U);
  EXPECT_EQ(stats.first_tokens, 4U);
  EXPECT_EQ(stats.tokens, 65U);
  EXPECT_THAT(sink_.text(), HasSubstr("the gateway does not answer"));
  EXPECT_THAT(Ask("/metrics").body, HasSubstr("vllm:generation_tokens_total{engine=\"0\",model_"
                                              "name=\"deepseek-r1\",simulated=\"true\"} 65.0\n"));
}

TEST_F(DemoServers, AClientThatLeavesIsAnAbort) {
  const auto trace = Trace::Parse("0,50,2000\n100000,1,1\n");
  ASSERT_TRUE(trace.ok());
  LoadOptions options;
  options.endpoints = {
      {"deepseek-r1", "http://127.0.0.1:" + std::to_string(server_->engine_port())}};
  options.speed = 20;
  options.leave_ratio = 1;
  options.mistake_ratio = 0;
  options.stream_ratio = 1;
  net::HttpClient client(net::HttpClientOptions{}, registry_, "test");
  LoadGenerator clients(options, *trace, loops_, client, clock_, Logger(sink_, clock_));
  clients.Start();
  const std::string aborted = "finished_reason=\"abort\"} 1.0\n";
  while (Ask("/metrics").body.find(aborted) == std::string::npos)
    std::this_thread::yield();
  clients.Stop();
  EXPECT_EQ(clients.stats().left, 1U);
  EXPECT_THAT(Ask("/metrics").body, HasSubstr("vllm:kv_cache_usage_perc{engine=\"0\",model_name="
                                              "\"deepseek-r1\",simulated=\"true\"} 0.0\n"));
}

TEST(Demo, OptionsAreChecked) {
  SystemClock clock;
  MemorySink sink;
  instrument::Registry registry;
  const auto error = [&](const DemoOptions& options) {
    const auto demo = Demo::Make(options, clock, Logger(sink, clock), registry);
    return demo ? "" : demo.error().message();
  };
  DemoOptions options;
  options.rate = -1;
  EXPECT_THAT(error(options), HasSubstr("--rate"));
  options = {};
  options.speed = 0;
  EXPECT_THAT(error(options), HasSubstr("--speed"));
  options = {};
  options.base_port = 65'530;
  EXPECT_THAT(error(options), HasSubstr("--port"));
  options = {};
  options.gateway_url = "gopher://x";
  EXPECT_THAT(error(options), HasSubstr("--gateway"));
  options = {};
  options.incident = "flood";
  EXPECT_THAT(error(options), HasSubstr("--incident"));
  options = {};
  options.incident = "cooling";
  options.incident_for = Duration(0);
  EXPECT_THAT(error(options), HasSubstr("--incident-for"));
}

TEST(Demo, SaysWhatItIs) {
  SystemClock clock;
  MemorySink sink;
  instrument::Registry registry;
  DemoOptions options;
  options.incident = "cooling";
  options.speed = 10;
  const auto demo = Demo::Make(options, clock, Logger(sink, clock), registry);
  ASSERT_TRUE(demo.ok());
  const std::string text = (*demo)->Description();
  EXPECT_THAT(text, HasSubstr("This is a SIMULATION"));
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:9811  deepseek-v3 on sim-node-1"));
  EXPECT_THAT(text, HasSubstr("CC-BY 4.0"));
  EXPECT_THAT(text, HasSubstr("10 times as fast"));
  EXPECT_THAT(text, HasSubstr("cooling fails 10m after the start, for 20m"));
}

}  // namespace
}  // namespace sonde::demo
