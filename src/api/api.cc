#include "api/api.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "api/expression_service.h"
#include "api/params.h"
#include "api/self_metrics.h"
#include "api/series_service.h"
#include "base/json.h"
#include "promql/parser.h"
#include "wire/exposition_format.h"

namespace sonde::api {
namespace {

enum Methods : unsigned char { kGet = 1, kPost = 2, kPut = 4 };

/// The element that the `*` of `pattern` stands for ("" without one); nothing if the path is
/// another.
std::optional<std::string_view> MatchPath(std::string_view pattern, std::string_view actual) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return actual == pattern ? std::optional<std::string_view>("") : std::nullopt;
  }
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  if (!actual.starts_with(before) || !actual.ends_with(after) ||
      actual.size() <= before.size() + after.size()) {
    return std::nullopt;
  }
  const std::string_view element =
      actual.substr(before.size(), actual.size() - before.size() - after.size());
  if (element.find('/') != std::string_view::npos) return std::nullopt;
  return element;
}

bool IsForm(const net::HttpRequest& request) {
  return request.method() == "POST" &&
         request.headers().Get("Content-Type").starts_with("application/x-www-form-urlencoded");
}

bool Allows(unsigned char methods, std::string_view method) {
  if (method == "GET" || method == "HEAD") return (methods & kGet) != 0;
  if (method == "POST") return (methods & kPost) != 0;
  return method == "PUT" && (methods & kPut) != 0;
}

}  // namespace

struct Api::Backend {
  ApiBackends sources;
  QueryService queries;
};

/// One request on its way through the handlers.
struct Api::Call {
  net::Fiber& fiber;
  net::HttpRequest& request;
  net::HttpResponse& response;
  Backend* backend;  // Never null in handlers of routes that need the store.
  net::Query parameters;
  std::string_view path_value;  // What stood in place of the `*` of the route.
};

struct Api::Route {
  std::string_view path;  // One `*` stands for one path element.
  unsigned char methods;
  Handler handler;
  bool needs_store;
};

std::span<const Api::Route> Api::Routes() {
  static constexpr Route kRoutes[] = {
      {"/api/v1/query", kGet | kPost, &Api::Query, true},
      {"/api/v1/query_range", kGet | kPost, &Api::QueryRange, true},
      {"/api/v1/query_exemplars", kGet | kPost, &Api::QueryExemplars, true},
      {"/api/v1/format_query", kGet | kPost, &Api::FormatQuery, false},
      {"/api/v1/parse_query", kGet | kPost, &Api::ParseQuery, false},
      {"/api/v1/series", kGet | kPost, &Api::Series, true},
      {"/api/v1/labels", kGet | kPost, &Api::LabelNames, true},
      {"/api/v1/label/*/values", kGet, &Api::LabelValues, true},
      {"/api/v1/metadata", kGet, &Api::Metadata, true},
      {"/api/v1/targets", kGet, &Api::Targets, true},
      {"/api/v1/targets/metadata", kGet, &Api::TargetMetadata, true},
      {"/api/v1/targets/relabel_steps", kGet, &Api::RelabelSteps, true},
      {"/api/v1/scrape_pools", kGet, &Api::ScrapePools, true},
      {"/api/v1/scrape_pools/config", kGet, &Api::ScrapePoolConfig, true},
      {"/api/v1/rules", kGet, &Api::Rules, true},
      {"/api/v1/alerts", kGet, &Api::Alerts, true},
      {"/api/v1/alertmanagers", kGet, &Api::Alertmanagers, true},
      {"/api/v1/status/buildinfo", kGet, &Api::BuildInfo, false},
      {"/api/v1/status/runtimeinfo", kGet, &Api::RuntimeInfo, true},
      {"/api/v1/status/config", kGet, &Api::ConfigYaml, true},
      {"/api/v1/status/flags", kGet, &Api::Flags, false},
      {"/api/v1/status/tsdb", kGet, &Api::Tsdb, true},
      {"/api/v1/status/tsdb/blocks", kGet, &Api::TsdbBlocks, true},
      {"/api/v1/status/walreplay", kGet, &Api::WalReplay, false},
      {"/api/v1/write", kPost, &Api::Write, true},
      {"/-/healthy", kGet, &Api::Healthy, false},
      {"/-/ready", kGet, &Api::Ready, true},
      {"/-/reload", kPost | kPut, &Api::Reload, false},
      {"/-/quit", kPost | kPut, &Api::Quit, false},
      {"/metrics", kGet, &Api::SelfMetrics, false},
      {"/metrics/host", kGet, &Api::HostMetrics, false},
      {"/metrics/gpu", kGet, &Api::GpuMetrics, false},
  };
  return kRoutes;
}

Result<std::unique_ptr<Api>> Api::Make(ApiOptions options, ApiContext context) {
  auto origin = Regex::Compile(options.cors_origin);
  if (!origin) return std::move(origin).error().Wrap("web.cors.origin");
  return std::unique_ptr<Api>(new Api(std::move(options), std::move(context), *std::move(origin)));
}

Api::Api(ApiOptions options, ApiContext context, Regex cors_origin)
    : options_(std::move(options)),
      context_(std::move(context)),
      cors_origin_(std::move(cors_origin)) {}

Api::~Api() = default;

void Api::Attach(const ApiBackends& backends) {
  CHECK(backend_ == nullptr);
  backend_ = std::unique_ptr<Backend>(
      new Backend{backends, QueryService(backends.evaluator, backends.store, context_.query_workers,
                                         context_.clock, context_.registry, context_.query)});
  attached_.store(backend_.get(),
                  std::memory_order_release);  // Handlers that see it see what it points to.
}

void Api::Detach() {
  attached_.store(nullptr, std::memory_order_release);
}

void Api::AddCorsHeaders(const net::HttpRequest& request, net::HttpResponse& response) const {
  const std::string_view origin = request.headers().Get("Origin");
  if (origin.empty()) return;
  net::Headers& headers = response.headers();
  headers.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  headers.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  headers.Set("Access-Control-Expose-Headers", "Date");
  headers.Set("Vary", "Origin");
  if (cors_origin_.pattern() == ".*") {
    headers.Set("Access-Control-Allow-Origin", "*");
  } else if (cors_origin_.Matches(origin)) {
    headers.Set("Access-Control-Allow-Origin", origin);
  }
}

void Api::Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
  std::string_view path = request.path();
  if (!options_.route_prefix.empty()) {
    if (!path.starts_with(options_.route_prefix)) {
      response.headers().Set("Location", options_.route_prefix + "/");
      Send(response, path == "/" ? Answer::Text(302, "") : Answer::Text(404, "not found\n"));
      return;
    }
    path.remove_prefix(options_.route_prefix.size());
  }
  const bool api = path.starts_with("/api/");
  if (api) AddCorsHeaders(request, response);
  if (api && request.method() == "OPTIONS") {
    Send(response, Answer::NoContent());
    return;
  }
  const Route* found = nullptr;
  Call call{fiber, request, response, attached_.load(std::memory_order_acquire), {}, {}};
  for (const Route& route : Routes()) {
    const auto value = MatchPath(route.path, path);
    if (!value) continue;
    found = &route;
    call.path_value = *value;
    break;
  }
  const SondeRoute* own = found == nullptr ? FindSondeRoute(path, call.path_value) : nullptr;
  if (found != nullptr) {
    Dispatch(call, *found);
  } else if (own != nullptr) {
    DispatchSonde(call, *own);
  } else if (api || path.starts_with("/-/")) {
    Send(response, Answer::Text(404, "404 page not found\n"));
  } else {
    context_.page(request, response, path);
  }
}

void Api::Dispatch(Call& call, const Route& route) {
  if (Begin(call, Allows(route.methods, call.request.method()), route.needs_store)) {
    Send(call.response, (this->*route.handler)(call));
  }
}

const SondeRoute* Api::FindSondeRoute(std::string_view path, std::string_view& path_value) const {
  for (const SondeRoute& route : context_.sonde_routes) {
    const auto value = MatchPath(route.path, path);
    if (!value) continue;
    path_value = *value;
    return &route;
  }
  return nullptr;
}

void Api::DispatchSonde(Call& call, const SondeRoute& route) {
  const std::string_view method =
      call.request.method() == "HEAD" ? std::string_view("GET") : call.request.method();
  const bool allowed =
      std::find(route.methods.begin(), route.methods.end(), method) != route.methods.end();
  if (!Begin(call, allowed, route.needs_store)) return;
  std::string body;
  if (method != "GET" && !IsForm(call.request)) {
    auto read = call.request.ReadBody(route.max_body_bytes);
    if (!read) {
      const bool large = read.error().kind() == ErrorKind::kLimit;
      Send(call.response, Answer::Failure({large ? 413 : 400, "bad_data"}, read.error().message()));
      return;
    }
    body = *std::move(read);
  }
  const SondeRequest request{method, call.parameters, call.path_value, call.request.headers(),
                             body};
  Send(call.response,
       call.fiber.Await(context_.query_workers, [&] { return route.handle(request); }));
}

bool Api::Begin(Call& call, bool allowed, bool needs_store) const {
  if (!allowed) {
    Send(call.response, Answer::Text(405, "method not allowed\n"));
    return false;
  }
  if (needs_store && call.backend == nullptr) {
    // The log is being replayed, or the process is stopping; /api/v1/status/walreplay tells how far
    // it is.
    Answer answer = Answer::Text(503, "Service Unavailable\n");
    answer.headers.emplace_back("Retry-After", "1");
    Send(call.response, std::move(answer));
    return false;
  }
  auto parameters = net::Query::Parse(call.request.query());
  if (!parameters) {
    Send(call.response,
         Answer::Failure(Error(ErrorKind::kInvalid,
                               "error parsing form values: " + parameters.error().message())));
    return false;
  }
  call.parameters = *std::move(parameters);
  if (IsForm(call.request)) {
    const auto body = call.request.ReadBody(options_.max_form_bytes);
    const auto fields = body ? net::Query::Parse(*body) : Result<net::Query>(body.error());
    if (!fields) {
      Send(call.response, Answer::Failure({400, "bad_data"}, "error parsing form values: " +
                                                                 fields.error().message()));
      return false;
    }
    // As Go's Request.Form: the body's values stand before those of the URL.
    net::Query merged = *fields;
    merged.Append(call.parameters);
    call.parameters = std::move(merged);
  }
  return true;
}

// -------------------------------------------------------------------------------------------------
// queries

Answer Api::Query(Call& call) {
  return call.backend->queries.Instant(call.fiber, call.response, call.parameters);
}

Answer Api::QueryRange(Call& call) {
  return call.backend->queries.Range(call.fiber, call.response, call.parameters);
}

Answer Api::QueryExemplars(Call& call) {
  // Exemplars are not stored yet. The parameters are still checked, as Grafana probes with this
  // call.
  const auto expr = promql::ParseExpr(call.parameters.Get("query"), context_.query.parser);
  if (!expr) return Answer::Failure(InvalidParameter("query", expr.error()));
  return Answer::Success("[]");
}

Answer Api::FormatQuery(Call& call) {
  return call.fiber.Await(context_.query_workers, [&] {
    return FormatQueryAnswer(call.parameters, context_.query.parser);
  });
}

Answer Api::ParseQuery(Call& call) {
  return call.fiber.Await(context_.query_workers,
                          [&] { return ParseQueryAnswer(call.parameters, context_.query.parser); });
}

Answer Api::Series(Call& call) {
  return call.fiber.Await(context_.query_workers, [&] {
    return SeriesAnswer(call.backend->sources.store, call.parameters);
  });
}

Answer Api::LabelNames(Call& call) {
  return call.fiber.Await(context_.query_workers, [&] {
    return LabelNamesAnswer(call.backend->sources.store, call.parameters);
  });
}

Answer Api::LabelValues(Call& call) {
  const auto name = net::PercentDecode(call.path_value, false);
  if (!name)
    return Answer::Failure(Error(ErrorKind::kInvalid, "invalid label name: malformed escape"));
  return call.fiber.Await(context_.query_workers, [&] {
    return LabelValuesAnswer(call.backend->sources.store, call.parameters, *name);
  });
}

// ------------------------------------------------------------------------------------------- what
// is scraped

Answer Api::Metadata(Call& call) {
  const ApiBackends& sources = call.backend->sources;
  return call.fiber.Await(context_.query_workers, [&] {
    return MetadataAnswer(sources.scraper.targets(), sources.metadata, call.parameters);
  });
}

Answer Api::Targets(Call& call) {
  return TargetsAnswer(call.backend->sources.scraper.targets(), call.parameters);
}

Answer Api::TargetMetadata(Call& call) {
  return call.fiber.Await(context_.query_workers, [&] {
    return TargetMetadataAnswer(call.backend->sources.scraper.targets(), call.parameters);
  });
}

Answer Api::RelabelSteps(Call& call) {
  return RelabelStepsAnswer(call.backend->sources.scraper.targets(), call.parameters);
}

Answer Api::ScrapePools(Call& call) {
  return ScrapePoolsAnswer(call.backend->sources.scraper.targets());
}

Answer Api::ScrapePoolConfig(Call& call) {
  return ScrapePoolConfigAnswer(call.backend->sources.scraper.targets(), call.parameters);
}

// -----------------------------------------------------------------------------------------------------
// rules

Answer Api::Rules(Call& call) {
  const ApiBackends& sources = call.backend->sources;
  return call.fiber.Await(context_.query_workers, [&] {
    const auto groups =
        sources.rule_groups ? sources.rule_groups() : std::vector<rules::GroupView>();
    return RulesAnswer(groups, call.parameters);
  });
}
Answer Api::Alerts(Call& call) {
  const ApiBackends& sources = call.backend->sources;
  return call.fiber.Await(context_.query_workers, [&] {
    return AlertsAnswer(sources.rule_groups ? sources.rule_groups()
                                            : std::vector<rules::GroupView>());
  });
}
Answer Api::Alertmanagers(Call&) {
  return Answer::Success(R"({"activeAlertmanagers":[],"droppedAlertmanagers":[]})");
}

// ----------------------------------------------------------------------------------------------------
// status

Answer Api::BuildInfo(Call&) {
  return BuildInfoAnswer(context_.status.build);
}
Answer Api::RuntimeInfo(Call&) {
  return RuntimeInfoAnswer(context_.status.runtime());
}
Answer Api::ConfigYaml(Call&) {
  return ConfigAnswer(context_.status);
}
Answer Api::Flags(Call&) {
  return FlagsAnswer(context_.status);
}
Answer Api::Tsdb(Call& call) {
  return call.fiber.Await(context_.query_workers,
                          [&] { return TsdbAnswer(context_.status, call.parameters); });
}
Answer Api::TsdbBlocks(Call&) {
  return BlocksAnswer(context_.status);
}
Answer Api::WalReplay(Call&) {
  return WalReplayAnswer(context_.status);
}

// ----------------------------------------------------------------------------------------------------
// writing

Answer Api::Write(Call& call) {
  if (!options_.enable_remote_write) {
    return Answer::Text(
        404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n");
  }
  const net::Headers& headers = call.request.headers();
  const remote::WriteHeaders names{headers.Get("Content-Type"), headers.Get("Content-Encoding")};
  const auto body = call.request.ReadBody(options_.max_write_bytes);
  if (!body) {
    return Answer::Text(body.error().kind() == ErrorKind::kLimit ? 413 : 400,
                        body.error().message() + "\n");
  }
  remote::WriteReceiver& receiver = call.backend->sources.write_receiver;
  const remote::WriteOutcome outcome =
      call.fiber.Await(context_.ingest_workers, [&] { return receiver.Receive(names, *body); });
  if (outcome.status == 204) return Answer::NoContent();
  return Answer::Text(outcome.status, outcome.message + "\n");
}

// -----------------------------------------------------------------------------------------------
// the process

Answer Api::Healthy(Call&) {
  return Answer::Text(200, "Sonde is Healthy.\n");
}
Answer Api::Ready(Call&) {
  return Answer::Text(200, "Sonde is Ready.\n");
}

Answer Api::Reload(Call& call) {
  if (!options_.enable_lifecycle) return Answer::Text(403, "Lifecycle API is not enabled.\n");
  const Status status =
      call.fiber.Await(context_.ingest_workers, [&] { return context_.reload(); });
  if (!status)
    return Answer::Text(500, "failed to reload config: " + status.error().message() + "\n");
  return Answer::Text(200, "");
}

Answer Api::Quit(Call&) {
  if (!options_.enable_lifecycle) return Answer::Text(403, "Lifecycle API is not enabled.\n");
  context_.quit();
  return Answer::Text(200, "Requesting termination... Goodbye!\n");
}

Answer Api::SelfMetrics(Call& call) {
  const wire::ServedFormat format =
      wire::NegotiateServedFormat(call.request.headers().Get("Accept"));
  return call.fiber.Await(context_.ingest_workers, [&] {
    return Answer{200, format.ContentType(), SelfMetricsPage(context_.registry, format), {}};
  });
}

Answer Api::HostMetrics(Call& call) {
  if (!context_.host_page) return Answer::Text(404, "the host collector is off (--no-host)\n");
  return call.fiber.Await(context_.ingest_workers, [&] {
    return Answer{200, "text/plain; version=0.0.4; charset=utf-8", context_.host_page(), {}};
  });
}

Answer Api::GpuMetrics(Call& call) {
  if (!context_.gpu_page)
    return Answer::Text(404, "the GPU collector is off (--no-host, or sonde.gpu.enabled)\n");
  return call.fiber.Await(context_.ingest_workers, [&] {
    return Answer{200, "text/plain; version=0.0.4; charset=utf-8", context_.gpu_page(), {}};
  });
}

}  // namespace sonde::api
