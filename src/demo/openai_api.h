#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "demo/engine_model.h"

// The OpenAI-compatible API as vLLM speaks it: reading requests, writing answers. Pure; the server
// is demo/engine_server.h. Every answer says that it is simulated: in its text and as
// "system_fingerprint": "simulated".

namespace sonde::demo {

/// POST /v1/chat/completions or /v1/completions.
struct CompletionRequest {
  bool chat = true;
  std::string model;
  std::string prompt;  ///< The texts of all messages, or the prompt.
  bool stream = false;
  bool include_usage = false;    ///< stream_options.include_usage
  std::uint32_t max_tokens = 0;  ///< 0: not given.
  std::uint32_t min_tokens = 0;
  /// vllm_xargs.demo_output_tokens: the demo's own clients say how long the answer is to be, as
  /// their trace does.
  std::optional<std::uint32_t> output_tokens;
};

/// kInvalid with vLLM's kind of message.
Result<CompletionRequest> ParseCompletionRequest(std::string_view body, bool chat);

/// {"error": {…}} as vLLM answers: type by status, code = status.
std::string ErrorBody(int status, std::string_view message);
/// {"object": "list", "data": [{"id": model, …}]}
std::string ModelsBody(const EngineSpec& spec, std::int64_t created_seconds);

/// What of an answer is known beforehand.
struct AnswerPlan {
  std::string id;  ///< "chatcmpl-…", "cmpl-…".
  std::string model;
  bool chat = true;
  std::int64_t created_seconds = 0;
  std::uint64_t text_seed = 0;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::uint32_t reasoning_tokens = 0;  ///< Of these; they come first.
  FinishReason ends_with = FinishReason::kStop;
};

/// Writes an answer, event by event or as a whole. Not thread-safe.
class AnswerWriter {
 public:
  explicit AnswerWriter(AnswerPlan plan);

  /// The first chunk of a chat: the role, no text. Nothing for plain completions.
  void BeginStream(std::string& out) const;
  /// The chunk of token `index` (from 0) of the answer; the last one carries the finish reason.
  void Token(std::uint32_t index, std::string& out) const;
  /// The chunk with the usage, if asked for, and the end mark.
  void EndStream(std::uint32_t cached_tokens, bool include_usage, std::string& out) const;
  /// The engine broke off after the first byte: an error inside the stream, and the end mark.
  void FailStream(std::string& out) const;

  /// The whole answer as one body, after `generated` tokens.
  std::string Whole(std::uint32_t cached_tokens) const;

  const AnswerPlan& plan() const { return plan_; }

 private:
  void Head(std::string& out) const;
  void Usage(std::uint32_t cached_tokens, std::string& out) const;

  const AnswerPlan plan_;
  std::string head_;  // {"id": …, "choices": [  up to where the chunks differ.
};

}  // namespace sonde::demo
