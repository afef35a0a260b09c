#include "collect/probe/certificate_prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/probe/probe_servers_for_test.h"

namespace sonde::collect {
namespace {

using ::testing::ElementsAre;

constexpr double kExpiry = 4701974400;  // Of tests/probes/tls/server.pem.

TEST(CertificateTargets, EachAddressOnce) {
  const auto distinct = DistinctCertificateTargets({{"https://a:8443/metrics", "scrape", {}},
                                                    {"https://a:8443", "upstream", {}},
                                                    {"http://b", "scrape", {}},
                                                    {"nonsense", "scrape", {}},
                                                    {"https://b", "upstream", {}}});
  std::vector<std::string> all;
  for (const auto& target : distinct)
    all.push_back(target.kind + " " + target.url);
  EXPECT_THAT(all, ElementsAre("scrape https://a:8443/metrics", "upstream https://b"));
}

class CertificateTest : public ProbeTest {
 protected:
  CertificateTest() {
    auto tls = net::TlsContext::Server({.certificate_file = "tests/probes/tls/server.pem",
                                        .key_file = "tests/probes/tls/server.key"});
    EXPECT_TRUE(tls) << "run from the root of the repository";
    net::HttpServerOptions options;
    if (tls) options.tls = *tls;
    https_ = std::make_unique<FakeServer>(loops_, options);
    target_ = {"https://localhost:" + std::to_string(https_->port()) + "/metrics", "scrape", {}};
    target_.trust.ca_file = "tests/probes/tls/ca.pem";
    instance_ = "localhost:" + std::to_string(https_->port());
  }
  ~CertificateTest() override {
    if (prober_ != nullptr) prober_->Stop();
  }

  void Start(std::vector<CertificateTarget> targets) {
    CertificateOptions options;
    options.interval = Duration(20);
    options.timeout = Duration(5'000);
    prober_ = std::make_unique<CertificateProber>(
        options, [targets = std::move(targets)] { return targets; },
        CertificateProber::Context{loops_.at(0), pool_, moved_clock_, Logger(sink_, clock_),
                                   registry_});
    prober_->Start();
  }
  double Expiry() const {
    return Metric("probe_ssl_earliest_cert_expiry", "instance=" + instance_ + ",kind=scrape");
  }
  double Problem(const std::string& problem) const {
    return Metric("sonde_certificate_problem",
                  "instance=" + instance_ + ",kind=scrape,problem=" + problem);
  }

  ManualClock moved_clock_{clock_.Now()};
  std::unique_ptr<FakeServer> https_;
  CertificateTarget target_;
  std::string instance_;
  std::unique_ptr<CertificateProber> prober_;
};

TEST_F(CertificateTest, TellsWhenAGoodOneExpiresAndThatItHas) {
  Start({target_});
  EXPECT_TRUE(WaitFor([&] { return Expiry() == kExpiry; }));
  EXPECT_TRUE(Metrics("sonde_certificate_problem").empty());
  moved_clock_.Set({static_cast<std::int64_t>(kExpiry) * 1000 + 1});
  EXPECT_TRUE(WaitFor([&] { return Problem("expired") == 1; }));
  EXPECT_TRUE(WaitFor(
      [&] { return sink_.text().find("a certificate has a problem") != std::string::npos; }));
}

TEST_F(CertificateTest, AnUnknownAuthorityAndAWrongNameAreTold) {
  target_.trust = {};
  CertificateTarget by_address = target_;
  by_address.url = https_->url();
  by_address.url.replace(0, 4, "https");
  by_address.kind = "upstream";
  Start({target_, by_address});
  EXPECT_TRUE(WaitFor([&] { return Problem("chain") == 1; }));
  EXPECT_TRUE(WaitFor([&] {
    return Metric("sonde_certificate_problem",
                  "instance=" + https_->instance() + ",kind=upstream,problem=name") == 1;
  }));
  // What it is worth is told all the same.
  EXPECT_EQ(Expiry(), kExpiry);
}

TEST_F(CertificateTest, AServerThatIsGoneKeepsItsDate) {
  Start({target_});
  EXPECT_TRUE(WaitFor([&] { return Expiry() == kExpiry; }));
  https_.reset();
  moved_clock_.Advance(Duration(120'000));
  EXPECT_TRUE(WaitFor([&] {
    moved_clock_.Advance(Duration(60'000));
    return Problem("connect") == 1;
  }));
  EXPECT_EQ(Expiry(), kExpiry);
}

TEST_F(CertificateTest, PlainHttpIsNoHandshake) {
  target_.url = server_.url();
  target_.url.replace(0, 4, "https");
  instance_ = server_.instance();
  Start({target_});
  EXPECT_TRUE(WaitFor([&] { return Problem("handshake") == 1; }));
  EXPECT_EQ(Expiry(), kNone);
}

TEST_F(CertificateTest, ARootFileThatIsMissingIsAProblemOfItsOwnTarget) {
  target_.trust.ca_file = "tests/probes/tls/no-such.pem";
  Start({target_});
  EXPECT_TRUE(WaitFor([&] { return Problem("settings") == 1; }));
}

}  // namespace
}  // namespace sonde::collect
