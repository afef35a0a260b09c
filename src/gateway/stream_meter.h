#pragma once

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

  /// Generated tokens: from `usage`, and for each chunk with content that came after the last one:
  /// one.
  std::uint64_t tokens() const;
  bool tokens_estimated() const { return !usage_.completion || chunks_ > usage_chunk_; }
  /// Of tokens(), those before the answer proper. Without a count of its own: the share of
  /// reasoning chunks.
  std::uint64_t reasoning_tokens() const;
  /// Nanoseconds per output token after the first; negative if there are none.
  double time_per_output_token() const;

 private:
  void OnData(std::string_view piece) override;
  void OnEvent() override;
  void Note(const AnswerFields& fields);
  void NoteContent(const AnswerFields& fields);

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
  std::size_t done_matched_ = 0;   // Bytes of "[DONE]" that the current event's data begins with.
  std::uint64_t usage_chunk_ = 0;  // chunks_ when completion tokens were last reported.
  std::uint64_t chunks_ = 0;       // With content.
  std::uint64_t reasoning_chunks_ = 0;  // Of these, with reasoning and no text.
  std::int64_t first_content_ = 0;
  std::int64_t last_content_ = 0;
  std::int64_t last_token_ = 0;       // When the last token came that was counted in a gap.
  std::int64_t counted_tokens_ = -1;  // By the last usage that came with content; -1: none did.
};

}  // namespace sonde::gateway
