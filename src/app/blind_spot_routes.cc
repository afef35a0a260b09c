#include "app/blind_spot_routes.h"

#include <string>
#include <utility>

#include "base/json.h"

namespace sonde::app {
namespace {

std::string ReportJson(const insight::BlindSpotReport& report) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("time").Double(report.time.seconds());
  json.Key("findings").BeginArray();
  for (const insight::BlindSpot& spot : report.findings) {
    json.BeginObject().Key("kind").String(ToString(spot.kind));
    json.Key("severity").String(ToString(spot.severity)).Key("labels").BeginObject();
    const std::pair<const char*, const std::string&> labels[] = {{"instance", spot.instance},
                                                                 {"node", spot.node},
                                                                 {"engine", spot.engine},
                                                                 {"model", spot.model}};
    for (const auto& [name, value] : labels) {
      if (!value.empty()) json.Key(name).String(value);
    }
    json.EndObject();
    json.Key("what").String(spot.what).Key("why").String(spot.why).Key("how").String(spot.how);
    json.EndObject();
  }
  json.EndArray().Key("truncated").Bool(report.truncated).Key("checked").BeginArray();
  for (std::size_t i = 0; i < insight::kBlindSpotKinds; ++i)
    json.String(ToString(static_cast<insight::BlindSpotKind>(i)));
  json.EndArray().EndObject();
  return out;
}

}  // namespace

std::vector<api::SondeRoute> BlindSpotRoutes(std::function<insight::BlindSpotWatch*()> watch) {
  return {{.path = "/api/v1/sonde/blindspots",
           .methods = {"GET"},
           .needs_store = true,
           .handle = [watch = std::move(watch)](const api::SondeRequest&) {
             insight::BlindSpotWatch* const own = watch();
             if (own == nullptr) {
               return api::Answer::Failure(
                   Error(ErrorKind::kUnavailable, "the blind-spot report has not begun"));
             }
             const insight::BlindSpotReport report = own->Look();
             return api::Answer::Success(ReportJson(report), report.failed);
           }}};
}

}  // namespace sonde::app
