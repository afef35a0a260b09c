#include "model/matcher.h"

#include <algorithm>

#include "base/quote.h"
#include "model/names.h"

namespace sonde {

Result<Matcher> Matcher::Make(Type type, std::string name, std::string value) {
  std::optional<Regex> regex;
  if (type == Type::kRegex || type == Type::kNotRegex) regex = TRY(Regex::Compile(value));
  return Matcher(type, std::move(name), std::move(value), std::move(regex));
}

bool Matcher::Matches(std::string_view value) const {
  switch (type_) {
    case Type::kEqual:
      return value == value_;
    case Type::kNotEqual:
      return value != value_;
    case Type::kRegex:
      return regex_->Matches(value);
    case Type::kNotRegex:
      return !regex_->Matches(value);
  }
  return false;
}

std::string_view ToString(Matcher::Type type) {
  switch (type) {
    case Matcher::Type::kEqual:
      return "=";
    case Matcher::Type::kNotEqual:
      return "!=";
    case Matcher::Type::kRegex:
      return "=~";
    case Matcher::Type::kNotRegex:
      return "!~";
  }
  return "";
}

std::string Matcher::ToString() const {
  std::string out = IsLegacyLabelName(name_) ? name_ : QuoteGo(name_);
  out += sonde::ToString(type_);
  AppendQuoteGo(out, value_);
  return out;
}

bool MatchesAll(std::span<const Matcher> matchers, LabelsView labels) {
  return std::ranges::all_of(matchers,
                             [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
}

}  // namespace sonde
