#pragma once

#include <cstdint>
#include <string_view>

// Server-sent events (WHATWG HTML, 9.2) while they stream past: where an event's data lies in the
// bytes. Nothing is copied or held back; the bytes may be cut anywhere.

namespace sonde::gateway {

class SseSink {
 public:
  virtual ~SseSink() = default;
  /// A part of the current event's data. Lines of one event are joined by a line feed, which is
  /// reported like data.
  virtual void OnData(std::string_view piece) = 0;
  /// The event is complete (a blank line, or the end of the stream).
  virtual void OnEvent() = 0;
  /// A comment line: DeepSeek's `: keep-alive` while a request waits in its queue.
  virtual void OnComment() {}
};

/// Not thread-safe.
class SseScanner {
 public:
  explicit SseScanner(SseSink& sink) : sink_(sink) {}

  void Feed(std::string_view bytes);
  /// The stream has ended: an event that lacks its blank line is reported all the same, since it
  /// has arrived.
  void Finish();

 private:
  enum class State : std::uint8_t {
    kBegin,  // Of the stream: a byte order mark may come.
    kName,   // Within a field's name, which is still a prefix of "data".
    kData,   // Within the value of a data field.
    kSkip,   // Within any other line.
  };

  const char* InName(const char* p);
  const char* InLine(const char* p, const char* end);
  void EndLine();

  SseSink& sink_;
  State state_ = State::kBegin;
  std::uint8_t matched_ = 0;     // Bytes of "data", or of the byte order mark.
  bool at_value_start_ = false;  // One space after the colon does not belong to the value.
  bool skip_line_feed_ = false;  // The last line ended with CR.
  bool has_data_ = false;        // The current event has a data line.
};

}  // namespace sonde::gateway
