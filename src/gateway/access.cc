#include "gateway/access.h"

#include <algorithm>

namespace sonde::gateway {
namespace {

std::string Count(double value) {
  return std::to_string(static_cast<std::int64_t>(value));
}

}  // namespace

Identity Identify(const AccessOptions& access, const KeyTable& keys, const net::Headers& headers) {
  Identity identity;
  if (!access.enabled()) return identity;
  const PresentedKey presented = KeyOf(headers);
  if (!presented.key.empty()) {
    if (const auto tenant = keys.Find(presented.key)) {
      identity.tenant = *tenant;
      identity.gateway_key = true;
      identity.key_header = presented.header;
      return identity;
    }
    if (access.require_key && !keys.empty()) {
      identity.refusal = Identity::Refusal::kWrongKey;
      return identity;
    }
  }
  if (!access.tenant_header.empty()) {
    const std::string_view name = headers.Get(access.tenant_header);
    if (IsTenantName(name)) {
      identity.tenant = name;
      return identity;
    }
  }
  if (access.require_key) {
    identity.refusal = Identity::Refusal::kNoKey;
    return identity;
  }
  identity.tenant = kAnonymous;
  return identity;
}

void SetLimitHeaders(const LimitState& state, net::Headers& headers) {
  if (state.requests_limit > 0) {
    headers.Set("x-ratelimit-limit-requests", Count(state.requests_limit));
    headers.Set("x-ratelimit-remaining-requests", Count(state.requests_left));
    headers.Set("x-ratelimit-reset-requests", FormatReset(state.requests_reset));
  }
  if (state.tokens_limit > 0) {
    headers.Set("x-ratelimit-limit-tokens", Count(state.tokens_limit));
    headers.Set("x-ratelimit-remaining-tokens", Count(state.tokens_left));
    headers.Set("x-ratelimit-reset-tokens", FormatReset(state.tokens_reset));
  }
  if (state.refused != LimitKind::kNone) {
    const std::int64_t seconds = (state.retry_after + 999'999'999) / 1'000'000'000;
    headers.Set("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
  }
}

bool IsLimitHeader(std::string_view name) {
  constexpr std::string_view kPrefix = "x-ratelimit-";
  return name.size() > kPrefix.size() &&
         net::EqualsIgnoringCase(name.substr(0, kPrefix.size()), kPrefix);
}

std::string_view ToString(LimitKind kind) {
  switch (kind) {
    case LimitKind::kNone:
      return "none";
    case LimitKind::kRequests:
      return "requests";
    case LimitKind::kTokens:
      return "tokens";
    case LimitKind::kConcurrency:
      return "concurrent_requests";
  }
  return "none";
}

std::string LimitMessage(const LimitState& state, std::string_view tenant) {
  const std::string who = "Rate limit reached for " + std::string(tenant);
  switch (state.refused) {
    case LimitKind::kRequests:
      return who + " on requests per min (RPM): Limit " + Count(state.requests_limit) +
             ". Please try again in " + FormatReset(state.retry_after) + ".";
    case LimitKind::kTokens:
      return who + " on tokens per min (TPM): Limit " + Count(state.tokens_limit) +
             ". Please try again in " + FormatReset(state.retry_after) + ".";
    default:
      return who + " on concurrent requests: Limit " + std::to_string(state.concurrency_limit) +
             ". Please try again when one has ended.";
  }
}

std::string FormatReset(std::int64_t nanos) {
  const std::int64_t ms = std::max<std::int64_t>((nanos + 999'999) / 1'000'000, 0);
  if (ms < 1000) return std::to_string(ms) + (ms == 0 ? "s" : "ms");
  std::string text;
  const std::int64_t minutes = ms / 60'000;
  if (minutes >= 60) text += std::to_string(minutes / 60) + "h";
  if (minutes > 0) text += std::to_string(minutes % 60) + "m";
  text += std::to_string(ms % 60'000 / 1000);
  if (const std::int64_t rest = ms % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    while (digits.back() == '0')
      digits.pop_back();
    text += "." + digits;
  }
  return text + "s";
}

}  // namespace sonde::gateway
