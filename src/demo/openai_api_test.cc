#include "demo/openai_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace sonde::demo {
namespace {

using ::testing::HasSubstr;

TEST(ParseCompletionRequest, Chat) {
  const auto request = ParseCompletionRequest(
      R"({"model":"deepseek-v3","messages":[{"role":"system","content":"Be brief. "},
          {"role":"user","content":[{"type":"text","text":"Hello"},{"type":"image_url"},{"type":"text","text":"!"}]}],
          "stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"min_tokens":2,
          "vllm_xargs":{"demo_output_tokens":7}})",
      true);
  ASSERT_TRUE(request.ok()) << request.error().message();
  EXPECT_EQ(request->model, "deepseek-v3");
  EXPECT_EQ(request->prompt, "Be brief. Hello!");
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(request->include_usage);
  EXPECT_EQ(request->max_tokens, 5U);
  EXPECT_EQ(request->min_tokens, 2U);
  EXPECT_EQ(request->output_tokens, 7U);
}

TEST(ParseCompletionRequest, Defaults) {
  const auto request =
      ParseCompletionRequest(R"({"model":"m","messages":[{"role":"user","content":null}]})", true);
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->stream);
  EXPECT_FALSE(request->include_usage);
  EXPECT_EQ(request->max_tokens, 0U);
  EXPECT_FALSE(request->output_tokens);
  EXPECT_EQ(ParseCompletionRequest(
                R"({"model":"m","messages":[{}],"max_completion_tokens":9,"max_tokens":5})", true)
                ->max_tokens,
            9U);
}

TEST(ParseCompletionRequest, Completions) {
  EXPECT_EQ(ParseCompletionRequest(R"({"model":"m","prompt":"Once"})", false)->prompt, "Once");
  EXPECT_EQ(ParseCompletionRequest(R"({"model":"m","prompt":["Once","Twice"]})", false)->prompt,
            "Once");
}

TEST(ParseCompletionRequest, Mistakes) {
  const auto error = [](std::string_view body, bool chat) {
    const auto request = ParseCompletionRequest(body, chat);
    return request ? "" : request.error().message();
  };
  EXPECT_THAT(error("{", true), HasSubstr("Invalid JSON"));
  EXPECT_THAT(error("[]", true), HasSubstr("valid dictionary"));
  EXPECT_THAT(error(R"({"messages":[{}]})", true), HasSubstr("model: Field required"));
  EXPECT_THAT(error(R"({"model":"m"})", true), HasSubstr("messages: Field required"));
  EXPECT_THAT(error(R"({"model":"m","messages":[]})", true), HasSubstr("messages: Field required"));
  EXPECT_THAT(error(R"({"model":"m","messages":["x"]})", true), HasSubstr("valid dictionary"));
  EXPECT_THAT(error(R"({"model":"m"})", false), HasSubstr("prompt: Field required"));
  EXPECT_THAT(error(R"({"model":"m","prompt":"x","max_tokens":0})", false),
              HasSubstr("max_tokens must be at least 1."));
  EXPECT_THAT(error(R"({"model":"m","prompt":"x","max_tokens":"many"})", false),
              HasSubstr("max_tokens"));
}

AnswerPlan Plan() {
  AnswerPlan plan;
  plan.id = "chatcmpl-1";
  plan.model = "deepseek-r1";
  plan.created_seconds = 1'700'000'000;
  plan.text_seed = 4;
  plan.prompt_tokens = 11;
  plan.output_tokens = 5;
  plan.reasoning_tokens = 2;
  return plan;
}

std::string Stream(const AnswerPlan& plan, bool usage) {
  const AnswerWriter writer(plan);
  std::string out;
  writer.BeginStream(out);
  for (std::uint32_t i = 0; i < plan.output_tokens; ++i)
    writer.Token(i, out);
  writer.EndStream(4, usage, out);
  return out;
}

// Each event of a stream, parsed; the last one is [DONE].
std::vector<std::string> Events(std::string_view stream) {
  std::vector<std::string> events;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    EXPECT_NE(end, std::string_view::npos);
    EXPECT_TRUE(stream.starts_with("data: ")) << stream;
    events.emplace_back(stream.substr(6, end - 6));
    stream.remove_prefix(end + 2);
  }
  return events;
}

TEST(AnswerWriter, AStreamAsVllmSendsIt) {
  const auto events = Events(Stream(Plan(), true));
  ASSERT_EQ(events.size(), 1U + 5 + 1 + 1);
  std::string reasoning;
  std::string answer;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    const auto document = JsonDocument::Parse(events[i]);
    ASSERT_TRUE(document.ok()) << events[i];
    const JsonView root = document->root();
    EXPECT_EQ(root["object"].string(), "chat.completion.chunk");
    EXPECT_EQ(root["id"].string(), "chatcmpl-1");
    EXPECT_EQ(root["system_fingerprint"].string(), "simulated");
    const JsonView choice = root["choices"].at(0);
    if (i == 0) {
      EXPECT_EQ(choice["delta"]["role"].string(), "assistant");
      EXPECT_EQ(choice["delta"]["content"].string(), "");
    }
    reasoning += choice["delta"]["reasoning"].string().value_or("");
    answer += choice["delta"]["content"].string().value_or("");
    if (i == 5) {
      EXPECT_EQ(choice["finish_reason"].string(), "stop");
    }
    if (i < 5) {
      EXPECT_TRUE(choice["finish_reason"].is_null());
    }
    if (i == 6) {
      EXPECT_EQ(root["choices"].size(), 0U);
      EXPECT_EQ(root["usage"]["prompt_tokens"].integer(), 11);
      EXPECT_EQ(root["usage"]["completion_tokens"].integer(), 5);
      EXPECT_EQ(root["usage"]["total_tokens"].integer(), 16);
      EXPECT_EQ(root["usage"]["prompt_tokens_details"]["cached_tokens"].integer(), 4);
      EXPECT_EQ(root["usage"]["completion_tokens_details"]["reasoning_tokens"].integer(), 2);
    }
  }
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_TRUE(reasoning.starts_with("[simulated reasoning]")) << reasoning;
  EXPECT_TRUE(answer.starts_with("[simulated answer]")) << answer;
}

TEST(AnswerWriter, WithoutUsageAndPlainCompletions) {
  EXPECT_EQ(Events(Stream(Plan(), false)).size(), 1U + 5 + 1);
  AnswerPlan plan = Plan();
  plan.chat = false;
  plan.reasoning_tokens = 0;
  plan.ends_with = FinishReason::kLength;
  const auto events = Events(Stream(plan, false));
  ASSERT_EQ(events.size(), 5U + 1);
  const auto last = JsonDocument::Parse(events[4]);
  EXPECT_EQ(last->root()["object"].string(), "text_completion");
  EXPECT_EQ(last->root()["choices"].at(0)["finish_reason"].string(), "length");
  EXPECT_TRUE(last->root()["choices"].at(0)["text"].string());
}

TEST(AnswerWriter, TheWholeIsTheStreamInOne) {
  const AnswerWriter writer(Plan());
  const auto document = JsonDocument::Parse(writer.Whole(4));
  ASSERT_TRUE(document.ok()) << writer.Whole(4);
  const JsonView root = document->root();
  EXPECT_EQ(root["object"].string(), "chat.completion");
  EXPECT_EQ(root["system_fingerprint"].string(), "simulated");
  const JsonView message = root["choices"].at(0)["message"];
  EXPECT_TRUE(message["content"].string()->starts_with("[simulated answer]"));
  EXPECT_TRUE(message["reasoning"].string()->starts_with("[simulated reasoning]"));
  EXPECT_EQ(root["choices"].at(0)["finish_reason"].string(), "stop");
  EXPECT_EQ(root["usage"]["completion_tokens"].integer(), 5);
}

TEST(AnswerWriter, AFailureInsideTheStream) {
  std::string out;
  AnswerWriter(Plan()).FailStream(out);
  const auto events = Events(out);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(JsonDocument::Parse(events[0])->root()["error"]["code"].integer(), 500);
}

TEST(Bodies, ErrorsAndModels) {
  const auto error = JsonDocument::Parse(ErrorBody(404, "The model \"x\" does not exist."));
  EXPECT_EQ(error->root()["error"]["type"].string(), "NotFoundError");
  EXPECT_EQ(error->root()["error"]["code"].integer(), 404);
  EngineSpec spec;
  spec.model = "deepseek-v3";
  const auto models = JsonDocument::Parse(ModelsBody(spec, 5));
  EXPECT_EQ(models->root()["data"].at(0)["id"].string(), "deepseek-v3");
  EXPECT_EQ(models->root()["data"].at(0)["owned_by"].string(), "vllm");
  EXPECT_EQ(models->root()["data"].at(0)["simulated"].boolean(), true);
}

}  // namespace
}  // namespace sonde::demo
