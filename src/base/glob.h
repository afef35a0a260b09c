#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"

// File name patterns of the shell, as configuration files use them (`rules/*.yml`): `*` any run of
// characters, `?` one,
// `[a-z]` and `[^a-z]` one of a set, `\` takes the next character literally. Only the last part of
// a path is a pattern.

namespace sonde {

/// True if all of `name` matches. A malformed set matches nothing. Linear in the lengths' product,
/// without recursion.
bool MatchesGlob(std::string_view pattern, std::string_view name);

/// The existing files that match, sorted. A directory that does not exist has none; a name without
/// special characters is looked up as it is.
Result<std::vector<std::string>> ExpandGlob(Env& env, std::string_view pattern);

}  // namespace sonde
