#include "demo/openai_api.h"

#include <algorithm>

#include "base/json.h"
#include "base/number.h"
#include "demo/sim_text.h"

namespace sonde::demo {
namespace {

constexpr std::int64_t kMaxTokens = 10'000'000;

Error BadRequest(std::string message) {
  return Error(ErrorKind::kInvalid, std::move(message));
}

// A message's content: a string, or parts of which the texts count.
void AppendContent(const JsonView& content, std::string& prompt) {
  if (const auto text = content.string()) {
    prompt += *text;
    return;
  }
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (const auto text = content.at(i)["text"].string()) prompt += *text;
  }
}

Result<std::uint32_t> TokenCount(const JsonView& value, std::string_view name) {
  if (!value.exists() || value.is_null()) return 0U;
  const auto number = value.integer();
  if (!number || *number < 1 || *number > kMaxTokens) {
    return BadRequest(std::string(name) + " must be at least 1.");
  }
  return static_cast<std::uint32_t>(*number);
}

Status ReadPrompt(const JsonView& root, CompletionRequest& request) {
  if (!request.chat) {
    const JsonView prompt = root["prompt"];
    if (prompt.is_array()) {
      AppendContent(prompt.at(0), request.prompt);
    } else {
      AppendContent(prompt, request.prompt);
    }
    if (!prompt.exists()) return BadRequest("prompt: Field required");
    return OkStatus();
  }
  const JsonView messages = root["messages"];
  if (!messages.is_array() || messages.size() == 0) return BadRequest("messages: Field required");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!messages.at(i).is_object())
      return BadRequest("messages: Input should be a valid dictionary");
    AppendContent(messages.at(i)["content"], request.prompt);
  }
  return OkStatus();
}

std::string_view ErrorType(int status) {
  switch (status) {
    case 400:
      return "BadRequestError";
    case 404:
      return "NotFoundError";
    default:
      return "InternalServerError";
  }
}

std::string_view FinishWord(FinishReason reason) {
  return reason == FinishReason::kLength ? "\"length\"" : "\"stop\"";
}

}  // namespace

Result<CompletionRequest> ParseCompletionRequest(std::string_view body, bool chat) {
  const auto document = JsonDocument::Parse(body);
  if (!document) return BadRequest("Invalid JSON: " + document.error().message());
  const JsonView root = document->root();
  if (!root.is_object()) return BadRequest("Input should be a valid dictionary");
  CompletionRequest request;
  request.chat = chat;
  const auto model = root["model"].string();
  if (!model) return BadRequest("model: Field required");
  request.model = *model;
  TRY(ReadPrompt(root, request));
  request.stream = root["stream"].boolean().value_or(false);
  request.include_usage = root["stream_options"]["include_usage"].boolean().value_or(false);
  request.max_tokens = TRY(TokenCount(root["max_completion_tokens"], "max_completion_tokens"));
  if (request.max_tokens == 0)
    request.max_tokens = TRY(TokenCount(root["max_tokens"], "max_tokens"));
  const auto min_tokens = root["min_tokens"].integer().value_or(0);
  request.min_tokens =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(min_tokens, 0, kMaxTokens));
  const JsonView wanted = root["vllm_xargs"]["demo_output_tokens"];
  if (wanted.exists()) request.output_tokens = TRY(TokenCount(wanted, "demo_output_tokens"));
  return request;
}

std::string ErrorBody(int status, std::string_view message) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("error").BeginObject();
  json.Key("message").String(message).Key("type").String(ErrorType(status));
  json.Key("param").Null().Key("code").Int(status).EndObject().EndObject();
  return body;
}

std::string ModelsBody(const EngineSpec& spec, std::int64_t created_seconds) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("object").String("list").Key("data").BeginArray().BeginObject();
  json.Key("id")
      .String(spec.model)
      .Key("object")
      .String("model")
      .Key("created")
      .Int(created_seconds);
  json.Key("owned_by")
      .String("vllm")
      .Key("root")
      .String("simulated/" + spec.model)
      .Key("parent")
      .Null();
  json.Key("max_model_len").Int(spec.max_model_len).Key("simulated").Bool(true);
  json.EndObject().EndArray().EndObject();
  return body;
}

AnswerWriter::AnswerWriter(AnswerPlan plan) : plan_(std::move(plan)) {
  JsonWriter json(head_);
  json.BeginObject().Key("id").String(plan_.id);
  json.Key("object").String(plan_.chat ? "chat.completion.chunk" : "text_completion");
  json.Key("created").Int(plan_.created_seconds).Key("model").String(plan_.model);
  json.Key("system_fingerprint").String("simulated").Key("choices").BeginArray();
}

void AnswerWriter::Head(std::string& out) const {
  out += "data: ";
  out += head_;
}

void AnswerWriter::BeginStream(std::string& out) const {
  if (!plan_.chat) return;
  Head(out);
  out +=
      R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})";
  out += "\n\n";
}

void AnswerWriter::Token(std::uint32_t index, std::string& out) const {
  const bool reasoning = index < plan_.reasoning_tokens;
  const std::string text =
      TokenText(plan_.text_seed, reasoning ? index : index - plan_.reasoning_tokens, reasoning);
  const bool last = index + 1 == plan_.output_tokens;
  Head(out);
  out += plan_.chat ? (reasoning ? R"({"index":0,"delta":{"reasoning":)"
                                 : R"({"index":0,"delta":{"content":)")
                    : R"({"index":0,"text":)";
  AppendJsonString(out, text);
  out +=
      plan_.chat ? R"(},"logprobs":null,"finish_reason":)" : R"(,"logprobs":null,"finish_reason":)";
  out += last ? FinishWord(plan_.ends_with) : std::string_view("null");
  out += "}]}\n\n";
}

void AnswerWriter::Usage(std::uint32_t cached_tokens, std::string& out) const {
  out += R"("usage":{"prompt_tokens":)";
  AppendUint(out, plan_.prompt_tokens);
  out += R"(,"total_tokens":)";
  AppendUint(out, std::uint64_t{plan_.prompt_tokens} + plan_.output_tokens);
  out += R"(,"completion_tokens":)";
  AppendUint(out, plan_.output_tokens);
  out += R"(,"prompt_tokens_details":{"cached_tokens":)";
  AppendUint(out, cached_tokens);
  out += '}';
  if (plan_.reasoning_tokens > 0) {
    out += R"(,"completion_tokens_details":{"reasoning_tokens":)";
    AppendUint(out, plan_.reasoning_tokens);
    out += '}';
  }
  out += '}';
}

void AnswerWriter::EndStream(std::uint32_t cached_tokens, bool include_usage,
                             std::string& out) const {
  if (include_usage) {
    Head(out);
    out += "],";
    Usage(cached_tokens, out);
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

void AnswerWriter::FailStream(std::string& out) const {
  out += "data: ";
  out += ErrorBody(500, "EngineCore encountered an issue (simulated).");
  out += "\n\ndata: [DONE]\n\n";
}

std::string AnswerWriter::Whole(std::uint32_t cached_tokens) const {
  std::string reasoning;
  std::string answer;
  for (std::uint32_t i = 0; i < plan_.output_tokens; ++i) {
    const bool thinks = i < plan_.reasoning_tokens;
    (thinks ? reasoning : answer) +=
        TokenText(plan_.text_seed, thinks ? i : i - plan_.reasoning_tokens, thinks);
  }
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("id").String(plan_.id);
  json.Key("object").String(plan_.chat ? "chat.completion" : "text_completion");
  json.Key("created").Int(plan_.created_seconds).Key("model").String(plan_.model);
  json.Key("system_fingerprint").String("simulated").Key("choices").BeginArray().BeginObject();
  json.Key("index").Int(0);
  if (plan_.chat) {
    json.Key("message").BeginObject().Key("role").String("assistant").Key("content").String(answer);
    json.Key("reasoning");
    if (plan_.reasoning_tokens > 0) {
      json.String(reasoning);
    } else {
      json.Null();
    }
    json.Key("tool_calls").BeginArray().EndArray().EndObject();
  } else {
    json.Key("text").String(reasoning + answer);
  }
  json.Key("logprobs").Null().Key("finish_reason").Raw(FinishWord(plan_.ends_with));
  json.EndObject().EndArray();
  body += ',';
  Usage(cached_tokens, body);
  body += '}';
  return body;
}

}  // namespace sonde::demo
