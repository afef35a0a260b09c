#include "base/number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/check.h"

namespace sonde {
namespace {

// The shortest decimal that reads back as the same double: 0.d1d2d3… × 10^point.
struct Decimal {
  std::array<char, 24> digits;
  int count = 0;
  int point = 0;
  bool negative = false;
};

Decimal Shortest(double v) {
  Decimal d;
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), v, std::chars_format::scientific);
  DCHECK(end.ec == std::errc());
  const char* p = text.data();
  if (*p == '-') {
    d.negative = true;
    ++p;
  }
  for (; *p != 'e'; ++p) {
    if (*p != '.') d.digits[static_cast<std::size_t>(d.count++)] = *p;
  }
  int exponent = 0;
  ++p;
  if (*p == '+') ++p;
  std::from_chars(p, end.ptr, exponent);
  d.point = exponent + 1;
  if (d.count == 1 && d.digits[0] == '0') d.point = 1;
  return d;
}

bool AppendSpecial(std::string& out, double v) {
  if (std::isnan(v)) {
    out += "NaN";
    return true;
  }
  if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
    return true;
  }
  return false;
}

void LayOutF(std::string& out, const Decimal& d) {
  if (d.negative) out.push_back('-');
  const auto count = static_cast<std::size_t>(d.count);
  if (d.point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-d.point), '0');
    out.append(d.digits.data(), count);
    return;
  }
  const auto point = static_cast<std::size_t>(d.point);
  if (count <= point) {
    out.append(d.digits.data(), count);
    out.append(point - count, '0');
    return;
  }
  out.append(d.digits.data(), point);
  out.push_back('.');
  out.append(d.digits.data() + point, count - point);
}

void LayOutE(std::string& out, const Decimal& d) {
  if (d.negative) out.push_back('-');
  out.push_back(d.digits[0]);
  if (d.count > 1) {
    out.push_back('.');
    out.append(d.digits.data() + 1, static_cast<std::size_t>(d.count - 1));
  }
  int exponent = d.point - 1;
  out.push_back('e');
  out.push_back(exponent < 0 ? '-' : '+');
  exponent = std::abs(exponent);
  if (exponent < 10) out.push_back('0');
  AppendInt(out, exponent);
}

// Integers below 2^53 are common (counters) and need no search for the shortest digits.
bool AppendSmallInteger(std::string& out, double v) {
  if (!(std::fabs(v) < 9007199254740992.0)) return false;
  const auto integer = static_cast<std::int64_t>(v);
  if (static_cast<double>(integer) != v || (integer == 0 && std::signbit(v))) return false;
  AppendInt(out, integer);
  return true;
}

bool EqualsIgnoringCase(std::string_view s, std::string_view lower) {
  if (s.size() != lower.size()) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if ((static_cast<unsigned char>(s[i]) | 0x20) != static_cast<unsigned char>(lower[i])) {
      return false;
    }
  }
  return true;
}

bool IsDigit(char c, bool hex) {
  return (c >= '0' && c <= '9') || (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

// An underscore must stand between two digits, or between the base prefix and a digit.
bool UnderscoresOk(std::string_view s, bool hex) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '_') continue;
    const bool after = i > 0 && (IsDigit(s[i - 1], hex) || (hex && i == 2));
    const bool before = i + 1 < s.size() && IsDigit(s[i + 1], hex);
    if (!after || !before) return false;
  }
  return true;
}

}  // namespace

void AppendFloatF(std::string& out, double v) {
  if (AppendSmallInteger(out, v) || AppendSpecial(out, v)) return;
  LayOutF(out, Shortest(v));
}

void AppendFloatE(std::string& out, double v) {
  if (AppendSpecial(out, v)) return;
  LayOutE(out, Shortest(v));
}

void AppendFloatG(std::string& out, double v) {
  if (AppendSpecial(out, v)) return;
  const Decimal d = Shortest(v);
  // Go decides as if the precision were 6 when the shortest digits are asked for: 1e+06, but
  // 123456.
  const int exponent = d.point - 1;
  if (exponent < -4 || exponent >= 6) {
    LayOutE(out, d);
  } else {
    LayOutF(out, d);
  }
}

void AppendFloatApi(std::string& out, double v) {
  if (AppendSmallInteger(out, v) || AppendSpecial(out, v)) return;
  const double magnitude = std::fabs(v);
  const Decimal d = Shortest(v);
  if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21)) {
    LayOutE(out, d);
  } else {
    LayOutF(out, d);
  }
}

void AppendFloatOpenMetrics(std::string& out, double v) {
  const std::size_t start = out.size();
  AppendFloatG(out, v);
  if (std::isfinite(v) && out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

std::string FormatFloatF(double v) {
  std::string out;
  AppendFloatF(out, v);
  return out;
}

std::string FormatFloatG(double v) {
  std::string out;
  AppendFloatG(out, v);
  return out;
}

void AppendInt(std::string& out, std::int64_t v) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), v);
  out.append(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
}

void AppendUint(std::string& out, std::uint64_t v) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), v);
  out.append(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
}

std::optional<double> ParseFloat(std::string_view s) {
  bool negative = false;
  if (!s.empty() && (s[0] == '+' || s[0] == '-')) {
    negative = s[0] == '-';
    s.remove_prefix(1);
  }
  if (s.empty()) return std::nullopt;
  const double sign = negative ? -1.0 : 1.0;
  if (EqualsIgnoringCase(s, "inf") || EqualsIgnoringCase(s, "infinity")) {
    return sign * std::numeric_limits<double>::infinity();
  }
  if (EqualsIgnoringCase(s, "nan")) return std::numeric_limits<double>::quiet_NaN();
  const bool hex = s.size() > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
  std::string without_underscores;
  if (s.find('_') != std::string_view::npos) {
    if (!UnderscoresOk(s, hex)) return std::nullopt;
    for (const char c : s) {
      if (c != '_') without_underscores.push_back(c);
    }
    s = without_underscores;
  }
  const std::string_view digits = hex ? s.substr(2) : s;
  // from_chars would take "inf" and "nan" after the prefix or a second sign.
  if (digits.empty() || !(IsDigit(digits[0], hex) || digits[0] == '.')) return std::nullopt;
  // Go wants the binary exponent of a hexadecimal float to be written.
  if (hex && digits.find_first_of("pP") == std::string_view::npos) return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value,
                      hex ? std::chars_format::hex : std::chars_format::general);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too small is 0 (or the nearest subnormal), too large is an error: from_chars does not say
    // which.
    value = std::strtod(std::string(s).c_str(), nullptr);
    if (std::isinf(value)) return std::nullopt;
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return sign * value;
}

std::optional<std::int64_t> ParseInt(std::string_view s) {
  if (!s.empty() && s[0] == '+') {
    s.remove_prefix(1);
    if (!s.empty() && s[0] == '-') return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> ParseUint(std::string_view s) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

}  // namespace sonde
