#include "app/probe_wiring.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "app/packs.h"
#include "base/glob.h"
#include "base/quote.h"
#include "base/random.h"
#include "config/suite_file.h"
#include "promql/parser.h"

namespace sonde::app {
namespace {

constexpr std::uint64_t kMaxSuiteBytes = 1U << 20;

/// The first value of an instant query, or 0 if there is none.
double Ask(const std::string& query, const storage::Queryable& store,
           const promql::Evaluator& evaluator, Timestamp now) {
  const auto expr = promql::ParseExpr(query);
  if (!expr) return 0;
  promql::EvalOptions options;
  options.timeout = Duration(5'000);
  options.lookback = Duration(60'000);  // An older queue is not that of now.
  options.query = query;
  const auto result = evaluator.Evaluate(**expr, {now, now, Duration(0)}, store, options, nullptr);
  if (!result) return 0;
  const auto* vector = std::get_if<promql::VectorResult>(&result->value);
  if (vector == nullptr || vector->series.empty() || vector->series.front().points.empty())
    return 0;
  return vector->series.front().points.front().v;
}

std::string Selector(std::string_view label, std::string_view value) {
  return "{source=\"engine\"," + std::string(label) + "=" + QuoteGo(value) + "}";
}

/// Where one reaches what listens on `address`, from this machine.
std::string ReachableHost(const std::string& address) {
  const auto listen = net::ListenAddress::Parse(address);
  const std::string host = listen ? listen->host : "";
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "[::1]";
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Result<std::vector<collect::Suite>> LoadSuites(Env& env, const std::vector<std::string>& patterns) {
  std::vector<collect::Suite> suites;
  for (const EmbeddedFile& file : PacksFiles()) {
    if (!file.path.starts_with("probes/")) continue;
    suites.push_back(TRY(config::ParseSuiteFile(file.contents, file.path)));
  }
  for (const std::string& pattern : patterns) {
    const auto paths = TRY(ExpandGlob(env, pattern));
    if (paths.empty()) {
      return Error(ErrorKind::kNotFound, "sonde.probes.suite_files: no file matches " + pattern);
    }
    for (const auto& path : paths) {
      const std::string name(path);
      const std::string text = TRY(env.ReadFile(name, kMaxSuiteBytes));
      suites.push_back(TRY(config::ParseSuiteFile(text, name)));
    }
  }
  return suites;
}

Result<std::unique_ptr<ProbeWiring>> ProbeWiring::Make(const collect::ProbeOptions& options,
                                                       Context context) {
  std::unique_ptr<ProbeWiring> wiring(new ProbeWiring(std::move(context)));
  const Context& own = wiring->context_;
  const Logger logger = own.logger.With("probes");
  // Read in any case, so that a mistake in a file is told at once.
  auto suites = TRY(LoadSuites(own.env, options.suite_files));
  if (!options.canaries.empty()) {
    collect::CanaryProber::Sources sources;
    sources.engines = own.engines;
    sources.gateway = [self = wiring.get()] { return self->Gateway(); };
    sources.saturated = [self = wiring.get()](const collect::CanaryEndpoint& endpoint,
                                              bool is_gateway) {
      return self->IsSaturated(endpoint, is_gateway);
    };
    wiring->canaries_ =
        TRY(collect::CanaryProber::Make(options.canaries, std::move(suites), std::move(sources),
                                        {own.loops.Next(), own.pool, own.env, own.clock, logger,
                                         own.registry, own.vocabulary_prefix, SystemSeed()}));
  }
  if (!options.accounts.empty()) {
    wiring->accounts_ = TRY(collect::AccountProber::Make(
        options.accounts, {own.loops.Next(), own.pool, own.env, own.clock, logger, own.registry,
                           own.vocabulary_prefix}));
  }
  if (options.certificates.enabled) {
    wiring->certificates_ = std::make_unique<collect::CertificateProber>(
        options.certificates, [self = wiring.get()] { return self->CertificateTargets(); },
        collect::CertificateProber::Context{own.loops.Next(), own.pool, own.clock, logger,
                                            own.registry});
  }
  return wiring;
}

void ProbeWiring::Start() {
  if (canaries_ != nullptr) canaries_->Start();
  if (accounts_ != nullptr) accounts_->Start();
  if (certificates_ != nullptr) certificates_->Start();
}

void ProbeWiring::Stop() {
  if (canaries_ != nullptr) canaries_->Stop();
  if (accounts_ != nullptr) accounts_->Stop();
  if (certificates_ != nullptr) certificates_->Stop();
}

collect::GatewayPlace ProbeWiring::Gateway() const {
  collect::GatewayPlace place;
  if (context_.gateway == nullptr) return place;
  place.url = (context_.gateway_tls ? "https://" : "http://") +
              ReachableHost(context_.gateway_address) + ":" +
              std::to_string(context_.gateway->port());
  // What costs money, or loads a model when it is asked for one, has to be named.
  std::set<std::string> on_demand;
  for (const collect::FoundEngine& engine : context_.engines()) {
    if (collect::LoadsOnDemand(engine.identity)) on_demand.insert(engine.url);
  }
  std::set<std::string> models;
  std::set<std::string> costly;
  for (const auto& upstream : context_.gateway->Upstreams()) {
    const bool is_free = !collect::IsHosted(upstream.url) && !on_demand.contains(upstream.url);
    (is_free ? models : costly).insert(upstream.models.begin(), upstream.models.end());
  }
  // A model that both serve might go to the one that costs.
  std::set_difference(models.begin(), models.end(), costly.begin(), costly.end(),
                      std::back_inserter(place.free_models));
  return place;
}

bool ProbeWiring::IsSaturated(const collect::CanaryEndpoint& endpoint, bool is_gateway) const {
  const Timestamp now = context_.clock.Now();
  const std::string& prefix = context_.vocabulary_prefix;
  const std::string selector =
      is_gateway ? Selector("model", endpoint.model) : Selector("instance", endpoint.instance);
  // Through the gateway: if the least busy of the model's engines has a queue.
  const std::string query =
      "min(sum by (instance) (" + prefix + "requests_waiting" + selector + "))";
  return Ask(query, context_.store, context_.evaluator, now) > 0;
}

std::vector<collect::CertificateTarget> ProbeWiring::CertificateTargets() const {
  std::vector<collect::CertificateTarget> targets;
  const auto config = context_.config();
  const collect::ProbeOptions& probes = config->sonde.probes;
  for (const std::string& url : probes.certificates.targets)
    targets.push_back({url, "configured", {}});
  for (const gateway::UpstreamOptions& upstream : config->sonde.gateway.upstreams)
    targets.push_back({upstream.url, "upstream", upstream.tls.value_or(net::TlsClientOptions{})});
  for (const collect::CanaryOptions& canary : probes.canaries)
    targets.push_back({canary.url, "canary", canary.access.tls.value_or(net::TlsClientOptions{})});
  for (const collect::AccountOptions& account : probes.accounts)
    targets.push_back(
        {account.url, "account", account.access.tls.value_or(net::TlsClientOptions{})});
  for (const collect::FoundEngine& engine : context_.engines())
    targets.push_back({engine.url, "engine", {}});
  const scrape::TargetsView view = context_.scraper.targets();
  for (const scrape::PoolView& pool : *view) {
    for (const auto& loop : pool.active) {
      if (!loop->spec().url.starts_with("https://")) continue;
      targets.push_back({loop->spec().url, "scrape", pool.options->access.tls});
    }
  }
  return targets;
}

}  // namespace sonde::app
