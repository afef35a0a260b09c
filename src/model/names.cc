#include "model/names.h"

#include <charconv>

#include "base/utf8.h"

namespace sonde {
namespace {

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsIdentifier(std::string_view name, bool colon) {
  if (name.empty() || IsDigit(name[0])) return false;
  for (const char c : name) {
    if (!IsLetter(c) && !IsDigit(c) && !(colon && c == ':')) return false;
  }
  return true;
}

constexpr std::string_view kEscapePrefix = "U__";

}  // namespace

bool IsLegacyMetricName(std::string_view name) {
  return IsIdentifier(name, true);
}
bool IsLegacyLabelName(std::string_view name) {
  return IsIdentifier(name, false);
}
bool IsValidName(std::string_view name) {
  return !name.empty() && IsValidUtf8(name);
}

std::string EscapeName(std::string_view name) {
  if (IsLegacyMetricName(name)) return std::string(name);
  std::string out(kEscapePrefix);
  bool first = true;
  while (!name.empty()) {
    const DecodedRune decoded = DecodeRune(name);
    const char c = name[0];
    if (c == '_') {
      out += "__";
    } else if (decoded.size == 1 && (IsLetter(c) || c == ':' || (IsDigit(c) && !first))) {
      out.push_back(c);
    } else {
      char hex[12];
      const auto end =
          std::to_chars(hex, hex + sizeof(hex), static_cast<unsigned>(decoded.rune), 16);
      out.push_back('_');
      out.append(hex, end.ptr);
      out.push_back('_');
    }
    name.remove_prefix(decoded.size);
    first = false;
  }
  return out;
}

std::optional<std::string> UnescapeName(std::string_view escaped) {
  if (!escaped.starts_with(kEscapePrefix)) return std::string(escaped);
  std::string_view rest = escaped.substr(kEscapePrefix.size());
  std::string out;
  while (!rest.empty()) {
    if (rest[0] != '_') {
      out.push_back(rest[0]);
      rest.remove_prefix(1);
      continue;
    }
    rest.remove_prefix(1);
    const std::size_t end = rest.find('_');
    if (end == std::string_view::npos || end > 6) return std::nullopt;
    if (end == 0) {
      out.push_back('_');
    } else {
      unsigned rune = 0;
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + end, rune, 16);
      if (error != std::errc() || stop != rest.data() + end || rune > 0x10FFFF) return std::nullopt;
      AppendRune(out, rune);
    }
    rest.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace sonde
