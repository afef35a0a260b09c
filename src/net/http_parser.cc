#include "net/http_parser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace sonde::net {
namespace {

constexpr std::size_t kMaxChunkLine =
    4096;  // A chunk's size and its extensions, which nobody uses.
constexpr std::size_t kMaxTrailerBytes = 16384;
constexpr std::size_t kMaxMethod = 32;

using ByteSet = std::array<bool, 256>;

constexpr ByteSet MakeTokenBytes() {
  ByteSet set{};
  for (int c = '0'; c <= '9'; ++c)
    set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c)
    set[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c)
    set[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    set[static_cast<unsigned char>(c)] = true;
  return set;
}

/// Everything but control characters; HTAB is allowed in values, the space in both of the others'
/// places.
constexpr ByteSet MakeTextBytes(bool space_and_tab) {
  ByteSet set{};
  for (std::size_t c = 0x21; c < 256; ++c)
    set[c] = c != 0x7F;
  set[' '] = set['\t'] = space_and_tab;
  return set;
}

constexpr ByteSet kTokenBytes = MakeTokenBytes();
constexpr ByteSet kValueBytes = MakeTextBytes(true);
constexpr ByteSet kTargetBytes = MakeTextBytes(false);

bool AllIn(std::string_view text, const ByteSet& set) {
  for (const char c : text) {
    if (!set[static_cast<unsigned char>(c)]) return false;
  }
  return true;
}

std::string_view TrimBlanks(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t'))
    s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t'))
    s.remove_suffix(1);
  return s;
}

/// Takes the first line off `block`, without its line end. Every line of a head has one.
std::string_view TakeLine(std::string_view& block) {
  const void* found = std::memchr(block.data(), '\n', block.size());
  CHECK(found != nullptr);
  const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - block.data());
  std::string_view line = block.substr(0, size);
  block.remove_prefix(size + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<std::uint64_t> ParseLength(std::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value <= INT64_MAX ? std::optional(value) : std::nullopt;
}

/// What the fields say about where the message ends and what follows it.
struct Framing {
  std::size_t lengths = 0;  // Content-Length fields.
  std::uint64_t length = 0;
  bool lengths_differ = false;
  bool bad_length = false;
  std::size_t encodings = 0;  // Transfer-Encoding fields.
  bool chunked = false;
  bool other_encoding = false;  // Something beside a single "chunked".
  std::size_t hosts = 0;
  bool close = false;
  bool keep_alive = false;
  bool expects_continue = false;
  bool other_expectation = false;
};

void NoteConnection(std::string_view value, Framing& framing) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view item = TrimBlanks(value.substr(0, comma));
    value = comma == std::string_view::npos ? "" : value.substr(comma + 1);
    framing.close |= EqualsIgnoringCase(item, "close");
    framing.keep_alive |= EqualsIgnoringCase(item, "keep-alive");
  }
}

void NoteLength(std::string_view value, Framing& framing) {
  const auto length = ParseLength(value);
  if (!length) {
    framing.bad_length = true;
  } else if (framing.lengths > 0 && *length != framing.length) {
    framing.lengths_differ = true;
  } else {
    framing.length = *length;
  }
  ++framing.lengths;
}

void NoteField(std::string_view name, std::string_view value, Framing& framing) {
  switch (name.size()) {
    case 4:
      framing.hosts += EqualsIgnoringCase(name, "Host") ? 1 : 0;
      break;
    case 6:
      if (!EqualsIgnoringCase(name, "Expect")) break;
      if (EqualsIgnoringCase(value, "100-continue")) {
        framing.expects_continue = true;
      } else {
        framing.other_expectation = true;
      }
      break;
    case 10:
      if (EqualsIgnoringCase(name, "Connection")) NoteConnection(value, framing);
      break;
    case 14:
      if (EqualsIgnoringCase(name, "Content-Length")) NoteLength(value, framing);
      break;
    case 17:
      if (!EqualsIgnoringCase(name, "Transfer-Encoding")) break;
      ++framing.encodings;
      if (EqualsIgnoringCase(value, "chunked")) {
        framing.chunked = true;
      } else if (!EqualsIgnoringCase(value, "identity")) {
        framing.other_encoding = true;
      }
      break;
    default:
      break;
  }
}

std::optional<HttpError> ParseFields(std::string_view block, bool lenient, Headers& headers,
                                     Framing& framing) {
  while (true) {
    std::string_view line = TakeLine(block);
    if (line.empty()) return std::nullopt;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!lenient || headers.size() == 0) return HttpError{400, "folded header line"};
      if (!AllIn(line, kValueBytes)) return HttpError{400, "control character in a header value"};
      headers.ExtendLast(" ");
      headers.ExtendLast(TrimBlanks(line));
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return HttpError{400, "header line without a colon"};
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = TrimBlanks(line.substr(colon + 1));
    if (!IsToken(name)) return HttpError{400, "malformed header name"};
    if (!AllIn(value, kValueBytes)) return HttpError{400, "control character in a header value"};
    headers.Add(name, value);
    NoteField(name, value, framing);
  }
}

/// "HTTP/1.1" → 1, "HTTP/1.0" → 0; an error for everything else.
std::optional<HttpError> ParseVersion(std::string_view text, int& minor) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return HttpError{400, "malformed HTTP version"};
  }
  if (text[5] != '1') return HttpError{505, "only HTTP/1.x is spoken here"};
  minor = text[7] == '0' ? 0 : 1;
  return std::nullopt;
}

/// Sets path and query from the target, in any of the forms of RFC 9112, 3.2.
std::optional<HttpError> SplitTarget(RequestHead& head) {
  std::string_view target = head.target;
  if (head.method == "CONNECT") return HttpError{501, "CONNECT is not supported"};
  if (target == "*") {
    head.path = target;
    head.query = {};
    return head.method == "OPTIONS" ? std::nullopt
                                    : std::optional(HttpError{400, "malformed request target"});
  }
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos || !IsToken(target.substr(0, scheme))) {
      return HttpError{400, "malformed request target"};
    }
    const std::size_t slash = target.find_first_of("/?", scheme + 3);
    target = slash == std::string_view::npos ? "" : target.substr(slash);
  }
  const std::size_t question = target.find('?');
  head.path = target.substr(0, question);
  head.query = question == std::string_view::npos ? "" : target.substr(question + 1);
  if (head.path.empty()) head.path = "/";
  return std::nullopt;
}

std::optional<HttpError> RequestFraming(const Framing& framing, RequestHead& head) {
  if (head.minor_version >= 1 && framing.hosts == 0) return HttpError{400, "no Host header"};
  if (framing.hosts > 1) return HttpError{400, "more than one Host header"};
  if (framing.bad_length) return HttpError{400, "malformed Content-Length"};
  if (framing.lengths > 1) return HttpError{400, "more than one Content-Length"};
  if (framing.encodings > 0) {
    if (framing.lengths > 0) return HttpError{400, "both Content-Length and Transfer-Encoding"};
    if (head.minor_version == 0) return HttpError{400, "Transfer-Encoding in HTTP/1.0"};
    if (framing.encodings > 1) return HttpError{400, "more than one Transfer-Encoding"};
    if (!framing.chunked) return HttpError{501, "unsupported Transfer-Encoding"};
    head.body = BodyKind::kChunked;
  } else if (framing.lengths == 1) {
    head.body = framing.length == 0 ? BodyKind::kNone : BodyKind::kLength;
    head.content_length = framing.length;
  }
  if (framing.other_expectation) return HttpError{417, "unknown Expect"};
  head.expects_continue = framing.expects_continue && head.minor_version >= 1;
  head.keep_alive = !framing.close && (head.minor_version >= 1 || framing.keep_alive);
  return std::nullopt;
}

}  // namespace

bool IsToken(std::string_view text) {
  return !text.empty() && AllIn(text, kTokenBytes);
}

HeadScanner::Status HeadScanner::Scan(std::string_view buffered) {
  while (scanned_ < buffered.size()) {
    const void* found = std::memchr(buffered.data() + scanned_, '\n', buffered.size() - scanned_);
    if (found == nullptr) {
      scanned_ = buffered.size();
      return Status::kIncomplete;
    }
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - buffered.data());
    const bool has_cr = at > line_start_ && buffered[at - 1] == '\r';
    if (!has_cr && !lenient_) return Status::kBad;
    const std::size_t line_size = at - line_start_ - (has_cr ? 1 : 0);
    scanned_ = at + 1;
    if (line_size == 0) return Status::kComplete;
    line_start_ = scanned_;
  }
  return Status::kIncomplete;
}

std::optional<HttpError> ParseRequestHead(std::string_view block, RequestHead& head) {
  head.method.clear();
  head.target.clear();
  head.path = head.query = {};
  head.minor_version = 1;
  head.headers.clear();
  head.body = BodyKind::kNone;
  head.content_length = 0;
  head.keep_alive = false;
  head.expects_continue = false;

  const std::string_view line = TakeLine(block);
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return HttpError{400, "malformed request line"};
  const std::size_t second = line.find(' ', first + 1);
  const std::string_view method = line.substr(0, first);
  if (!IsToken(method) || method.size() > kMaxMethod) return HttpError{400, "malformed method"};
  if (second == std::string_view::npos) return HttpError{400, "malformed request line"};
  const std::string_view target = line.substr(first + 1, second - first - 1);
  if (target.empty() || !AllIn(target, kTargetBytes)) {
    return HttpError{400, "malformed request target"};
  }
  head.method = method;
  head.target = target;
  if (auto error = ParseVersion(line.substr(second + 1), head.minor_version)) return error;
  if (auto error = SplitTarget(head)) return error;
  Framing framing;
  if (auto error = ParseFields(block, /*lenient=*/false, head.headers, framing)) return error;
  return RequestFraming(framing, head);
}

std::optional<HttpError> ParseResponseHead(std::string_view block, bool to_head_request,
                                           ResponseHead& head) {
  head.status = 0;
  head.headers.clear();
  head.body = BodyKind::kNone;
  head.content_length = 0;

  const std::string_view line = TakeLine(block);
  if (line.size() < 12 || line[8] != ' ') return HttpError{0, "malformed status line"};
  if (ParseVersion(line.substr(0, 8), head.minor_version)) {
    return HttpError{0, "not an HTTP/1.x response"};
  }
  for (std::size_t i = 9; i < 12; ++i) {
    if (line[i] < '0' || line[i] > '9') return HttpError{0, "malformed status code"};
    head.status = head.status * 10 + (line[i] - '0');
  }
  if (head.status < 100 || (line.size() > 12 && line[12] != ' ')) {
    return HttpError{0, "malformed status code"};
  }
  Framing framing;
  if (auto error = ParseFields(block, /*lenient=*/true, head.headers, framing)) return error;

  head.keep_alive = !framing.close && (head.minor_version >= 1 || framing.keep_alive);
  if (to_head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    return std::nullopt;
  }
  if (framing.chunked || framing.other_encoding) {
    if (framing.other_encoding || framing.encodings > 1) {
      return HttpError{0, "unsupported Transfer-Encoding"};
    }
    head.body = BodyKind::kChunked;
    // RFC 9112, 6.3: Transfer-Encoding wins, but such a sender is not to be trusted with another
    // request.
    if (framing.lengths > 0) head.keep_alive = false;
    return std::nullopt;
  }
  if (framing.lengths > 0) {
    if (framing.bad_length || framing.lengths_differ)
      return HttpError{0, "malformed Content-Length"};
    head.body = framing.length == 0 ? BodyKind::kNone : BodyKind::kLength;
    head.content_length = framing.length;
    return std::nullopt;
  }
  head.body = BodyKind::kUntilClose;
  head.keep_alive = false;
  return std::nullopt;
}

// ----------------------------------------------------------------------------------------------
// bodies

void BodyDecoder::Start(BodyKind kind, std::uint64_t length) {
  error_.reset();
  remaining_ = 0;
  trailer_bytes_ = 0;
  switch (kind) {
    case BodyKind::kNone:
      state_ = State::kDone;
      break;
    case BodyKind::kLength:
      remaining_ = length;
      state_ = length == 0 ? State::kDone : State::kData;
      break;
    case BodyKind::kChunked:
      state_ = State::kChunkSize;
      break;
    case BodyKind::kUntilClose:
      state_ = State::kUntilClose;
      break;
  }
}

bool BodyDecoder::Fail(const char* reason) {
  error_ = HttpError{400, reason};
  return false;
}

BodyDecoder::Step BodyDecoder::Next(std::string_view in) {
  Step step;
  while (!error_) {
    const std::string_view rest = in.substr(step.consumed);
    switch (state_) {
      case State::kDone:
        return step;
      case State::kUntilClose:
        step.piece = rest;
        step.consumed += rest.size();
        return step;
      case State::kData:
      case State::kChunkData: {
        if (rest.empty()) return step;
        step.piece = rest.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, rest.size())));
        step.consumed += step.piece.size();
        remaining_ -= step.piece.size();
        if (remaining_ == 0) state_ = state_ == State::kData ? State::kDone : State::kChunkEnd;
        return step;
      }
      case State::kChunkEnd:
        if (rest.size() < 2 && (rest.empty() || rest[0] == '\r')) return step;
        if (!rest.starts_with("\r\n")) {
          Fail("chunk is longer than its size");
          return step;
        }
        step.consumed += 2;
        state_ = State::kChunkSize;
        break;
      case State::kChunkSize:
        if (!ChunkSize(rest, step.consumed)) return step;
        break;
      case State::kTrailers:
        if (!Trailers(rest, step.consumed)) return step;
        break;
    }
  }
  return step;
}

bool BodyDecoder::ChunkSize(std::string_view in, std::size_t& used) {
  const std::size_t end = in.find('\n');
  if (end == std::string_view::npos) {
    if (in.size() > kMaxChunkLine) return Fail("chunk size line is too long");
    return false;
  }
  if (end > kMaxChunkLine) return Fail("chunk size line is too long");
  if (end == 0 || in[end - 1] != '\r') return Fail("chunk size line does not end with CRLF");
  const std::string_view line = in.substr(0, end - 1);
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const char c = line[digits];
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      break;
    }
    if (digits >= 15) return Fail("chunk size is too large");
    size = size * 16 + static_cast<std::uint64_t>(digit);
  }
  if (digits == 0) return Fail("malformed chunk size");
  const std::string_view extension = TrimBlanks(line.substr(digits));
  if (!extension.empty() && (extension.front() != ';' || !AllIn(extension, kValueBytes))) {
    return Fail("malformed chunk size");
  }
  used += end + 1;
  remaining_ = size;
  state_ = size == 0 ? State::kTrailers : State::kChunkData;
  return true;
}

bool BodyDecoder::Trailers(std::string_view in, std::size_t& used) {
  const std::size_t end = in.find('\n');
  if (end == std::string_view::npos) {
    if (in.size() + trailer_bytes_ > kMaxTrailerBytes) return Fail("trailers are too long");
    return false;
  }
  if (end == 0 || in[end - 1] != '\r') return Fail("trailer line does not end with CRLF");
  trailer_bytes_ += end + 1;
  if (trailer_bytes_ > kMaxTrailerBytes) return Fail("trailers are too long");
  used += end + 1;
  // Trailers are dropped, unread: nothing in them may change what has been decided.
  if (end == 1) state_ = State::kDone;
  return true;
}

bool BodyDecoder::AtClose() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  return state_ == State::kDone && !error_;
}

}  // namespace sonde::net
