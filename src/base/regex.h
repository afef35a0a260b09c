#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sonde {

/// A regular expression as label matchers and relabelling use it: RE2 syntax (Go's regexp),
/// anchored at both ends, and `.` matches a newline too: `^(?s:pattern)$`.
///
/// Immutable and thread-safe; copying shares the compiled program. Matching takes time linear in
/// the subject. Plain shapes (a literal, an alternation of literals, a literal prefix or suffix, a
/// contained literal, `.*`,
/// `.+`) are recognised and matched without the automaton.
class Regex {
 public:
  /// kInvalid with the message of Go's regexp if the pattern does not compile (or is larger than
  /// the program limit).
  static Result<Regex> Compile(std::string_view pattern);

  bool Matches(std::string_view subject) const;

  /// Matches and, on success, replaces `$1`, `${1}`, `${name}` and `$$` in `replacement` by the
  /// groups, with Go's rules for template expansion (the longest name of [A-Za-z0-9_]; unknown
  /// groups are empty).
  std::optional<std::string> Expand(std::string_view subject, std::string_view replacement) const;

  /// The pattern as it was given.
  const std::string& pattern() const;

  /// If only a small finite set of strings matches (`a|b|c`, `node(1|2)`): that set, sorted; else
  /// empty. The store looks these up directly.
  const std::vector<std::string>& literals() const;
  /// Every match starts with this; empty if unknown.
  const std::string& prefix() const;

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  std::shared_ptr<const Program> program_;
};

/// Escapes what is special in a pattern, as Go's regexp.QuoteMeta.
std::string QuoteRegex(std::string_view literal);

}  // namespace sonde
