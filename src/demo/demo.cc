#include "demo/demo.h"

#include <cmath>
#include <utility>

#include "base/duration.h"
#include "base/number.h"
#include "base/quote.h"
#include "demo/engine_server.h"

namespace sonde::demo {
namespace {

constexpr std::uint16_t kGpuPortOffset = 10;
constexpr Duration kTickInterval{250};

std::string Address(const DemoOptions& options, std::size_t index, bool gpus) {
  return options.host + ":" +
         std::to_string(options.base_port + index + (gpus ? kGpuPortOffset : 0));
}

net::HttpClientOptions ClientOptions() {
  net::HttpClientOptions options;
  options.user_agent = "sonde-demo (simulated clients)";
  options.response_timeout = Duration(600'000);
  options.read_timeout = Duration(600'000);
  options.max_idle_per_host = 512;
  return options;
}

Status Check(const DemoOptions& options, std::size_t nodes) {
  if (!std::isfinite(options.rate) || options.rate < 0 || options.rate > 100) {
    return Error(ErrorKind::kInvalid, "--rate must be from 0 to 100");
  }
  if (!std::isfinite(options.speed) || options.speed < 0.01 || options.speed > 1000) {
    return Error(ErrorKind::kInvalid, "--speed must be from 0.01 to 1000");
  }
  if (nodes > kGpuPortOffset || options.base_port > 65'535 - 2 * kGpuPortOffset ||
      options.base_port == 0) {
    return Error(ErrorKind::kInvalid,
                 "--port must be from 1 to " + std::to_string(65'535 - 2 * kGpuPortOffset));
  }
  if (options.incident_at < Duration(0) || options.incident_for <= Duration(0)) {
    return Error(ErrorKind::kInvalid,
                 "--incident-at must not be negative, and --incident-for must be above 0");
  }
  if (!options.gateway_url.empty()) {
    auto url = net::Url::Parse(options.gateway_url);
    if (!url) return std::move(url).error().Wrap("--gateway");
  }
  return OkStatus();
}

}  // namespace

std::string DemoConfiguration(const DemoOptions& options, const std::vector<EngineSpec>& cluster) {
  std::string yaml =
      "# Written by `sonde demo --write-config`. Everything that this file names is simulated.\n"
      "global:\n  scrape_interval: 5s\n  scrape_timeout: 4s\n\n"
      "scrape_configs:\n"
      "  - job_name: vllm\n    static_configs:\n";
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    yaml += "      - targets: [" + QuoteGo(Address(options, i, false)) +
            "]\n        labels: {node: " + cluster[i].node + "}\n";
  }
  yaml += "  - job_name: dcgm\n    static_configs:\n";
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    yaml += "      - targets: [" + QuoteGo(Address(options, i, true)) +
            "]\n        labels: {node: " + cluster[i].node + "}\n";
  }
  yaml += "\nsonde:\n  gateway:\n    upstreams:\n";
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    yaml += "      - {name: " + cluster[i].name +
            ", url: " + QuoteGo("http://" + Address(options, i, false)) + ", models: [" +
            cluster[i].model + "]}\n";
  }
  return yaml;
}

Result<std::unique_ptr<Demo>> Demo::Make(DemoOptions options, const Clock& clock,
                                         const Logger& logger, instrument::Registry& registry) {
  while (options.gateway_url.ends_with('/'))
    options.gateway_url.pop_back();
  std::vector<std::string> nodes;
  for (const EngineSpec& spec : DemoCluster())
    nodes.push_back(spec.node);
  TRY(Check(options, nodes.size()));
  Incident incident = TRY(Incident::FromOptions(options, nodes));
  Trace trace = TRY(Trace::Embedded());
  return std::unique_ptr<Demo>(
      new Demo(std::move(options), std::move(trace), std::move(incident), clock, logger, registry));
}

Demo::Demo(DemoOptions options, Trace trace, Incident incident, const Clock& clock,
           const Logger& logger, instrument::Registry& registry)
    : options_(std::move(options)),
      cluster_(DemoCluster()),
      trace_(std::move(trace)),
      incident_(std::move(incident)),
      clock_(clock),
      logger_(logger.With("demo")),
      sim_clock_(clock, options_.speed),
      loops_(1),
      client_(ClientOptions(), registry, "demo") {
  LoadOptions load;
  load.gateway_url = options_.gateway_url;
  load.rate = options_.rate;
  load.speed = options_.speed;
  load.seed = options_.seed;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const std::uint64_t seed = options_.seed * 1'000 + i;
    nodes_.push_back(std::make_unique<SimulatedNode>(cluster_[i], incident_, seed));
    servers_.push_back(
        std::make_unique<EngineServer>(*nodes_.back(), sim_clock_, seed, loops_, logger, registry));
    load.endpoints.push_back({cluster_[i].model, "http://" + Address(options_, i, false)});
  }
  clients_ =
      std::make_unique<LoadGenerator>(std::move(load), trace_, loops_, client_, clock_, logger);
}

Demo::~Demo() {
  Stop();
}

Status Demo::Start() {
  running_ = true;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto port = static_cast<std::uint16_t>(options_.base_port + i);
    Status started =
        servers_[i]->Start(options_.host, port, static_cast<std::uint16_t>(port + kGpuPortOffset));
    if (!started) {
      Stop();
      return std::move(started).error().Wrap("simulated engine " + cluster_[i].name);
    }
  }
  fibers_.push_back(loops_.Next().Spawn([this](net::Fiber& fiber) { Tick(fiber); }));
  fibers_.push_back(loops_.Next().Spawn([this](net::Fiber& fiber) { Report(fiber); }));
  clients_->Start();
  return OkStatus();
}

void Demo::Stop() {
  if (!running_) return;
  running_ = false;
  clients_->Stop();
  for (const net::FiberHandle& fiber : fibers_)
    fiber.Cancel();
  for (const net::FiberHandle& fiber : fibers_)
    fiber.Join();
  fibers_.clear();
  for (const auto& server : servers_)
    server->Stop();
  loops_.Stop();
}

void Demo::Tick(net::Fiber& fiber) {
  while (fiber.Sleep(kTickInterval)) {
    for (const auto& node : nodes_)
      node->Advance(sim_clock_.Now());
  }
}

void Demo::Report(net::Fiber& fiber) {
  LoadStats last;
  while (fiber.Sleep(options_.report_interval)) {
    const LoadStats now = clients_->stats();
    const std::uint64_t first = now.first_tokens - last.first_tokens;
    double hottest = 0;
    double slowest = kFullClockMegahertz;
    for (const auto& node : nodes_) {
      for (const GpuState& gpu : node->gpus()) {
        hottest = std::max(hottest, gpu.temperature_celsius);
        slowest = std::min(slowest, gpu.clock_megahertz);
      }
    }
    logger_.Info(
        "simulated clients",
        {{"sent", now.sent - last.sent},
         {"succeeded", now.succeeded - last.succeeded},
         {"failed", now.failed - last.failed},
         {"left", now.left - last.left},
         {"dropped", now.dropped - last.dropped},
         {"past_gateway", now.direct - last.direct},
         {"tokens", now.tokens - last.tokens},
         {"mean_ttft_seconds", first == 0 ? 0.0
                                          : (now.first_token_seconds - last.first_token_seconds) /
                                                static_cast<double>(first)},
         {"hottest_gpu_celsius", std::round(hottest)},
         {"slowest_gpu_mhz", std::round(slowest)}});
    last = now;
  }
}

std::string Demo::Description() const {
  std::string text =
      "This is a SIMULATION: no GPU, no model. Answers are meaningless text, every metric carries "
      "simulated=\"true\".\n";
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    text += "  simulated engine  http://" + Address(options_, i, false) + "  " + cluster_[i].model +
            " on " + cluster_[i].node + " (" + std::to_string(cluster_[i].gpus) +
            " simulated H200; their page: http://" + Address(options_, i, true) + "/metrics)\n";
  }
  if (options_.rate > 0) {
    text +=
        "  simulated clients send the Azure LLM inference trace 2023 (conversation, CC-BY 4.0) "
        "at " +
        FormatFloatG(options_.rate) + " times its rate to " +
        (options_.gateway_url.empty() ? std::string("the engines") : options_.gateway_url) + "\n";
  }
  if (options_.speed != 1) {
    text += "  time runs " + FormatFloatG(options_.speed) + " times as fast as real time\n";
  }
  if (incident_.exists()) {
    text += "  incident: cooling fails " + FormatDuration(options_.incident_at) +
            " after the start, for " + FormatDuration(options_.incident_for) +
            " of simulated time\n";
  }
  return text;
}

}  // namespace sonde::demo
