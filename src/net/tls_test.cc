#include "net/tls.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/raw_socket_for_test.h"
#include "net/tls_identity_for_test.h"

namespace sonde::net {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    dir_ =
        std::filesystem::temp_directory_path() / ("sonde_tls_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir_);
    Write(MakeIdentity("localhost", "DNS:localhost,IP:127.0.0.1", &ca_), "server");
    Write(MakeIdentity("client", "DNS:scraper", &ca_), "client");
    Write(ca_, "ca");
  }
  ~TlsTest() override {
    client_.reset();
    if (server_ != nullptr) server_->Stop(Duration(1));
    loops_.Stop();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  void Write(const Identity& identity, const std::string& name) {
    WritePem(identity, File(name + ".crt"), File(name + ".key"));
  }
  std::string File(const std::string& name) const { return (dir_ / name).string(); }
  TlsServerOptions ServerOptions() const {
    return {.certificate_file = File("server.crt"), .key_file = File("server.key")};
  }

  void StartServer(const TlsServerOptions& options, HttpHandler handler = nullptr) {
    auto tls = TlsContext::Server(options);
    ASSERT_TRUE(tls) << tls.error().message();
    if (!handler) {
      handler = [](Fiber&, HttpRequest& request, HttpResponse& response) {
        auto body = request.ReadBody(50'000'000);
        if (body)
          static_cast<void>(response.Reply(200, "application/octet-stream", *std::move(body)).ok());
      };
    }
    server_ = std::make_unique<HttpServer>(
        loops_, HttpServerOptions{.header_timeout = Duration(5'000), .tls = *tls},
        std::move(handler), Logger(sink_, clock_), registry_, "tls");
    ASSERT_TRUE(server_->Start({"127.0.0.1", 0}));
  }
  std::string Ask(const TlsClientOptions& options, const std::string& host = "localhost",
                  const std::string& body = "hello") {
    auto tls = TlsContext::Client(options);
    if (!tls) return "context: " + tls.error().message();
    client_ = std::make_unique<HttpClient>(HttpClientOptions{.tls = *tls}, registry_, "tls");
    return AskAgain(host, body);
  }
  std::string AskAgain(const std::string& host = "localhost", const std::string& body = "hello") {
    HttpClientRequest request{.method = "POST", .body = body};
    request.url.tls = true;
    request.url.host = host;
    request.url.port = server_->port();
    std::optional<Result<HttpClient::Reply>> reply;
    loops_.at(0)
        .Spawn([&](Fiber& fiber) {
          reply.emplace(client_->Fetch(fiber, request, 50'000'000, Duration(20'000)));
        })
        .Join();
    if (!*reply) return "error: " + reply->error().message();
    return std::to_string((*reply)->status) + " " + (*reply)->body;
  }

  const Identity ca_ = MakeIdentity("Test CA", "", nullptr);
  std::filesystem::path dir_;
  SystemClock clock_;
  MemorySink sink_;
  instrument::Registry registry_;
  LoopGroup loops_{1};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(TlsTest, ATrustedServerIsTalkedTo) {
  StartServer(ServerOptions());
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}), "200 hello");
  EXPECT_EQ(AskAgain("localhost", "again"), "200 again");
  EXPECT_EQ(
      registry_.GetCounter("sonde_http_client_connections_opened_total", "", {{"client", "tls"}})
          .value(),
      1);
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}, "127.0.0.1"),
            "200 hello");  // By the address in the certificate.
  std::ifstream in(File("ca.crt"));
  const std::string pem((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(Ask({.ca_pem = pem}), "200 hello");
}

TEST_F(TlsTest, AServerThatIsNotTrustedIsRefused) {
  StartServer(ServerOptions());
  EXPECT_THAT(Ask({}), HasSubstr("certificate verify failed"));
  EXPECT_EQ(Ask({.insecure_skip_verify = true}), "200 hello");
  EXPECT_THAT(Ask({.ca_file = File("ca.crt"), .server_name = "other.example"}),
              HasSubstr("certificate verify failed: hostname mismatch"));
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  Write(MakeIdentity("localhost", "DNS:localhost", &ca_, -60), "old");
  StartServer({.certificate_file = File("old.crt"), .key_file = File("old.key")});
  EXPECT_THAT(Ask({.ca_file = File("ca.crt")}), HasSubstr("certificate has expired"));
}

TEST_F(TlsTest, LargeBodiesBothWays) {
  StartServer(ServerOptions());
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) {
    body += std::to_string(i);
  }
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}, "localhost", body), "200 " + body);
}

TEST_F(TlsTest, StreamsAndDisconnects) {
  std::atomic<bool> left{false};
  StartServer(ServerOptions(), [&](Fiber& fiber, HttpRequest&, HttpResponse& response) {
    response.OnDisconnect([&] { left = true; });
    Status status = response.Start(200);
    while (status && !left && fiber.Sleep(Duration(1))) {
      status = response.Write("tick");
    }
  });
  auto tls = TlsContext::Client({.ca_file = File("ca.crt")});
  client_ = std::make_unique<HttpClient>(HttpClientOptions{.tls = *tls}, registry_, "tls");
  loops_.at(0)
      .Spawn([&](Fiber& fiber) {
        HttpClientRequest request;
        request.url = *Url::Parse("https://localhost:" + std::to_string(server_->port()) + "/");
        auto response = client_->Send(fiber, request);
        ASSERT_TRUE(response) << response.error().message();
        std::string got;
        while (got.size() < 12) {
          const auto piece = (*response)->ReadSome(fiber);
          ASSERT_TRUE(piece);
          got += *piece;
        }
        EXPECT_THAT(got, StartsWith("ticktick"));
      })
      .Join();
  while (!left) {
    std::this_thread::yield();
  }
  server_->Stop();
}

TEST_F(TlsTest, ClientsMustProveWhoTheyAre) {
  TlsServerOptions options = ServerOptions();
  options.client_ca_file = File("ca.crt");
  options.require_client_certificate = true;
  StartServer(options);
  const TlsClientOptions with{.ca_file = File("ca.crt"),
                              .certificate_file = File("client.crt"),
                              .key_file = File("client.key")};
  EXPECT_EQ(Ask(with), "200 hello");
  EXPECT_THAT(Ask({.ca_file = File("ca.crt")}), StartsWith("error: "));
  const Identity stranger_ca = MakeIdentity("Other CA", "", nullptr);
  Write(MakeIdentity("stranger", "", &stranger_ca), "stranger");
  EXPECT_THAT(Ask({.ca_file = File("ca.crt"),
                   .certificate_file = File("stranger.crt"),
                   .key_file = File("stranger.key")}),
              StartsWith("error: "));
}

TEST_F(TlsTest, ACertificateMayBeOptional) {
  TlsServerOptions options = ServerOptions();
  options.client_ca_file = File("ca.crt");
  StartServer(options);
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}), "200 hello");
}

TEST_F(TlsTest, OnlyListedNamesAreLetIn) {
  TlsServerOptions options = ServerOptions();
  options.client_ca_file = File("ca.crt");
  options.require_client_certificate = true;
  options.client_allowed_sans = {"10.0.0.1", "scraper"};
  StartServer(options);
  EXPECT_EQ(Ask({.ca_file = File("ca.crt"),
                 .certificate_file = File("client.crt"),
                 .key_file = File("client.key")}),
            "200 hello");
  EXPECT_THAT(Ask({.ca_file = File("ca.crt"),
                   .certificate_file = File("server.crt"),
                   .key_file = File("server.key")}),
              StartsWith("error: "));
}

TEST_F(TlsTest, VersionsCiphersAndCurves) {
  TlsServerOptions options = ServerOptions();
  options.max_version = "TLS12";
  options.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"};
  options.curve_preferences = {"CurveP256", "X25519"};
  StartServer(options);
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}), "200 hello");
  EXPECT_THAT(Ask({.ca_file = File("ca.crt"), .min_version = "TLS13"}),
              StartsWith("error: TLS handshake:"));
}

TEST_F(TlsTest, CertificatesCanBeRenewedWhileRunning) {
  StartServer(ServerOptions());
  EXPECT_EQ(Ask({.ca_file = File("ca.crt")}), "200 hello");
  const Identity new_ca = MakeIdentity("New CA", "", nullptr);
  Write(MakeIdentity("localhost", "DNS:localhost", &new_ca), "renewed");
  Write(new_ca, "newca");
  server_->SetTls(*TlsContext::Server(
      {.certificate_file = File("renewed.crt"), .key_file = File("renewed.key")}));
  EXPECT_EQ(AskAgain(), "200 hello");  // The open connection goes on.
  EXPECT_THAT(Ask({.ca_file = File("ca.crt")}), StartsWith("error: "));
  EXPECT_EQ(Ask({.ca_file = File("newca.crt")}), "200 hello");
}

TEST_F(TlsTest, PlainBytesOnATlsPortAndSlowHandshakes) {
  StartServer(ServerOptions());
  RawSocket socket = RawSocket::Connect(server_->port());
  socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  socket.ReadToEnd();  // Closed (with a TLS alert).
  EXPECT_EQ(registry_
                .GetCounter("sonde_http_rejected_total", "",
                            {{"server", "tls"}, {"reason", "tls_handshake"}})
                .value(),
            1);
}

TEST_F(TlsTest, WrongFilesAreErrorsThatNameThem) {
  const auto server_error = [&](const TlsServerOptions& options) {
    return TlsContext::Server(options).error();
  };
  EXPECT_EQ(server_error({.certificate_file = "/no/such.crt", .key_file = "/x"}).kind(),
            ErrorKind::kNotFound);
  EXPECT_THAT(server_error({.certificate_file = "/no/such.crt", .key_file = "/x"}).message(),
              HasSubstr("/no/such.crt"));
  std::ofstream(File("junk.pem")) << "junk";
  EXPECT_EQ(
      server_error({.certificate_file = File("junk.pem"), .key_file = File("server.key")}).kind(),
      ErrorKind::kInvalid);
  EXPECT_THAT(server_error({.certificate_file = File("server.crt"), .key_file = File("client.key")})
                  .message(),
              HasSubstr("key values mismatch"));
  TlsServerOptions options = ServerOptions();
  options.min_version = "SSL3";
  EXPECT_THAT(server_error(options).message(), HasSubstr("TLS version \"SSL3\""));
  options = ServerOptions();
  options.cipher_suites = {"TLS_NONSENSE"};
  EXPECT_THAT(server_error(options).message(), HasSubstr("TLS_NONSENSE"));
  options = ServerOptions();
  options.require_client_certificate = true;
  EXPECT_THAT(server_error(options).message(), HasSubstr("no client CA"));
  EXPECT_EQ(TlsContext::Client({.ca_file = "/no/ca"}).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(TlsContext::Client({.ca_pem = "junk"}).error().kind(), ErrorKind::kInvalid);
  EXPECT_EQ(TlsContext::Client({.certificate_file = File("client.crt")}).error().kind(),
            ErrorKind::kInvalid);
}

}  // namespace
}  // namespace sonde::net
