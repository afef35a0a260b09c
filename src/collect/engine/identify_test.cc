#include "collect/engine/identify.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"

namespace sonde::collect {
namespace {

using ::testing::ElementsAre;

std::string ReadPage(const std::string& name) {
  PosixEnv env;
  auto text = env.ReadFile("tests/mappings/" + name, 16U << 20);
  EXPECT_TRUE(text.ok()) << name;
  return std::move(text).value_or("");
}

TEST(EngineOfMetrics, ByTheNamesOfFamilies) {
  EXPECT_EQ(EngineOfMetrics(ReadPage("vllm.txt")), "vllm");
  EXPECT_EQ(EngineOfMetrics(ReadPage("vllm_old.txt")), "vllm");
  EXPECT_EQ(EngineOfMetrics(ReadPage("sglang.txt")), "sglang");
  EXPECT_EQ(EngineOfMetrics(ReadPage("sglang_underscores.txt")), "sglang");
  EXPECT_EQ(EngineOfMetrics(ReadPage("llamacpp.txt")), "llamacpp");
  EXPECT_EQ(EngineOfMetrics("# TYPE nv_inference_count counter\nnv_inference_count 1\n"), "triton");
  // Triton with its vLLM back end.
  EXPECT_EQ(EngineOfMetrics(
                "nv_inference_count 1\nvllm:prompt_tokens_total{model=\"x\",version=\"1\"} 5\n"),
            "vllm");
  EXPECT_EQ(EngineOfMetrics("trtllm_num_requests_running 1"), "tensorrt-llm");
}

// What the mapping of a page calls its engine is what the page is recognised as.
TEST(EngineOfMetrics, EveryEngineThatIsMapped) {
  const std::pair<const char*, const char*> pages[] = {
      {"trtllm.txt", "tensorrt-llm"},
      {"triton.txt", "triton"},
      {"triton_trtllm.txt", "triton"},
      {"triton_vllm.txt", "vllm"},
      {"tgi.txt", "tgi"},
      {"lmdeploy.txt", "lmdeploy"},
      {"lmdeploy_underscores.txt", "lmdeploy"},
      {"dynamo_frontend.txt", "dynamo"},
      {"dynamo_old.txt", "dynamo"},
      {"dynamo_worker.txt", "tensorrt-llm"},
      {"sglang_gateway.txt", "sglang-gateway"},
      {"sgl_router.txt", "sgl-router"},
      {"gaie.txt", "gaie"},
      {"gaie_old.txt", "gaie"},
      {"llm_d_router.txt", "llm-d-router"},
      {"llm_d_router_deprecated.txt", "llm-d-router"},
      {"litellm.txt", "litellm"},
      {"production_stack.txt", "production-stack"},
      {"aibrix.txt", "aibrix"},
      {"otel_genai.txt", "otel"},
  };
  for (const auto& [page, engine] : pages)
    EXPECT_EQ(EngineOfMetrics(ReadPage(page)), engine) << page;
  EXPECT_EQ(EngineOfMetrics("ray_vllm_num_requests_running 1"), "vllm");
  // Exporters of accelerators are watched, but are no engines.
  for (const char* page : {"dcgm.txt", "nvidia_smi.txt", "rocm.txt", "ascend.txt"})
    EXPECT_EQ(EngineOfMetrics(ReadPage(page)), "") << page;
}

TEST(EngineOfMetrics, OthersAreNone) {
  EXPECT_EQ(EngineOfMetrics(""), "");
  EXPECT_EQ(EngineOfMetrics("# HELP up vllm:x in a comment is nothing\nup{engine=\"vllm:\"} 1\n"),
            "");
  EXPECT_EQ(EngineOfMetrics("# a comment\n#\n# EOF"), "");
  EXPECT_EQ(EngineOfMetrics("<html><body>vllm:</body></html>"), "");
  EXPECT_EQ(EngineOfMetrics(std::string(300U << 10, '\n') + "vllm:x 1\n"),
            "");  // Beyond what is read.
}

TEST(ParseModelList, OpenAiAndOthers) {
  const auto list = ParseModelList(
      R"({"object":"list","data":[{"id":"deepseek-v3","object":"model","owned_by":"vllm"},{"id":"lora-1"}]})");
  ASSERT_TRUE(list);
  EXPECT_THAT(list->ids, ElementsAre("deepseek-v3", "lora-1"));
  EXPECT_EQ(list->owned_by, "vllm");
  ASSERT_TRUE(ParseModelList(R"({"data":[]})"));
  for (const char* other : {"", "[]", "{}", R"({"data":{}})", R"({"data":[1]})",
                            R"({"data":[{"name":"x"}]})", "<html>"}) {
    EXPECT_FALSE(ParseModelList(other)) << other;
  }
  EXPECT_FALSE(ParseModelList(R"({"data":[{"id":")" + std::string(1000, 'x') + "\"}]}"));
}

/// A server by its paths; everything else is 404. Remembers what it was asked.
class Server {
 public:
  Server& On(std::string path, std::string body, int status = 200) {
    replies_[std::move(path)] = {status, std::move(body)};
    return *this;
  }
  ProbeResult Probe() {
    asked_ = 0;
    return ProbeEngine("http://e:1", [&](const std::string& url) {
      ++asked_;
      EXPECT_TRUE(url.starts_with("http://e:1/")) << url;
      const auto found = replies_.find(url.substr(10));
      return found == replies_.end() ? ProbeReply{404, "{\"detail\":\"Not Found\"}"}
                                     : found->second;
    });
  }
  int asked() const { return asked_; }

 private:
  std::map<std::string, ProbeReply> replies_;
  int asked_ = 0;
};

void ExpectEngine(Server& server, const EngineIdentity& want) {
  const ProbeResult got = server.Probe();
  ASSERT_EQ(got.outcome, ProbeOutcome::kEngine);
  EXPECT_EQ(got.identity.engine, want.engine);
  EXPECT_EQ(got.identity.version, want.version);
  EXPECT_EQ(got.identity.models, want.models);
  EXPECT_EQ(got.identity.metrics_path, want.metrics_path);
  EXPECT_EQ(got.identity.serves_api, want.serves_api);
  EXPECT_LE(server.asked(), 5);
}

std::string Models(const std::string& id, const std::string& owner) {
  return R"({"object":"list","data":[{"id":")" + id + R"(","owned_by":")" + owner + R"("}]})";
}

TEST(ProbeEngine, Vllm) {
  Server server;
  server.On("/v1/models", Models("deepseek-v3", "vllm"))
      .On("/metrics", ReadPage("vllm.txt"))
      .On("/version", R"({"version":"0.11.2"})");
  ExpectEngine(server, {"vllm", "0.11.2", {"deepseek-v3"}, "/metrics", true});
}

TEST(ProbeEngine, SglangWithoutMetrics) {
  Server server;
  server.On("/v1/models", Models("deepseek-r1", "sglang"))
      .On("/get_server_info", R"({"version":"0.5.4","tp_size":8})");
  ExpectEngine(server, {"sglang", "0.5.4", {"deepseek-r1"}, "", true});
}

TEST(ProbeEngine, LlamaCppWithMetricsOff) {
  Server server;
  server.On("/v1/models", Models("smollm2.gguf", "llamacpp"))
      .On("/metrics",
          R"({"error":{"code":501,"message":"This server does not support metrics endpoint."}})",
          501)
      .On("/props", R"({"build_info":"b4567-abcdef","model_path":"x"})");
  ExpectEngine(server, {"llamacpp", "b4567-abcdef", {"smollm2.gguf"}, "", true});
}

TEST(ProbeEngine, TensorRtHasItsExpositionElsewhere) {
  Server server;
  server.On("/v1/models", Models("deepseek-v3", "tensorrt_llm"))
      .On("/metrics", R"([{"iter":1,"gpuMemUsage":5}])")
      .On("/prometheus/metrics", "trtllm_num_requests_running 1\n")
      .On("/version", R"({"version":"1.1.0"})");
  ExpectEngine(server, {"tensorrt-llm", "1.1.0", {"deepseek-v3"}, "/prometheus/metrics", true});
}

TEST(ProbeEngine, Ollama) {
  Server server;
  server.On("/v1/models", Models("deepseek-r1:8b", "library"))
      .On("/api/version", R"({"version":"0.12.3"})");
  ExpectEngine(server, {"ollama", "0.12.3", {"deepseek-r1:8b"}, "", true});
}

TEST(ProbeEngine, OllamaTooOldForALOfModels) {
  Server server;
  server.On("/api/version", R"({"version":"0.1.0"})");
  ExpectEngine(server, {"ollama", "0.1.0", {}, "", true});
}

TEST(ProbeEngine, AnotherOpenAiServer) {
  Server server;
  server.On("/v1/models", Models("/models/x.gguf", "me"));  // llama-cpp-python's server.
  ExpectEngine(server, {"openai", "", {"/models/x.gguf"}, "", true});
}

TEST(ProbeEngine, TritonsMetricsPort) {
  Server server;
  server.On("/metrics", "# TYPE nv_inference_count counter\nnv_inference_count{model=\"x\"} 5\n");
  ExpectEngine(server, {"triton", "", {}, "/metrics", false});
}

TEST(ProbeEngine, OtherServersAreNone) {
  Server plain;
  EXPECT_EQ(plain.Probe().outcome, ProbeOutcome::kNoEngine);
  Server exporter;
  exporter.On("/metrics", "node_load1 0.5\n");
  EXPECT_EQ(exporter.Probe().outcome, ProbeOutcome::kNoEngine);
  Server page;  // Answers everything with its start page.
  page.On("/v1/models", "<html>").On("/metrics", "<html>").On("/api/version", "<html>");
  EXPECT_EQ(page.Probe().outcome, ProbeOutcome::kNoEngine);
  Server closed;
  closed.On("/v1/models", R"({"error":"key"})", 401)
      .On("/metrics", "no", 401)
      .On("/api/version", "no", 401);
  EXPECT_EQ(closed.Probe().outcome, ProbeOutcome::kNoEngine);
}

TEST(ProbeEngine, NobodyIsAskedOnce) {
  int asked = 0;
  const ProbeResult result = ProbeEngine("http://e:1", [&](const std::string&) {
    ++asked;
    return ProbeReply{};
  });
  EXPECT_EQ(result.outcome, ProbeOutcome::kNobody);
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(IdentifyEngine("http://e:1", [](const std::string&) { return ProbeReply{}; }));
}

TEST(ProbeEngine, VersionsAreBounded) {
  Server server;
  server.On("/v1/models", Models("m", "vllm"))
      .On("/version", R"({"version":")" + std::string(5000, '1') + "\"}");
  EXPECT_EQ(server.Probe().identity.version.size(), 64U);
}

}  // namespace
}  // namespace sonde::collect
