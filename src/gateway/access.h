#pragma once

#include <string>
#include <string_view>

#include "gateway/api_keys.h"
#include "gateway/options.h"
#include "gateway/tenants.h"
#include "net/http.h"

// Who a request is from, and what an answer tells its tenant about the limits.

namespace sonde::gateway {

struct Identity {
  enum class Refusal : unsigned char { kNone, kNoKey, kWrongKey };

  std::string tenant;                ///< Empty: the gateway has no tenants, or refuses.
  bool gateway_key = false;          ///< The key is one of ours: it says nothing to an upstream.
  std::string_view key_header = {};  ///< Where it stands.
  Refusal refusal = Refusal::kNone;
};

/// A gateway key names the tenant; without one the trusted header does; else the request is
/// anonymous, or refused if keys are required. A key that nobody has is refused only then: else it
/// is taken for one of the upstream's.
Identity Identify(const AccessOptions& access, const KeyTable& keys, const net::Headers& headers);

/// The x-ratelimit-* headers as OpenAI's API writes them, for the limits that there are; and
/// Retry-After if the request was refused.
void SetLimitHeaders(const LimitState& state, net::Headers& headers);

/// One of the headers that SetLimitHeaders writes: an upstream's own tell about another account.
bool IsLimitHeader(std::string_view name);

/// What a refused tenant is told.
std::string LimitMessage(const LimitState& state, std::string_view tenant);
/// "requests", "tokens" or "concurrent_requests".
std::string_view ToString(LimitKind kind);

/// "6m0s", "1.5s", "20ms": a length of time as Go writes it, to the millisecond, rounded up.
std::string FormatReset(std::int64_t nanos);

}  // namespace sonde::gateway
