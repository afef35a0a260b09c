#include "gateway/sse_scanner.h"

#include <cstddef>
#include <cstring>

namespace sonde::gateway {
namespace {

constexpr std::string_view kDataName = "data";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsLineEnd(char c) {
  return c == '\n' || c == '\r';
}

const char* FindLineEnd(const char* p, const char* end) {
  const void* found = std::memchr(p, '\n', static_cast<std::size_t>(end - p));
  if (found != nullptr) end = static_cast<const char*>(found);
  found = std::memchr(p, '\r', static_cast<std::size_t>(end - p));
  return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace

void SseScanner::Feed(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p != end) {
    if (skip_line_feed_) {
      skip_line_feed_ = false;
      if (*p == '\n') {
        ++p;
        continue;
      }
    }
    if (state_ == State::kBegin) {
      if (*p == kByteOrderMark[matched_]) {
        ++p;
        if (++matched_ < kByteOrderMark.size()) continue;
      } else if (matched_ > 0) {
        // The mark's first bytes and then something else: the beginning of some unknown field's
        // name.
        state_ = State::kSkip;
        matched_ = 0;
        continue;
      }
      state_ = State::kName;
      matched_ = 0;
      continue;
    }
    p = state_ == State::kName ? InName(p) : InLine(p, end);
  }
}

const char* SseScanner::InName(const char* p) {
  const char c = *p;
  if (IsLineEnd(c)) {
    if (matched_ == kDataName.size()) {
      // "data" without a colon: an empty line of data.
      if (has_data_) sink_.OnData("\n");
      has_data_ = true;
    } else if (matched_ == 0) {
      if (has_data_) sink_.OnEvent();
      has_data_ = false;
    }
    skip_line_feed_ = c == '\r';
    EndLine();
    return p + 1;
  }
  if (matched_ == 0 && c == ':') {
    sink_.OnComment();
    state_ = State::kSkip;
    return p + 1;
  }
  if (matched_ < kDataName.size() && c == kDataName[matched_]) {
    ++matched_;
    return p + 1;
  }
  if (matched_ == kDataName.size() && c == ':') {
    if (has_data_) sink_.OnData("\n");
    has_data_ = true;
    at_value_start_ = true;
    state_ = State::kData;
    return p + 1;
  }
  state_ = State::kSkip;
  return p + 1;
}

const char* SseScanner::InLine(const char* p, const char* end) {
  if (at_value_start_) {
    at_value_start_ = false;
    if (*p == ' ') return p + 1;
  }
  const char* stop = FindLineEnd(p, end);
  if (state_ == State::kData && stop != p) sink_.OnData({p, static_cast<std::size_t>(stop - p)});
  if (stop == end) return stop;
  skip_line_feed_ = *stop == '\r';
  EndLine();
  return stop + 1;
}

void SseScanner::EndLine() {
  state_ = State::kName;
  matched_ = 0;
  at_value_start_ = false;
}

void SseScanner::Finish() {
  if (has_data_) sink_.OnEvent();
  has_data_ = false;
}

}  // namespace sonde::gateway
