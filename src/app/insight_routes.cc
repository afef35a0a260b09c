#include "app/insight_routes.h"

#include <cmath>
#include <memory>
#include <utility>

#include "base/duration.h"
#include "base/json.h"
#include "insight/anatomy.h"

namespace sonde::app {
namespace {

constexpr Duration kLongestWindow{7LL * 24 * 3'600'000};

double Seconds(Timestamp t) {
  return static_cast<double>(t.ms) / 1000;
}

std::string ProgressJson(const std::vector<insight::EngineProgress>& engines) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("engines").BeginArray();
  for (const insight::EngineProgress& engine : engines) {
    const insight::ProgressVerdict& verdict = engine.verdict;
    json.BeginObject().Key("instance").String(engine.instance);
    if (!engine.dp_rank.empty()) json.Key("dp_rank").String(engine.dp_rank);
    json.Key("model").String(engine.model).Key("engine").String(engine.engine);
    json.Key("state").String(ToString(verdict.state));
    json.Key("stuck").Bool(IsStuck(verdict.state));
    json.Key("since").Double(Seconds(verdict.since)).Key("last_progress");
    if (verdict.last_progress.ms == 0) {
      json.Null();
    } else {
      json.Double(Seconds(verdict.last_progress));
    }
    json.Key("evidence").String(verdict.evidence).EndObject();
  }
  json.EndArray().EndObject();
  return out;
}

std::string AnatomyJson(const std::vector<insight::Anatomy>& models, Duration window) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("window").String(FormatDuration(window)).Key("models").BeginArray();
  for (const insight::Anatomy& one : models) {
    json.BeginObject().Key("model").String(one.model).Key("instance").String(one.instance);
    json.Key("engine").String(one.engine).Key("requests").Double(one.requests);
    json.Key("end_to_end_seconds").Double(one.end_to_end);
    json.Key("first_token_seconds").Double(one.first_token);
    json.Key("phases").BeginArray();
    for (const insight::Phase& phase : one.phases) {
      json.BeginObject().Key("name").String(phase.name).Key("mean_seconds").Double(phase.mean);
      json.Key("share").Double(phase.share).Key("p50_seconds").Double(phase.p50);
      json.Key("p95_seconds").Double(phase.p95).Key("p99_seconds").Double(phase.p99);
      json.Key("count").Double(phase.count).Key("estimated").Bool(phase.estimated);
      json.Key("source").String(phase.source).EndObject();
    }
    json.EndArray().Key("unknown").BeginArray();
    for (const std::string& sentence : one.unknown)
      json.String(sentence);
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return out;
}

api::Answer AnatomyAnswer(const InsightSources& sources, const api::SondeRequest& request) {
  insight::AnatomyOptions options;
  options.prefix = sources.prefix;
  options.model = request.query.Get("model");
  if (const std::string_view text = request.query.Get("window"); !text.empty()) {
    auto window = ParseDuration(text);
    if (!window) {
      return api::Answer::Failure(std::move(window).error().Wrap("invalid parameter \"window\""));
    }
    if (*window <= Duration(0) || *window > kLongestWindow) {
      return api::Answer::Failure(
          Error(ErrorKind::kInvalid,
                "invalid parameter \"window\": must be longer than 0 and at most 7d"));
    }
    options.window = *window;
  }
  const auto models =
      DissectLatency(options, sources.evaluator(), sources.store(), sources.clock.Now());
  if (!models) {
    return api::Answer::Failure(api::DescribeQueryError(models.error().kind()),
                                models.error().message());
  }
  return api::Answer::Success(AnatomyJson(*models, options.window));
}

}  // namespace

std::vector<api::SondeRoute> InsightRoutes(InsightSources sources) {
  const auto shared = std::make_shared<const InsightSources>(std::move(sources));
  return {{.path = "/api/v1/sonde/progress",
           .methods = {"GET"},
           .needs_store = true,
           .handle =
               [shared](const api::SondeRequest&) {
                 return api::Answer::Success(ProgressJson(shared->progress()));
               }},
          {.path = "/api/v1/sonde/anatomy",
           .methods = {"GET"},
           .needs_store = true,
           .handle = [shared](const api::SondeRequest& request) {
             return AnatomyAnswer(*shared, request);
           }}};
}

}  // namespace sonde::app
