#include "wire/series_syntax.h"

#include <array>
#include <bit>

#include <fmt/format.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "model/labels.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sonde::wire {
namespace {

enum CharClass : unsigned char {
  kFirstOfLabel = 1,
  kInLabel = 2,
  kFirstOfMetric = 4,
  kInMetric = 8
};

constexpr std::array<unsigned char, 256> MakeClasses() {
  std::array<unsigned char, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    unsigned bits = 0;
    if (letter) bits |= kFirstOfLabel | kFirstOfMetric;
    if (letter || digit) bits |= kInLabel | kInMetric;
    if (c == ':') bits |= kFirstOfMetric | kInMetric;
    classes[c] = static_cast<unsigned char>(bits);
  }
  return classes;
}

constexpr std::array<unsigned char, 256> kClasses = MakeClasses();

bool Is(char c, CharClass wanted) {
  return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

const char* SkipName(const char* p, const char* end, CharClass first, CharClass rest) {
  if (p == end || !Is(*p, first)) return p;
  do {
    ++p;
  } while (p != end && Is(*p, rest));
  return p;
}

const char* FirstInvalidUtf8(std::string_view s) {
  const char* p = s.data();
  while (!s.empty()) {
    const DecodedRune decoded = DecodeRune(s);
    if (decoded.rune == 0xFFFD && decoded.size == 1) break;
    p += decoded.size;
    s.remove_prefix(decoded.size);
  }
  return p;
}

// The first quote, backslash or line feed from `p` on; notes if a byte beyond ASCII comes before
// it.
const char* SkipOrdinary(const char* p, const char* end, bool& beyond_ascii) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                      _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                                         _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(special));
    const auto high = static_cast<unsigned>(_mm_movemask_epi8(bytes));
    if (found != 0) {
      beyond_ascii |= (high & (found ^ (found - 1))) != 0;
      return p + std::countr_zero(found);
    }
    beyond_ascii |= high != 0;
    p += 16;
  }
#endif
  for (; p != end && *p != '"' && *p != '\\' && *p != '\n'; ++p) {
    beyond_ascii |= static_cast<unsigned char>(*p) >= 0x80;
  }
  return p;
}

// Reads what stands between (and with) the braces.
class BraceReader {
 public:
  BraceReader(const char* end, const SeriesDialect& dialect, std::vector<LabelToken>& tokens,
              SyntaxError& error)
      : end_(end), dialect_(dialect), tokens_(tokens), error_(error) {}

  // What a quoted string without a value is.
  enum class Name : unsigned char { kWanted, kKnown, kForbidden };

  // From the opening brace to behind the closing one, or null.
  const char* Read(const char* open, Name name) {
    const char* p = Skip(open + 1);
    while (p == end_ || *p != '}') {
      p = ReadItem(p, name);
      if (p == nullptr) return nullptr;
      p = Skip(p);
      if (p != end_ && *p == ',') {
        const char* comma = p;
        p = Skip(p + 1);
        if (p != end_ && *p == '}' && !dialect_.trailing_comma) {
          return Fail(comma, "a comma before \"}\" is not allowed");
        }
      } else if ((p == end_ || *p != '}') && !dialect_.commas_optional) {
        return Fail(p, "expected \",\" or \"}\" after the label value, got " + Describe(p, end_));
      }
    }
    if (name == Name::kWanted) return Fail(open, "the series has no metric name");
    return p + 1;
  }

 private:
  const char* Skip(const char* p) const {
    if (!dialect_.blanks) return p;
    while (p != end_ && (*p == ' ' || *p == '\t'))
      ++p;
    return p;
  }

  const char* Fail(const char* at, std::string message) {
    error_ = {at, std::move(message)};
    return nullptr;
  }

  // label="value", or a quoted metric name.
  const char* ReadItem(const char* p, Name& name) {
    LabelToken token;
    const char* after = nullptr;
    const bool quoted = p != end_ && *p == '"' && dialect_.quoted_names;
    if (quoted) {
      after = ReadQuoted(p, token.name, token.escaped_name, "name");
      if (after == nullptr) return nullptr;
      if (token.name.empty()) return Fail(p, "a name must not be empty");
    } else {
      after = SkipName(p, end_, kFirstOfLabel, kInLabel);
      if (after == p) return Fail(p, "expected a label name, got " + Describe(p, end_));
      token.name = {p, static_cast<std::size_t>(after - p)};
      if (token.name.size() > kMaxLabelBytes) return Fail(p, "the label name is too long");
    }
    const char* at = Skip(after);
    if (quoted && at != end_ && (*at == ',' || *at == '}') && name != Name::kForbidden) {
      if (name == Name::kKnown) return Fail(p, "the series has two metric names");
      name = Name::kKnown;
      tokens_.push_back({kMetricName, token.name, false, token.escaped_name});
      return after;
    }
    if (at == end_ || *at != '=') {
      return Fail(at, "expected \"=\" after the label name, got " + Describe(at, end_));
    }
    at = Skip(at + 1);
    if (at == end_ || *at != '"') {
      return Fail(at, "expected a label value in double quotes, got " + Describe(at, end_));
    }
    at = ReadQuoted(at, token.value, token.escaped_value, "label value");
    if (at != nullptr) tokens_.push_back(token);
    return at;
  }

  // From the opening quote to behind the closing one, or null.
  const char* ReadQuoted(const char* open, std::string_view& content, bool& escaped,
                         std::string_view what) {
    bool beyond_ascii = false;
    const char* p = SkipOrdinary(open + 1, end_, beyond_ascii);
    for (; p != end_ && *p != '"'; p = SkipOrdinary(p, end_, beyond_ascii)) {
      if (*p == '\n') {
        if (!dialect_.quoted_newlines) break;
        ++p;
        continue;
      }
      escaped = true;
      if (++p == end_ || *p == '\n') break;
      if (!dialect_.unknown_escapes && *p != '\\' && *p != '"' && *p != 'n') {
        return Fail(
            p - 1,
            fmt::format("invalid escape sequence {} in a {}: only \\\\, \\\" and \\n are defined",
                        QuoteGo(std::string_view(p - 1, 2)), what));
      }
      beyond_ascii |= static_cast<unsigned char>(*p) >= 0x80;
      ++p;
    }
    if (p == end_ || *p != '"') {
      return Fail(p, fmt::format("the {} that begins with {} is not closed before {}", what,
                                 Describe(open, end_),
                                 p == end_ ? "the end of the page" : "the end of the line"));
    }
    content = {open + 1, static_cast<std::size_t>(p - open - 1)};
    if (beyond_ascii && !IsValidUtf8(content)) {
      return Fail(FirstInvalidUtf8(content), fmt::format("the {} is not valid UTF-8", what));
    }
    if (content.size() > kMaxLabelBytes) {
      return Fail(open, fmt::format("the {} has {} bytes, more than {}", what, content.size(),
                                    kMaxLabelBytes));
    }
    return p + 1;
  }

  const char* end_;
  const SeriesDialect& dialect_;
  std::vector<LabelToken>& tokens_;
  SyntaxError& error_;
};

}  // namespace

const char* SkipMetricName(const char* p, const char* end) {
  return SkipName(p, end, kFirstOfMetric, kInMetric);
}

const char* ReadSeries(const char* begin, const char* end, const SeriesDialect& dialect,
                       std::vector<LabelToken>& tokens, SyntaxError& error) {
  tokens.clear();
  const char* name_end = SkipMetricName(begin, end);
  const bool named = name_end != begin;
  if (named) {
    const std::string_view name(begin, static_cast<std::size_t>(name_end - begin));
    if (name.size() > kMaxLabelBytes) {
      error = {begin, "the metric name is too long"};
      return nullptr;
    }
    tokens.push_back({kMetricName, name});
  }
  const char* brace = name_end;
  while (dialect.blanks && brace != end && (*brace == ' ' || *brace == '\t'))
    ++brace;
  if (brace == end || *brace != '{') {
    if (named) return name_end;
    error = {begin, "expected a metric name, got " + Describe(begin, end)};
    return nullptr;
  }
  const auto name = named ? BraceReader::Name::kKnown : BraceReader::Name::kWanted;
  return BraceReader(end, dialect, tokens, error).Read(brace, name);
}

const char* ReadLabelSet(const char* begin, const char* end, const SeriesDialect& dialect,
                         std::vector<LabelToken>& tokens, SyntaxError& error) {
  tokens.clear();
  return BraceReader(end, dialect, tokens, error).Read(begin, BraceReader::Name::kForbidden);
}

void AppendUnescaped(std::string& out, std::string_view raw) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\' && i + 1 < raw.size()) {
      const char next = raw[i + 1];
      if (next == '\\' || next == '"' || next == 'n') {
        out.push_back(next == 'n' ? '\n' : next);
        ++i;
        continue;
      }
    }
    out.push_back(raw[i]);
  }
}

std::string Shown(std::string_view text) {
  constexpr std::size_t kMaxShown = 64;
  if (text.size() <= kMaxShown) return QuoteGo(text);
  return QuoteGo(text.substr(0, kMaxShown)) + "…";
}

std::string Describe(const char* p, const char* end) {
  constexpr std::ptrdiff_t kMaxShown = 24;
  if (p == end) return "the end of the page";
  if (*p == '\n') return "the end of the line";
  if (*p == '\r') return "a carriage return (lines end with a line feed alone)";
  const char* stop = p + 1;
  while (stop != end && stop - p < kMaxShown && *stop != '\n' && *stop != ' ' && *stop != '\t')
    ++stop;
  return QuoteGo({p, static_cast<std::size_t>(stop - p)});
}

}  // namespace sonde::wire
