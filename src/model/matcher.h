#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "model/labels.h"

namespace sonde {

/// `name="v"`, `name!="v"`, `name=~"re"`, `name!~"re"`. A missing label counts as "". Immutable,
/// thread-safe.
class Matcher {
 public:
  enum class Type : unsigned char { kEqual, kNotEqual, kRegex, kNotRegex };

  /// kInvalid if the regular expression does not compile.
  static Result<Matcher> Make(Type type, std::string name, std::string value);
  static Matcher Equal(std::string name, std::string value) {
    return Matcher(Type::kEqual, std::move(name), std::move(value), std::nullopt);
  }

  Type type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  bool Matches(std::string_view value) const;
  bool MatchesEmpty() const { return Matches(""); }
  bool negative() const { return type_ == Type::kNotEqual || type_ == Type::kNotRegex; }
  /// The compiled expression of kRegex and kNotRegex, else null.
  const Regex* regex() const { return regex_ ? &*regex_ : nullptr; }

  /// `job="x"`, with the name quoted where it is not a legacy label name.
  std::string ToString() const;

  bool operator==(const Matcher& other) const {
    return type_ == other.type_ && name_ == other.name_ && value_ == other.value_;
  }

 private:
  Matcher(Type type, std::string name, std::string value, std::optional<Regex> regex)
      : type_(type), name_(std::move(name)), value_(std::move(value)), regex_(std::move(regex)) {}

  Type type_;
  std::string name_;
  std::string value_;
  std::optional<Regex> regex_;
};

/// "=", "!=", "=~", "!~".
std::string_view ToString(Matcher::Type type);

/// True if every matcher accepts the set.
bool MatchesAll(std::span<const Matcher> matchers, LabelsView labels);

}  // namespace sonde
