#include "scrape/target.h"

#include <set>

#include <gtest/gtest.h>

namespace sonde::scrape {
namespace {

ScrapeOptions Job() {
  ScrapeOptions options;
  options.job_name = "j";
  return options;
}

Labels At(std::string_view address) {
  return Labels::Of({{"__address__", address}});
}

RelabelRule Set(std::string label, std::string value) {
  RelabelRule rule;
  rule.target_label = std::move(label);
  rule.replacement = std::move(value);
  return rule;
}

TargetSpec Make(const ScrapeOptions& options, const Labels& target, const Labels& group = {}) {
  auto spec = MakeTarget(options, target, group);
  EXPECT_TRUE(spec.ok()) << spec.error().message();
  EXPECT_TRUE(spec->has_value());
  return **spec;
}

void ExpectError(const ScrapeOptions& options, const Labels& target, std::string_view want) {
  auto spec = MakeTarget(options, target, {});
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(spec.error().message(), want);
}

TEST(Target, Defaults) {
  const TargetSpec spec = Make(Job(), At("h:1"), Labels::Of({{"zone", "z"}, {"__meta_x", "y"}}));
  EXPECT_EQ(spec.url, "http://h:1/metrics");
  EXPECT_EQ(spec.public_labels.ToString(), R"({instance="h:1", job="j", zone="z"})");
  EXPECT_EQ(spec.interval, Duration(60'000));
  EXPECT_EQ(spec.timeout, Duration(10'000));
  EXPECT_FALSE(spec.labels.Has("__meta_x"));
  EXPECT_EQ(spec.labels.Get("__scrape_interval__"), "1m");
  EXPECT_EQ(
      spec.discovered.ToString(),
      R"({__address__="h:1", __always_scrape_classic_histograms__="false", )"
      R"(__convert_classic_histograms_to_nhcb__="false", __meta_x="y", __metrics_path__="/metrics", )"
      R"(__scheme__="http", __scrape_interval__="1m", __scrape_native_histograms__="false", )"
      R"(__scrape_timeout__="10s", job="j", zone="z"})");
}

TEST(Target, OwnLabelsWinOverTheGroupsAndTheJobs) {
  const TargetSpec spec = Make(
      Job(), Labels::Of({{"__address__", "h:1"}, {"a", "own"}, {"job", "mine"}, {"instance", "i"}}),
      Labels::Of({{"a", "group"}, {"__scheme__", "https"}, {"__scrape_interval__", "30s"}}));
  EXPECT_EQ(spec.public_labels.ToString(), R"({a="own", instance="i", job="mine"})");
  EXPECT_EQ(spec.url, "https://h:1/metrics");
  EXPECT_EQ(spec.interval, Duration(30'000));
}

TEST(Target, Parameters) {
  ScrapeOptions options = Job();
  options.params = {{"module", {"a b", "c"}}, {"x", {"1"}}};
  options.relabel_rules = {Set("__param_x", "2"), Set("__param_new", "ü&")};
  options.metrics_path = "/a b?c";
  EXPECT_EQ(Make(options, At("h:1")).url,
            "http://h:1/a%20b%3Fc?module=a+b&module=c&new=%C3%BC%26&x=2");
}

TEST(Target, DroppedByRelabelling) {
  ScrapeOptions options = Job();
  RelabelRule drop;
  drop.action = RelabelAction::kDrop;
  options.relabel_rules = {drop};
  auto spec = MakeTarget(options, At("h:1"), {});
  ASSERT_TRUE(spec.ok());
  EXPECT_FALSE(spec->has_value());
}

TEST(Target, ChecksInTheReferencesOrder) {
  ExpectError(Job(), {}, "no address");
  ExpectError(Job(), At("http://h:1"), R"("http://h:1" is not a valid hostname)");
  auto with = [](std::vector<RelabelRule> rules) {
    ScrapeOptions options = Job();
    options.relabel_rules = std::move(rules);
    return options;
  };
  ExpectError(with({Set("__scrape_interval__", "x")}), At("h"),
              R"(error parsing scrape interval: not a valid duration string: "x")");
  ExpectError(with({Set("__scrape_interval__", "0s")}), At("h"), "scrape interval cannot be 0");
  ExpectError(with({Set("__scrape_timeout__", "0s")}), At("h"), "scrape timeout cannot be 0");
  ExpectError(with({Set("__scrape_timeout__", "2m")}), At("h"),
              R"(scrape timeout cannot be greater than scrape interval ("2m" > "1m"))");
  ExpectError(
      with({Set("__scrape_native_histograms__", "maybe")}), At("h"),
      R"(error parsing scrape native histograms: strconv.ParseBool: parsing "maybe": invalid syntax)");
}

TEST(Target, AnAddressWithoutAPortIsLeftAlone) {
  EXPECT_EQ(Make(Job(), At("h")).url, "http://h/metrics");
}

TEST(Target, TheHashIsOfLabelsAndUrl) {
  ScrapeOptions other = Job();
  other.params = {{"x", {"1", "2"}}};  // The second value shows only in the URL.
  ScrapeOptions first_only = Job();
  first_only.params = {{"x", {"1"}}};
  EXPECT_EQ(Make(Job(), At("h:1")).hash, Make(Job(), At("h:1")).hash);
  EXPECT_NE(Make(Job(), At("h:1")).hash, Make(Job(), At("h:2")).hash);
  EXPECT_NE(Make(other, At("h:1")).hash, Make(first_only, At("h:1")).hash);
}

TEST(Target, OffsetsSpreadAndStay) {
  const Duration interval(15'000);
  std::set<std::int64_t> offsets;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::uint64_t hash = i * 0x9E3779B97F4A7C15ULL;
    const Timestamp first = NextScrape({1'000'000}, hash, 7, interval);
    EXPECT_GT(first.ms, 1'000'000);
    EXPECT_LE(first.ms, 1'015'000);
    // Whatever the time of the question, the scrape falls on the same grid.
    EXPECT_EQ((NextScrape({1'234'567}, hash, 7, interval).ms - first.ms) % interval.count(), 0);
    EXPECT_EQ(NextScrape(first, hash, 7, interval), first + interval);
    offsets.insert(first.ms);
  }
  EXPECT_GT(offsets.size(), 90U);
}

}  // namespace
}  // namespace sonde::scrape
