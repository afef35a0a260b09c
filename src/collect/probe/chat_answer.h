#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Reads what an OpenAI-compatible server answers to a chat completion, as its bytes come: a stream
// of server-sent events, or one JSON text from a server that does not stream. Which members count:
// docs/formats/openai_stream.md, "Fields".

namespace sonde::collect {

/// What has been said so far.
struct ChatAnswer {
  std::string text;           ///< Content only, without what came as reasoning.
  bool generated = false;     ///< At least one chunk with text or reasoning has come.
  bool failed = false;        ///< An error object in place of (the rest of) an answer.
  bool malformed = false;     ///< Not events, or not JSON, or too large.
  bool complete = false;      ///< [DONE], a finish reason, or a whole JSON text.
  std::string finish_reason;  ///< Empty: not said.
  std::optional<std::int64_t> prompt_tokens;
  std::optional<std::int64_t> completion_tokens;
};

/// Not thread-safe. Memory is bounded: text of 1 MiB, an event or a JSON text of 4 MiB.
class ChatReader {
 public:
  /// `streaming`: by the answer's Content-Type.
  explicit ChatReader(bool streaming) : streaming_(streaming) {}

  /// More bytes, cut anywhere. After malformed nothing more is read.
  void Feed(std::string_view bytes);
  /// The end of the body.
  const ChatAnswer& Finish();
  const ChatAnswer& answer() const { return answer_; }

 private:
  void EndLine(std::string_view line);
  void EndEvent();
  void Read(std::string_view json);

  const bool streaming_;
  std::string buffer_;  // A line that is not whole yet; without streaming the whole body.
  std::string data_;    // Of the current event.
  bool has_data_ = false;
  bool saw_event_ = false;
  ChatAnswer answer_;
};

}  // namespace sonde::collect
