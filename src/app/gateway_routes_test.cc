#include "app/gateway_routes.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/json.h"

namespace sonde::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GatewayRoutesTest : public ::testing::Test {
 protected:
  GatewayRoutesTest() {
    gateway::GatewayOptions options;
    options.listen_address = "127.0.0.1:0";
    options.upstreams = {{.name = "a/b", .url = "http://127.0.0.1:1", .models = {"m"}, .weight = 2},
                         {.url = "http://127.0.0.1:2"}};
    auto made = gateway::Gateway::Create(loops_, options, clock_, logger_, registry_);
    EXPECT_TRUE(made);
    gateway_ = *std::move(made);
    options_ = options;
    routes_ = GatewayRoutes([this] { return gateway_.get(); }, logger_);
  }
  ~GatewayRoutesTest() override {
    gateway_.reset();
    loops_.Stop();
  }

  api::Answer Ask(std::string_view method, const std::string& upstream, std::string_view body) {
    net::Headers headers;
    headers.Add("X-Forwarded-User", "ada");
    headers.Add("Authorization", "Bearer secret");
    return routes_[1].handle({method, net::Query(), upstream, headers, body});
  }
  std::string List() {
    return routes_[0].handle({"GET", net::Query(), "", net::Headers(), ""}).body;
  }

  ManualClock clock_{Timestamp{1'000'000}};
  MemorySink sink_;
  Logger logger_{sink_, clock_};
  instrument::Registry registry_;
  net::LoopGroup loops_{1};
  gateway::GatewayOptions options_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::vector<api::SondeRoute> routes_;
};

TEST_F(GatewayRoutesTest, ListsUpstreams) {
  const auto page = JsonDocument::Parse(List());
  ASSERT_TRUE(page);
  const JsonView upstreams = page->root()["data"]["upstreams"];
  ASSERT_EQ(upstreams.size(), 2U);
  EXPECT_EQ(upstreams.at(0)["name"].string(), "a/b");
  EXPECT_EQ(upstreams.at(0)["weight"].number(), 2);
  EXPECT_EQ(upstreams.at(0)["overridden"].boolean(), false);
  EXPECT_TRUE(upstreams.at(0)["overrideEndsIn"].is_null());
  EXPECT_EQ(upstreams.at(0)["models"].at(0).string(), "m");
  EXPECT_EQ(upstreams.at(1)["name"].string(), "127.0.0.1:2");
}

TEST_F(GatewayRoutesTest, ChangesAWeightForATime) {
  const api::Answer answer = Ask("PUT", "a%2Fb", R"({"weight":0.5,"ttl":"10m"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"weight\":0.5"));
  EXPECT_THAT(answer.body, HasSubstr("\"overrideEndsIn\":\"10m\""));
  EXPECT_THAT(sink_.text(), HasSubstr("audit: gateway weight changed"));
  EXPECT_THAT(sink_.text(), HasSubstr("by=ada"));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("secret")));
  // It survives a reload, and an upstream that was away.
  auto without = options_;
  without.upstreams.erase(without.upstreams.begin());
  ASSERT_TRUE(gateway_->Reload(without));
  EXPECT_EQ(Ask("PUT", "a%2Fb", R"({"weight":1})").status, 404);
  ASSERT_TRUE(gateway_->Reload(options_));
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 0.5);
  clock_.Advance(Duration(600'000));
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 2);
  EXPECT_FALSE(gateway_->Upstreams()[0].overridden);
}

TEST_F(GatewayRoutesTest, DrainsAndClears) {
  EXPECT_EQ(Ask("PUT", "a%2Fb", R"({"weight":0})").status, 200);
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 0);
  EXPECT_EQ(Ask("PUT", "a%2Fb", R"({"weight":null})").status, 200);
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 2);
  Ask("PUT", "a%2Fb", R"({"weight":7})");
  EXPECT_EQ(Ask("DELETE", "a%2Fb", "").status, 200);
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 2);
  EXPECT_EQ(Ask("DELETE", "nobody", "").status, 404);
}

TEST_F(GatewayRoutesTest, RefusesNonsense) {
  for (const char* body :
       {"", "1", "[]", "{}", R"({"weight":"1"})", R"({"weight":-1})", R"({"weight":1e7})",
        R"({"weight":1,"ttl":"soon"})", R"({"weight":1,"ttl":5})", R"({"weight":1,"ttl":"0s"})",
        R"({"weight":1,"ttl":"11y"})", R"({"weight":null,"ttl":"1m"})", R"({"weight":1,"x":2})"}) {
    const api::Answer answer = Ask("PUT", "a%2Fb", body);
    EXPECT_EQ(answer.status, 400) << body << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("bad_data")) << body;
  }
  EXPECT_EQ(gateway_->Upstreams()[0].weight, 2);
}

TEST_F(GatewayRoutesTest, WithoutAGateway) {
  gateway_.reset();
  EXPECT_EQ(routes_[0].handle({"GET", net::Query(), "", net::Headers(), ""}).status, 503);
}

}  // namespace
}  // namespace sonde::app
