#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"

// Matchers as alertmanager.yml, amtool and the API write them: `severity=~"warning|critical",
// team!=db`, optionally within braces. There are two grammars (docs/alerting.md, "Matchers"): the
// UTF-8 one, where names and values may be quoted as Go strings and unquoted words may hold
// anything but white space and {}!=~,\"'`; and the classic one, where names are [a-zA-Z_:][\w:]*
// and unquoted values may hold almost anything. Both are tried: if they disagree, or only the
// classic one accepts the text, its result holds and a warning says so.

namespace sonde::alerting {

inline constexpr std::size_t kMaxMatcherBytes = 1 << 20;

struct ParsedMatchers {
  std::vector<Matcher> matchers;
  std::string warning;  ///< Empty, or what the user should change.
};

/// Parses a list. Errors are kInvalid (kLimit above kMaxMatcherBytes) and say where in `text`.
Result<ParsedMatchers> ParseMatchers(std::string_view text);

/// The same for exactly one matcher, as `filter=` of the API.
Result<Matcher> ParseMatcher(std::string_view text);

/// The two grammars alone.
Result<std::vector<Matcher>> ParseUtf8Matchers(std::string_view text);
Result<std::vector<Matcher>> ParseClassicMatchers(std::string_view text);

/// `{a="b",c=~"d"}`: how the reference writes a route's matchers in group keys.
std::string FormatMatchers(const std::vector<Matcher>& matchers);

}  // namespace sonde::alerting
