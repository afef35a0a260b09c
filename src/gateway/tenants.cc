#include "gateway/tenants.h"

#include <algorithm>
#include <utility>

namespace sonde::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::string_view kOther = "other";

}  // namespace

LimitState Tenant::Admit(double prompt_tokens, std::int64_t now) {
  MutexLock lock(mutex_);
  LimitState state;
  state.requests_limit = requests_.per_minute();
  state.tokens_limit = tokens_.per_minute();
  state.concurrency_limit = limits_.concurrent_requests;
  if (limits_.concurrent_requests != 0 && running_ >= limits_.concurrent_requests) {
    state.refused = LimitKind::kConcurrency;
    state.retry_after = kSecond;  // Nobody knows when one ends.
  } else if (!requests_.Allows(1, now)) {
    state.refused = LimitKind::kRequests;
    state.retry_after = requests_.WaitFor(1, now);
  } else if (!tokens_.Allows(prompt_tokens, now)) {
    state.refused = LimitKind::kTokens;
    state.retry_after = tokens_.WaitFor(prompt_tokens, now);
  } else {
    ++running_;
    requests_.Take(1, now);
    tokens_.Take(prompt_tokens, now);
  }
  state.requests_left = requests_.left(now);
  state.requests_reset = requests_.UntilFull(now);
  state.tokens_left = tokens_.left(now);
  state.tokens_reset = tokens_.UntilFull(now);
  return state;
}

void Tenant::Settle(double prompt_tokens, double tokens, std::int64_t now) {
  MutexLock lock(mutex_);
  if (running_ > 0) --running_;
  tokens_.Take(tokens - prompt_tokens, now);
}

void Tenant::SetLimits(const TenantLimits& limits, std::int64_t now) {
  MutexLock lock(mutex_);
  if (limits == limits_) return;
  limits_ = limits;
  requests_.SetRate(limits.requests_per_minute, now);
  tokens_.SetRate(limits.tokens_per_minute, now);
}

std::uint32_t Tenant::running() const {
  MutexLock lock(mutex_);
  return running_;
}

TenantLimits TenantTable::LimitsOf(std::string_view name) const {
  const auto it = limits_.find(name);
  return it == limits_.end() ? default_limits_ : it->second;
}

TenantTable::Entry& TenantTable::Make(std::string_view name) {
  const auto it = tenants_.find(name);
  if (it != tenants_.end()) return it->second;
  Entry entry;
  entry.tenant = std::make_shared<Tenant>(std::string(name), LimitsOf(name));
  return tenants_.emplace(std::string(name), std::move(entry)).first->second;
}

void TenantTable::Configure(const AccessOptions& access, std::int64_t now) {
  MutexLock lock(mutex_);
  default_limits_ = access.default_limits;
  max_unknown_ = access.max_tenants;
  limits_.clear();
  for (const TenantOptions& tenant : access.tenants)
    limits_[tenant.name] = tenant.limits;
  for (auto& [name, entry] : tenants_)
    entry.known = false;
  for (const TenantOptions& tenant : access.tenants)
    Make(tenant.name).known = true;
  for (const ApiKey& key : access.keys)
    Make(key.tenant).known = true;
  Make(kOther).known = true;
  Make(kAnonymous).known = true;
  // A name whose keys have gone is dropped if it has nothing running; its series stay, but it can
  // come back only as one of the others.
  std::erase_if(tenants_, [](const auto& pair) {
    return !pair.second.known && pair.second.tenant->running() == 0;
  });
  unknown_ = 0;
  for (auto& [name, entry] : tenants_) {
    if (!entry.known) ++unknown_;
    entry.tenant->SetLimits(LimitsOf(name), now);
  }
}

std::shared_ptr<Tenant> TenantTable::Get(std::string_view name) {
  MutexLock lock(mutex_);
  const auto it = tenants_.find(name);
  if (it != tenants_.end()) return it->second.tenant;
  if (unknown_ >= max_unknown_) return Make(kOther).tenant;
  ++unknown_;
  return Make(name).tenant;
}

std::size_t TenantTable::size() const {
  MutexLock lock(mutex_);
  return tenants_.size();
}

}  // namespace sonde::gateway
