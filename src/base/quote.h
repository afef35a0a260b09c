#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sonde {

/// strconv.Quote: double quotes, Go escapes, printable Unicode as it is.
std::string QuoteGo(std::string_view s);
void AppendQuoteGo(std::string& out, std::string_view s);

/// What stands between the quotes of a Go string literal ("…" or '…' in PromQL, with escapes \n,
/// \x41, \u4e16, \U0001F600, \101). `quote` is the delimiter that may be escaped. Nothing if an
/// escape is bad.
std::optional<std::string> UnescapeGo(std::string_view body, char quote);

/// `s` without leading and trailing white space (space, \t, \r, \n, \v, \f).
std::string_view TrimSpace(std::string_view s);

}  // namespace sonde
