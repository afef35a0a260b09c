#include "gateway/proxy.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <utility>

#include "base/json.h"
#include "base/random.h"
#include "gateway/proxy_call.h"

namespace sonde::gateway {
namespace {

constexpr std::string_view kOwnPrefix = "/-/gateway/";  // No engine has paths that begin like this.

void AnswerText(net::HttpResponse& response, int status, std::string text) {
  static_cast<void>(response.Reply(status, "text/plain; charset=utf-8", std::move(text)).ok());
}

}  // namespace

void AnswerError(net::HttpResponse& response, int status, std::string_view type,
                 std::string_view code, std::string_view message) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("error").BeginObject();
  json.Key("message")
      .String(message)
      .Key("type")
      .String(type)
      .Key("param")
      .Null()
      .Key("code")
      .String(code);
  json.EndObject().EndObject();
  // A client that is gone is noticed by the caller.
  static_cast<void>(response.Reply(status, "application/json", std::move(body)).ok());
}

void AnswerUnauthorized(net::HttpResponse& response, Identity::Refusal refusal) {
  response.headers().Set("WWW-Authenticate", "Bearer");
  AnswerError(response, 401, "invalid_request_error", "invalid_api_key",
              refusal == Identity::Refusal::kWrongKey
                  ? "Incorrect API key provided."
                  : "You didn't provide an API key. Send it as `Authorization: Bearer KEY`.");
}

Proxy::Proxy(std::function<std::shared_ptr<const Settings>()> settings, GatewayMetrics& metrics,
             instrument::Registry& registry, const Clock& clock, const Logger& logger)
    : settings_(std::move(settings)),
      metrics_(metrics),
      path_metrics_(registry, metrics.prefix()),
      clock_(clock),
      logger_(logger),
      seed_(SystemSeed()),
      balancer_(seed_) {}

void Proxy::Configure(const GatewayOptions& options) {
  balancer_.Configure(options);
  tenants_.Configure(options.access, clock_.MonotonicNanos());
}

std::string Proxy::NewRequestId() {
  Rng rng(seed_ + calls_.fetch_add(1, std::memory_order_relaxed));
  std::array<char, 33> text;
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(rng.Next()),
                static_cast<unsigned long long>(rng.Next()));
  return text.data();
}

void Proxy::Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
  if (request.path().starts_with(kOwnPrefix)) {
    AnswerOwn(request.path(), response);
    return;
  }
  // Other upgrades (h2c, which some clients always offer) may be ignored, and are.
  if (request.headers().HasToken("Upgrade", "websocket")) {
    AnswerError(response, 501, "invalid_request_error", "not_implemented",
                "WebSocket is not supported by the gateway");
    return;
  }
  auto settings = settings_();
  const std::string_view path = request.path();
  Identity identity = Identify(settings->options.access, settings->keys, request.headers());
  if (identity.refusal == Identity::Refusal::kNone && request.method() == "GET" &&
      (path == "/v1/models" || path == "/models") && settings->upstreams.size() > 1 &&
      AnswerModels(*settings, response)) {
    return;
  }
  ProxyCall(*this, std::move(settings), std::move(identity), fiber, request, response).Run();
}

void Proxy::AnswerOwn(std::string_view path, net::HttpResponse& response) const {
  path.remove_prefix(kOwnPrefix.size());
  if (path == "healthy") {
    AnswerText(response, 200, "Sonde's gateway is healthy.\n");
  } else if (path == "ready") {
    const auto settings = settings_();
    const bool ready =
        std::ranges::any_of(settings->upstreams, [](const auto& u) { return u->health.up(); });
    AnswerText(
        response, ready ? 200 : 503,
        ready ? "Sonde's gateway is ready.\n" : "Sonde's gateway has no upstream that answers.\n");
  } else {
    AnswerText(response, 404, "404 page not found\n");
  }
}

bool Proxy::AnswerModels(const Settings& settings, net::HttpResponse& response) {
  std::map<std::string, std::string> models;  // Id → description; the first upstream's wins.
  bool known = false;
  for (const auto& upstream : settings.upstreams) {
    const auto list = upstream->models();
    known |= list->known;
    for (std::size_t i = 0; i < list->ids.size(); ++i) {
      std::string json;
      if (list->configured) {
        JsonWriter(json)
            .BeginObject()
            .Key("id")
            .String(list->ids[i])
            .Key("object")
            .String("model")
            .Key("owned_by")
            .String(upstream->name())
            .EndObject();
      } else {
        json = list->json[i];
      }
      models.emplace(list->ids[i], std::move(json));
    }
  }
  if (!known) return false;
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("object").String("list").Key("data").BeginArray();
  for (const auto& [id, description] : models) {
    json.Raw(description);
  }
  json.EndArray().EndObject();
  static_cast<void>(response.Reply(200, "application/json", std::move(body)).ok());
  return true;
}

}  // namespace sonde::gateway
