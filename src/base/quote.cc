#include "base/quote.h"

#include "base/utf8.h"

namespace sonde {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// An approximation of Go's unicode.IsPrint that is exact for what occurs in labels: controls,
// surrogates, private use, non-characters and the odd spaces are escaped.
bool IsPrintable(char32_t rune) {
  if (rune < 0x20 || (rune >= 0x7F && rune < 0xA1) || rune == 0xAD) return false;
  if (rune >= 0x2000 && rune <= 0x200F) return false;
  if (rune >= 0x2028 && rune <= 0x202F) return false;
  if (rune >= 0x205F && rune <= 0x206F) return false;
  if (rune == 0x1680 || rune == 0x3000 || rune == 0xFEFF) return false;
  if (rune >= 0xE000 && rune <= 0xF8FF) return false;
  if (rune >= 0xFFF0 && rune <= 0xFFFB) return false;
  if ((rune & 0xFFFE) == 0xFFFE) return false;
  return rune < 0xE0000;
}

void AppendHexEscape(std::string& out, char32_t rune) {
  const bool wide = rune > 0xFFFF;
  out += wide ? "\\U" : "\\u";
  for (int shift = wide ? 28 : 12; shift >= 0; shift -= 4) {
    out.push_back(kHex[(rune >> shift) & 15]);
  }
}

void AppendEscaped(std::string& out, char32_t rune) {
  switch (rune) {
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (rune < 0x20 || rune == 0x7F) {
    out += "\\x";
    out.push_back(kHex[(rune >> 4) & 15]);
    out.push_back(kHex[rune & 15]);
    return;
  }
  AppendHexEscape(out, rune);
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads one escape after the backslash; advances `s`. False if it is not one of Go's.
bool UnescapeOne(std::string_view& s, char quote, std::string& out) {
  const char c = s.front();
  s.remove_prefix(1);
  const auto simple = [&](char value) {
    out.push_back(value);
    return true;
  };
  std::size_t digits = 0;
  switch (c) {
    case 'a':
      return simple('\a');
    case 'b':
      return simple('\b');
    case 'f':
      return simple('\f');
    case 'n':
      return simple('\n');
    case 'r':
      return simple('\r');
    case 't':
      return simple('\t');
    case 'v':
      return simple('\v');
    case '\\':
      return simple('\\');
    case 'x':
      digits = 2;
      break;
    case 'u':
      digits = 4;
      break;
    case 'U':
      digits = 8;
      break;
    default:
      if (c == quote) return simple(c);
      if (c < '0' || c > '7' || s.size() < 2) return false;
      int value = c - '0';
      for (int i = 0; i < 2; ++i) {
        if (s[0] < '0' || s[0] > '7') return false;
        value = value * 8 + (s[0] - '0');
        s.remove_prefix(1);
      }
      return value <= 255 && simple(static_cast<char>(value));
  }
  if (s.size() < digits) return false;
  char32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = HexValue(s[i]);
    if (digit < 0) return false;
    value = value * 16 + static_cast<char32_t>(digit);
  }
  s.remove_prefix(digits);
  if (digits == 2) return simple(static_cast<char>(value));
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
  AppendRune(out, value);
  return true;
}

}  // namespace

void AppendQuoteGo(std::string& out, std::string_view s) {
  out.push_back('"');
  while (!s.empty()) {
    const char c = s[0];
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
      s.remove_prefix(1);
      continue;
    }
    if (c >= 0x20 && c < 0x7F) {
      out.push_back(c);
      s.remove_prefix(1);
      continue;
    }
    const DecodedRune decoded = DecodeRune(s);
    if (decoded.size == 1 && decoded.rune == 0xFFFD) {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else if (IsPrintable(decoded.rune)) {
      out.append(s.substr(0, decoded.size));
    } else {
      AppendEscaped(out, decoded.rune);
    }
    s.remove_prefix(decoded.size);
  }
  out.push_back('"');
}

std::string QuoteGo(std::string_view s) {
  std::string out;
  out.reserve(s.size() + 2);
  AppendQuoteGo(out, s);
  return out;
}

std::optional<std::string> UnescapeGo(std::string_view body, char quote) {
  std::string out;
  out.reserve(body.size());
  while (!body.empty()) {
    const char c = body.front();
    body.remove_prefix(1);
    if (c != '\\') {
      if (c == '\n' || c == quote) return std::nullopt;
      out.push_back(c);
      continue;
    }
    if (body.empty() || !UnescapeOne(body, quote, out)) return std::nullopt;
  }
  return out;
}

std::string_view TrimSpace(std::string_view s) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t begin = s.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace sonde
