#include "gateway/answer_scanner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/number.h"

namespace sonde::gateway {
namespace {

enum Node : JsonNode {
  kNone = kNoNode,
  kRoot = kRootNode,
  kChoices,
  kChoice,
  kDelta,         // Of a choice.
  kText,          // Content if not empty: any of several strings.
  kReasoning,     // Reasoning if not empty.
  kToolCalls,     // An array; content if it has elements.
  kFunctionCall,  // An object; content if it is there.
  kFinishReason,
  kUsage,
  kPrompt,
  kCompletion,
  kTotal,
  kCached,
  kUncached,
  kReasoningTokens,
  kPromptDetails,
  kCompletionDetails,
  kInput,  // Anthropic's and the responses API's prompt tokens.
  kCacheRead,
  kCacheCreation,
  kError,
  kType,
  kEventDelta,  // Top-level `delta`: a string (responses) or an object (messages).
  kResponse,
  kStatus,
  kIncomplete,
  kMessage,
  kObject,
  kId,
  kErrorWord,  // Members of an error that say what kind it is.
  kGroq,
  kTimings,  // llama.cpp's own counts, which it sends where no usage is asked for.
  kTimingsPrompt,
  kTimingsCached,
  kTimingsPredicted,
};

constexpr std::array kEdges = {
    JsonEdge{kRoot, "choices", kChoices},
    JsonEdge{kRoot, "usage", kUsage},
    JsonEdge{kRoot, "error", kError},
    JsonEdge{kRoot, "type", kType},
    JsonEdge{kRoot, "delta", kEventDelta},
    JsonEdge{kRoot, "response", kResponse},
    JsonEdge{kRoot, "status", kStatus},
    JsonEdge{kRoot, "incomplete_details", kIncomplete},
    JsonEdge{kRoot, "message", kMessage},
    JsonEdge{kRoot, "object", kObject},
    JsonEdge{kRoot, "id", kId},
    JsonEdge{kRoot, "stop_reason", kFinishReason},
    JsonEdge{kRoot, "code", kErrorWord},
    JsonEdge{kRoot, "timings", kTimings},
    JsonEdge{kRoot, "x_groq", kGroq},
    JsonEdge{kChoices, "[]", kChoice},
    JsonEdge{kChoice, "delta", kDelta},
    JsonEdge{kChoice, "text", kText},
    JsonEdge{kChoice, "finish_reason", kFinishReason},
    JsonEdge{kChoice, "usage", kUsage},
    JsonEdge{kDelta, "content", kText},
    JsonEdge{kDelta, "reasoning_content", kReasoning},
    JsonEdge{kDelta, "reasoning", kReasoning},
    JsonEdge{kDelta, "tool_calls", kToolCalls},
    JsonEdge{kDelta, "function_call", kFunctionCall},
    JsonEdge{kDelta, "refusal", kText},
    JsonEdge{kUsage, "prompt_tokens", kPrompt},
    JsonEdge{kUsage, "completion_tokens", kCompletion},
    JsonEdge{kUsage, "total_tokens", kTotal},
    JsonEdge{kUsage, "prompt_cache_hit_tokens", kCached},
    JsonEdge{kUsage, "prompt_cache_miss_tokens", kUncached},
    JsonEdge{kUsage, "prompt_tokens_details", kPromptDetails},
    JsonEdge{kUsage, "completion_tokens_details", kCompletionDetails},
    JsonEdge{kUsage, "reasoning_tokens", kReasoningTokens},
    JsonEdge{kUsage, "input_tokens", kInput},
    JsonEdge{kUsage, "output_tokens", kCompletion},
    JsonEdge{kUsage, "input_tokens_details", kPromptDetails},
    JsonEdge{kUsage, "output_tokens_details", kCompletionDetails},
    JsonEdge{kUsage, "cache_read_input_tokens", kCacheRead},
    JsonEdge{kUsage, "cache_creation_input_tokens", kCacheCreation},
    JsonEdge{kPromptDetails, "cached_tokens", kCached},
    JsonEdge{kCompletionDetails, "reasoning_tokens", kReasoningTokens},
    JsonEdge{kEventDelta, "text", kText},
    JsonEdge{kEventDelta, "thinking", kReasoning},
    JsonEdge{kEventDelta, "partial_json", kText},
    JsonEdge{kEventDelta, "stop_reason", kFinishReason},
    JsonEdge{kResponse, "id", kId},
    JsonEdge{kResponse, "usage", kUsage},
    JsonEdge{kResponse, "error", kError},
    JsonEdge{kResponse, "status", kStatus},
    JsonEdge{kResponse, "incomplete_details", kIncomplete},
    JsonEdge{kIncomplete, "reason", kFinishReason},
    JsonEdge{kMessage, "id", kId},
    JsonEdge{kMessage, "usage", kUsage},
    JsonEdge{kError, "code", kErrorWord},
    JsonEdge{kError, "type", kErrorWord},
    JsonEdge{kError, "status", kErrorWord},
    JsonEdge{kGroq, "usage", kUsage},
    JsonEdge{kTimings, "prompt_n", kTimingsPrompt},
    JsonEdge{kTimings, "cache_n", kTimingsCached},
    JsonEdge{kTimings, "predicted_n", kTimingsPredicted},
};

/// A token count: a number with an integral value that is not negative.
std::optional<std::int64_t> Count(std::string_view text) {
  const auto value = ParseFloat(text);
  if (!value || !(*value >= 0) || *value > 9e15 || *value != std::floor(*value))
    return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

}  // namespace

AnswerScanner::AnswerScanner() : scanner_(kEdges, *this) {}

void AnswerScanner::Reset() {
  scanner_.Reset();
  fields_ = {};
  type_ = Type::kNone;
  delta_string_ = false;
  status_ = {};
  cache_read_.reset();
  cache_creation_.reset();
  timings_ = {};
  overloaded_ = false;
  unpaid_ = false;
}

AnswerScanner::Type AnswerScanner::TypeOf(std::string_view name) {
  if (name == "error" || name == "response.failed") return Type::kError;
  if (name == "response.completed" || name == "response.incomplete" || name == "message_stop")
    return Type::kLast;
  if (name.starts_with("response.") && name.ends_with(".delta")) {
    return name.find("reasoning") == std::string_view::npos ? Type::kTextDelta
                                                            : Type::kReasoningDelta;
  }
  return Type::kOther;
}

void AnswerScanner::OnString(JsonNode node, std::string_view value, std::uint64_t size) {
  switch (node) {
    case kText:
      fields_.text |= size > 0;
      break;
    case kReasoning:
      fields_.reasoning |= size > 0;
      break;
    case kFinishReason:
      if (!value.empty()) fields_.finish_reason = value;
      break;
    case kError:
      fields_.error =
          AnswerError::kFailed;  // Some servers put the message there instead of an object.
      break;
    case kErrorWord:
      OnErrorWord(value);
      break;
    case kType:
      type_ = TypeOf(value);
      break;
    case kObject:
      if (value == "error") fields_.error = AnswerError::kFailed;  // vLLM's errors of old.
      break;
    case kId:
      if (id_.empty()) id_ = value;
      break;
    case kEventDelta:
      delta_string_ |= size > 0;
      break;
    case kStatus:
      status_ = value == "completed" ? "stop" : value == "failed" ? "error" : "";
      break;
    default:
      break;
  }
}

void AnswerScanner::OnScalar(JsonNode node, std::string_view text) {
  if (const auto count = Count(text)) OnCount(node, *count);
}

void AnswerScanner::OnCount(JsonNode node, std::int64_t count) {
  switch (node) {
    case kPrompt:
    case kInput:
      fields_.usage.prompt = count;
      break;
    case kCompletion:
      fields_.usage.completion = count;
      break;
    case kTotal:
      fields_.usage.total = count;
      break;
    case kCached:
      fields_.usage.cached = count;
      break;
    case kUncached:
      fields_.usage.uncached = count;
      break;
    case kReasoningTokens:
      fields_.usage.reasoning = count;
      break;
    case kCacheRead:
      cache_read_ = count;
      break;
    case kCacheCreation:
      cache_creation_ = count;
      break;
    case kTimingsPrompt:
      timings_.prompt = count;
      break;
    case kTimingsCached:
      timings_.cached = count;
      break;
    case kTimingsPredicted:
      timings_.completion = count;
      break;
    case kErrorWord:
      overloaded_ |= count == 429 || count == 503;
      unpaid_ |= count == 402;
      break;
    default:
      break;
  }
}

/// "overloaded_error" (Anthropic), "rate_limit_exceeded", "429", "insufficient_system_resource" …;
/// of money: "insufficient_quota" (OpenAI), "insufficient_balance", "402".
void AnswerScanner::OnErrorWord(std::string_view word) {
  static constexpr std::array<std::string_view, 5> kParts = {
      "overloaded", "rate_limit", "insufficient_system_resource", "429", "503"};
  overloaded_ |= std::ranges::any_of(
      kParts, [&](std::string_view part) { return word.find(part) != std::string_view::npos; });
  static constexpr std::array<std::string_view, 4> kMoney = {
      "insufficient_balance", "insufficient_quota", "billing", "402"};
  unpaid_ |= std::ranges::any_of(
      kMoney, [&](std::string_view part) { return word.find(part) != std::string_view::npos; });
}

void AnswerScanner::OnOpen(JsonNode node, bool /*is_array*/) {
  if (node == kError) fields_.error = AnswerError::kFailed;
  if (node == kFunctionCall) fields_.text = true;
}

void AnswerScanner::OnElement(JsonNode node) {
  // Content may be a list of parts, too.
  if (node == kToolCalls || node == kText) fields_.text = true;
}

const AnswerFields& AnswerScanner::Finish() {
  if (!scanner_.done()) {
    Reset();
    return fields_;
  }
  fields_.text |= delta_string_ && type_ == Type::kTextDelta;
  fields_.reasoning |= delta_string_ && type_ == Type::kReasoningDelta;
  fields_.last = type_ == Type::kLast;
  if (type_ == Type::kError) fields_.error = AnswerError::kFailed;
  if (fields_.error == AnswerError::kFailed && unpaid_) {
    fields_.error = AnswerError::kInsufficientBalance;
  } else if (fields_.error == AnswerError::kFailed && overloaded_) {
    fields_.error = AnswerError::kOverloaded;
  }
  if (fields_.finish_reason.empty()) fields_.finish_reason = status_;
  SettleUsage();
  return fields_;
}

/// All prompt tokens under one name, whoever counts them.
void AnswerScanner::SettleUsage() {
  Usage& usage = fields_.usage;
  if ((cache_read_ || cache_creation_) && usage.prompt) {
    usage.cached = cache_read_.value_or(0);
    *usage.prompt += *usage.cached + cache_creation_.value_or(0);
  }
  if (!usage.completion && timings_.completion) {
    usage.completion = timings_.completion;
    if (!usage.prompt && timings_.prompt)
      usage.prompt = *timings_.prompt + timings_.cached.value_or(0);
    if (!usage.cached) usage.cached = timings_.cached;
  }
}

}  // namespace sonde::gateway
