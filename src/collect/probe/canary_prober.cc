#include "collect/probe/canary_prober.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "collect/probe/credentials.h"
#include "net/http.h"

namespace sonde::collect {
namespace {

constexpr std::uint64_t kMaxModelListBytes = 4U << 20;
constexpr std::size_t kParallelEndpoints = 16;
constexpr Duration kGatePause{20};
constexpr Duration kLongestFirstWait{10'000};

/// Names that resolve only inside: no dot, or a suffix that no public registry hands out.
bool IsInternalName(std::string_view host) {
  if (host.find('.') == std::string_view::npos) return true;
  for (const std::string_view suffix :
       {".local", ".localhost", ".internal", ".svc", ".lan", ".home.arpa", ".test", ".intranet"}) {
    if (host.ends_with(suffix)) return true;
  }
  return false;
}

bool IsAddress(std::string_view host) {
  return host.find(':') != std::string_view::npos ||
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

/// Those of `wanted` that are in `served`; if nothing is wanted, the first of `served`.
std::vector<std::string> Choose(const std::vector<std::string>& wanted,
                                const std::vector<std::string>& served, bool may_take_all) {
  std::vector<std::string> models;
  for (const std::string& model : wanted.empty() ? served : wanted) {
    if (wanted.empty() && (!may_take_all || models.size() == kMaxProbedModels)) break;
    if (std::find(served.begin(), served.end(), model) != served.end()) models.push_back(model);
  }
  return models;
}

}  // namespace

bool IsHosted(const std::string& url) {
  const auto parsed = net::Url::Parse(url);
  return parsed && parsed->tls && !IsAddress(parsed->host) && !IsInternalName(parsed->host);
}

bool LoadsOnDemand(const EngineIdentity& identity) {
  return identity.engine == "ollama" ||
         (identity.engine == "llamacpp" && identity.models.size() > 1);
}

std::vector<CanaryEndpoint> EndpointsOf(const CanaryOptions& canary,
                                        const std::vector<FoundEngine>& engines,
                                        const GatewayPlace& gateway) {
  std::vector<CanaryEndpoint> endpoints;
  const auto add = [&](const std::string& url, const std::vector<std::string>& models) {
    for (const std::string& model : models)
      endpoints.push_back({url, InstanceOf(url), model, {}});
  };
  if (canary.engines) {
    for (const FoundEngine& engine : engines) {
      // One that is down is probed too, with the models that it had: that is the point.
      if (!engine.identity.serves_api || IsHosted(engine.url)) continue;
      add(engine.url,
          Choose(canary.models, engine.identity.models, !LoadsOnDemand(engine.identity)));
    }
  } else if (canary.gateway) {
    const auto models =
        canary.models.empty() ? Choose({}, gateway.free_models, true) : canary.models;
    if (!gateway.url.empty()) add(gateway.url, models);
  } else {
    add(canary.url, canary.models);
  }
  return endpoints;
}

bool CanaryGate::TryEnter(const std::string& place, bool is_gateway) {
  if (gateway_busy_) return false;
  if (!is_gateway) return !gateway_waiting_ && busy_.insert(place).second;
  gateway_waiting_ = !busy_.empty();
  gateway_busy_ = busy_.empty();
  return gateway_busy_;
}

void CanaryGate::Leave(const std::string& place, bool is_gateway) {
  if (is_gateway) {
    gateway_busy_ = false;
  } else {
    busy_.erase(place);
  }
}

Result<std::unique_ptr<CanaryProber>> CanaryProber::Make(std::vector<CanaryOptions> canaries,
                                                         std::vector<Suite> suites, Sources sources,
                                                         Context context) {
  std::unique_ptr<CanaryProber> prober(new CanaryProber(std::move(sources), std::move(context)));
  std::map<std::string, std::shared_ptr<const Suite>> by_name;
  // A later suite of the same name replaces an earlier one, so that a user can replace ours.
  for (Suite& suite : suites) {
    const std::string name = suite.name;
    by_name[name] = std::make_shared<const Suite>(std::move(suite));
  }
  for (CanaryOptions& options : canaries) {
    auto canary = std::make_unique<Canary>();
    canary->number = prober->canaries_.size();
    for (const std::string& name : options.suites) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) {
        std::string known;
        for (const auto& [other, suite] : by_name)
          known += (known.empty() ? "" : ", ") + other;
        return Error(ErrorKind::kInvalid, "sonde.probes.canaries: there is no suite \"" + name +
                                              "\"; there are: " + known);
      }
      canary->suites.push_back(found->second);
    }
    auto client = ClientOptionsOf(options.access, options.timeout);
    if (!client) return std::move(client).error().Wrap("sonde.probes.canaries");
    canary->client =
        std::make_unique<net::HttpClient>(*std::move(client), prober->context_.registry, "canary");
    canary->options = std::move(options);
    prober->canaries_.push_back(std::move(canary));
  }
  return prober;
}

CanaryProber::CanaryProber(Sources sources, Context context)
    : sources_(std::move(sources)),
      context_(std::move(context)),
      board_(CanaryBoard::Make(context_.registry, context_.prefix)),
      rng_(context_.seed),
      crew_(context_.loop) {}

CanaryProber::~CanaryProber() {
  Stop();
}

void CanaryProber::Start() {
  CHECK(!started_);
  started_ = true;
  for (const auto& canary : canaries_)
    crew_.Spawn([this, &own = *canary](net::Fiber& fiber) { Run(fiber, own); });
}

void CanaryProber::Stop() {
  crew_.Stop();
}

void CanaryProber::Run(net::Fiber& fiber, Canary& canary) {
  const Duration interval = canary.options.interval;
  // Soon, so that one sees at once whether it works; not all canaries of a restarted fleet at once.
  const Duration first(static_cast<std::int64_t>(
      rng_.Uniform() * static_cast<double>(std::min(interval, kLongestFirstWait).count())));
  Status status = fiber.Sleep(first);
  while (status) {
    status = Round(fiber, canary);
    if (!status) return;
    const double jitter = 0.9 + 0.2 * rng_.Uniform();
    status = fiber.Sleep(
        Duration(static_cast<std::int64_t>(static_cast<double>(interval.count()) * jitter)));
  }
}

Status CanaryProber::Round(net::Fiber& fiber, Canary& canary) {
  auto authorization = Authorization(fiber, canary.options.access, context_.env, context_.pool);
  if (!authorization) {
    context_.logger.Error("canaries are not sent", {{"err", authorization.error()}});
    return OkStatus();
  }
  auto endpoints =
      std::make_shared<std::vector<CanaryEndpoint>>(Resolve(fiber, canary, *authorization));
  if (fiber.cancelled()) return Error(ErrorKind::kCancelled, "stopping");
  std::set<CanaryBoard::Place> places;
  for (const CanaryEndpoint& endpoint : *endpoints) {
    for (const auto& suite : canary.suites)
      places.insert({endpoint.model, endpoint.instance, suite->name});
  }
  board_->Keep(canary.number, places);
  return crew_.ForEach(fiber, endpoints->size(), kParallelEndpoints,
                       [this, endpoints, &canary](net::Fiber& own, std::size_t i) {
                         for (const auto& suite : canary.suites) {
                           if (own.cancelled()) return;
                           RunSuite(own, canary, *suite, (*endpoints)[i]);
                         }
                       });
}

std::vector<CanaryEndpoint> CanaryProber::Resolve(net::Fiber& fiber, Canary& canary,
                                                  const std::string& authorization) {
  CanaryOptions options = canary.options;
  if (!options.url.empty() && options.models.empty()) {
    auto url = net::Url::Parse(ApiUrl(options.url, "/v1/models"));
    if (url) {
      net::HttpClientRequest request{.url = *std::move(url)};
      if (!authorization.empty()) request.headers.Set("Authorization", authorization);
      const auto reply =
          canary.client->Fetch(fiber, request, kMaxModelListBytes, canary.options.timeout);
      auto list = reply ? ParseModelList(reply->body) : std::nullopt;
      if (list) canary.listed_models = std::move(list->ids);
      if (!list && !fiber.cancelled()) {
        context_.logger.Warn(
            "canary: the endpoint does not list its models; name one in `models`",
            {{"endpoint", InstanceOf(options.url)},
             {"err", reply ? "status " + std::to_string(reply->status) : reply.error().message()}});
      }
    }
    if (canary.listed_models.size() > kMaxProbedModels)
      canary.listed_models.resize(kMaxProbedModels);
    options.models = canary.listed_models;
    // Asked all the same, so that a server that was never there has a series that says so.
    if (options.models.empty()) options.models.emplace_back();
  }
  auto endpoints =
      EndpointsOf(options, sources_.engines ? sources_.engines() : std::vector<FoundEngine>{},
                  sources_.gateway ? sources_.gateway() : GatewayPlace{});
  for (CanaryEndpoint& endpoint : endpoints)
    endpoint.authorization = authorization;
  return endpoints;
}

void CanaryProber::RunSuite(net::Fiber& fiber, const Canary& canary, const Suite& suite,
                            const CanaryEndpoint& endpoint) {
  const bool is_gateway = canary.options.gateway;
  const CanaryBoard::Place place{endpoint.model, endpoint.instance, suite.name};
  if (canary.options.skip_when_saturated && sources_.saturated) {
    const bool saturated =
        fiber.Await(context_.pool, [&] { return sources_.saturated(endpoint, is_gateway); });
    if (fiber.cancelled()) return;
    if (saturated) {
      board_->Skip(place, "saturated");
      return;
    }
  }
  std::size_t right = 0;
  std::size_t answered = 0;
  for (const Question& question : suite.questions) {
    while (!gate_.TryEnter(endpoint.instance, is_gateway)) {
      if (!fiber.Sleep(kGatePause)) return;
    }
    const CanaryResult result =
        AskCanary(fiber, *canary.client, context_.clock, endpoint, suite.name, question,
                  canary.options.max_tokens, canary.options.timeout);
    gate_.Leave(endpoint.instance, is_gateway);
    if (fiber.cancelled()) return;  // What was cut short says nothing about the engine.
    board_->Record(place, question.name, result, context_.clock.Now());
    if (result.outcome == CanaryOutcome::kRight) ++right;
    if (WasAnswered(result.outcome)) ++answered;
  }
  board_->EndRun(place, suite.questions.size(), answered, right);
}

}  // namespace sonde::collect
