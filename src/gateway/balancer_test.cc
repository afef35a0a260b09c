#include "gateway/balancer.h"

#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::gateway {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kSecond = 1'000'000'000;

/// Upstreams "u0", "u1" … that serve any model, with these weights.
class BalancerTest : public ::testing::Test {
 protected:
  void Make(const std::vector<double>& weights, BalancePolicy policy) {
    settings_.options.balance.policy = policy;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      auto upstream = Upstream::Create({.name = "u" + std::to_string(i),
                                        .url = "http://h" + std::to_string(i),
                                        .weight = weights[i]},
                                       settings_.options, registry_);
      ASSERT_TRUE(upstream);
      settings_.upstreams.push_back(*upstream);
    }
    balancer_.Configure(settings_.options);
  }
  Upstream& at(std::size_t index) { return *settings_.upstreams[index]; }
  /// The name of the upstream that is chosen; "" if none is.
  std::string Choose(const RouteRequest& request = {}, const std::vector<Upstream*>& tried = {}) {
    const auto choice = balancer_.Choose(settings_, request, tried, now_);
    why_ = choice.why;
    return choice.upstream == nullptr ? "" : choice.upstream->name();
  }
  /// How often each is chosen in `count` turns, in which nothing runs.
  std::map<std::string, int> Shares(int count, const RouteRequest& request = {}) {
    std::map<std::string, int> shares;
    for (int i = 0; i < count; ++i)
      ++shares[Choose(request)];
    return shares;
  }

  instrument::Registry registry_;
  Settings settings_;
  Balancer balancer_{1};
  std::int64_t now_ = 1000 * kSecond;
  Balancer::NoUpstream why_ = Balancer::NoUpstream::kNoneConfigured;
};

TEST_F(BalancerTest, LeastTokensLooksAtWhatIsLeftToDo) {
  Make({1, 1}, BalancePolicy::kLeastTokens);
  const Upstream::Load one(at(0), 10'000, 500);
  const Upstream::Load two(at(1), 100, 500);
  const Upstream::Load three(at(1), 100, 500);
  EXPECT_EQ(Choose({.tokens = 10}), "u1") << "more requests, but fewer tokens";
  settings_.options.balance.policy = BalancePolicy::kLeastRequests;
  EXPECT_EQ(Choose({.tokens = 10}), "u0");
}

TEST_F(BalancerTest, WorkThatIsDoneCountsNoMore) {
  Make({1}, BalancePolicy::kLeastTokens);
  {
    Upstream::Load load(at(0), 1000, 50);
    EXPECT_EQ(at(0).outstanding_tokens(), 1050);
    load.PromptDone();
    EXPECT_EQ(at(0).outstanding_tokens(), 50);
    load.Wrote(20);
    EXPECT_EQ(at(0).outstanding_tokens(), 30);
    load.Wrote(100);
    EXPECT_EQ(at(0).outstanding_tokens(), 0) << "longer than expected";
    load.Wrote(100);
    EXPECT_EQ(at(0).outstanding(), 1U);
  }
  EXPECT_EQ(at(0).outstanding(), 0U);
  EXPECT_EQ(at(0).outstanding_tokens(), 0);
}

TEST_F(BalancerTest, RoundRobinIsExactAndSmooth) {
  Make({5, 1, 1}, BalancePolicy::kWeightedRoundRobin);
  EXPECT_EQ(Shares(700), (std::map<std::string, int>{{"u0", 500}, {"u1", 100}, {"u2", 100}}));
  std::string row;
  for (int i = 0; i < 14; ++i)
    row += Choose().back();
  EXPECT_EQ(row.find("00000000"), std::string::npos) << row << ": not all at once";
}

TEST_F(BalancerTest, WhoWasAwayDoesNotCatchUp) {
  Make({1, 1}, BalancePolicy::kWeightedRoundRobin);
  at(0).OverrideWeight(0, Upstream::kForEver);
  EXPECT_EQ(Shares(100), (std::map<std::string, int>{{"u1", 100}}));
  at(0).ClearWeight();
  EXPECT_EQ(Shares(100), (std::map<std::string, int>{{"u0", 50}, {"u1", 50}}));
}

TEST_F(BalancerTest, RandomFollowsTheWeights) {
  Make({3, 1}, BalancePolicy::kWeightedRandom);
  auto shares = Shares(4000);
  EXPECT_NEAR(shares["u0"], 3000, 150);
  EXPECT_EQ(shares["u0"] + shares["u1"], 4000);
}

TEST_F(BalancerTest, SessionsStayAndMoveLittle) {
  Make({1, 1, 1, 1}, BalancePolicy::kSessionAffinity);
  std::map<std::string, std::string> before;
  std::map<std::string, int> shares;
  for (int i = 0; i < 2000; ++i) {
    const std::string session = "s" + std::to_string(i);
    before[session] = Choose({.session = session});
    ++shares[before[session]];
    ASSERT_EQ(Choose({.session = session}), before[session]);
  }
  for (const auto& [name, count] : shares)
    EXPECT_NEAR(count, 500, 100) << name;
  // Without one of four, its own sessions move and no others.
  at(2).OverrideWeight(0, Upstream::kForEver);
  for (const auto& [session, upstream] : before) {
    const std::string now = Choose({.session = session});
    if (upstream == "u2") {
      EXPECT_NE(now, "u2");
    } else {
      EXPECT_EQ(now, upstream);
    }
  }
}

TEST_F(BalancerTest, ASessionLeavesAnOverloadedFavourite) {
  Make({1, 1}, BalancePolicy::kSessionAffinity);
  settings_.options.balance.min_load = 2;
  const std::string favourite = Choose({.session = "s"});
  Upstream& upstream = favourite == "u0" ? at(0) : at(1);
  std::vector<std::unique_ptr<Upstream::Load>> loads;
  int stayed = 0;
  while (Choose({.session = "s"}) == favourite && stayed < 100) {
    loads.push_back(std::make_unique<Upstream::Load>(upstream, 1, 1));
    ++stayed;
  }
  EXPECT_EQ(stayed, 2) << "of the fair share of both, no more than a quarter more";
  loads.clear();
  EXPECT_EQ(Choose({.session = "s"}), favourite) << "and comes back";
}

TEST_F(BalancerTest, NoSessionMeansLeastTokens) {
  Make({1, 1}, BalancePolicy::kSessionAffinity);
  const Upstream::Load load(at(0), 100, 0);
  EXPECT_EQ(Choose(), "u1");
  EXPECT_EQ(Choose(), "u1");
}

TEST_F(BalancerTest, PrefixesGoWhereTheyWereSeen) {
  Make({1, 1, 1}, BalancePolicy::kPrefixAffinity);
  const std::string system(4096, 's');
  const std::string first = Choose({.model = "m", .prompt = system + std::string(2048, 'a')});
  for (int i = 0; i < 20; ++i) {
    // Another question behind the same beginning.
    EXPECT_EQ(
        Choose({.model = "m", .prompt = system + std::string(2048, static_cast<char>('b' + i))}),
        first);
  }
  // The longest beginning wins: this conversation went on elsewhere, since its first was full.
  Upstream& home = *settings_.upstreams[static_cast<std::size_t>(first[1] - '0')];
  const std::string talk = system + std::string(4096, 'z');
  std::string second;
  {
    std::vector<std::unique_ptr<Upstream::Load>> loads;
    for (int i = 0; i < 50; ++i)
      loads.push_back(std::make_unique<Upstream::Load>(home, 10, 10));
    second = Choose({.model = "m", .prompt = talk});
    EXPECT_NE(second, first);
  }
  EXPECT_EQ(Choose({.model = "m", .prompt = talk + std::string(1024, 'y')}), second);
}

TEST_F(BalancerTest, ModelsDoNotSharePrefixes) {
  Make({1, 1}, BalancePolicy::kPrefixAffinity);
  const std::string prompt(8192, 'p');
  const std::string first = Choose({.model = "m", .prompt = prompt});
  Upstream& home = first == "u0" ? at(0) : at(1);
  const Upstream::Load load(home, 100, 100);
  EXPECT_EQ(Choose({.model = "m", .prompt = prompt}), first);
  EXPECT_NE(Choose({.model = "n", .prompt = prompt}), first) << "the less loaded one";
}

TEST_F(BalancerTest, PolicyPerModel) {
  Make({1, 1}, BalancePolicy::kLeastTokens);
  settings_.options.model_balance = {{"m", {.policy = BalancePolicy::kWeightedRoundRobin}}};
  const Upstream::Load load(at(0), 1000, 0);
  EXPECT_EQ(Shares(10, {.model = "m"}), (std::map<std::string, int>{{"u0", 5}, {"u1", 5}}));
  EXPECT_EQ(Shares(10, {.model = "n"}), (std::map<std::string, int>{{"u1", 10}}));
}

TEST_F(BalancerTest, AnOverrideEndsByItself) {
  Make({1, 1}, BalancePolicy::kWeightedRoundRobin);
  at(0).OverrideWeight(3, now_ + kSecond);
  EXPECT_EQ(Shares(40), (std::map<std::string, int>{{"u0", 30}, {"u1", 10}}));
  EXPECT_TRUE(at(0).weight_overridden(now_));
  now_ += kSecond;
  EXPECT_FALSE(at(0).weight_overridden(now_));
  EXPECT_EQ(Shares(40), (std::map<std::string, int>{{"u0", 20}, {"u1", 20}}));
}

TEST_F(BalancerTest, ADrainedUpstreamGetsNothingEverSaysWhy) {
  Make({1}, BalancePolicy::kLeastTokens);
  at(0).OverrideWeight(0, Upstream::kForEver);
  EXPECT_EQ(Choose(), "");
  EXPECT_EQ(why_, Balancer::NoUpstream::kDrained);
  at(0).ClearWeight();
  EXPECT_EQ(Choose({}, {&at(0)}), "");
  EXPECT_EQ(why_, Balancer::NoUpstream::kAllTried);
}

TEST_F(BalancerTest, ReturnsSlowly) {
  Make({1, 1}, BalancePolicy::kWeightedRoundRobin);
  at(0).health.Unreachable(now_, "refused");
  EXPECT_EQ(Shares(10), (std::map<std::string, int>{{"u1", 10}}));
  EXPECT_EQ(at(0).health.Share(now_), 1) << "it never returned";
  at(0).health.ProbeSucceeded(now_);
  EXPECT_NEAR(at(0).health.Share(now_), 0.1, 1e-9);
  const auto shares = Shares(110);
  EXPECT_NEAR(shares.at("u0"), 10, 1);
  now_ += 15 * kSecond;
  EXPECT_NEAR(at(0).health.Share(now_), 0.55, 1e-9);
  now_ += 15 * kSecond;
  EXPECT_EQ(at(0).health.Share(now_), 1);
  at(0).health.RequestSucceeded(now_);
  EXPECT_EQ(at(0).health.Share(now_), 1) << "only an ejection begins it anew";
}

TEST_F(BalancerTest, ExpectsWhatAnswersHadLately) {
  EXPECT_EQ(balancer_.ExpectedOutput({}), 256);
  EXPECT_EQ(balancer_.ExpectedOutput(10), 10);
  EXPECT_EQ(balancer_.ExpectedOutput(100'000), 256) << "few use what they are allowed";
  for (int i = 0; i < 1000; ++i)
    balancer_.NoteOutput(1000);
  EXPECT_NEAR(static_cast<double>(balancer_.ExpectedOutput({})), 1000, 1);
}

TEST(PrefixTable, RemembersTheLastHolders) {
  PrefixTable table(1);
  const std::vector<std::uint64_t> hashes = {11, 12};
  EXPECT_THAT(table.Find(11), ElementsAre(0, 0, 0, 0));
  for (const std::uint64_t holder : {1, 2, 3, 4, 5, 3})
    table.Note(hashes, holder);
  EXPECT_THAT(table.Find(11), ElementsAre(3, 5, 4, 2));
  EXPECT_THAT(table.Find(12), ElementsAre(3, 5, 4, 2));
}

TEST(PrefixTable, IsBoundedAndKeepsWhatIsUsed) {
  PrefixTable table(64);
  table.Note({1}, 7);
  for (std::uint64_t hash = 2; hash < 100'000; ++hash) {
    table.Note({hash}, 8);
    if (hash % 8 == 0) {
      EXPECT_EQ(table.Find(1)[0], 7U);
    }
  }
  EXPECT_EQ(table.Find(1)[0], 7U) << "used often, kept";
  EXPECT_EQ(table.Find(2)[0], 0U) << "long gone";
}

TEST(PrefixHashes, AreChained) {
  const std::string a(4096, 'a');
  std::string b = a;
  b[2500] = 'b';
  const auto of_a = PrefixHashes(a, 1024, 64, 1);
  const auto of_b = PrefixHashes(b, 1024, 64, 1);
  ASSERT_EQ(of_a.size(), 4U);
  EXPECT_EQ(of_a[1], of_b[1]);
  EXPECT_NE(of_a[2], of_b[2]);
  EXPECT_NE(of_a[3], of_b[3]) << "what comes behind a difference is different";
  EXPECT_EQ(PrefixHashes(a, 1024, 2, 1).size(), 2U);
  EXPECT_NE(PrefixHashes(a, 1024, 64, 2)[0], of_a[0]);
  EXPECT_TRUE(PrefixHashes("short", 1024, 64, 1).empty());
}

TEST(PromptOf, BeginsAtTheFirstMemberOfInterest) {
  EXPECT_EQ(PromptOf(R"({"model":"m","messages" : [1]})", 1000), R"("messages" : [1]})");
  EXPECT_EQ(PromptOf(R"({"x":"\"messages\":","prompt":"p","input":1})", 1000),
            R"("prompt":"p","input":1})")
      << "what is said within a string is no member";
  EXPECT_EQ(PromptOf(R"({"user":"messages","tools":[]})", 1000), R"("tools":[]})");
  EXPECT_EQ(PromptOf(R"({"model":"m"})", 1000), "");
  EXPECT_EQ(PromptOf(R"({"prompt":"p"})", 5), "");
}

}  // namespace
}  // namespace sonde::gateway
