#include "gateway/stream_meter.h"

#include <algorithm>
#include <cmath>

namespace sonde::gateway {
namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr std::size_t kNotDone = static_cast<std::size_t>(-1);

}  // namespace

StreamMeter::StreamMeter(AnswerKind kind, std::int64_t received, MeterSink& sink)
    : kind_(kind), received_(received), sink_(sink) {}

void StreamMeter::OnWritten(std::string_view bytes, std::int64_t written) {
  now_ = written;
  switch (kind_) {
    case AnswerKind::kEvents:
      events_.Feed(bytes);
      break;
    case AnswerKind::kJson:
      if (!json_begun_) CountBlankLines(bytes);
      answer_.Feed(bytes);
      break;
    case AnswerKind::kOpaque:
      break;
  }
}

void StreamMeter::Finish() {
  if (kind_ == AnswerKind::kEvents) events_.Finish();
  if (kind_ == AnswerKind::kJson) Note(answer_.Finish());
}

void StreamMeter::OnData(std::string_view piece) {
  // kNotDone once it is something else.
  if (done_matched_ != kNotDone) {
    if (kDone.substr(done_matched_).starts_with(piece)) {
      done_matched_ += piece.size();
    } else {
      done_matched_ = kNotDone;
    }
  }
  answer_.Feed(piece);
}

void StreamMeter::OnEvent() {
  ended_ |= done_matched_ == kDone.size();
  done_matched_ = 0;
  const AnswerFields& fields = answer_.Finish();
  Note(fields);
  if (fields.content()) NoteContent(fields);
  if (fields.usage.completion) usage_chunk_ = chunks_;
  answer_.Reset();
}

void StreamMeter::OnComment() {
  if (chunks_ == 0) sink_.OnKeepAlive();
}

void StreamMeter::CountBlankLines(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      sink_.OnKeepAlive();
    } else if (c != ' ' && c != '\t' && c != '\r') {
      json_begun_ = true;
      return;
    }
  }
}

void StreamMeter::Note(const AnswerFields& fields) {
  usage_.Update(fields.usage);
  if (!fields.finish_reason.empty()) finish_reason_ = fields.finish_reason;
  error_ = std::max(error_, fields.error);
  ended_ |= fields.last || !fields.finish_reason.empty();
}

void StreamMeter::NoteContent(const AnswerFields& fields) {
  const std::int64_t reported = fields.usage.completion.value_or(-1);
  ++chunks_;
  if (fields.reasoning && !fields.text) ++reasoning_chunks_;
  if (fields.reasoning && first_reasoning_ == kNever) first_reasoning_ = now_;
  if (fields.text && first_answer_ == kNever) first_answer_ = now_;
  last_content_ = now_;
  if (chunks_ == 1) {
    first_content_ = last_token_ = now_;
    counted_tokens_ = reported;
    sink_.OnFirstToken(std::max<std::int64_t>(now_ - received_, 0));
    return;
  }
  std::int64_t count = 1;
  if (reported >= 0 && counted_tokens_ >= 0) count = reported - counted_tokens_;
  if (reported >= 0) counted_tokens_ = reported;
  // A chunk that completes no token (half of a character) belongs to the next gap.
  if (count <= 0) return;
  sink_.OnTokens(std::max<std::int64_t>(now_ - last_token_, 0) / count,
                 static_cast<std::uint64_t>(count));
  last_token_ = now_;
}

std::uint64_t StreamMeter::tokens() const {
  return static_cast<std::uint64_t>(usage_.completion.value_or(0)) + (chunks_ - usage_chunk_);
}

std::uint64_t StreamMeter::reasoning_tokens() const {
  const std::uint64_t all = tokens();
  if (usage_.reasoning) return std::min(static_cast<std::uint64_t>(*usage_.reasoning), all);
  if (chunks_ == 0) return 0;
  const double share = static_cast<double>(reasoning_chunks_) / static_cast<double>(chunks_);
  return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(all)));
}

double StreamMeter::time_per_output_token() const {
  const std::uint64_t count = tokens();
  if (chunks_ < 2 || count < 2) return -1;
  return static_cast<double>(last_content_ - first_content_) / static_cast<double>(count - 1);
}

}  // namespace sonde::gateway
