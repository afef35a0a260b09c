#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "gateway/options.h"
#include "gateway/rate_limit.h"

// Who uses the gateway, and how much of it they may use.

namespace sonde::gateway {

/// The tenant of requests without a name of their own.
inline constexpr std::string_view kAnonymous = "anonymous";

/// Which limit a request met.
enum class LimitKind : unsigned char { kNone, kRequests, kTokens, kConcurrency };

/// Where a tenant stands after an admission, for the x-ratelimit-* headers and 429. A limit of 0
/// means none.
struct LimitState {
  LimitKind refused = LimitKind::kNone;
  std::int64_t retry_after = 0;  ///< Nanoseconds; if refused.
  double requests_limit = 0;
  double requests_left = 0;
  std::int64_t requests_reset = 0;  ///< Nanoseconds until the whole limit is there again.
  double tokens_limit = 0;
  double tokens_left = 0;
  std::int64_t tokens_reset = 0;
  std::uint32_t concurrency_limit = 0;
};

/// One tenant's use. Thread-safe; lives as long as the requests that it admitted. Times are
/// monotonic nanoseconds.
class Tenant {
 public:
  Tenant(std::string name, const TenantLimits& limits)
      : name_(std::move(name)),
        limits_(limits),
        requests_(limits.requests_per_minute),
        tokens_(limits.tokens_per_minute) {}

  const std::string& name() const { return name_; }

  /// Takes one request and `prompt_tokens`, if there is room for all of it. What was taken is
  /// returned by Settle.
  LimitState Admit(double prompt_tokens, std::int64_t now) EXCLUDES(mutex_);
  /// An admitted request has ended, and used `tokens`; it was admitted for `prompt_tokens`. What it
  /// used beyond that must be paid back before the next is admitted.
  void Settle(double prompt_tokens, double tokens, std::int64_t now) EXCLUDES(mutex_);

  /// Used shares stay used.
  void SetLimits(const TenantLimits& limits, std::int64_t now) EXCLUDES(mutex_);
  std::uint32_t running() const EXCLUDES(mutex_);

 private:
  const std::string name_;
  mutable Mutex mutex_;
  TenantLimits limits_ GUARDED_BY(mutex_);
  RateLimit requests_ GUARDED_BY(mutex_);
  RateLimit tokens_ GUARDED_BY(mutex_);
  std::uint32_t running_ GUARDED_BY(mutex_) = 0;
};

/// All tenants by name. Thread-safe; outlives reloads, so that a reload forgives nobody's use.
class TenantTable {
 public:
  /// New limits for everybody. Tenants of `access.keys` and `access.tenants` are always known by
  /// their names.
  void Configure(const AccessOptions& access, std::int64_t now) EXCLUDES(mutex_);

  /// The tenant of this name: a known one, or one of the first `max_tenants` others, else the one
  /// that is called "other".
  std::shared_ptr<Tenant> Get(std::string_view name) EXCLUDES(mutex_);

  std::size_t size() const EXCLUDES(mutex_);

 private:
  struct Entry {
    std::shared_ptr<Tenant> tenant;
    bool known = false;
  };

  TenantLimits LimitsOf(std::string_view name) const REQUIRES(mutex_);
  Entry& Make(std::string_view name) REQUIRES(mutex_);

  mutable Mutex mutex_;
  TenantLimits default_limits_ GUARDED_BY(mutex_);
  std::map<std::string, TenantLimits, std::less<>> limits_ GUARDED_BY(mutex_);
  std::map<std::string, Entry, std::less<>> tenants_ GUARDED_BY(mutex_);
  std::size_t unknown_ GUARDED_BY(mutex_) = 0;
  std::size_t max_unknown_ GUARDED_BY(mutex_) = 0;
};

/// Holds what a request was admitted for; gives back its place when it goes.
class Admission {
 public:
  Admission(std::shared_ptr<Tenant> tenant, double prompt_tokens)
      : tenant_(std::move(tenant)), prompt_tokens_(prompt_tokens) {}
  ~Admission() { Settle(prompt_tokens_, 0); }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  double prompt_tokens() const { return prompt_tokens_; }
  /// The request has ended and used `tokens`. The first call counts.
  void Settle(double tokens, std::int64_t now) {
    if (tenant_ == nullptr) return;
    tenant_->Settle(prompt_tokens_, tokens, now);
    tenant_ = nullptr;
  }

 private:
  std::shared_ptr<Tenant> tenant_;
  const double prompt_tokens_;
};

}  // namespace sonde::gateway
