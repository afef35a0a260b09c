#include "demo/simulated_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace sonde::demo {
namespace {

using ::testing::HasSubstr;

/// Clients of one node: requests at random instants, as in the demo.
class Clients {
 public:
  Clients(SimulatedNode& node, double per_second, std::uint64_t seed)
      : node_(node), rng_(seed), gap_(FromSeconds(1 / per_second)) {}

  struct Seen {
    double mean_seconds = 0;
    std::size_t requests = 0;
  };

  /// Runs until `until`; what the requests that ended after `from` took.
  Seen Run(SimTime from, SimTime until) {
    double sum = 0;
    std::size_t count = 0;
    while (now_ < until) {
      now_ += SimTime(20'000);
      while (next_ <= now_) {
        SimRequest request;
        request.prompt_tokens = 300 + static_cast<std::uint32_t>(rng_.Below(1'700));
        request.output_tokens = 50 + static_cast<std::uint32_t>(rng_.Below(380));
        live_.push_back({*node_.Submit(request, next_), next_});
        next_ += FromSeconds(Seconds(gap_) * (0.5 + rng_.Uniform()));
      }
      for (auto it = live_.begin(); it != live_.end();) {
        if (!node_.Look(it->id, now_).progress.finished) {
          ++it;
          continue;
        }
        if (now_ > from) {
          sum += Seconds(now_ - it->at);
          ++count;
        }
        node_.Leave(it->id, now_);
        it = live_.erase(it);
      }
    }
    return {count == 0 ? 0 : sum / static_cast<double>(count), count};
  }

 private:
  struct Live {
    RequestId id;
    SimTime at;
  };
  SimulatedNode& node_;
  Rng rng_;
  SimTime gap_;
  SimTime now_{0};
  SimTime next_{0};
  std::vector<Live> live_;
};

constexpr SimTime Minutes(std::int64_t minutes) {
  return SimTime(minutes * 60'000'000);
}

DemoOptions CoolingAt(std::int64_t minute, std::int64_t minutes) {
  DemoOptions options;
  options.incident = "cooling";
  options.incident_at = Duration(minute * 60'000);
  options.incident_for = Duration(minutes * 60'000);
  return options;
}

TEST(SimulatedNode, CoolingFailsGpusHeatClocksDropLatencyTriplesAndAllComesBack) {
  const auto incident = Incident::FromOptions(CoolingAt(10, 10), {});
  ASSERT_TRUE(incident.ok());
  SimulatedNode node(DemoCluster()[0], *incident, 7);
  Clients clients(node, 0.65, 5);

  const auto before = clients.Run(Minutes(2), Minutes(10));
  for (const GpuState& gpu : node.gpus()) {
    EXPECT_GT(gpu.temperature_celsius, 40);
    EXPECT_LT(gpu.temperature_celsius, 70);
    EXPECT_EQ(gpu.clock_megahertz, kFullClockMegahertz);
    EXPECT_EQ(gpu.thermal_violation_seconds, 0);
  }

  clients.Run(Minutes(10), Minutes(11));  // A minute later it can be seen.
  for (const GpuState& gpu : node.gpus())
    EXPECT_GT(gpu.temperature_celsius, 78);

  const auto during = clients.Run(Minutes(13), Minutes(20));
  for (const GpuState& gpu : node.gpus()) {
    EXPECT_NEAR(gpu.temperature_celsius, 85, 1.5);
    EXPECT_LT(gpu.clock_megahertz, 800);
    EXPECT_GT(gpu.thermal_violation_seconds, 300);
  }
  EXPECT_GT(during.mean_seconds / before.mean_seconds, 2.5)
      << before.mean_seconds << " → " << during.mean_seconds;
  EXPECT_LT(during.mean_seconds / before.mean_seconds, 4.5)
      << before.mean_seconds << " → " << during.mean_seconds;

  const auto after = clients.Run(Minutes(25), Minutes(35));
  for (const GpuState& gpu : node.gpus())
    EXPECT_EQ(gpu.clock_megahertz, kFullClockMegahertz);
  EXPECT_NEAR(after.mean_seconds / before.mean_seconds, 1, 0.15);
}

TEST(SimulatedNode, OtherNodesAreSpared) {
  DemoOptions options = CoolingAt(1, 10);
  options.incident_nodes = {"sim-node-2"};
  const auto incident = Incident::FromOptions(options, {"sim-node-1", "sim-node-2"});
  ASSERT_TRUE(incident.ok());
  SimulatedNode node(DemoCluster()[0], *incident, 7);
  Clients(node, 0.65, 5).Run(Minutes(0), Minutes(8));
  for (const GpuState& gpu : node.gpus())
    EXPECT_LT(gpu.temperature_celsius, 70);
}

TEST(Incident, UnknownKindsAndNodesAreErrors) {
  DemoOptions options = CoolingAt(1, 1);
  options.incident = "flood";
  EXPECT_THAT(Incident::FromOptions(options, {}).error().message(), HasSubstr("there is: cooling"));
  options.incident = "cooling";
  options.incident_nodes = {"x"};
  EXPECT_THAT(Incident::FromOptions(options, {"a", "b"}).error().message(),
              HasSubstr("there are: a, b"));
  EXPECT_FALSE(Incident::FromOptions(DemoOptions{}, {})->exists());
}

TEST(SimulatedNode, AnIdleNodeIsCoolAndStill) {
  const Incident none;
  SimulatedNode node(DemoCluster()[0], none, 1);
  node.Advance(Minutes(30));
  for (const GpuState& gpu : node.gpus()) {
    EXPECT_LT(gpu.temperature_celsius, 40);
    EXPECT_NEAR(gpu.power_watts, 105, 1);
    EXPECT_NEAR(gpu.energy_joules, 105 * 1800, 105 * 18);
    EXPECT_LT(gpu.utilization, 0.01);
  }
}

TEST(SimulatedNode, TimeDoesNotGoBack) {
  const Incident none;
  SimulatedNode node(DemoCluster()[4], none, 1);
  SimRequest request;
  request.output_tokens = 5;
  const auto id = node.Submit(request, Minutes(1));
  ASSERT_TRUE(id.ok());
  node.Look(*id, SimTime{0});  // Another thread's clock reading, a little older.
  EXPECT_TRUE(node.Look(*id, Minutes(2)).progress.finished);
  node.Leave(*id, Minutes(1));
}

TEST(SimulatedNode, TooLongIsRefusedAsVllmDoes) {
  const Incident none;
  SimulatedNode node(DemoCluster()[4], none, 1);
  SimRequest request;
  request.prompt_tokens = 32'700;
  request.output_tokens = 500;
  const auto id = node.Submit(request, Minutes(1));
  ASSERT_FALSE(id.ok());
  EXPECT_THAT(id.error().message(),
              HasSubstr("This model's maximum context length is 32768 tokens."));
}

// Figures that docs/demo.md promises: what the demo's engines do when nothing is wrong.
TEST(SimulatedNode, PlausibleWhenHealthy) {
  const Incident none;
  SimulatedNode node(DemoCluster()[0], none, 3);
  Clients(node, 0.65, 5).Run(Minutes(0), Minutes(20));
  const std::string page = node.EnginePage(Minutes(20));
  const auto value = [&](const std::string& name) {
    const std::size_t at = page.find("\n" + name + "{");
    EXPECT_NE(at, std::string::npos) << name;
    return std::stod(page.substr(page.find("} ", at) + 2));
  };
  const double ttft = value("vllm:time_to_first_token_seconds_sum") /
                      value("vllm:time_to_first_token_seconds_count");
  const double itl = value("vllm:inter_token_latency_seconds_sum") /
                     value("vllm:inter_token_latency_seconds_count");
  EXPECT_GT(ttft, 0.06);
  EXPECT_LT(ttft, 0.25);
  EXPECT_GT(itl, 0.018);
  EXPECT_LT(itl, 0.040);
  EXPECT_EQ(value("vllm:num_preemptions_total"), 0);
  EXPECT_LT(value("vllm:kv_cache_usage_perc"), 0.5);
}

}  // namespace
}  // namespace sonde::demo
