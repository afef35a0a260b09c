#include "collect/probe/chat_answer.h"

#include "base/json.h"

namespace sonde::collect {
namespace {

constexpr std::size_t kMaxText = 1U << 20;
constexpr std::size_t kMaxJson = 4U << 20;

/// The text of `message` or `delta`: a string, or a list of parts with texts.
std::string TextOf(JsonView content) {
  if (const auto text = content.string()) return std::string(*text);
  std::string out;
  for (std::size_t i = 0; i < content.size() && content.is_array(); ++i)
    out += content.at(i)["text"].string().value_or("");
  return out;
}

bool HasText(JsonView view) {
  return !view.string().value_or("").empty();
}

}  // namespace

void ChatReader::Feed(std::string_view bytes) {
  if (answer_.malformed) return;
  if (!streaming_) {
    if (buffer_.size() + bytes.size() > kMaxJson) {
      answer_.malformed = true;
      return;
    }
    buffer_ += bytes;
    return;
  }
  // Lines end with LF or CR LF; a lone CR, which the standard allows, is used by no server.
  while (!bytes.empty() && !answer_.malformed) {
    const std::size_t end = bytes.find('\n');
    if (buffer_.size() + std::min(end, bytes.size()) > kMaxJson) {
      answer_.malformed = true;
      return;
    }
    if (end == std::string_view::npos) {
      buffer_ += bytes;
      return;
    }
    buffer_ += bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (buffer_.ends_with('\r')) buffer_.pop_back();
    const std::string line = std::move(buffer_);
    buffer_.clear();
    EndLine(line);
  }
}

const ChatAnswer& ChatReader::Finish() {
  if (answer_.malformed) return answer_;
  if (!streaming_) {
    Read(buffer_);
    return answer_;
  }
  if (!buffer_.empty()) EndLine(std::string(buffer_));
  EndEvent();
  if (!saw_event_) answer_.malformed = true;
  return answer_;
}

void ChatReader::EndLine(std::string_view line) {
  if (line.empty()) {
    EndEvent();
    return;
  }
  if (!line.starts_with("data:")) return;  // Comments (keep-alive), and fields nobody needs.
  line.remove_prefix(5);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  has_data_ = true;
  if (data_.size() + line.size() > kMaxJson) {
    answer_.malformed = true;
    return;
  }
  data_ += line;
}

void ChatReader::EndEvent() {
  if (!has_data_) return;
  saw_event_ = true;
  if (data_ == "[DONE]") {
    answer_.complete = true;
  } else {
    Read(data_);
  }
  data_.clear();
  has_data_ = false;
}

void ChatReader::Read(std::string_view json) {
  const auto document = JsonDocument::Parse(json);
  if (!document || !document->root().is_object()) {
    answer_.malformed = true;
    return;
  }
  const JsonView root = document->root();
  if (const JsonView error = root["error"]; error.exists() && !error.is_null()) {
    answer_.failed = true;
    return;
  }
  const JsonView choices = root["choices"];
  if (!streaming_) answer_.complete = choices.is_array();
  if (!streaming_ && !choices.is_array()) answer_.malformed = true;
  for (std::size_t i = 0; choices.is_array() && i < choices.size(); ++i) {
    const JsonView choice = choices.at(i);
    const JsonView message = choice[streaming_ ? "delta" : "message"];
    const std::string text = TextOf(message["content"]);
    if (answer_.text.size() + text.size() > kMaxText) {
      answer_.malformed = true;
      return;
    }
    answer_.text += text;
    if (!text.empty() || HasText(message["reasoning_content"]) || HasText(message["reasoning"]))
      answer_.generated = true;
    if (const auto reason = choice["finish_reason"].string(); reason && !reason->empty()) {
      answer_.finish_reason = *reason;
      answer_.complete = true;
    }
  }
  const JsonView usage = root["usage"];
  if (const auto count = usage["prompt_tokens"].integer()) answer_.prompt_tokens = *count;
  if (const auto count = usage["completion_tokens"].integer()) answer_.completion_tokens = *count;
}

}  // namespace sonde::collect
