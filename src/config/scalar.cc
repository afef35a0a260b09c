#include "config/scalar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "base/quote.h"

namespace sonde::config {
namespace {

bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int DigitValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

std::optional<std::uint64_t> ParseDigits(std::string_view digits, unsigned base) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    const int digit = DigitValue(c);
    if (digit >= static_cast<int>(base)) return std::nullopt;
    if (value >
        (std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(digit)) / base) {
      return std::nullopt;
    }
    value = value * base + static_cast<std::uint64_t>(digit);
  }
  return value;
}

/// The factor of "KiB", "MB" …; 0 if there is no such unit.
double UnitFactor(std::string_view unit) {
  if (unit == "B") return 1;
  constexpr std::string_view kPrefixes = "KMGTPE";
  if (unit.empty()) return 0;
  const std::size_t power = kPrefixes.find(unit[0]);
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = unit.substr(1);
  if (rest != "iB" && rest != "B") return 0;
  return std::pow(1024.0, static_cast<double>(power + 1));
}

Error GoUrlError(std::string_view text, std::string_view why) {
  return {ErrorKind::kInvalid, "parse " + QuoteGo(text) + ": " + std::string(why)};
}

/// The part before the first colon if it can be a scheme; an error if the colon stands first.
Result<std::string> TakeScheme(std::string_view text, std::string_view& rest) {
  rest = text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsAlpha(c)) continue;
    if (IsDigit(c) || c == '+' || c == '-' || c == '.') {
      if (i == 0) return std::string();
      continue;
    }
    if (c != ':') return std::string();
    if (i == 0) return GoUrlError(text, "missing protocol scheme");
    std::string scheme(text.substr(0, i));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](char x) {
      return x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x;
    });
    rest = text.substr(i + 1);
    return scheme;
  }
  return std::string();
}

Status CheckHost(std::string_view text, std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.rfind(']');
    if (end == std::string_view::npos) return GoUrlError(text, "missing ']' in host");
    port = host.substr(end + 1);
  } else if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
  }
  if (!port.empty() && (port[0] != ':' || !std::all_of(port.begin() + 1, port.end(), IsDigit))) {
    return GoUrlError(text, "invalid port " + QuoteGo(port) + " after host");
  }
  for (const char c : host) {
    if (c == ' ' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' ||
        c == '{' || c == '|' || c == '}') {
      return GoUrlError(text, "invalid character " + QuoteGo(std::string(1, c)) + " in host name");
    }
  }
  return OkStatus();
}

Status CheckEscapes(std::string_view text, std::string_view part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') continue;
    if (i + 2 >= part.size() || !IsHex(part[i + 1]) || !IsHex(part[i + 2])) {
      return GoUrlError(text, "invalid URL escape " + QuoteGo(part.substr(i, 3)));
    }
  }
  return OkStatus();
}

}  // namespace

std::optional<bool> ParseYamlBool(std::string_view text) {
  constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                      "True", "TRUE", "on",  "On",  "ON"};
  constexpr std::array<std::string_view, 11> kFalse = {
      "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  return std::nullopt;
}

std::optional<std::int64_t> ParseYamlInt(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits.push_back(c);
  }
  std::string_view rest = digits;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  std::optional<std::uint64_t> value;
  if (rest.starts_with("0x") || rest.starts_with("0X")) {
    value = ParseDigits(rest.substr(2), 16);
  } else if (rest.starts_with("0b") || rest.starts_with("0B")) {
    value = ParseDigits(rest.substr(2), 2);
  } else if (rest.starts_with("0o") || rest.starts_with("0O")) {
    value = ParseDigits(rest.substr(2), 8);
  } else if (rest.size() > 1 && rest[0] == '0' && std::all_of(rest.begin(), rest.end(), IsDigit)) {
    value = ParseDigits(rest, 8);
  } else {
    value = ParseDigits(rest, 10);
  }
  if (!value) {
    const auto number = ParseYamlFloat(text);
    if (!number || *number != std::trunc(*number) || std::abs(*number) >= 0x1p63)
      return std::nullopt;
    return static_cast<std::int64_t>(*number);
  }
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (*value > kMax) return std::nullopt;
  const auto signed_value = static_cast<std::int64_t>(*value);
  return negative ? -signed_value : signed_value;
}

std::optional<double> ParseYamlFloat(std::string_view text) {
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == "+.inf" || text == "+.Inf" ||
      text == "+.INF") {
    return std::numeric_limits<double>::infinity();
  }
  if (text == "-.inf" || text == "-.Inf" || text == "-.INF")
    return -std::numeric_limits<double>::infinity();
  if (text == ".nan" || text == ".NaN" || text == ".NAN")
    return std::numeric_limits<double>::quiet_NaN();
  if (text.empty() || !(IsDigit(text.back()) || text.back() == '.')) return std::nullopt;
  return ParseFloat(text);
}

Result<std::int64_t> ParseSize(std::string_view text) {
  auto invalid = [text] {
    return Error(ErrorKind::kInvalid, "units: invalid " + std::string(text));
  };
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") return std::int64_t{0};
  if (rest.empty()) return invalid();
  double total = 0;
  while (!rest.empty()) {
    std::size_t digits = 0;
    while (digits < rest.size() && (IsDigit(rest[digits]) || rest[digits] == '.'))
      ++digits;
    const auto number = ParseFloat(rest.substr(0, digits));
    if (digits == 0 || !number) return invalid();
    rest.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < rest.size() && !IsDigit(rest[letters]) && rest[letters] != '.')
      ++letters;
    const double factor = UnitFactor(rest.substr(0, letters));
    if (factor == 0) {
      return Error(ErrorKind::kInvalid,
                   "units: unknown unit " + std::string(rest.substr(0, letters)) + " in " +
                       std::string(text) + " (use B, KB, MB, GB, TB, PB or EB)");
    }
    rest.remove_prefix(letters);
    total += *number * factor;
  }
  if (total >= 0x1p63) return Error(ErrorKind::kInvalid, "units: overflow parsing unit");
  const auto bytes = static_cast<std::int64_t>(total);
  return negative ? -bytes : bytes;
}

std::string FormatSize(std::int64_t bytes) {
  if (bytes == 0) return "0B";
  constexpr std::array<std::string_view, 7> kPrefixes = {"", "K", "M", "G", "T", "P", "E"};
  std::string out;
  std::uint64_t n =
      bytes < 0 ? 0 - static_cast<std::uint64_t>(bytes) : static_cast<std::uint64_t>(bytes);
  for (std::size_t i = 0; i < kPrefixes.size() && n > 0; ++i) {
    const std::uint64_t part = n % 1024;
    if (part > 0) {
      std::string piece = std::to_string(part);
      piece.append(kPrefixes[i]).append(i == 0 ? "B" : "iB");
      out.insert(0, piece);
    }
    n /= 1024;
  }
  return bytes < 0 ? "-" + out : out;
}

Result<GoUrl> ParseGoUrl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return GoUrlError(text, "net/url: invalid control character in URL");
    }
  }
  std::string_view body = text.substr(0, text.find('#'));
  GoUrl url;
  std::string_view rest;
  url.scheme = TRY(TakeScheme(body, rest));
  rest = rest.substr(0, rest.find('?'));
  if (!rest.starts_with('/')) {
    if (!url.scheme.empty()) return url;  // Opaque, such as mailto:x.
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment.find(':') != std::string_view::npos) {
      return GoUrlError(text, "first path segment in URL cannot contain colon");
    }
  }
  if (rest.starts_with("//") && !rest.starts_with("///")) {
    std::string_view authority = rest.substr(2);
    const std::size_t slash = authority.find('/');
    rest = slash == std::string_view::npos ? std::string_view{} : authority.substr(slash);
    authority = authority.substr(0, slash);
    const std::size_t at = authority.rfind('@');
    const std::string_view host =
        at == std::string_view::npos ? authority : authority.substr(at + 1);
    TRY(CheckHost(text, host));
    TRY(CheckEscapes(text, host));
    url.host = host;
  }
  TRY(CheckEscapes(text, rest));
  url.path = rest;
  return url;
}

}  // namespace sonde::config
