#include "alerting/matcher_syntax.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/quote.h"
#include "base/utf8.h"
#include "model/names.h"

namespace sonde::alerting {
namespace {

Error Bad(std::size_t at, std::string_view what) {
  return {ErrorKind::kInvalid,
          "bad matcher format: " + std::string(what) + " at offset " + std::to_string(at)};
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/// Length of the operator at the start of `text`, or 0, and which it is.
std::size_t ReadOperator(std::string_view text, Matcher::Type& type) {
  using Type = Matcher::Type;
  for (const auto& [spelling, meaning] : {std::pair{std::string_view("=~"), Type::kRegex},
                                          {"!~", Type::kNotRegex},
                                          {"!=", Type::kNotEqual},
                                          {"=", Type::kEqual}}) {
    if (!text.starts_with(spelling)) continue;
    type = meaning;
    return spelling.size();
  }
  return 0;
}

/// The UTF-8 grammar, by recursive descent over one line of text.
class Utf8Parser {
 public:
  explicit Utf8Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Matcher>> Parse() {
    std::vector<Matcher> matchers;
    SkipSpace();
    const bool braces = Take('{');
    SkipSpace();
    while (at_ < text_.size() && text_[at_] != '}') {
      matchers.push_back(TRY(ParseOne()));
      SkipSpace();
      if (!Take(',')) break;
      SkipSpace();
      if (at_ < text_.size() && text_[at_] == ',') return Bad(at_, "a comma too many");
    }
    if (braces && !Take('}')) return Bad(at_, "expected a closing brace");
    SkipSpace();
    if (at_ < text_.size()) {
      return Bad(at_, text_[at_] == '}' ? "a closing brace without an opening one"
                                        : "expected a comma or the end");
    }
    return matchers;
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_]))
      ++at_;
  }

  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<Matcher> ParseOne() {
    std::string name = TRY(ParseWord("a label name"));
    if (name.empty()) return Bad(at_, "an empty label name");
    SkipSpace();
    auto type = Matcher::Type::kEqual;
    const std::size_t length = ReadOperator(text_.substr(at_), type);
    if (length == 0) return Bad(at_, "expected one of = != =~ !~");
    at_ += length;
    SkipSpace();
    return Matcher::Make(type, std::move(name), TRY(ParseWord("a value")));
  }

  Result<std::string> ParseWord(std::string_view what) {
    const std::size_t begin = at_;
    if (Take('"')) {
      while (at_ < text_.size() && text_[at_] != '"')
        at_ += text_[at_] == '\\' ? 2 : 1;
      if (at_ >= text_.size()) return Bad(begin, "a missing closing quote");
      auto value = UnescapeGo(text_.substr(begin + 1, at_ - begin - 1), '"');
      ++at_;
      if (!value || !IsValidUtf8(*value)) return Bad(begin, "a bad escape in a quoted string");
      return *std::move(value);
    }
    while (at_ < text_.size() && !IsSpace(text_[at_]) &&
           std::string_view("{}!=~,\\\"'`").find(text_[at_]) == std::string_view::npos)
      ++at_;
    if (at_ == begin) return Bad(at_, "expected " + std::string(what));
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (!IsValidUtf8(word)) return Bad(begin, "bytes that are not UTF-8");
    return std::string(word);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string_view TrimClassic(std::string_view text) {
  return TrimSpace(text);
}

/// Splits at commas that stand outside double quotes.
std::vector<std::string_view> SplitClassic(std::string_view text) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  const std::string_view last = text.substr(begin);
  if (!TrimClassic(last).empty()) parts.push_back(last);  // A comma may trail.
  return parts;
}

/// A classic value: escapes \n \" \\; a quote is only allowed at both ends.
Result<std::string> ClassicValue(std::string_view raw) {
  if (!IsValidUtf8(raw)) return Error(ErrorKind::kInvalid, "matcher value not valid UTF-8");
  const bool quoted = !raw.empty() && raw.front() == '"';
  if (quoted) raw.remove_prefix(1);
  std::string value;
  bool closed = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (c == '\\' && i + 1 < raw.size()) {
      const char next = raw[++i];
      if (next == 'n') {
        value += '\n';
      } else if (next == '"' || next == '\\') {
        value += next;
      } else {
        value += c;
        value += next;
      }
    } else if (c == '"') {
      if (!quoted || i + 1 != raw.size()) {
        return Error(ErrorKind::kInvalid,
                     "matcher value contains unescaped double quote: " + std::string(raw));
      }
      closed = true;
    } else {
      value += c;
    }
  }
  if (quoted && !closed) {
    return Error(ErrorKind::kInvalid,
                 "matcher value contains unescaped double quote: " + std::string(raw));
  }
  return value;
}

Result<Matcher> ClassicMatcher(std::string_view text) {
  const std::string_view s = TrimClassic(text);
  std::size_t end = 0;
  while (end < s.size() &&
         (std::isalnum(static_cast<unsigned char>(s[end])) != 0 || s[end] == '_' || s[end] == ':'))
    ++end;
  if (end == 0 || std::isdigit(static_cast<unsigned char>(s[0])) != 0)
    return Error(ErrorKind::kInvalid, "bad matcher format: " + std::string(text));
  std::string name(s.substr(0, end));
  std::string_view rest = TrimClassic(s.substr(end));
  auto type = Matcher::Type::kEqual;
  const std::size_t length = ReadOperator(rest, type);
  if (length == 0) return Error(ErrorKind::kInvalid, "bad matcher format: " + std::string(text));
  rest = TrimClassic(rest.substr(length));
  return Matcher::Make(type, std::move(name), TRY(ClassicValue(rest)));
}

}  // namespace

Result<std::vector<Matcher>> ParseUtf8Matchers(std::string_view text) {
  return Utf8Parser(text).Parse();
}

Result<std::vector<Matcher>> ParseClassicMatchers(std::string_view text) {
  text = TrimClassic(text);
  if (text.starts_with('{')) text.remove_prefix(1);
  if (text.ends_with('}')) text.remove_suffix(1);
  std::vector<Matcher> matchers;
  for (const std::string_view part : SplitClassic(text))
    matchers.push_back(TRY(ClassicMatcher(part)));
  return matchers;
}

Result<ParsedMatchers> ParseMatchers(std::string_view text) {
  if (text.size() > kMaxMatcherBytes)
    return Error(ErrorKind::kLimit, "matchers are longer than 1 MiB");
  auto modern = ParseUtf8Matchers(text);
  auto classic = ParseClassicMatchers(text);
  if (!classic) {
    if (!modern) return std::move(modern).error();
    return ParsedMatchers{*std::move(modern), {}};
  }
  const std::string shown = QuoteGo(text.substr(0, 256));
  if (!modern) {
    return ParsedMatchers{*std::move(classic),
                          "the matchers " + shown +
                              " are only understood by the old syntax, which will go away (" +
                              modern.error().message() + "); write " + FormatMatchers(*classic)};
  }
  if (*modern != *classic) {
    return ParsedMatchers{*std::move(classic),
                          "the matchers " + shown +
                              " mean different things in the old and the new syntax; the old "
                              "meaning is used: quote the values to settle it"};
  }
  return ParsedMatchers{*std::move(modern), {}};
}

Result<Matcher> ParseMatcher(std::string_view text) {
  ParsedMatchers parsed = TRY(ParseMatchers(text));
  if (parsed.matchers.size() != 1) {
    return Error(ErrorKind::kInvalid, "expected one matcher, got " +
                                          std::to_string(parsed.matchers.size()) + ": " +
                                          std::string(text.substr(0, 256)));
  }
  return std::move(parsed.matchers.front());
}

std::string FormatMatchers(const std::vector<Matcher>& matchers) {
  std::string out = "{";
  for (const Matcher& matcher : matchers) {
    if (out.size() > 1) out += ',';
    out += matcher.ToString();
  }
  return out + "}";
}

}  // namespace sonde::alerting
