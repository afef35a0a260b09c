#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/json_scanner.h"
#include "gateway/usage.h"

// What one JSON text of an answer says: a whole answer, or the data of one event of a stream. Knows
// the chat, completions, embeddings and responses APIs of OpenAI and its many imitations, and
// Anthropic's messages, which DeepSeek and the engines offer too. Which members are looked at:
// docs/formats/openai_stream.md, "Fields".

namespace sonde::gateway {

/// An error object in place of (the rest of) an answer, and whether it says that capacity is
/// lacking, or money.
enum class AnswerError : unsigned char { kNone, kFailed, kOverloaded, kInsufficientBalance };

struct AnswerFields {
  bool text = false;       ///< A part of the answer: text, a tool call, a refusal.
  bool reasoning = false;  ///< A part of the reasoning before it.
  bool last = false;  ///< Nothing of the answer comes after it: response.completed, message_stop.
  AnswerError error = AnswerError::kNone;
  Usage usage;
  std::string finish_reason;  ///< Empty: not finished, or not said.

  bool content() const { return text || reasoning; }
  bool operator==(const AnswerFields&) const = default;
};

/// Reads one JSON text after the other. Not thread-safe.
class AnswerScanner final : private JsonSink {
 public:
  AnswerScanner();

  void Reset();
  void Feed(std::string_view piece) { scanner_.Feed(piece); }
  /// A complete JSON object was read.
  bool done() const { return scanner_.done(); }
  /// What it said. Of an incomplete text: nothing.
  const AnswerFields& Finish();
  /// The answer's own id ("chatcmpl-…"): the first one in all texts since the scanner was made.
  const std::string& id() const { return id_; }

 private:
  /// Kinds of events in the responses and messages APIs, by their member `type`.
  enum class Type : unsigned char { kNone, kTextDelta, kReasoningDelta, kLast, kError, kOther };

  void OnString(JsonNode node, std::string_view value, std::uint64_t size) override;
  void OnScalar(JsonNode node, std::string_view text) override;
  void OnOpen(JsonNode node, bool is_array) override;
  void OnElement(JsonNode node) override;
  void OnErrorWord(std::string_view word);
  void OnCount(JsonNode node, std::int64_t count);
  void SettleUsage();
  static Type TypeOf(std::string_view name);

  JsonScanner scanner_;
  AnswerFields fields_;
  Type type_ = Type::kNone;
  bool delta_string_ = false;  // A top-level `delta` that is a string with something in it.
  bool overloaded_ = false;    // Some word or number says so; counts if there is an error.
  bool unpaid_ = false;        // The same for money.
  std::string_view status_;    // Of the responses API; a literal.
  std::optional<std::int64_t> cache_read_;  // Anthropic counts cached tokens beside the others.
  std::optional<std::int64_t> cache_creation_;
  std::string id_;
  Usage timings_;  // llama.cpp's; its prompt is without what was cached.
};

}  // namespace sonde::gateway
