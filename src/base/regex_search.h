#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

// Regular expressions that look for a match anywhere in a text, as Go's regexp package does and
// templates ask for. Matchers and relabelling use Regex (regex.h), which is anchored.

namespace sonde {

/// regexp.MatchString. kInvalid if `pattern` does not compile.
Result<bool> ContainsMatch(std::string_view pattern, std::string_view text);

/// regexp.ReplaceAllString: each match from the left becomes `replacement`, in which `$1`, `${1}`,
/// `${name}` and `$$` stand for groups as in Regex::Expand. kInvalid for a bad pattern, kLimit if
/// the text would grow beyond `max_bytes`.
Result<std::string> ReplaceAllMatches(std::string_view pattern, std::string_view text,
                                      std::string_view replacement, std::size_t max_bytes);

}  // namespace sonde
