#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "base/number.h"
#include "base/quote.h"
#include "rules/template_value.h"

// fmt.Sprintf: the verbs that texts of alerts use.

namespace sonde::rules {
namespace {

constexpr int kMaxWidth = 1'000;

struct Spec {
  bool minus = false, plus = false, sharp = false, space = false, zero = false;
  int width = 0;
  std::optional<int> precision;
  char verb = 0;
};

/// How many columns: characters, not bytes.
int Columns(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string Pad(std::string text, const Spec& spec, bool zeros) {
  const int missing = spec.width - Columns(text);
  if (missing <= 0) return text;
  const auto count = static_cast<std::size_t>(missing);
  if (spec.minus) return text + std::string(count, ' ');
  if (!zeros) return std::string(count, ' ') + text;
  const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return text.insert(sign, count, '0');
}

std::string Truncated(std::string text, const Spec& spec) {
  if (!spec.precision) return text;
  int left = *spec.precision;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (left-- == 0) return text.substr(0, i);
  }
  return text;
}

std::optional<std::string> Float(double v, const Spec& spec) {
  std::string text;
  if (!std::isfinite(v)) {
    text = FormatG(v, 4);
    if (!spec.plus && text[0] == '+') text.erase(0, 1);
    if (text == "Inf" && spec.verb == 'v') text = "+Inf";
    return Pad(text, spec, false);
  }
  const char verb = spec.verb == 'v' ? 'g' : spec.verb == 'F' ? 'f' : spec.verb;
  if (verb == 'g' && !spec.precision) {
    text = FormatFloatG(v);
  } else if (verb == 'g' || verb == 'G') {
    text = fmt::format("{:.{}g}", v, *spec.precision == 0 ? 1 : *spec.precision);
  } else if (verb == 'f') {
    text = fmt::format("{:.{}f}", v, spec.precision.value_or(6));
  } else if (verb == 'e' || verb == 'E') {
    text = fmt::format("{:.{}e}", v, spec.precision.value_or(6));
  } else {
    return std::nullopt;
  }
  if (spec.verb == 'E' || spec.verb == 'G') std::ranges::replace(text, 'e', 'E');
  if (spec.plus && text[0] != '-') text.insert(0, 1, '+');
  if (spec.space && !spec.plus && text[0] != '-') text.insert(0, 1, ' ');
  return Pad(text, spec, spec.zero);
}

std::optional<std::string> Integer(std::int64_t v, const Spec& spec) {
  const bool negative = v < 0;
  const std::uint64_t size =
      negative ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
  std::string text;
  switch (spec.verb) {
    case 'v':
    case 'd':
      text = fmt::format("{}", size);
      break;
    case 'x':
      text = (spec.sharp ? "0x" : "") + fmt::format("{:x}", size);
      break;
    case 'X':
      text = (spec.sharp ? "0X" : "") + fmt::format("{:X}", size);
      break;
    case 'o':
      text = fmt::format("{:o}", size);
      break;
    case 'b':
      text = fmt::format("{:b}", size);
      break;
    default:
      return std::nullopt;
  }
  if (negative) {
    text.insert(0, 1, '-');
  } else if (spec.plus || spec.space) {
    text.insert(0, 1, spec.plus ? '+' : ' ');
  }
  return Pad(text, spec, spec.zero);
}

std::optional<std::string> Text(const std::string& text, const Spec& spec) {
  if (spec.verb == 's' || spec.verb == 'v') return Pad(Truncated(text, spec), spec, spec.zero);
  if (spec.verb == 'q') return Pad(QuoteGo(Truncated(text, spec)), spec, spec.zero);
  if (spec.verb != 'x' && spec.verb != 'X') return std::nullopt;
  std::string hex;
  for (const char c : text)
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  if (spec.verb == 'X') {
    std::ranges::transform(hex, hex.begin(), [](char c) {
      return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  }
  return Pad(hex, spec, false);
}

std::optional<std::string> FormatOne(const TemplateValue& value, const Spec& spec) {
  if (const auto* d = value.If<double>()) return Float(*d, spec);
  if (const auto* i = value.If<std::int64_t>()) return Integer(*i, spec);
  if (const auto* text = value.If<std::string>()) return Text(*text, spec);
  if (const auto* duration = value.If<TemplateDuration>(); duration != nullptr && spec.verb == 'd')
    return Integer(duration->ns, spec);
  if (const auto* b = value.If<bool>()) {
    if (spec.verb != 't' && spec.verb != 'v') return std::nullopt;
    return Pad(*b ? "true" : "false", spec, false);
  }
  if (value.is_nil()) {
    if (spec.verb != 'v') return std::nullopt;
    return Pad("<nil>", spec, false);
  }
  if (spec.verb == 'v' || spec.verb == 's') return Pad(ToText(value), spec, false);
  return std::nullopt;
}

/// `%!d(string=x)`
std::string Mistake(const TemplateValue& value, char verb) {
  if (value.is_nil()) return fmt::format("%!{}(<nil>)", verb);
  return fmt::format("%!{}({}={})", verb, TypeName(value), ToText(value));
}

class Formatter {
 public:
  Formatter(std::string_view format, std::span<const TemplateValue> values)
      : format_(format), values_(values) {}

  std::string Run() {
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent + 1;
      if (percent < format_.size()) One();
    }
    if (next_ < values_.size()) {
      out_ += "%!(EXTRA ";
      for (std::size_t i = next_; i < values_.size(); ++i) {
        if (i > next_) out_ += ", ";
        out_ += values_[i].is_nil() ? "<nil>"
                                    : std::string(TypeName(values_[i])) + "=" + ToText(values_[i]);
      }
      out_ += ')';
    }
    return std::move(out_);
  }

 private:
  int Number() {
    int number = 0;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9')
      number = std::min(number * 10 + (format_[at_++] - '0'), kMaxWidth);
    return number;
  }

  bool Flag(Spec& spec) {
    switch (format_[at_]) {
      case '-':
        spec.minus = true;
        return true;
      case '+':
        spec.plus = true;
        return true;
      case '#':
        spec.sharp = true;
        return true;
      case ' ':
        spec.space = true;
        return true;
      case '0':
        spec.zero = true;
        return true;
      default:
        return false;
    }
  }

  /// A width or precision; `*` takes it from the values.
  int Size() {
    if (at_ >= format_.size() || format_[at_] != '*') return Number();
    ++at_;
    const auto* given = next_ < values_.size() ? values_[next_].If<std::int64_t>() : nullptr;
    ++next_;
    if (given == nullptr || *given < 0) return 0;
    return static_cast<int>(std::min<std::int64_t>(*given, kMaxWidth));
  }

  void One() {
    Spec spec;
    while (at_ < format_.size() && Flag(spec))
      ++at_;
    spec.width = Size();
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      spec.precision = Size();
    }
    if (spec.minus) spec.zero = false;
    if (at_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return;
    }
    spec.verb = format_[at_++];
    if (spec.verb == '%') {
      out_ += '%';
    } else if (next_ >= values_.size()) {
      out_ += fmt::format("%!{}(MISSING)", spec.verb);
    } else {
      const TemplateValue& value = values_[next_++];
      out_ += FormatOne(value, spec).value_or(Mistake(value, spec.verb));
    }
  }

  std::string_view format_;
  std::span<const TemplateValue> values_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  std::string out_;
};

}  // namespace

std::string Sprintf(std::string_view format, std::span<const TemplateValue> values) {
  return Formatter(format, values).Run();
}

}  // namespace sonde::rules
