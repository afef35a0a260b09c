#include "promql/lexer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "base/utf8.h"

namespace sonde::promql {
namespace {

struct Word {
  std::string_view text;
  TokenKind kind;
};

// Words that are not plain identifiers outside of braces, in any case of letters.
constexpr auto kWords = std::to_array<Word>({
    {"anchored", TokenKind::kAnchored},
    {"and", TokenKind::kAnd},
    {"atan2", TokenKind::kAtan2},
    {"avg", TokenKind::kAvg},
    {"bool", TokenKind::kBool},
    {"bottomk", TokenKind::kBottomk},
    {"by", TokenKind::kBy},
    {"count", TokenKind::kCount},
    {"count_values", TokenKind::kCountValues},
    {"end", TokenKind::kEndFunction},
    {"fill", TokenKind::kFill},
    {"fill_left", TokenKind::kFillLeft},
    {"fill_right", TokenKind::kFillRight},
    {"group", TokenKind::kGroup},
    {"group_left", TokenKind::kGroupLeft},
    {"group_right", TokenKind::kGroupRight},
    {"ignoring", TokenKind::kIgnoring},
    {"inf", TokenKind::kNumber},
    {"limit_ratio", TokenKind::kLimitRatio},
    {"limitk", TokenKind::kLimitk},
    {"max", TokenKind::kMax},
    {"max_of", TokenKind::kMaxOf},
    {"min", TokenKind::kMin},
    {"min_of", TokenKind::kMinOf},
    {"nan", TokenKind::kNumber},
    {"offset", TokenKind::kOffset},
    {"on", TokenKind::kOn},
    {"or", TokenKind::kOr},
    {"quantile", TokenKind::kQuantile},
    {"range", TokenKind::kRange},
    {"smoothed", TokenKind::kSmoothed},
    {"start", TokenKind::kStart},
    {"stddev", TokenKind::kStddev},
    {"stdvar", TokenKind::kStdvar},
    {"step", TokenKind::kStep},
    {"sum", TokenKind::kSum},
    {"topk", TokenKind::kTopk},
    {"unless", TokenKind::kUnless},
    {"without", TokenKind::kWithout},
});
static_assert(std::ranges::is_sorted(kWords, {}, &Word::text));

constexpr std::string_view kDigits = "0123456789";

constexpr bool IsDigit(char32_t rune) {
  return rune >= '0' && rune <= '9';
}
constexpr bool IsAlpha(char32_t rune) {
  return rune == '_' || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
}
constexpr bool IsAlphaNumeric(char32_t rune) {
  return IsAlpha(rune) || IsDigit(rune);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

TokenKind FindWord(std::string_view text) {
  if (text.size() > 12) return TokenKind::kIdentifier;
  const std::string lower = Lower(text);
  const auto* found = std::ranges::lower_bound(kWords, lower, {}, &Word::text);
  return found != kWords.end() && found->text == lower ? found->kind : TokenKind::kIdentifier;
}

// Go's %q of a rune: 'x', with its escapes; the end of the input and bad bytes are U+FFFD.
std::string QuoteRune(char32_t rune) {
  if (rune == '\'') return "'\\''";
  if (rune == '"') return "'\"'";
  std::string text;
  AppendRune(text, rune);
  std::string quoted = QuoteGo(text);
  quoted.front() = '\'';
  quoted.back() = '\'';
  return quoted;
}

// Go's %#U of a rune: U+0041 'A'; without the character if it cannot be printed.
std::string UnicodeName(char32_t rune) {
  std::string text;
  AppendRune(text, rune);
  std::string name = fmt::format("U+{:04X}", static_cast<std::uint32_t>(rune));
  const std::string quoted = QuoteGo(text);
  const bool printable = quoted.size() == text.size() + 2 || rune == '"' || rune == '\\';
  if (printable) name.append(" '").append(text).push_back('\'');
  return name;
}

int DigitValue(char32_t rune) {
  if (IsDigit(rune)) return static_cast<int>(rune - '0');
  if (rune >= 'a' && rune <= 'f') return static_cast<int>(rune - 'a') + 10;
  if (rune >= 'A' && rune <= 'F') return static_cast<int>(rune - 'A') + 10;
  return 16;
}

bool IsDurationFunction(TokenKind kind) {
  return kind == TokenKind::kStep || kind == TokenKind::kRange || kind == TokenKind::kMaxOf ||
         kind == TokenKind::kMinOf;
}

// Cuts after `runes` code points.
std::string_view FirstRunes(std::string_view text, int runes) {
  std::size_t size = 0;
  for (int i = 0; i < runes && size < text.size(); ++i) {
    size += DecodeRune(text.substr(size)).size;
  }
  return text.substr(0, size);
}

// Go's strconv.ParseInt(text, 0, 64): prefixes 0x, 0b, 0o and 0, underscores between digits.
std::optional<std::int64_t> ParseGoInteger(std::string_view text) {
  int base = 10;
  std::string_view digits = text;
  bool prefixed = false;
  if (digits.size() > 1 && digits[0] == '0') {
    const char marker = static_cast<char>(digits[1] | 0x20);
    base = marker == 'x' ? 16 : 8;
    digits.remove_prefix(marker == 'x' ? 2 : 1);
    prefixed = true;
  }
  std::uint64_t value = 0;
  bool after_digit = prefixed;
  bool any = base == 8;
  for (const char c : digits) {
    if (c == '_') {
      if (!after_digit) return std::nullopt;
      after_digit = false;
      continue;
    }
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (digit < 0 || digit >= base) return std::nullopt;
    if (value > (std::numeric_limits<std::int64_t>::max() - static_cast<std::uint64_t>(digit)) /
                    static_cast<std::uint64_t>(base)) {
      return std::nullopt;
    }
    value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(digit);
    after_digit = true;
    any = true;
  }
  if (!any || !after_digit) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::optional<double> ParseNumberLiteral(std::string_view text) {
  if (const auto integer = ParseGoInteger(text)) return static_cast<double>(*integer);
  return ParseFloat(text);
}

std::string Describe(const Token& token) {
  const auto quoted = [&] {
    if (token.text.size() <= 10) return QuoteGo(token.text);
    return QuoteGo(FirstRunes(token.text, 10)) + "...";
  };
  switch (token.kind) {
    case TokenKind::kEnd:
      return "end of input";
    case TokenKind::kIdentifier:
      return "identifier " + QuoteGo(token.text);
    case TokenKind::kMetricIdentifier:
      return "metric identifier " + QuoteGo(token.text);
    case TokenKind::kNumber:
      return "number " + quoted();
    case TokenKind::kDuration:
      return "duration " + quoted();
    case TokenKind::kString:
      return "string " + quoted();
    default:
      break;
  }
  if (IsKeyword(token.kind)) return fmt::format("<{}>", token.text);
  if (IsOperator(token.kind)) return fmt::format("<op:{}>", token.text);
  if (IsAggregation(token.kind)) return fmt::format("<aggr:{}>", token.text);
  return quoted();
}

char32_t Lexer::Peek() const {
  if (at_ >= query_.size()) return kEof;
  const auto byte = static_cast<unsigned char>(query_[at_]);
  return byte < 0x80 ? byte : DecodeRune(query_.substr(at_)).rune;
}

char32_t Lexer::Read() {
  if (at_ >= query_.size()) return kEof;
  const auto byte = static_cast<unsigned char>(query_[at_]);
  if (byte < 0x80) {
    ++at_;
    return byte;
  }
  const DecodedRune decoded = DecodeRune(query_.substr(at_));
  at_ += decoded.size;
  return decoded.rune;
}

bool Lexer::At(std::string_view set) const {
  return at_ < query_.size() && set.find(query_[at_]) != std::string_view::npos;
}

bool Lexer::Accept(std::string_view set) {
  if (!At(set)) return false;
  ++at_;
  return true;
}

void Lexer::AcceptAll(std::string_view set) {
  while (Accept(set)) {
  }
}

void Lexer::SkipSpace() {
  AcceptAll(" \t\n\r");
  start_ = at_;
}

void Lexer::SkipComment() {
  while (at_ < query_.size() && query_[at_] != '\n' && query_[at_] != '\r') {
    ++at_;
  }
  start_ = at_;
}

Token Lexer::Make(TokenKind kind) {
  const Token token{kind,
                    {static_cast<std::uint32_t>(start_), static_cast<std::uint32_t>(at_)},
                    query_.substr(start_, at_ - start_)};
  start_ = at_;
  return token;
}

Token Lexer::Fail(std::string message) {
  error_ = std::move(message);
  return {TokenKind::kError,
          {static_cast<std::uint32_t>(start_), static_cast<std::uint32_t>(query_.size())},
          {}};
}

Token Lexer::FailAt(char32_t rune, std::string_view before, std::string_view after) {
  return Fail(fmt::format("{}{}{}", before, QuoteRune(rune), after));
}

Token Lexer::Next() {
  if (done_) return last_;
  last_ = in_braces_ ? LexInsideBraces() : duration_begins_ ? LexInsideBrackets() : LexTopLevel();
  done_ = last_.kind == TokenKind::kEnd || last_.kind == TokenKind::kError;
  return last_;
}

Token Lexer::LexTopLevel() {
  SkipSpace();
  while (Peek() == '#') {
    SkipComment();
    SkipSpace();
  }
  const char32_t rune = Read();
  if (rune == kEof) {
    if (paren_depth_ != 0) return Fail("unclosed left parenthesis");
    if (in_brackets_) return Fail("unclosed left bracket");
    return Make(TokenKind::kEnd);
  }
  if (IsDigit(rune) || (rune == '.' && IsDigit(Peek()))) {
    --at_;
    return LexNumberOrDuration();
  }
  if (IsAlpha(rune) || rune == ':') {
    if (in_brackets_) return LexWordInBrackets(rune);
    --at_;
    return LexWord();
  }
  return LexPunctuation(rune);
}

Token Lexer::LexPunctuation(char32_t rune) {
  switch (rune) {
    case ',':
      return Make(TokenKind::kComma);
    case '*':
      return Make(TokenKind::kMul);
    case '/':
      return Make(TokenKind::kDiv);
    case '%':
      return Make(TokenKind::kMod);
    case '+':
      return Make(TokenKind::kAdd);
    case '-':
      return Make(TokenKind::kSub);
    case '^':
      return Make(TokenKind::kPow);
    case '@':
      return Make(TokenKind::kAt);
    case '=':
    case '!':
    case '<':
    case '>':
      return LexComparison(rune);
    case '"':
    case '\'':
    case '`':
      return LexString(static_cast<char>(rune));
    case '(':
      ++paren_depth_;
      return Make(TokenKind::kLeftParen);
    case ')':
      return LexRightParen();
    case '{':
      in_braces_ = true;
      return Make(TokenKind::kLeftBrace);
    case '[':
      return LexLeftBracket();
    case ']':
      if (!in_brackets_) return FailAt(rune, "unexpected right bracket ");
      in_brackets_ = false;
      return Make(TokenKind::kRightBracket);
    default:
      return FailAt(rune, "unexpected character: ");
  }
}

Token Lexer::LexComparison(char32_t rune) {
  if (rune == '=') {
    if (Accept("=")) return Make(TokenKind::kEqualEqual);
    if (Peek() == '~') return FailAt('~', "unexpected character after '=': ");
    return Make(TokenKind::kEqual);
  }
  if (rune == '!') {
    const char32_t next = Read();
    if (next != '=') return FailAt(next, "unexpected character after '!': ");
    return Make(TokenKind::kNotEqual);
  }
  if (rune == '<') {
    if (Accept("=")) return Make(TokenKind::kLessEqual);
    return Make(Accept("/") ? TokenKind::kTrimUpper : TokenKind::kLess);
  }
  if (Accept("=")) return Make(TokenKind::kGreaterEqual);
  return Make(Accept("/") ? TokenKind::kTrimLower : TokenKind::kGreater);
}

Token Lexer::LexRightParen() {
  const Token token = Make(TokenKind::kRightParen);
  if (--paren_depth_ < 0) return FailAt(')', "unexpected right parenthesis ");
  return token;
}

Token Lexer::LexLeftBracket() {
  if (in_brackets_) return FailAt('[', "unexpected left bracket ");
  in_brackets_ = true;
  got_colon_ = false;
  duration_begins_ = true;
  return Make(TokenKind::kLeftBracket);
}

// A word or a colon inside brackets, after the first number there.
Token Lexer::LexWordInBrackets(char32_t rune) {
  if (rune == ':') {
    if (got_colon_) return FailAt(rune, "unexpected colon ");
    got_colon_ = true;
    return Make(TokenKind::kColon);
  }
  while (IsAlpha(Peek())) {
    ++at_;
  }
  const TokenKind kind = FindWord(query_.substr(start_, at_ - start_));
  if (IsDurationFunction(kind)) return Make(kind);
  return FailAt(rune, "unexpected character: ", ", expected ':'");
}

// After `[` and until the first number: only what can begin a duration.
Token Lexer::LexInsideBrackets() {
  SkipSpace();
  const char32_t rune = Read();
  switch (rune) {
    case kEof:
      return Fail("unexpected end of input in duration expression");
    case ']':
      in_brackets_ = false;
      got_colon_ = false;
      duration_begins_ = false;
      return Make(TokenKind::kRightBracket);
    case ':': {
      const Token token = Make(TokenKind::kColon);
      if (!got_duration_) {
        return Fail("unexpected colon before duration in duration expression");
      }
      if (got_colon_) return Fail("unexpected repeated colon in duration expression");
      got_colon_ = true;
      return token;
    }
    case '(':
      ++paren_depth_;
      return Make(TokenKind::kLeftParen);
    case ')':
      return LexRightParen();
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^':
    case ',':
      return LexPunctuation(rune);
    default:
      break;
  }
  if (IsDigit(rune) || (rune == '.' && IsDigit(Peek()))) {
    --at_;
    got_duration_ = true;
    duration_begins_ = false;
    return LexNumberOrDuration();
  }
  if (IsAlpha(rune)) {
    const std::size_t after_first = at_;
    while (IsAlpha(Peek())) {
      ++at_;
    }
    const TokenKind kind = FindWord(query_.substr(start_, at_ - start_));
    if (IsDurationFunction(kind)) return Make(kind);
    at_ = after_first;
  }
  return FailAt(rune, "unexpected character in duration expression: ");
}

Token Lexer::LexInsideBraces() {
  SkipSpace();
  while (Peek() == '#') {
    SkipComment();
    SkipSpace();
  }
  const char32_t rune = Read();
  switch (rune) {
    case kEof:
      return Fail("unexpected end of input inside braces");
    case ',':
      return Make(TokenKind::kComma);
    case '"':
    case '\'':
    case '`':
      return LexString(static_cast<char>(rune));
    case '=':
      return Make(Accept("~") ? TokenKind::kEqualRegex : TokenKind::kEqual);
    case '!': {
      const char32_t next = Read();
      if (next == '~') return Make(TokenKind::kNotEqualRegex);
      if (next == '=') return Make(TokenKind::kNotEqual);
      return FailAt(next, "unexpected character after '!' inside braces: ");
    }
    case '{':
      return FailAt(rune, "unexpected left brace ");
    case '}':
      in_braces_ = false;
      return Make(TokenKind::kRightBrace);
    default:
      break;
  }
  if (!IsAlpha(rune)) return FailAt(rune, "unexpected character inside braces: ");
  while (IsAlphaNumeric(Peek())) {
    ++at_;
  }
  return Make(TokenKind::kIdentifier);
}

Token Lexer::LexWord() {
  while (IsAlphaNumeric(Peek()) || Peek() == ':') {
    ++at_;
  }
  const std::string_view word = query_.substr(start_, at_ - start_);
  const TokenKind kind = FindWord(word);
  if (kind == TokenKind::kIdentifier) {
    return Make(word.find(':') == std::string_view::npos ? kind : TokenKind::kMetricIdentifier);
  }
  // fill is young: it stays usable as a name wherever no parenthesis follows.
  const bool is_fill =
      kind == TokenKind::kFill || kind == TokenKind::kFillLeft || kind == TokenKind::kFillRight;
  if (is_fill && !FollowedByLeftParen()) return Make(TokenKind::kIdentifier);
  return Make(kind);
}

bool Lexer::FollowedByLeftParen() const {
  const std::size_t next = query_.find_first_not_of(" \t\n\r", at_);
  return next != std::string_view::npos && query_[next] == '(';
}

Token Lexer::LexNumberOrDuration() {
  if (ScanNumber()) return Make(TokenKind::kNumber);
  if (ScanDuration()) return Make(TokenKind::kDuration);
  return Fail("bad number or duration syntax: " + QuoteGo(query_.substr(start_, at_ - start_)));
}

// Goes over what looks like a number; whether it is one is the parser's business. On failure the
// position stays after the offending character, since a duration may go on there and the error
// message ends there.
bool Lexer::ScanNumber() {
  const std::size_t begin = at_;
  std::string_view digits = kDigits;
  if (Accept("0") && Accept("xX")) {
    Accept("_");
    digits = "0123456789abcdefABCDEF";
  }
  Accept(".");
  Accept(digits);
  const auto in_number = [&] { return At(digits) || At("._eE"); };
  bool dot = false;
  bool exponent = false;
  while (in_number()) {
    if (dot && Accept(".")) return false;
    if (exponent && Accept("eE")) return false;
    if (Accept(".")) {
      dot = true;
      if (Accept("_.") || digits.size() > kDigits.size()) return false;
    } else if (Accept("eE")) {
      exponent = true;
      Accept("+-");
      if (Accept("._eE") || at_ == query_.size()) return false;
    } else if (Accept("_")) {
      if (Accept("._eE") || at_ == query_.size()) return false;
    } else {
      AcceptAll(digits);
    }
  }
  return at_ != begin && !IsAlphaNumeric(Peek());
}

// Goes on after the first number: a unit, then more numbers with units. Which units may follow
// which is checked when the duration is parsed.
bool Lexer::ScanDuration() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept(kDigits)) {
    AcceptAll(kDigits);
    if (!Accept("smhdw")) return false;
    Accept("s");
  }
  if (!IsAlphaNumeric(Peek())) return true;
  ++at_;
  return false;
}

Token Lexer::LexString(char quote) {
  while (true) {
    const std::size_t before = at_;
    const char32_t rune = Read();
    if (rune == kEof || (rune == '\n' && quote != '`')) {
      return Fail(quote == '`' ? "unterminated raw string" : "unterminated quoted string");
    }
    if (rune == 0xFFFD) {
      at_ = before;
      return Fail("invalid UTF-8 rune");
    }
    if (rune == static_cast<unsigned char>(quote)) return Make(TokenKind::kString);
    if (rune == '\\' && quote != '`' && !LexEscape(quote)) return Fail(std::move(error_));
  }
}

// Checks one escape after its backslash; sets the message if it is bad.
bool Lexer::LexEscape(char quote) {
  const auto bad = [&](std::string message) {
    error_ = std::move(message);
    return false;
  };
  char32_t rune = Read();
  int digits = 0;
  int base = 16;
  std::uint32_t limit = 0x10FFFF;
  switch (rune) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
      return true;
    case 'x':
      digits = 2;
      limit = 255;
      break;
    case 'u':
      digits = 4;
      break;
    case 'U':
      digits = 8;
      break;
    case kEof:
      return bad("escape sequence not terminated");
    default:
      if (rune == static_cast<unsigned char>(quote)) return true;
      if (rune < '0' || rune > '7') return bad("unknown escape sequence " + UnicodeName(rune));
      digits = 3;
      base = 8;
      limit = 255;
      break;
  }
  if (base == 16) rune = Read();
  std::uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    if (i > 0) rune = Read();
    if (rune == kEof) return bad("escape sequence not terminated");
    const int digit = DigitValue(rune);
    if (digit >= base) {
      return bad(fmt::format("illegal character {} in escape sequence", UnicodeName(rune)));
    }
    value = value * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
  }
  if (value > limit || (value >= 0xD800 && value < 0xE000)) {
    return bad("escape sequence is an invalid Unicode code point");
  }
  return true;
}

}  // namespace sonde::promql
