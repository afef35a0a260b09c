#include "app/engine_wiring.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "collect/probe/canary.h"
#include "discovery/target_group.h"
#include "net/http.h"

namespace sonde::app {
namespace {

constexpr std::string_view kJob = "engines";
constexpr Duration kCanaryTimeout{20'000};

net::HttpClientOptions ClientOptions() {
  net::HttpClientOptions options;
  options.max_idle_per_host = 1;
  options.idle_timeout = Duration(4'000);  // Uvicorn closes its own after five seconds.
  return options;
}

/// host:port of everything that the configuration scrapes at a fixed address.
std::set<std::string, std::less<>> StaticAddresses(
    const std::vector<std::shared_ptr<const scrape::ScrapeOptions>>& jobs) {
  std::set<std::string, std::less<>> addresses;
  for (const auto& job : jobs) {
    for (const discovery::TargetGroup& group : job->discovery.static_groups) {
      for (const Labels& target : group.targets) {
        addresses.emplace(target.Get("__address__"));
      }
    }
  }
  return addresses;
}

/// host:port of the upstreams that the configuration names.
std::set<std::string, std::less<>> UpstreamAddresses(const gateway::GatewayOptions& options) {
  std::set<std::string, std::less<>> addresses;
  for (const gateway::UpstreamOptions& upstream : options.upstreams) {
    if (const auto url = net::Url::Parse(upstream.url)) {
      addresses.insert(url->host + ":" + std::to_string(url->port));
    }
  }
  return addresses;
}

discovery::TargetGroup GroupOf(const collect::FoundEngine& engine, const net::Url& url) {
  LabelsBuilder labels;
  labels.Set("__address__", engine.instance());
  labels.Set("__scheme__", url.tls ? "https" : "http");
  const std::string prefix = url.path == "/" ? "" : url.path;
  labels.Set("__metrics_path__", prefix + engine.identity.metrics_path);
  discovery::TargetGroup group;
  group.source = engine.url;
  group.targets.push_back(labels.Build());
  LabelsBuilder common;
  common.Set("engine", engine.identity.engine);
  // llama.cpp's metrics do not name their model; one that serves a single model can be named here.
  if (engine.identity.engine == "llamacpp" && engine.identity.models.size() == 1) {
    common.Set("model", engine.identity.models.front());
  }
  group.labels = common.Build();
  return group;
}

}  // namespace

EngineWiring::EngineWiring(Options options, net::LoopGroup& loops, scrape::Scraper& scraper,
                           gateway::Gateway* gateway, const Clock& clock, const Logger& logger,
                           instrument::Registry& registry)
    : scraper_(scraper),
      gateway_(gateway),
      logger_(logger.With("engines")),
      scrape_interval_(options.scrape_interval),
      loops_(loops),
      clock_(clock),
      client_(ClientOptions(), registry, "engines"),
      finder_(options.finder, loops.Next(), client_, clock, logger, registry),
      gateway_options_(std::move(options.gateway)),
      configured_jobs_(std::move(options.configured_jobs)) {}

EngineWiring::~EngineWiring() {
  Stop();
}

void EngineWiring::Start() {
  scrape::ScrapeOptions job;
  job.job_name = kJob;
  job.interval = scrape_interval_;
  job.timeout = std::min(scrape_interval_, Duration(10'000));
  scraper_.AddDynamicJob(std::move(job));
  started_ = true;
  finder_.Start([this](const std::vector<collect::FoundEngine>& engines) {
    if (const Status status = Apply(engines); !status) {
      logger_.Error("an engine that was found cannot be an upstream", {{"err", status.error()}});
    }
  });
}

void EngineWiring::Stop() {
  if (!started_) return;
  started_ = false;
  finder_.Stop();
}

void EngineWiring::SendCanary(const std::string& instance, const std::string& model,
                              std::function<void(bool)> done) {
  for (const collect::FoundEngine& engine : finder_.engines()) {
    if (engine.instance() != instance || !engine.identity.serves_api) continue;
    const collect::CanaryEndpoint endpoint{
        .url = engine.url, .instance = instance, .model = model, .authorization = {}};
    loops_.Next().Spawn([this, endpoint, done = std::move(done)](net::Fiber& fiber) {
      collect::Question question;
      question.name = "alive";
      question.prompt = "1";
      const auto result = collect::AskCanary(fiber, client_, clock_, endpoint, "progress", question,
                                             1, kCanaryTimeout);
      if (fiber.cancelled()) return;
      // An answer that is an error is an answer: the engine refuses, it does not hang.
      using enum collect::CanaryOutcome;
      done(result.outcome != kTimeout && result.outcome != kBroken && result.outcome != kConnect &&
           result.outcome != kTls);
    });
    return;
  }
}

Status EngineWiring::Reload(gateway::GatewayOptions gateway,
                            std::vector<std::shared_ptr<const scrape::ScrapeOptions>> jobs) {
  {
    MutexLock lock(mutex_);
    gateway_options_ = std::move(gateway);
    configured_jobs_ = std::move(jobs);
  }
  return Apply(finder_.engines());
}

Status EngineWiring::Apply(const std::vector<collect::FoundEngine>& engines) {
  MutexLock lock(mutex_);
  const auto scraped = StaticAddresses(configured_jobs_);
  const auto known_upstreams = UpstreamAddresses(gateway_options_);
  gateway::GatewayOptions options = gateway_options_;
  std::vector<discovery::TargetGroup> groups;
  for (const collect::FoundEngine& engine : engines) {
    const auto url = net::Url::Parse(engine.url);
    if (!url) continue;  // The finder has checked it.
    const std::string address = url->host + ":" + std::to_string(url->port);
    if (!engine.identity.metrics_path.empty() && !scraped.contains(engine.instance())) {
      groups.push_back(GroupOf(engine, *url));
    }
    // A configured engine is an upstream from the start, so that a request that comes before it has
    // answered once finds it.
    if ((engine.identity.serves_api || engine.configured) && !known_upstreams.contains(address)) {
      gateway::UpstreamOptions upstream;
      upstream.name = engine.instance();
      upstream.url = engine.url;
      options.upstreams.push_back(std::move(upstream));
    }
  }
  scraper_.SetDynamicTargets(std::string(kJob), std::move(groups));
  return gateway_ == nullptr ? OkStatus() : gateway_->Reload(options);
}

}  // namespace sonde::app
