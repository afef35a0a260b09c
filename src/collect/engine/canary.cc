#include "collect/engine/canary.h"

#include <utility>

#include "base/json.h"

namespace sonde::collect {
namespace {

constexpr std::uint64_t kMaxAnswerBytes = 1U << 20;
constexpr int kNotFound = 404;

std::string Body(const std::string& model, bool chat) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Key("model").String(model);
  if (chat) {
    json.Key("messages").BeginArray().BeginObject();
    json.Key("role").String("user").Key("content").String("1").EndObject().EndArray();
  } else {
    json.Key("prompt").String("1");
  }
  json.Key("max_tokens").Int(1).Key("temperature").Int(0).Key("user").String("sonde-canary");
  json.EndObject();
  return body;
}

/// 0: no answer in time.
int Ask(net::Fiber& fiber, net::HttpClient& client, const std::string& base_url,
        const std::string& model, bool chat, Duration timeout) {
  auto url = net::Url::Parse(base_url + (chat ? "/v1/chat/completions" : "/v1/completions"));
  if (!url) return 0;
  net::HttpClientRequest request;
  request.method = "POST";
  request.url = *std::move(url);
  request.headers.Set("Content-Type", "application/json");
  request.body = Body(model, chat);
  const auto reply = client.Fetch(fiber, request, kMaxAnswerBytes, timeout);
  return reply ? reply->status : 0;
}

}  // namespace

void SendCanary(net::EventLoop& loop, net::HttpClient& client, const std::string& base_url,
                const std::string& model, Duration timeout, std::function<void(bool)> done) {
  loop.Spawn([&client, base_url, model, timeout, done = std::move(done)](net::Fiber& fiber) {
    int status = Ask(fiber, client, base_url, model, false, timeout);
    if (status == kNotFound) status = Ask(fiber, client, base_url, model, true, timeout);
    if (!fiber.cancelled()) done(status != 0);
  });
}

}  // namespace sonde::collect
