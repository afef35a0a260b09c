#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/options.h"
#include "net/http.h"

// The gateway's own API keys. Only their SHA-256 is kept: a key has enough entropy that a salt and
// a slow hash would add nothing, and a copy of our memory or of a key file of digests is no key.
//
// Key file: docs/gateway.md, "Keys". A line is `TENANT KEY` or `TENANT sha256:HEX`; `#` begins a
// comment; blank lines are skipped.

namespace sonde::gateway {

inline constexpr std::size_t kMaxApiKeys = 100'000;
inline constexpr std::size_t kMaxTenantName = 64;

/// Letters, digits and `._:@/-`, at most kMaxTenantName: what may become a label value.
bool IsTenantName(std::string_view name);

/// kInvalid with the line's number; the message never shows a key. Two tenants with one key, or
/// more than kMaxApiKeys, are errors, too.
Result<std::vector<ApiKey>> ParseKeyFile(std::string_view text);

/// Finds the tenant of a key. Immutable, thread-safe.
///
/// Looks among sorted digests by their first half and compares the whole in constant time. What an
/// attacker can learn from the time of the search are bits of the digest of a guess, which do not
/// lead to a better guess.
class KeyTable {
 public:
  explicit KeyTable(std::vector<ApiKey> keys);

  /// The key's tenant; nothing if nobody has this key.
  std::optional<std::string_view> Find(std::string_view key) const;
  bool empty() const { return keys_.empty(); }

 private:
  std::vector<ApiKey> keys_;  // Sorted by digest.
};

/// The key that a request brings: `Authorization: Bearer KEY`, `x-api-key`, `api-key`. The header's
/// name and the key; both empty if there is none.
struct PresentedKey {
  std::string_view header;
  std::string_view key;
};
PresentedKey KeyOf(const net::Headers& headers);

}  // namespace sonde::gateway
