#include "demo/engine_server.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/random.h"
#include "demo/sim_text.h"

namespace sonde::demo {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 16U << 20;
constexpr const char* kPageType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kJsonType = "application/json";
constexpr const char* kVersion = "0.11.2+simulated";
/// How long a stream waits at most before it looks again: the step may have become shorter.
constexpr Duration kLongestWait{1'000};

// Lengths of answers that nobody asked for: log-normal, median 120, mean 200.
std::uint32_t NaturalLength(Rng& rng) {
  const double u = std::max(1e-12, rng.Uniform());
  const double normal =
      std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979 * rng.Uniform());
  return static_cast<std::uint32_t>(std::clamp(120 * std::exp(normal), 1.0, 4'000.0));
}

}  // namespace

EngineServer::EngineServer(SimulatedNode& node, const SimClock& sim_clock, std::uint64_t seed,
                           net::LoopGroup& loops, const Logger& logger,
                           instrument::Registry& registry)
    : node_(node),
      sim_clock_(sim_clock),
      seed_(seed),
      engine_(
          loops, net::HttpServerOptions{},
          [this](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
            HandleEngine(fiber, request, response);
          },
          logger, registry, node.spec().name),
      gpus_(
          loops, net::HttpServerOptions{},
          [this](net::Fiber&, net::HttpRequest& request, net::HttpResponse& response) {
            HandleGpus(request, response);
          },
          logger, registry, node.spec().node) {}

EngineServer::~EngineServer() {
  Stop();
}

Status EngineServer::Start(const std::string& host, std::uint16_t engine_port,
                           std::uint16_t gpu_port) {
  TRY(engine_.Start({host, engine_port}));
  return gpus_.Start({host, gpu_port});
}

void EngineServer::Stop() {
  // Streams of minutes are not waited for.
  engine_.Stop(Duration(0));
  gpus_.Stop(Duration(0));
}

void EngineServer::HandleGpus(net::HttpRequest& request, net::HttpResponse& response) {
  response.headers().Set("X-Sonde-Simulated", "true");
  if (request.path() == "/metrics" && request.method() == "GET") {
    (void)response.Reply(200, kPageType, node_.GpuPage(sim_clock_.Now())).ok();
    return;
  }
  (void)response.Reply(404, "text/plain", "The GPUs of a simulated node: see /metrics.\n").ok();
}

void EngineServer::HandleEngine(net::Fiber& fiber, net::HttpRequest& request,
                                net::HttpResponse& response) {
  response.headers().Set("X-Sonde-Simulated", "true");
  const std::string path(request.path());
  const bool post = request.method() == "POST";
  const auto reply = [&](int status, const char* type, std::string body) {
    (void)response.Reply(status, type, std::move(body)).ok();
    return status;
  };
  int status = 0;
  if (path == "/v1/chat/completions" && post) {
    status = Complete(fiber, request, response, true);
  } else if (path == "/v1/completions" && post) {
    status = Complete(fiber, request, response, false);
  } else if (path == "/metrics") {
    status = reply(200, kPageType, node_.EnginePage(sim_clock_.Now()));
  } else if (path == "/v1/models") {
    status = reply(200, kJsonType, ModelsBody(node_.spec(), sim_clock_.WallSeconds()));
  } else if (path == "/health" || path == "/ping") {
    status = reply(200, "text/plain", "");
  } else if (path == "/version") {
    status =
        reply(200, kJsonType, std::string(R"({"version":")") + kVersion + R"(","simulated":true})");
  } else {
    reply(404, kJsonType, R"({"detail":"Not Found"})");
    return;  // Unknown paths must not become label values.
  }
  node_.CountHttp(path, status);
}

int EngineServer::Complete(net::Fiber& fiber, net::HttpRequest& request,
                           net::HttpResponse& response, bool chat) {
  const auto refuse = [&](int status, std::string_view message) {
    (void)response.Reply(status, kJsonType, ErrorBody(status, message)).ok();
    return status;
  };
  const auto body = request.ReadBody(kMaxBodyBytes);
  if (!body) return refuse(400, body.error().message());
  auto wanted = ParseCompletionRequest(*body, chat);
  if (!wanted) return refuse(400, wanted.error().message());
  if (wanted->model != node_.spec().model) {
    return refuse(404, "The model `" + wanted->model + "` does not exist.");
  }
  return Answer(fiber, *wanted, response);
}

AnswerPlan EngineServer::PlanAnswer(const CompletionRequest& wanted, std::uint64_t number,
                                    SimRequest& work) const {
  Rng rng(seed_ * 1'000'003 + number);
  AnswerPlan plan;
  char id[40];
  std::snprintf(id, sizeof(id), "%s-%016llx", wanted.chat ? "chatcmpl" : "cmpl",
                static_cast<unsigned long long>(rng.Next()));
  plan.id = id;
  plan.model = wanted.model;
  plan.chat = wanted.chat;
  plan.created_seconds = sim_clock_.WallSeconds();
  plan.text_seed = rng.Next();
  plan.prompt_tokens = CountTokens(wanted.prompt);
  std::uint32_t length = wanted.output_tokens ? *wanted.output_tokens : NaturalLength(rng);
  length = std::max(length, wanted.min_tokens);
  // The context has an end, too.
  const std::uint32_t room = node_.spec().max_model_len > plan.prompt_tokens
                                 ? node_.spec().max_model_len - plan.prompt_tokens
                                 : 1;
  const std::uint32_t limit = wanted.max_tokens == 0 ? room : wanted.max_tokens;
  plan.ends_with = length > limit ? FinishReason::kLength : FinishReason::kStop;
  plan.output_tokens = std::max<std::uint32_t>(1, std::min(length, limit));
  if (node_.spec().reasons && wanted.chat) plan.reasoning_tokens = plan.output_tokens * 3 / 5;

  work.prompt_tokens = plan.prompt_tokens;
  work.prefix_hashes = PrefixHashes(wanted.prompt, node_.spec().block_tokens);
  work.output_tokens = plan.output_tokens;
  work.max_tokens = wanted.max_tokens;
  work.ends_with = plan.ends_with;
  if (rng.Uniform() < node_.spec().failure_ratio) {
    work.ends_with = FinishReason::kError;
    work.output_tokens = 1 + static_cast<std::uint32_t>(rng.Below(plan.output_tokens));
  }
  return plan;
}

int EngineServer::Answer(net::Fiber& fiber, const CompletionRequest& wanted,
                         net::HttpResponse& response) {
  SimRequest work;
  const AnswerWriter writer(PlanAnswer(wanted, requests_.fetch_add(1), work));
  const auto id = node_.Submit(work, sim_clock_.Now());
  if (!id) {
    (void)response.Reply(400, kJsonType, ErrorBody(400, id.error().message())).ok();
    return 400;
  }
  int status = 200;
  if (wanted.stream) {
    (void)Stream(fiber, writer, *id, wanted.include_usage, response)
        .ok();  // The client may have left.
  } else {
    std::string body;
    const auto progress = WaitForAll(fiber, *id);
    if (!progress) {  // Only when the demo ends.
      status = 503;
      body = ErrorBody(503, "The simulated engine shuts down.");
    } else if (progress->reason == FinishReason::kError) {
      status = 500;
      body = ErrorBody(500, "EngineCore encountered an issue (simulated).");
    } else {
      body = writer.Whole(progress->cached);
    }
    (void)response.Reply(status, kJsonType, std::move(body)).ok();  // The client may have left.
  }
  node_.Leave(*id, sim_clock_.Now());
  return status;
}

Result<RequestProgress> EngineServer::WaitForAll(net::Fiber& fiber, RequestId id) {
  while (true) {
    const SimulatedNode::Poll poll = node_.Look(id, sim_clock_.Now());
    if (poll.progress.finished) return poll.progress;
    TRY(fiber.Sleep(std::min(kLongestWait, sim_clock_.Until(poll.next))));
  }
}

Status EngineServer::Stream(net::Fiber& fiber, const AnswerWriter& writer, RequestId id,
                            bool include_usage, net::HttpResponse& response) {
  response.headers().Set("Content-Type", "text/event-stream; charset=utf-8");
  TRY(response.Start(200));
  std::string events;
  std::uint32_t sent = 0;
  while (true) {
    const SimulatedNode::Poll poll = node_.Look(id, sim_clock_.Now());
    const RequestProgress& progress = poll.progress;
    events.clear();
    // vLLM sends the role with the first token, in a chunk of its own.
    if (sent == 0 && progress.generated > 0) writer.BeginStream(events);
    for (; sent < progress.generated; ++sent)
      writer.Token(sent, events);
    if (progress.finished && progress.reason == FinishReason::kError) {
      writer.FailStream(events);
    } else if (progress.finished) {
      writer.EndStream(progress.cached, include_usage, events);
    }
    if (!events.empty()) TRY(response.Write(events));
    if (progress.finished) return response.Finish();
    TRY(fiber.Sleep(std::min(kLongestWait, sim_clock_.Until(poll.next))));
  }
}

}  // namespace sonde::demo
