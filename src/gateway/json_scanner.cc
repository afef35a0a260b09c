#include "gateway/json_scanner.h"

#include <bit>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/utf8.h"

namespace sonde::gateway {
namespace {

bool IsSpace(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/// First '"' or '\\' in [p, end), else `end`. Eight bytes at a time.
const char* FindStringEnd(const char* p, const char* end) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
  const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v & kHighs; };
  while (end - p >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    const std::uint64_t hit = has_zero(word ^ (kOnes * '"')) | has_zero(word ^ (kOnes * '\\'));
    // The lowest hit is exact (a borrow can only spoil bytes above it), and the lowest is what we
    // want.
    if (hit != 0) return p + __builtin_ctzll(hit) / 8;
    p += 8;
  }
  while (p != end && *p != '"' && *p != '\\') {
    ++p;
  }
  return p;
}

}  // namespace

JsonScanner::JsonScanner(std::span<const JsonEdge> edges, JsonSink& sink)
    : edges_(edges), sink_(sink) {
  first_edge_.fill(static_cast<std::uint8_t>(edges.size()));
  for (std::size_t i = edges.size(); i-- > 0;) {
    DCHECK(edges[i].from < kMaxNodes && edges[i].to < kMaxNodes);
    first_edge_[edges[i].from] = static_cast<std::uint8_t>(i);
  }
}

void JsonScanner::Reset() {
  state_ = State::kValue;
  in_key_ = false;
  node_ = kRootNode;
  depth_ = 0;
  too_long_ = false;
  captured_size_ = 0;
  string_size_ = 0;
}

const char* JsonScanner::Fail(const char* p) {
  state_ = State::kFailed;
  return p;
}

void JsonScanner::Feed(std::string_view piece) {
  const char* p = piece.data();
  const char* const end = p + piece.size();
  while (p != end && state_ != State::kFailed) {
    p = Step(p, end);
  }
}

/// Consumes at least one byte, or changes the state.
const char* JsonScanner::Step(const char* p, const char* end) {
  switch (state_) {
    case State::kString:
      return InString(p, end);
    case State::kEscape:
      return InEscape(p);
    case State::kUnicode:
      return InUnicode(p);
    case State::kScalar:
      return InScalar(p, end);
    case State::kSkipString:
    case State::kSkipNestedString:
      return SkipString(p, end);
    case State::kSkipEscape:
      state_ = State::kSkipString;
      return p + 1;
    case State::kSkipNestedEscape:
      state_ = State::kSkipNestedString;
      return p + 1;
    case State::kSkipNested:
      return SkipNested(p, end);
    default:
      break;
  }
  const char c = *p;
  if (IsSpace(c)) return p + 1;
  switch (state_) {
    case State::kValue:
      return BeginValue(p);
    case State::kValueOrEnd:
    case State::kKeyOrEnd:
      return AfterContainerStart(p, c);
    case State::kKey:
      if (c != '"') return Fail(p);
      in_key_ = true;
      captured_size_ = 0;
      too_long_ = false;
      string_size_ = 0;
      state_ = State::kString;
      return p + 1;
    case State::kColon:
      if (c != ':') return Fail(p);
      state_ = State::kValue;
      return p + 1;
    case State::kCommaOrEnd:
      return CommaOrEnd(p, c);
    default:
      return Fail(p);  // Text after the end.
  }
}

const char* JsonScanner::AfterContainerStart(const char* p, char c) {
  const bool is_array = state_ == State::kValueOrEnd;
  if (c == (is_array ? ']' : '}')) {
    --depth_;
    EndValue();
    return p + 1;
  }
  if (is_array) {
    sink_.OnElement(levels_[depth_ - 1].node);
    node_ = Child(levels_[depth_ - 1].node, "[]");
    state_ = State::kValue;
  } else {
    state_ = State::kKey;
  }
  return p;
}

const char* JsonScanner::CommaOrEnd(const char* p, char c) {
  const Level& level = levels_[depth_ - 1];
  if (c == ',') {
    if (level.is_array) {
      node_ = Child(level.node, "[]");
      state_ = State::kValue;
    } else {
      state_ = State::kKey;
    }
    return p + 1;
  }
  if (c != (level.is_array ? ']' : '}')) return Fail(p);
  --depth_;
  EndValue();
  return p + 1;
}

const char* JsonScanner::BeginValue(const char* p) {
  const char c = *p;
  if (c == '{' || c == '[') {
    if (node_ == kNoNode || depth_ == kMaxDepth) {
      skip_depth_ = 1;
      state_ = State::kSkipNested;
    } else {
      Open(c == '[');
    }
    return p + 1;
  }
  captured_size_ = 0;
  too_long_ = false;
  if (c == '"') {
    in_key_ = false;
    string_size_ = 0;
    state_ = node_ == kNoNode ? State::kSkipString : State::kString;
    return p + 1;
  }
  const bool scalar = c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n';
  if (!scalar) return Fail(p);
  state_ = State::kScalar;
  return p;
}

void JsonScanner::Open(bool is_array) {
  levels_[depth_++] = {node_, is_array};
  sink_.OnOpen(node_, is_array);
  state_ = is_array ? State::kValueOrEnd : State::kKeyOrEnd;
}

void JsonScanner::Capture(std::string_view bytes) {
  if (bytes.size() > kMaxCaptured - captured_size_) {
    too_long_ = true;
    return;
  }
  std::memcpy(captured_.data() + captured_size_, bytes.data(), bytes.size());
  captured_size_ += bytes.size();
}

const char* JsonScanner::InString(const char* p, const char* end) {
  const char* stop = FindStringEnd(p, end);
  const auto size = static_cast<std::size_t>(stop - p);
  string_size_ += size;
  if (!too_long_) Capture({p, size});
  if (stop == end) return stop;
  if (*stop == '"') {
    EndString();
  } else {
    ++string_size_;
    state_ = State::kEscape;
  }
  return stop + 1;
}

const char* JsonScanner::InEscape(const char* p) {
  ++string_size_;
  state_ = State::kString;
  char c = *p;
  switch (c) {
    case 'n':
      c = '\n';
      break;
    case 't':
      c = '\t';
      break;
    case 'r':
      c = '\r';
      break;
    case 'b':
      c = '\b';
      break;
    case 'f':
      c = '\f';
      break;
    case 'u':
      unicode_ = 0;
      unicode_left_ = 4;
      state_ = State::kUnicode;
      return p + 1;
    case '"':
    case '\\':
    case '/':
      break;
    default:
      return Fail(p);
  }
  Capture({&c, 1});
  return p + 1;
}

const char* JsonScanner::InUnicode(const char* p) {
  const char c = *p;
  unsigned digit = 0;
  if (c >= '0' && c <= '9') {
    digit = static_cast<unsigned>(c - '0');
  } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
    digit = static_cast<unsigned>((c | 0x20) - 'a' + 10);
  } else {
    return Fail(p);
  }
  ++string_size_;
  unicode_ = static_cast<std::uint16_t>(unicode_ << 4 | digit);
  if (--unicode_left_ > 0) return p + 1;
  // Halves of a pair become two U+FFFD: no name or value that is looked for has one.
  std::string bytes;
  AppendRune(bytes, unicode_);
  Capture(bytes);
  state_ = State::kString;
  return p + 1;
}

void JsonScanner::EndString() {
  const std::string_view text =
      too_long_ ? std::string_view() : std::string_view(captured_.data(), captured_size_);
  if (in_key_) {
    node_ = too_long_ ? kNoNode : Child(levels_[depth_ - 1].node, text);
    state_ = State::kColon;
    return;
  }
  sink_.OnString(node_, text, string_size_);
  EndValue();
}

const char* JsonScanner::InScalar(const char* p, const char* end) {
  const char* const begin = p;
  while (p != end && *p != ',' && *p != '}' && *p != ']' && !IsSpace(*p)) {
    ++p;
  }
  if (node_ != kNoNode && !too_long_) Capture({begin, static_cast<std::size_t>(p - begin)});
  if (p != end) EndScalar();  // The delimiter is looked at again.
  return p;
}

void JsonScanner::EndScalar() {
  if (node_ != kNoNode)
    sink_.OnScalar(
        node_, too_long_ ? std::string_view() : std::string_view(captured_.data(), captured_size_));
  EndValue();
}

const char* JsonScanner::SkipString(const char* p, const char* end) {
  const bool nested = state_ == State::kSkipNestedString;
  const char* stop = FindStringEnd(p, end);
  if (stop == end) return stop;
  if (*stop == '\\') {
    state_ = nested ? State::kSkipNestedEscape : State::kSkipEscape;
  } else if (nested) {
    state_ = State::kSkipNested;
  } else {
    EndValue();
  }
  return stop + 1;
}

const char* JsonScanner::SkipNested(const char* p, const char* end) {
  for (; p != end; ++p) {
    switch (*p) {
      case '"':
        state_ = State::kSkipNestedString;
        return p + 1;
      case '{':
      case '[':
        ++skip_depth_;
        break;
      case '}':
      case ']':
        if (--skip_depth_ == 0) {
          EndValue();
          return p + 1;
        }
        break;
      default:
        break;
    }
  }
  return p;
}

void JsonScanner::EndValue() {
  state_ = depth_ == 0 ? State::kDone : State::kCommaOrEnd;
}

JsonNode JsonScanner::Child(JsonNode from, std::string_view name) const {
  for (std::size_t i = first_edge_[from]; i < edges_.size() && edges_[i].from == from; ++i) {
    if (edges_[i].name == name) return edges_[i].to;
  }
  return kNoNode;
}

}  // namespace sonde::gateway
