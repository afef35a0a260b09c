#include "discovery/http_access.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "base/log.h"
#include "net/http_server.h"

namespace sonde::discovery {
namespace {

TEST(NoProxy, Entries) {
  EXPECT_TRUE(IsDirect("*", "anything", 80));
  EXPECT_TRUE(IsDirect("a.org, example.com", "example.com", 80));
  EXPECT_TRUE(IsDirect("example.com", "x.EXAMPLE.com", 80));
  EXPECT_TRUE(IsDirect(".example.com", "x.example.com", 80));
  EXPECT_TRUE(IsDirect("*.example.com", "x.example.com", 80));
  EXPECT_TRUE(IsDirect("10.0.0.0/8", "10.2.3.4", 80));
  EXPECT_TRUE(IsDirect("10.1.2.3", "10.1.2.3", 80));
  EXPECT_TRUE(IsDirect("fd00::/8", "fd12::1", 80));
  EXPECT_TRUE(IsDirect("example.com:8080", "example.com", 8080));
  EXPECT_TRUE(IsDirect("[::1]:80", "::1", 80));
  EXPECT_FALSE(IsDirect("", "x", 80));
  EXPECT_FALSE(IsDirect(" , ", "x", 80));
  EXPECT_FALSE(IsDirect(".example.com", "example.com", 80));
  EXPECT_FALSE(IsDirect("example.com", "badexample.com", 80));
  EXPECT_FALSE(IsDirect("example.com:8080", "example.com", 80));
  EXPECT_FALSE(IsDirect("10.0.0.0/8", "11.0.0.1", 80));
  EXPECT_FALSE(IsDirect("10.0.0.0/40", "10.0.0.1", 80));
  EXPECT_FALSE(IsDirect("10.0.0.0/8", "host10", 80));
}

/// A server that answers with the header fields that it got.
class HttpAccessTest : public testing::Test {
 protected:
  HttpAccessTest()
      : logger_(sink_, clock_),
        server_(
            loops_, {},
            [](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
              std::string seen;
              for (const auto [name, value] : request.headers()) {
                seen += std::string(name) + "=" + std::string(value) + "\n";
              }
              EXPECT_TRUE(response.Reply(200, "text/plain", seen).ok());
            },
            logger_, registry_, "test") {
    EXPECT_TRUE(server_.Start({"127.0.0.1", 0}).ok());
  }
  ~HttpAccessTest() override { server_.Stop(Duration(0)); }

  Result<std::string> Get(HttpAccess& access) {
    std::optional<Result<std::string>> body;
    const net::FiberHandle fiber = loops_.at(0).Spawn([&](net::Fiber& self) {
      net::HttpClientRequest request;
      request.url = *net::Url::Parse("http://127.0.0.1:" + std::to_string(server_.port()) + "/x");
      auto response = access.Get(self, std::move(request), Duration(10'000));
      if (!response) {
        body.emplace(std::move(response).error());
      } else {
        body.emplace((*response)->ReadAll(self, 1 << 20));
      }
    });
    fiber.Join();
    return *std::move(body);
  }

  void ExpectSeen(HttpAccess& access, std::string_view want) {
    const auto body = Get(access);
    ASSERT_TRUE(body.ok()) << body.error().message();
    EXPECT_NE(body->find(want), std::string::npos) << *body;
  }

  HttpAccessContext Context() { return {env_, clock_, pool_, registry_, "test", "Sonde/test"}; }

  FaultEnv env_;
  ManualClock clock_{{1'000'000}};
  MemorySink sink_;
  Logger logger_;
  instrument::Registry registry_;
  ThreadPool pool_{1, "work"};
  net::LoopGroup loops_{1};
  net::HttpServer server_;
};

TEST_F(HttpAccessTest, Credentials) {
  HttpAccessOptions basic;
  basic.basic_auth = {"user", "", "pass", ""};
  HttpAccess basic_access(basic, Context());
  ExpectSeen(basic_access, "Authorization=Basic dXNlcjpwYXNz\n");

  HttpAccessOptions custom;
  custom.authorization = {"Token", "t", ""};
  custom.headers = {{"X-Org", {"a", "b"}, {"s"}, {}}};
  HttpAccess custom_access(custom, Context());
  ExpectSeen(custom_access, "Authorization=Token t\nX-Org=a\nX-Org=b\nX-Org=s\n");
  ExpectSeen(custom_access, "User-Agent=Sonde/test\n");
}

TEST_F(HttpAccessTest, FilesAreReadAgain) {
  ASSERT_TRUE(env_.CreateDir("/d").ok());
  HttpAccessOptions options;
  options.authorization = {"Bearer", "", "/d/token"};
  HttpAccess access(options, Context());
  auto missing = Get(access);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(
      missing.error().message().find("unable to read authorization credentials file /d/token"),
      std::string::npos);

  ASSERT_TRUE(WriteFileAtomically(env_, "/d/token", "one\n").ok());
  ExpectSeen(access, "Authorization=Bearer one\n");
  ASSERT_TRUE(WriteFileAtomically(env_, "/d/token", "two\n").ok());
  ExpectSeen(access, "Authorization=Bearer one\n");  // Not yet: at most once a second.
  clock_.Advance(Duration(1'001));
  ExpectSeen(access, "Authorization=Bearer two\n");
}

TEST_F(HttpAccessTest, AProxyIsUsedUnlessTheHostIsExempt) {
  HttpAccessOptions options;
  options.http_proxy = "http://127.0.0.1:1";  // Nobody listens there.
  HttpAccess through(options, Context());
  EXPECT_FALSE(Get(through).ok());
  options.no_proxy = "127.0.0.0/8";
  HttpAccess direct(options, Context());
  EXPECT_TRUE(Get(direct).ok());
}

}  // namespace
}  // namespace sonde::discovery
