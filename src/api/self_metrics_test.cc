#include "api/self_metrics.h"

#include <array>

#include <gtest/gtest.h>

namespace sonde::api {
namespace {

TEST(SelfMetricsTest, WritesFamiliesWithTheirTypes) {
  instrument::Registry registry;
  registry.GetCounter("a_total", "Counts.", {{"k", "v"}}).Add(2);
  registry.GetGauge("b", "Goes up and down.").Set(-0.5);
  const std::array<double, 2> bounds{1, 2};
  registry.GetHistogram("c_seconds", "Spreads.", bounds).Observe(1.5);
  EXPECT_EQ(SelfMetricsPage(registry, {}),
            "# HELP a_total Counts.\n# TYPE a_total counter\na_total{k=\"v\"} 2\n"
            "# HELP b Goes up and down.\n# TYPE b gauge\nb -0.5\n"
            "# HELP c_seconds Spreads.\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{le=\"1\"} 0\nc_seconds_bucket{le=\"2\"} "
            "1\nc_seconds_bucket{le=\"+Inf\"} 1\n"
            "c_seconds_sum 1.5\nc_seconds_count 1\n");
}

TEST(SelfMetricsTest, ExemplarsStandInOpenMetricsOnly) {
  instrument::Registry registry;
  const std::array<double, 1> bounds{1};
  registry.GetHistogram("c_seconds", "Spreads.", bounds)
      .Observe(0.5, "request_id", "abc", Timestamp{1'500});
  wire::ServedFormat open;
  open.protocol = wire::ScrapeProtocol::kOpenMetricsText1_0_0;
  const std::string page = SelfMetricsPage(registry, open);
  EXPECT_NE(page.find("c_seconds_bucket{le=\"1.0\"} 1 # {request_id=\"abc\"} 0.5 1.5\n"),
            std::string::npos)
      << page;
  EXPECT_EQ(SelfMetricsPage(registry, {}).find("abc"), std::string::npos);
}

TEST(SelfMetricsTest, KnowsItsProcess) {
  instrument::Registry registry;
  AddProcessMetrics(registry, "1.2.3", "abc");
  double memory = 0;
  double descriptors = 0;
  double start = 0;
  for (const instrument::FamilySnapshot& family : registry.Snapshot()) {
    if (family.name == "process_resident_memory_bytes") memory = family.points[0].value;
    if (family.name == "process_open_fds") descriptors = family.points[0].value;
    if (family.name == "process_start_time_seconds") start = family.points[0].value;
  }
  EXPECT_GT(memory, 1e6);
  EXPECT_GE(descriptors, 3);
  EXPECT_GT(start, 1.6e9);
}

}  // namespace
}  // namespace sonde::api
