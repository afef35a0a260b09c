#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/answer_scanner.h"
#include "gateway/sse_scanner.h"
#include "gateway/usage.h"

// The measuring core: given what was written to a client, and when, what is there to be observed?
// No I/O and no clock, so that every definition of DESIGN §5 is a test with made-up times.
// docs/formats/openai_stream.md says it in words.

namespace sonde::gateway {

/// How an answer can be read.
enum class AnswerKind : unsigned char {
  kEvents,  ///< text/event-stream.
  kJson,    ///< One JSON text, perhaps after blank lines (DeepSeek's keep-alive).
  kOpaque,  ///< Compressed, or something else: only its times count.
};

/// Takes observations while the answer runs. Times are nanoseconds.
class MeterSink {
 public:
  virtual ~MeterSink() = default;
  virtual void OnFirstToken(std::int64_t since_request) = 0;
  /// `count` tokens, each `gap` after the one before.
  virtual void OnTokens(std::int64_t gap, std::uint64_t count) = 0;
  /// Before anything of the answer: a comment in a stream, an empty line before a JSON text. The
  /// hosted DeepSeek API sends them while a request waits in its queue.
  virtual void OnKeepAlive() {}
};

/// Watches one answer. Not thread-safe.
class StreamMeter final : private SseSink {
 public:
  /// `received`: when the request had come in full.
  StreamMeter(AnswerKind kind, std::int64_t received, MeterSink& sink);

  /// `bytes` of the answer's body were written to the client at `written`.
  void OnWritten(std::string_view bytes, std::int64_t written);
  /// The body has ended, properly or not.
  void Finish();

  // What the whole answer said; of use after Finish.
  const Usage& usage() const { return usage_; }
  const std::string& finish_reason() const { return finish_reason_; }  ///< As the engine wrote it.
  AnswerError error() const { return error_; }
  /// The answer said that it is over: [DONE], a finish reason, the last event of an API that has
  /// one.
  bool ended() const { return ended_; }
  bool has_content() const { return chunks_ > 0; }  ///< Streams: a chunk with content was written.
  const std::string& id() const { return answer_.id(); }  ///< "chatcmpl-…"; may be empty.

  /// Generated tokens: from `usage`, and for each chunk with content that came after the last one:
  /// one.
  std::uint64_t tokens() const;
  bool tokens_estimated() const { return !usage_.completion || chunks_ > usage_chunk_; }
  /// Of tokens(), those before the answer proper. Without a count of its own: the share of
  /// reasoning chunks.
  std::uint64_t reasoning_tokens() const;
  /// Nanoseconds per output token after the first; negative if there are none.
  double time_per_output_token() const;
  /// Nanoseconds from the request to the first chunk with content of any kind, with reasoning, with
  /// a part of the answer proper. Streams only; negative if there was none.
  std::int64_t time_to_first_token() const { return Since(chunks_ > 0, first_content_); }
  std::int64_t time_to_first_reasoning() const {
    return Since(first_reasoning_ != kNever, first_reasoning_);
  }
  std::int64_t time_to_first_answer() const {
    return Since(first_answer_ != kNever, first_answer_);
  }

 private:
  void OnData(std::string_view piece) override;
  void OnEvent() override;
  void OnComment() override;
  void CountBlankLines(std::string_view bytes);
  std::int64_t Since(bool happened, std::int64_t at) const {
    return happened ? std::max<std::int64_t>(at - received_, 0) : -1;
  }
  void Note(const AnswerFields& fields);
  void NoteContent(const AnswerFields& fields);

  static constexpr std::int64_t kNever = INT64_MIN;

  const AnswerKind kind_;
  const std::int64_t received_;
  MeterSink& sink_;
  SseScanner events_{*this};
  AnswerScanner answer_;
  std::int64_t now_ = 0;

  Usage usage_;
  std::string finish_reason_;
  AnswerError error_ = AnswerError::kNone;
  bool ended_ = false;
  bool json_begun_ = false;        // A byte that is not white space was seen.
  std::size_t done_matched_ = 0;   // Bytes of "[DONE]" that the current event's data begins with.
  std::uint64_t usage_chunk_ = 0;  // chunks_ when completion tokens were last reported.
  std::uint64_t chunks_ = 0;       // With content.
  std::uint64_t reasoning_chunks_ = 0;  // Of these, with reasoning and no text.
  std::int64_t first_content_ = 0;
  std::int64_t first_reasoning_ = kNever;
  std::int64_t first_answer_ = kNever;
  std::int64_t last_content_ = 0;
  std::int64_t last_token_ = 0;       // When the last token came that was counted in a gap.
  std::int64_t counted_tokens_ = -1;  // By the last usage that came with content; -1: none did.
};

}  // namespace sonde::gateway
