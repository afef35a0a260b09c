#include <filesystem>
#include <system_error>

#include <unistd.h>

#include "gateway/gateway_for_test.h"
#include "net/http_client.h"
#include "net/tls_identity_for_test.h"

// TLS on both sides of the gateway, and certificates that are renewed while streams run.

namespace sonde::gateway {
namespace {

using ::testing::HasSubstr;

class GatewayTlsTest : public GatewayTest {
 protected:
  GatewayTlsTest() {
    dir_ = std::filesystem::temp_directory_path() /
           ("sonde_gateway_tls_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir_);
    Write(ca_, "ca");
    Write(net::MakeIdentity("localhost", "DNS:localhost,IP:127.0.0.1", &ca_), "server");
    Write(net::MakeIdentity("client", "DNS:gateway", &ca_), "client");
  }
  ~GatewayTlsTest() override {
    if (gateway_ != nullptr) gateway_->Stop(Duration(1));
    if (secure_engine_ != nullptr) secure_engine_->Stop(Duration(1));
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  void Write(const net::Identity& identity, const std::string& name) {
    net::WritePem(identity, File(name + ".crt"), File(name + ".key"));
  }
  std::string File(const std::string& name) const { return (dir_ / name).string(); }

  net::TlsServerOptions ServerTls() const {
    return {.certificate_file = File("server.crt"), .key_file = File("server.key")};
  }
  /// Asks the gateway over TLS, trusting `ca`; the body, or the error.
  std::string AskTls(const std::string& ca, const std::string& body = R"({"model":"m"})") {
    net::HttpClientOptions client;
    auto tls = net::TlsContext::Client({.ca_file = File(ca)});
    EXPECT_TRUE(tls);
    client.tls = *tls;
    net::HttpClientRequest request;
    request.method = "POST";
    request.url = *net::Url::Parse("https://localhost:" + std::to_string(gateway_->port()) +
                                   "/v1/chat/completions");
    request.body = body;
    const auto reply = net::FetchBlocking(request, 1 << 20, Duration(20'000), client);
    return reply ? reply->body : "error: " + reply.error().message();
  }
  /// An engine that speaks TLS and asks for our certificate.
  void StartSecureEngine() {
    net::TlsServerOptions options = ServerTls();
    options.client_ca_file = File("ca.crt");
    options.require_client_certificate = true;
    auto tls = net::TlsContext::Server(options);
    ASSERT_TRUE(tls) << tls.error().message();
    secure_engine_ = std::make_unique<net::HttpServer>(
        loops_, net::HttpServerOptions{.tls = *tls},
        [](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
          if (!request.ReadBody(1 << 20)) return;
          static_cast<void>(
              response.Reply(200, "application/json", R"({"data":[{"id":"m"}]})").ok());
        },
        Logger(sink_, clock_), engine_registry_, "secure");
    ASSERT_TRUE(secure_engine_->Start({"127.0.0.1", 0}));
  }

  std::filesystem::path dir_;
  const net::Identity ca_ = net::MakeIdentity("test CA", "", nullptr);
  instrument::Registry engine_registry_;
  std::unique_ptr<net::HttpServer> secure_engine_;
};

TEST_F(GatewayTlsTest, BothSides) {
  StartSecureEngine();
  GatewayOptions options = Options();
  options.tls = ServerTls();
  options.upstreams = {{.url = "https://localhost:" + std::to_string(secure_engine_->port()),
                        .models = {"m"},
                        .tls = net::TlsClientOptions{.ca_file = File("ca.crt"),
                                                     .certificate_file = File("client.crt"),
                                                     .key_file = File("client.key")}}};
  Start(options);
  EXPECT_THAT(AskTls("ca.crt"), HasSubstr("\"id\":\"m\""));
  EXPECT_EQ(gateway_->Upstreams()[0].last_error, "");
}

TEST_F(GatewayTlsTest, AnUpstreamThatCannotProveWhoItIsIsNotUsed) {
  StartSecureEngine();
  Write(net::MakeIdentity("another CA", "", nullptr), "other");
  GatewayOptions options = Options();
  options.upstreams = {{.url = "https://localhost:" + std::to_string(secure_engine_->port()),
                        .models = {"m"},
                        .tls = net::TlsClientOptions{.ca_file = File("other.crt")}}};
  Start(options, false);
  const std::string answer = Ask(Post(kChat, R"({"model":"m"})"));
  EXPECT_THAT(answer, HasSubstr("\"code\":\"upstream_unavailable\""));
  EXPECT_FALSE(gateway_->Upstreams()[0].up);
}

TEST_F(GatewayTlsTest, ARenewedCertificateIsUsedAndNoStreamIsDropped) {
  FakeEngine& engine = AddEngine();
  engine.set_script([&](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
    auto body = request.ReadBody(1 << 20);
    if (!body) return;
    engine.Note({});
    response.headers().Set("Content-Type", "text/event-stream");
    if (!response.Start(200) || !response.Write(Chunk("a"))) return;
    while (body->find("wait") != std::string::npos && !flag_ && fiber.Sleep(Duration(1))) {
    }
    if (response.Write(kDoneEvent)) static_cast<void>(response.Finish().ok());
  });
  GatewayOptions options = Options();
  options.tls = ServerTls();
  Start(options);
  std::string first;
  std::thread running([&] { first = AskTls("ca.crt", R"({"model":"m","user":"wait"})"); });
  ASSERT_TRUE(WaitFor([&] { return engine.seen().size() == 1; }));

  const net::Identity new_ca = net::MakeIdentity("new CA", "", nullptr);
  Write(new_ca, "new_ca");
  Write(net::MakeIdentity("localhost", "DNS:localhost", &new_ca), "server");
  ASSERT_TRUE(gateway_->Reload(options));
  EXPECT_EQ(AskTls("new_ca.crt"), Chunk("a") + kDoneEvent) << "new connections: the new one";
  EXPECT_THAT(AskTls("ca.crt"), HasSubstr("error: "));
  flag_ = true;
  running.join();
  EXPECT_EQ(first, Chunk("a") + kDoneEvent) << "the running one went on";

  // A certificate that cannot be read changes nothing.
  std::filesystem::remove(File("server.key"));
  EXPECT_FALSE(gateway_->Reload(options));
  EXPECT_EQ(AskTls("new_ca.crt"), Chunk("a") + kDoneEvent);
}

TEST_F(GatewayTlsTest, ARenewedCertificateOfOursReachesUpstreams) {
  StartSecureEngine();
  const net::Identity stranger = net::MakeIdentity("stranger CA", "", nullptr);
  Write(net::MakeIdentity("client", "DNS:gateway", &stranger), "client");
  GatewayOptions options = Options();
  options.upstreams = {{.url = "https://localhost:" + std::to_string(secure_engine_->port()),
                        .models = {"m"},
                        .tls = net::TlsClientOptions{.ca_file = File("ca.crt"),
                                                     .certificate_file = File("client.crt"),
                                                     .key_file = File("client.key")}}};
  Start(options, false);
  EXPECT_THAT(Ask(Post(kChat, R"({"model":"m"})")), HasSubstr("HTTP/1.1 502 "));
  Write(net::MakeIdentity("client", "DNS:gateway,DNS:longer.than.before", &ca_), "client");
  ASSERT_TRUE(gateway_->Reload(options));
  EXPECT_THAT(Ask(Post(kChat, R"({"model":"m"})")), HasSubstr("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace sonde::gateway
