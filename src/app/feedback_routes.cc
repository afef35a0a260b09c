#include "app/feedback_routes.h"

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "gateway/feedback.h"

namespace sonde::app {
namespace {

api::Answer Give(gateway::Gateway* gateway, std::string_view body) {
  if (gateway == nullptr) {
    return api::Answer::Failure(
        Error(ErrorKind::kUnavailable,
              "feedback joins to requests that passed through the gateway, and none is running"));
  }
  const auto feedback = gateway::ParseFeedback(body);
  if (!feedback) return api::Answer::Failure(feedback.error());
  const auto receipt = gateway->GiveFeedback(*feedback);
  if (!receipt) return api::Answer::Failure(receipt.error());
  std::string data;
  JsonWriter json(data);
  json.BeginObject().Key("model").String(receipt->model);
  if (!receipt->tenant.empty()) json.Key("tenant").String(receipt->tenant);
  json.Key("verdict").String(ToString(receipt->verdict));
  json.Key("replaced").Bool(receipt->replaced).EndObject();
  std::vector<std::string> warnings;
  for (const std::string& tag : receipt->unknown_tags) {
    warnings.push_back("tag " + tag + " is not counted: it is not in sonde.feedback.tags");
  }
  return api::Answer::Success(data, warnings);
}

}  // namespace

api::SondeRoute FeedbackRoute(std::function<gateway::Gateway*()> gateway) {
  api::SondeRoute route;
  route.path = "/api/v1/feedback";
  route.methods = {"POST"};
  // The gateway is there when the store is.
  route.needs_store = true;
  route.max_body_bytes = gateway::Feedback::kMaxBody;
  route.handle = [gateway = std::move(gateway)](const api::SondeRequest& request) {
    return Give(gateway(), request.body);
  };
  return route;
}

}  // namespace sonde::app
