#include "app/gateway_routes.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "net/http.h"

namespace sonde::app {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 4096;

void WriteUpstream(JsonWriter& json, const gateway::UpstreamStatus& status) {
  json.BeginObject();
  json.Key("name").String(status.name).Key("url").String(status.url);
  json.Key("up").Bool(status.up).Key("ejected").Bool(status.ejected);
  json.Key("lastError").String(status.last_error);
  json.Key("weight").Double(status.weight);
  json.Key("configuredWeight").Double(status.configured_weight);
  json.Key("overridden").Bool(status.overridden);
  json.Key("overrideEndsIn");
  if (status.override_left) {
    // In whole seconds, rounded up: it is to be read.
    const std::int64_t seconds = (status.override_left->count() + 999) / 1000;
    json.String(FormatDuration(Duration(seconds * 1000)));
  } else {
    json.Null();
  }
  json.Key("share").Double(status.share);
  json.Key("runningRequests").Uint(status.outstanding);
  json.Key("outstandingTokens").Int(status.outstanding_tokens);
  json.Key("models").BeginArray();
  for (const std::string& model : status.models)
    json.String(model);
  json.EndArray().EndObject();
}

api::Answer List(const gateway::Gateway& gateway) {
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("upstreams").BeginArray();
  for (const gateway::UpstreamStatus& status : gateway.Upstreams())
    WriteUpstream(json, status);
  json.EndArray().EndObject();
  return api::Answer::Success(data);
}

api::Answer One(const gateway::Gateway& gateway, const std::string& name) {
  for (const gateway::UpstreamStatus& status : gateway.Upstreams()) {
    if (status.name != name) continue;
    std::string data;
    JsonWriter json(data);
    WriteUpstream(json, status);
    return api::Answer::Success(data);
  }
  return api::Answer::Failure(
      Error(ErrorKind::kNotFound, "the gateway has no upstream \"" + name + "\""));
}

/// What a PUT asks for; no weight: back to the configured one.
struct Wanted {
  std::optional<double> weight;
  std::optional<Duration> ttl;
};

Result<Wanted> ParseBody(std::string_view body) {
  const auto invalid = [](const std::string& why) { return Error(ErrorKind::kInvalid, why); };
  const auto document = JsonDocument::Parse(body);
  if (!document) return invalid("the body must be JSON: " + document.error().message());
  const JsonView root = document->root();
  if (!root.is_object())
    return invalid(R"(the body must be an object: {"weight":0.5,"ttl":"10m"})");
  std::string unknown;
  root.ForEach([&](std::string_view key, JsonView) {
    if (key != "weight" && key != "ttl") unknown = key;
  });
  if (!unknown.empty()) return invalid("unknown member \"" + unknown + "\"");
  Wanted wanted;
  const JsonView weight = root["weight"];
  if (!weight.exists()) return invalid("the body must have a weight");
  if (!weight.is_null()) {
    wanted.weight = weight.number();
    if (!wanted.weight) return invalid("weight must be a number, or null to clear it");
  }
  const JsonView ttl = root["ttl"];
  if (ttl.exists() && !ttl.is_null()) {
    if (!wanted.weight) return invalid("ttl needs a weight");
    const auto text = ttl.string();
    if (!text) return invalid("ttl must be a duration like \"10m\"");
    auto duration = ParseDuration(*text);
    if (!duration) return std::move(duration).error().Wrap("ttl");
    wanted.ttl = *duration;
  }
  return wanted;
}

/// Who it was, as far as the request tells: a proxy's word, else the client program's name. Never a
/// credential.
std::string Caller(const net::Headers& headers) {
  for (const char* name : {"X-Forwarded-User", "X-Remote-User", "User-Agent"}) {
    if (const std::string_view value = headers.Get(name); !value.empty()) {
      return std::string(value.substr(0, 200));
    }
  }
  return "unknown";
}

double WeightOf(const gateway::Gateway& gateway, const std::string& name) {
  const auto upstreams = gateway.Upstreams();
  const auto it = std::ranges::find_if(upstreams, [&](const auto& u) { return u.name == name; });
  return it == upstreams.end() ? 0 : it->weight;
}

api::Answer ChangeWeight(gateway::Gateway& gateway, const api::SondeRequest& request,
                         const Logger& logger) {
  const std::string name =
      net::PercentDecode(request.path_value, false).value_or(std::string(request.path_value));
  Wanted wanted;
  if (request.method == "PUT") {
    auto parsed = ParseBody(request.body);
    if (!parsed) return api::Answer::Failure(parsed.error());
    wanted = *parsed;
  }
  const double before = WeightOf(gateway, name);
  const Status status = wanted.weight ? gateway.SetWeight(name, *wanted.weight, wanted.ttl)
                                      : gateway.ClearWeight(name);
  if (!status) return api::Answer::Failure(status.error());
  logger.Info("audit: gateway weight changed",
              {{"upstream", name},
               {"before", before},
               {"after", WeightOf(gateway, name)},
               {"ttl", wanted.ttl ? FormatDuration(*wanted.ttl) : "none"},
               {"cleared", !wanted.weight.has_value()},
               {"by", Caller(request.headers)}});
  return One(gateway, name);
}

}  // namespace

std::vector<api::SondeRoute> GatewayRoutes(std::function<gateway::Gateway*()> gateway,
                                           const Logger& logger) {
  const auto with = [gateway = std::move(gateway)](auto answer) {
    return [gateway, answer](const api::SondeRequest& request) {
      gateway::Gateway* const running = gateway();
      if (running == nullptr) {
        return api::Answer::Failure({503, "unavailable"}, "the gateway is not running");
      }
      return answer(*running, request);
    };
  };
  std::vector<api::SondeRoute> routes;
  routes.push_back({.path = "/api/v1/sonde/gateway/upstreams",
                    .methods = {"GET"},
                    .max_body_bytes = kMaxBodyBytes,
                    .handle = with([](const gateway::Gateway& running, const api::SondeRequest&) {
                      return List(running);
                    })});
  routes.push_back(
      {.path = "/api/v1/sonde/gateway/upstreams/*/weight",
       .methods = {"PUT", "DELETE"},
       .max_body_bytes = kMaxBodyBytes,
       .handle = with([logger](gateway::Gateway& running, const api::SondeRequest& request) {
         return ChangeWeight(running, request, logger);
       })});
  return routes;
}

}  // namespace sonde::app
