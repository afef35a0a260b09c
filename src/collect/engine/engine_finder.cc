#include "collect/engine/engine_finder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sonde::collect {
namespace {

constexpr std::uint64_t kMaxReplyBytes = 8U << 20;

ProbeReply Fetch(net::Fiber& fiber, net::HttpClient& client, const std::string& text,
                 Duration timeout) {
  auto url = net::Url::Parse(text);
  if (!url) return {};
  net::HttpClientRequest request;
  request.url = *std::move(url);
  request.headers.Set("Accept", "application/json, text/plain;version=0.0.4;q=0.9, */*;q=0.5");
  auto reply = client.Fetch(fiber, request, kMaxReplyBytes, timeout);
  if (!reply) return {};
  return {reply->status, std::move(reply->body)};
}

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words)
    joined += (joined.empty() ? "" : ",") + word;
  return joined;
}

}  // namespace

EngineFinder::EngineFinder(const EngineFinderOptions& options, net::EventLoop& loop,
                           net::HttpClient& client, const Clock& clock, const Logger& logger,
                           instrument::Registry& registry)
    : options_(options),
      loop_(loop),
      client_(client),
      clock_(clock),
      logger_(logger.With("engines")),
      roster_(options),
      list_(std::make_shared<List>()) {
  list_->Set(roster_.engines());
  registry.AddCollector(
      "sonde_engine_up", "1 if the inference engine answers.", instrument::FamilyType::kGauge,
      [list = list_](std::vector<instrument::Point>& points) {
        for (const FoundEngine& engine : list->Get()) {
          points.push_back({{{"url", engine.url}, {"engine", engine.identity.engine}},
                            engine.up ? 1.0 : 0.0,
                            nullptr});
        }
      });
}

EngineFinder::~EngineFinder() {
  Stop();
}

void EngineFinder::Start(OnChange on_change) {
  CHECK(!fiber_);
  on_change_ = std::move(on_change);
  fiber_ = loop_.Spawn([this](net::Fiber& fiber) { Run(fiber); });
}

void EngineFinder::Stop() {
  if (!fiber_) return;
  fiber_->Cancel();
  fiber_->Join();
  fiber_.reset();
}

std::vector<FoundEngine> EngineFinder::engines() const {
  return list_->Get();
}

void EngineFinder::Run(net::Fiber& fiber) {
  while (!fiber.cancelled()) {
    Round(fiber);
    if (!fiber.Sleep(options_.interval)) return;
  }
}

void EngineFinder::Round(net::Fiber& fiber) {
  for (const std::string& url : roster_.Due(clock_.Now())) {
    if (roster_.IsIdentified(url, clock_.Now())) {
      const int status = Fetch(fiber, client_, url + "/health", options_.timeout).status;
      if (fiber.cancelled()) return;
      if (status > 0 && status < 500) {  // One that has no such path is there all the same.
        roster_.RecordHealthy(url, clock_.Now());
        continue;
      }
    }
    const ProbeResult result = ProbeEngine(url, [&](const std::string& target) {
      return Fetch(fiber, client_, target, options_.timeout);
    });
    if (fiber.cancelled()) return;  // A probe that was cut short says nothing about the engine.
    roster_.Record(url, result, clock_.Now());
  }
  Publish();
}

void EngineFinder::Publish() {
  const std::vector<FoundEngine> before = list_->Get();
  const std::vector<FoundEngine> now = roster_.engines();
  if (now == before) return;
  list_->Set(now);
  for (const FoundEngine& engine : now) {
    const bool told = std::any_of(before.begin(), before.end(), [&](const FoundEngine& old) {
      return old.url == engine.url && old.up == engine.up &&
             old.identity.engine == engine.identity.engine;
    });
    if (told) continue;
    logger_.Info(engine.up ? "found an inference engine" : "an inference engine does not answer",
                 {{"url", engine.url},
                  {"engine", engine.identity.engine},
                  {"version", engine.identity.version},
                  {"models", Join(engine.identity.models)},
                  {"metrics", engine.identity.metrics_path}});
  }
  if (on_change_) on_change_(now);
}

}  // namespace sonde::collect
