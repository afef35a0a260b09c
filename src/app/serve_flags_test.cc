#include "app/serve_flags.h"

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sonde::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

ServeOptions Parse(std::vector<std::string> arguments) {
  ServeOptions options;
  CLI::App app;
  AddServeFlags(app, options);
  std::ranges::reverse(arguments);  // CLI11 takes them from the back.
  app.parse(arguments);
  CollectFlags(options);
  return options;
}

TEST(ServeFlags, HaveDefaultsThatListenOnThisMachineOnly) {
  const ServeOptions options = Parse({});
  EXPECT_THAT(options.web_listen_addresses, ElementsAre("127.0.0.1:9797"));
  EXPECT_THAT(options.flags, Contains(Pair("gateway.listen-address", "127.0.0.1:9798")));
  EXPECT_THAT(options.flags, Contains(Pair("storage.tsdb.retention.time", "30d")));
  EXPECT_TRUE(options.enable_remote_write);
  EXPECT_FALSE(options.enable_lifecycle);
}

TEST(ServeFlags, PrometheussStartScriptWorks) {
  const ServeOptions options =
      Parse({"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus",
             "--storage.tsdb.retention.time=15d", "--web.console.templates=/consoles",
             "--web.console.libraries=/libraries", "--web.enable-lifecycle",
             "--web.enable-remote-write-receiver", "--web.enable-admin-api",
             "--web.listen-address=0.0.0.0:9090", "--query.lookback-delta=10m",
             "--enable-feature=native-histograms,promql-experimental-functions"});
  EXPECT_EQ(options.config_file, "/etc/prometheus/prometheus.yml");
  EXPECT_EQ(options.storage_path, "/prometheus");
  EXPECT_EQ(options.retention_time, "15d");
  EXPECT_TRUE(options.enable_lifecycle);
  EXPECT_TRUE(options.enable_admin_api);
  EXPECT_THAT(options.web_listen_addresses, ElementsAre("0.0.0.0:9090"));
  EXPECT_THAT(options.features, ElementsAre("native-histograms", "promql-experimental-functions"));
  EXPECT_THAT(options.ignored_flags, ElementsAre("web.console.templates", "web.console.libraries"));
}

TEST(ServeFlags, ListenOnSeveralAddresses) {
  EXPECT_THAT(Parse({"--web.listen-address=127.0.0.1:1", "--web.listen-address", "[::1]:2"})
                  .web_listen_addresses,
              ElementsAre("127.0.0.1:1", "[::1]:2"));
}

TEST(ServeFlags, SwitchesHaveANoForm) {
  const ServeOptions options =
      Parse({"--no-host", "--no-self", "--no-gateway", "--no-engine.autodetect",
             "--no-web.enable-remote-write-receiver", "--no-storage.tsdb.wal-compression"});
  EXPECT_FALSE(options.host);
  EXPECT_FALSE(options.self);
  EXPECT_FALSE(options.gateway);
  EXPECT_FALSE(options.engine_autodetect);
  EXPECT_FALSE(options.enable_remote_write);
  EXPECT_EQ(options.wal_compression, "none");
  EXPECT_THAT(options.ignored_flags, IsEmpty());
}

TEST(ServeFlags, OneThatNobodyKnowsIsAnError) {
  EXPECT_THROW(Parse({"--storage.tsdb.pth=/x"}), CLI::ParseError);
}

TEST(ServeFlags, AWordThatIsNoChoiceIsAnError) {
  EXPECT_THROW(Parse({"--storage.fsync=never"}), CLI::ParseError);
}

}  // namespace
}  // namespace sonde::app
