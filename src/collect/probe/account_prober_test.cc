#include "collect/probe/account_prober.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "collect/probe/probe_servers_for_test.h"

namespace sonde::collect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Describe(std::string_view body) {
  const auto balance = ParseBalance(body);
  if (!balance) return balance.error().message();
  std::string out = balance->available ? "available" : "not available";
  for (const auto& amount : balance->amounts) {
    out += " " + amount.currency + " " + std::to_string(amount.total) + "=" +
           std::to_string(amount.granted) + "+" + std::to_string(amount.topped_up);
  }
  return out;
}

TEST(Balance, AmountsAreStringsOrNumbers) {
  EXPECT_EQ(Describe(R"({"is_available":true,"balance_infos":[
      {"currency":"CNY","total_balance":"110.00","granted_balance":"10.00","topped_up_balance":"100.00"},
      {"currency":"USD","total_balance":-0.5,"granted_balance":0,"topped_up_balance":"-0.50"}]})"),
            "available CNY 110.000000=10.000000+100.000000 USD -0.500000=0.000000+-0.500000");
  EXPECT_EQ(Describe(R"({"is_available":false,"balance_infos":[]})"), "not available");
}

TEST(Balance, RefusesWhatItIsNot) {
  const auto info = [](const std::string& total, const std::string& currency = "\"CNY\"") {
    return Describe(R"({"is_available":true,"balance_infos":[{"currency":)" + currency +
                    R"(,"granted_balance":"0","topped_up_balance":"0","total_balance":)" + total +
                    "}]}");
  };
  EXPECT_EQ(info("\"0x10\""), "total_balance is not an amount");
  EXPECT_EQ(info("\"Inf\""), "total_balance is not an amount");
  EXPECT_EQ(info("\"\""), "total_balance is not an amount");
  EXPECT_EQ(info("null"), "total_balance is not an amount");
  EXPECT_EQ(info("\"1\"", "\"cny\""), "currency is not three capital letters");
  EXPECT_EQ(info("\"1\"", "7"), "currency is not three capital letters");
  EXPECT_EQ(Describe("busy"), "the answer is not JSON");
  EXPECT_EQ(Describe("{}"), "is_available is not a boolean");
  EXPECT_EQ(Describe(R"({"is_available":true})"), "balance_infos is not a list");
}

class AccountTest : public ProbeTest {
 protected:
  void Start(Duration interval, const std::string& key_file) {
    AccountOptions options;
    options.url = server_.url();
    options.interval = interval;
    options.timeout = Duration(5'000);
    options.access.authorization = ProbeCredentials{.file = key_file};
    auto prober = AccountProber::Make({options}, {loops_.at(0), pool_, env_, clock_,
                                                  Logger(sink_, clock_), registry_, "deepseek_"});
    ASSERT_TRUE(prober) << prober.error().message();
    prober_ = *std::move(prober);
    prober_->Start();
  }
  ~AccountTest() override {
    if (prober_ != nullptr) prober_->Stop();
  }

  FaultEnv env_;
  std::unique_ptr<AccountProber> prober_;
};

TEST_F(AccountTest, TellsTheBalanceAndFollowsTheKeyFile) {
  ASSERT_TRUE(env_.CreateDir("/keys"));
  ASSERT_TRUE(WriteFileAtomically(env_, "/keys/k", "sk-first-secret\n"));
  server_.Answer("/user/balance", [](const SeenCall& call) -> FakeReply {
    if (call.authorization != "Bearer sk-second-secret") return {401, "{}"};
    return {200,
            R"({"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"3.50",)"
            R"("granted_balance":"1.25","topped_up_balance":"2.25"}]})"};
  });
  Start(Duration(20), "/keys/k");
  EXPECT_TRUE(WaitFor(
      [&] { return Metric("account_errors_total", "account=deepseek,reason=unauthorized") >= 1; }));
  ASSERT_TRUE(WriteFileAtomically(env_, "/keys/k", "sk-second-secret"));
  EXPECT_TRUE(WaitFor([&] { return Metric("account_available", "account=deepseek") == 1; }));
  EXPECT_EQ(Metric("account_balance", "account=deepseek,currency=CNY,kind=total"), 3.5);
  EXPECT_EQ(Metric("account_balance", "account=deepseek,currency=CNY,kind=granted"), 1.25);
  EXPECT_EQ(Metric("account_balance", "account=deepseek,currency=CNY,kind=topped_up"), 2.25);
  EXPECT_THAT(sink_.text(), HasSubstr("reason=unauthorized"));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("secret")));
}

TEST_F(AccountTest, SaysWhyThereIsNone) {
  ASSERT_TRUE(env_.CreateDir("/keys"));
  ASSERT_TRUE(WriteFileAtomically(env_, "/keys/k", "sk-1"));
  std::atomic<int> calls{0};
  server_.Answer("/user/balance", [&](const SeenCall&) -> FakeReply {
    const FakeReply replies[] = {{500, ""}, {402, ""}, {429, ""}, {404, ""}, {200, "busy"}};
    return replies[std::min(4, calls++)];
  });
  Start(Duration(5), "/keys/k");
  for (const char* reason :
       {"server_error", "payment_required", "overloaded", "client_error", "malformed"}) {
    EXPECT_TRUE(WaitFor([&] {
      return Metric("account_errors_total", std::string("account=deepseek,reason=") + reason) >= 1;
    })) << reason;
  }
  EXPECT_EQ(Metric("account_available", "account=deepseek"), kNone);
}

TEST_F(AccountTest, AKeyOfTwoLinesIsNotSent) {
  ASSERT_TRUE(env_.CreateDir("/keys"));
  ASSERT_TRUE(WriteFileAtomically(env_, "/keys/k", "sk-1\r\nX-Evil: 1"));
  Start(Duration(5), "/keys/k");
  EXPECT_TRUE(WaitFor(
      [&] { return Metric("account_errors_total", "account=deepseek,reason=credentials") >= 1; }));
  EXPECT_TRUE(server_.seen().empty());
  EXPECT_THAT(sink_.text(), Not(HasSubstr("Evil")));
}

}  // namespace
}  // namespace sonde::collect
