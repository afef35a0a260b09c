#include "gateway/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"

namespace sonde::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kSecond = 1'000'000'000;

net::Headers HeadersOf(std::initializer_list<net::Headers::Field> fields) {
  net::Headers headers;
  for (const auto& [name, value] : fields)
    headers.Add(name, value);
  return headers;
}

AccessOptions WithKeys(std::string_view file) {
  AccessOptions access;
  auto keys = ParseKeyFile(file);
  EXPECT_TRUE(keys) << keys.error().message();
  if (keys) access.keys = *keys;
  return access;
}

Identity Who(const AccessOptions& access, std::initializer_list<net::Headers::Field> fields) {
  static net::Headers headers;
  headers = HeadersOf(fields);
  return Identify(access, KeyTable(access.keys), headers);
}

TEST(ApiKeys, Parses) {
  const auto keys =
      ParseKeyFile("# who  what\n\nteam-a sk-0123456789 # first\r\n  b/c@d.e\tsha256:" +
                   Sha256Hex("sk-other-key") + "\nteam-a sk-second-one");
  ASSERT_TRUE(keys) << keys.error().message();
  ASSERT_EQ(keys->size(), 3U);
  const KeyTable table(*keys);
  EXPECT_EQ(table.Find("sk-0123456789"), "team-a");
  EXPECT_EQ(table.Find("sk-other-key"), "b/c@d.e");
  EXPECT_EQ(table.Find("sk-second-one"), "team-a");
  EXPECT_EQ(table.Find("sk-second-on"), std::nullopt);
  EXPECT_EQ(table.Find(""), std::nullopt);
  EXPECT_EQ(KeyTable({}).Find("sk-second-one"), std::nullopt);
}

TEST(ApiKeys, ErrorsNameTheLineAndNeverTheKey) {
  const auto error = [](std::string_view text) {
    const auto keys = ParseKeyFile(text);
    return keys ? "" : keys.error().message();
  };
  EXPECT_THAT(error("a sk-0123456789\nb"), HasSubstr("line 2: expected a tenant and a key"));
  EXPECT_THAT(error("a sk-secret-key more"), HasSubstr("line 1: "));
  EXPECT_THAT(error("a sk-secret-key more"), Not(HasSubstr("secret")));
  EXPECT_THAT(error("a short"), HasSubstr("at least 8"));
  EXPECT_THAT(error("a sha256:12"), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(error("a sha256:" + std::string(64, 'g')), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(error("a\"b sk-0123456789"), HasSubstr("tenant's name"));
  EXPECT_THAT(error(std::string(65, 'a') + " sk-0123456789"), HasSubstr("tenant's name"));
  EXPECT_THAT(error("a sk-0123456789\nb sk-0123456789"), HasSubstr("twice, for a and for b"));
}

TEST(ApiKeys, FindsEachOfMany) {
  std::string file;
  for (int i = 0; i < 5000; ++i) {
    file += "t" + std::to_string(i % 7) + " key-number-" + std::to_string(i) + "\n";
  }
  const KeyTable table(*ParseKeyFile(file));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(table.Find("key-number-" + std::to_string(i)), "t" + std::to_string(i % 7));
    ASSERT_EQ(table.Find("key-mumber-" + std::to_string(i)), std::nullopt);
  }
}

TEST(ApiKeys, StandInSeveralHeaders) {
  const auto key = [](std::initializer_list<net::Headers::Field> fields) {
    static net::Headers headers;
    headers = HeadersOf(fields);
    return std::string(KeyOf(headers).key);
  };
  EXPECT_EQ(key({{"authorization", "bearer  abc"}}), "abc");
  EXPECT_EQ(key({{"X-Api-Key", "abc"}}), "abc");
  EXPECT_EQ(key({{"api-key", "abc"}}), "abc");
  EXPECT_EQ(key({{"Authorization", "Basic abc"}, {"x-api-key", "d"}}), "d");
  EXPECT_EQ(key({{"Authorization", "Bearer "}}), "");
  EXPECT_EQ(key({{"Authorization", "Bearer"}}), "");
  EXPECT_EQ(key({}), "");
}

TEST(Identify, WithoutTenantsNobodyIsAsked) {
  const Identity who = Who({}, {{"Authorization", "Bearer anything"}});
  EXPECT_EQ(who.tenant, "");
  EXPECT_EQ(who.refusal, Identity::Refusal::kNone);
  EXPECT_FALSE(who.gateway_key);
}

TEST(Identify, KeysNameTenants) {
  AccessOptions access = WithKeys("a key-of-tenant-a\nb key-of-tenant-b");
  EXPECT_EQ(Who(access, {{"Authorization", "Bearer key-of-tenant-b"}}).tenant, "b");
  EXPECT_TRUE(Who(access, {{"x-api-key", "key-of-tenant-a"}}).gateway_key);
  const Identity other = Who(access, {{"Authorization", "Bearer the-upstreams-own"}});
  EXPECT_EQ(other.tenant, kAnonymous) << "not required: it may be meant for the upstream";
  EXPECT_FALSE(other.gateway_key);
  access.require_key = true;
  EXPECT_EQ(Who(access, {{"Authorization", "Bearer the-upstreams-own"}}).refusal,
            Identity::Refusal::kWrongKey);
  EXPECT_EQ(Who(access, {}).refusal, Identity::Refusal::kNoKey);
  EXPECT_EQ(Who(access, {{"Authorization", "Bearer key-of-tenant-a"}}).tenant, "a");
}

TEST(Identify, TheHeaderCountsWithoutAKeyOnly) {
  AccessOptions access = WithKeys("a key-of-tenant-a");
  access.tenant_header = "X-Tenant";
  EXPECT_EQ(Who(access, {{"x-tenant", "b"}}).tenant, "b");
  EXPECT_EQ(Who(access, {{"x-tenant", "b"}, {"x-api-key", "key-of-tenant-a"}}).tenant, "a");
  EXPECT_EQ(Who(access, {{"x-tenant", "no \"names\""}}).tenant, kAnonymous);
  access.require_key = true;
  EXPECT_EQ(Who(access, {{"x-tenant", "b"}}).tenant, "b");
  EXPECT_EQ(Who(access, {{"x-tenant", "b"}, {"x-api-key", "wrong"}}).refusal,
            Identity::Refusal::kWrongKey);
  EXPECT_EQ(Who(access, {{"x-tenant", ""}}).refusal, Identity::Refusal::kNoKey);
}

TEST(Limits, HeadersAreOpenAis) {
  LimitState state;
  net::Headers headers;
  SetLimitHeaders(state, headers);
  EXPECT_EQ(headers.size(), 0U) << "no limits, no headers";
  state.requests_limit = 60;
  state.requests_left = 59.4;
  state.requests_reset = 600'000'000;
  state.tokens_limit = 150'000;
  state.tokens_left = 149'984;
  state.tokens_reset = 361 * kSecond;
  SetLimitHeaders(state, headers);
  EXPECT_EQ(headers.Get("x-ratelimit-limit-requests"), "60");
  EXPECT_EQ(headers.Get("x-ratelimit-remaining-requests"), "59");
  EXPECT_EQ(headers.Get("x-ratelimit-reset-requests"), "600ms");
  EXPECT_EQ(headers.Get("x-ratelimit-limit-tokens"), "150000");
  EXPECT_EQ(headers.Get("x-ratelimit-remaining-tokens"), "149984");
  EXPECT_EQ(headers.Get("x-ratelimit-reset-tokens"), "6m1s");
  EXPECT_FALSE(headers.Has("Retry-After"));
  state.refused = LimitKind::kRequests;
  state.retry_after = kSecond + 1;
  SetLimitHeaders(state, headers);
  EXPECT_EQ(headers.Get("Retry-After"), "2");
  EXPECT_THAT(LimitMessage(state, "a"), HasSubstr("for a on requests per min (RPM): Limit 60"));
  EXPECT_TRUE(IsLimitHeader("X-RateLimit-Limit-Tokens"));
  EXPECT_FALSE(IsLimitHeader("x-ratelimit-"));
}

TEST(Limits, FormatsTimes) {
  EXPECT_EQ(FormatReset(0), "0s");
  EXPECT_EQ(FormatReset(1), "1ms");
  EXPECT_EQ(FormatReset(999 * 1'000'000LL), "999ms");
  EXPECT_EQ(FormatReset(kSecond), "1s");
  EXPECT_EQ(FormatReset(1'500'000'000), "1.5s");
  EXPECT_EQ(FormatReset(60 * kSecond), "1m0s");
  EXPECT_EQ(FormatReset(3'661 * kSecond), "1h1m1s");
}

TEST(Tenants, LimitsOfEachKind) {
  Tenant tenant("a", {.requests_per_minute = 2, .tokens_per_minute = 100});
  EXPECT_EQ(tenant.Admit(10, 0).refused, LimitKind::kNone);
  const LimitState second = tenant.Admit(10, 0);
  EXPECT_EQ(second.refused, LimitKind::kNone);
  EXPECT_EQ(second.requests_left, 0);
  EXPECT_EQ(second.tokens_left, 80);
  const LimitState third = tenant.Admit(10, 0);
  EXPECT_EQ(third.refused, LimitKind::kRequests);
  EXPECT_EQ(third.retry_after, 30 * kSecond);
  EXPECT_EQ(third.tokens_left, 80) << "what is refused costs nothing";
  EXPECT_EQ(tenant.running(), 2U);
  // The answers used more than the prompts that were admitted.
  tenant.Settle(10, 60, 0);
  tenant.Settle(10, 60, 0);
  EXPECT_EQ(tenant.running(), 0U);
  const LimitState later = tenant.Admit(10, 31 * kSecond);
  EXPECT_EQ(later.refused, LimitKind::kNone) << "51 tokens came back, 20 were owed";
  EXPECT_NEAR(later.tokens_left, 100 - 120 + 31.0 / 60 * 100 - 10, 0.01);
  const LimitState last = tenant.Admit(50, 61 * kSecond);
  EXPECT_EQ(last.refused, LimitKind::kNone);
  EXPECT_EQ(tenant.Admit(99, 91 * kSecond).refused, LimitKind::kTokens);
}

TEST(Tenants, Concurrency) {
  Tenant tenant("a", {.concurrent_requests = 2});
  EXPECT_EQ(tenant.Admit(1, 0).refused, LimitKind::kNone);
  EXPECT_EQ(tenant.Admit(1, 0).refused, LimitKind::kNone);
  const LimitState third = tenant.Admit(1, 0);
  EXPECT_EQ(third.refused, LimitKind::kConcurrency);
  EXPECT_EQ(third.retry_after, kSecond);
  tenant.Settle(1, 1, 0);
  EXPECT_EQ(tenant.Admit(1, 0).refused, LimitKind::kNone);
}

TEST(Tenants, AnAdmissionGivesItsPlaceBack) {
  auto tenant = std::make_shared<Tenant>("a", TenantLimits{.concurrent_requests = 1});
  {
    ASSERT_EQ(tenant->Admit(5, 0).refused, LimitKind::kNone);
    const Admission admission(tenant, 5);
    EXPECT_EQ(tenant->running(), 1U);
  }
  EXPECT_EQ(tenant->running(), 0U);
}

TEST(Tenants, NamesAreBounded) {
  TenantTable table;
  AccessOptions access;
  access.max_tenants = 3;
  access.tenant_header = "X-Tenant";
  access.tenants = {{"known", {.requests_per_minute = 5}}};
  table.Configure(access, 0);
  for (int i = 0; i < 1000; ++i) {
    const auto tenant = table.Get("t" + std::to_string(i));
    EXPECT_EQ(tenant->name(), i < 3 ? "t" + std::to_string(i) : "other");
  }
  EXPECT_EQ(table.Get("known")->name(), "known");
  EXPECT_EQ(table.Get(kAnonymous)->name(), kAnonymous);
  EXPECT_LE(table.size(), 6U);
}

TEST(Tenants, AReloadForgivesNothing) {
  TenantTable table;
  AccessOptions access = WithKeys("a key-of-tenant-a");
  access.default_limits.requests_per_minute = 10;
  table.Configure(access, 0);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(table.Get("a")->Admit(1, 0).refused, LimitKind::kNone);
  }
  table.Configure(access, 0);
  EXPECT_EQ(table.Get("a")->Admit(1, 0).refused, LimitKind::kRequests);
  access.tenants = {{"a", {.requests_per_minute = 0}}};
  table.Configure(access, 0);
  EXPECT_EQ(table.Get("a")->Admit(1, 0).refused, LimitKind::kNone) << "its own limits now: none";
}

}  // namespace
}  // namespace sonde::gateway
