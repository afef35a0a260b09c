#include "demo/load_generator.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/random.h"

namespace sonde::demo {
namespace {

constexpr std::uint64_t kMaxAnswerBytes = 64U << 20;

std::uint64_t Mix(std::uint64_t seed, std::uint64_t number) {
  return Rng(seed * 0x9E3779B97F4A7C15ULL + number).Next();
}

// The models in order of first appearance.
std::vector<std::string> Models(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> models;
  for (const Endpoint& endpoint : endpoints) {
    if (std::find(models.begin(), models.end(), endpoint.model) == models.end())
      models.push_back(endpoint.model);
  }
  return models;
}

/// Reads a stream of server-sent events as a client does: how many chunks carry text, and whether
/// it ended well.
class StreamReader {
 public:
  void Feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      if (end == std::string_view::npos) {
        if (line_.size() < kMaxLineBytes) line_ += bytes;
        return;
      }
      line_ += bytes.substr(0, end);
      Line();
      line_.clear();
      bytes.remove_prefix(end + 1);
    }
  }

  std::uint64_t tokens() const { return tokens_; }
  bool done() const { return done_; }
  bool failed() const { return failed_; }

 private:
  static constexpr std::size_t kMaxLineBytes = 1U << 20;

  void Line() {
    const std::string_view line = line_;
    if (!line.starts_with("data: ")) return;
    if (line == "data: [DONE]" || line == "data: [DONE]\r") {
      done_ = true;
    } else if (line.starts_with("data: {\"error\"")) {
      failed_ = true;
    } else if (line.find("\"delta\":{\"content\":\"\"}") == std::string_view::npos &&
               (line.find("\"delta\":{\"content\":") != std::string_view::npos ||
                line.find("\"delta\":{\"reasoning\":") != std::string_view::npos)) {
      ++tokens_;
    }
  }

  std::string line_;
  std::uint64_t tokens_ = 0;
  bool done_ = false;
  bool failed_ = false;
};

}  // namespace

std::string PickModel(const std::vector<Endpoint>& endpoints, std::uint64_t seed,
                      std::uint64_t number) {
  const std::vector<std::string> models = Models(endpoints);
  const double u = Rng(Mix(seed, number)).Uniform();
  // 50 %, 30 %, and the rest for the others.
  if (u < 0.5 || models.size() == 1) return models[0];
  if (u < 0.8 || models.size() == 2) return models[1];
  const auto rest = static_cast<double>(models.size() - 2);
  return models[2 + static_cast<std::size_t>((u - 0.8) / 0.2 * rest)];
}

std::string RequestBody(const std::string& model, const TraceRequest& request, std::uint64_t number,
                        bool stream, std::uint64_t seed) {
  std::string body;
  body.reserve(request.input_tokens * 4 + 512);
  JsonWriter json(body);
  json.BeginObject().Key("model").String(model);
  json.Key("messages").BeginArray().BeginObject().Key("role").String("user").Key("content");
  json.String(PromptText(request.input_tokens, Mix(seed, number) << 1)).EndObject().EndArray();
  json.Key("stream").Bool(stream);
  if (stream) json.Key("stream_options").BeginObject().Key("include_usage").Bool(true).EndObject();
  json.Key("vllm_xargs")
      .BeginObject()
      .Key("demo_output_tokens")
      .Uint(request.output_tokens)
      .EndObject();
  // Some clients set a limit that the answer reaches.
  if (number % 25 == 7)
    json.Key("max_tokens").Uint(std::max<std::uint32_t>(1, request.output_tokens * 2 / 3));
  json.EndObject();
  return body;
}

struct LoadGenerator::Attempt {
  std::uint64_t number = 0;
  std::string model;
  std::string body;
  bool stream = true;
  std::uint64_t leave_after = 0;  // Chunks; 0: stays.
};

LoadGenerator::LoadGenerator(LoadOptions options, const Trace& trace, net::LoopGroup& loops,
                             net::HttpClient& client, const Clock& clock, const Logger& logger)
    : options_(std::move(options)),
      trace_(trace),
      loops_(loops),
      client_(client),
      clock_(clock),
      logger_(logger.With("clients")) {
  CHECK(!options_.endpoints.empty());
}

LoadGenerator::~LoadGenerator() {
  Stop();
}

void LoadGenerator::Start() {
  if (started_.exchange(true) || options_.rate <= 0) return;
  arrivals_ = loops_.Next().Spawn([this](net::Fiber& fiber) { Arrivals(fiber); });
}

void LoadGenerator::Stop() {
  if (!started_ || options_.rate <= 0) return;
  arrivals_.Cancel();
  arrivals_.Join();
  std::vector<net::FiberHandle> requests;
  {
    MutexLock lock(mutex_);
    requests.swap(requests_);
  }
  for (const net::FiberHandle& request : requests)
    request.Cancel();
  for (const net::FiberHandle& request : requests)
    request.Join();
}

LoadStats LoadGenerator::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

void LoadGenerator::Count(void (*change)(LoadStats&)) {
  MutexLock lock(mutex_);
  change(stats_);
}

void LoadGenerator::Arrivals(net::Fiber& fiber) {
  const std::int64_t begin = clock_.MonotonicNanos();
  const auto requests = trace_.requests();
  for (std::uint64_t number = 0;; ++number) {
    const auto lap = static_cast<std::int64_t>(number / requests.size());
    const TraceRequest& request = requests[number % requests.size()];
    const double due = Seconds(request.at + lap * trace_.length()) / options_.rate / options_.speed;
    while (true) {
      const double passed = static_cast<double>(clock_.MonotonicNanos() - begin) / 1e9;
      if (passed >= due) break;
      const Duration wait(
          std::max<std::int64_t>(1, static_cast<std::int64_t>((due - passed) * 1e3)));
      if (!fiber.Sleep(std::min(wait, Duration(1'000)))) return;
    }
    if (fiber.cancelled()) return;
    Launch(number, request);
  }
}

void LoadGenerator::Launch(std::uint64_t number, const TraceRequest& request) {
  if (in_flight_.load() >= options_.max_in_flight) {
    Count([](LoadStats& stats) { ++stats.dropped; });
    return;
  }
  Rng rng(Mix(options_.seed + 1, number));
  Attempt attempt;
  attempt.number = number;
  attempt.model = PickModel(options_.endpoints, options_.seed, number);
  if (rng.Uniform() < options_.mistake_ratio) attempt.model = "deepseek-v9";
  attempt.stream = rng.Uniform() < options_.stream_ratio;
  if (attempt.stream && rng.Uniform() < options_.leave_ratio) {
    attempt.leave_after = 1 + rng.Below(request.output_tokens);
  }
  attempt.body = RequestBody(attempt.model, request, number, attempt.stream, options_.seed);
  in_flight_.fetch_add(1);
  net::FiberHandle handle =
      loops_.Next().Spawn([this, attempt = std::move(attempt)](net::Fiber& fiber) {
        Run(fiber, attempt);
        in_flight_.fetch_sub(1);
      });
  MutexLock lock(mutex_);
  ++stats_.sent;
  std::erase_if(requests_, [](const net::FiberHandle& one) { return one.done(); });
  requests_.push_back(std::move(handle));
}

void LoadGenerator::SetGatewayUp(bool up) {
  {
    MutexLock lock(mutex_);
    if (gateway_up_ == up) return;
    gateway_up_ = up;
  }
  if (up) {
    logger_.Info("the gateway answers again", {{"url", options_.gateway_url}});
  } else {
    logger_.Warn("the gateway does not answer; the simulated clients go to the engines directly",
                 {{"url", options_.gateway_url}});
  }
}

const std::string& LoadGenerator::DirectUrl(const std::string& model) {
  MutexLock lock(mutex_);
  std::vector<const Endpoint*> served;
  for (const Endpoint& endpoint : options_.endpoints) {
    if (endpoint.model == model) served.push_back(&endpoint);
  }
  if (served.empty()) return options_.endpoints.front().url;
  return served[next_direct_[model]++ % served.size()]->url;
}

Result<std::unique_ptr<net::HttpClientResponse>> LoadGenerator::Send(net::Fiber& fiber,
                                                                     const Attempt& attempt) {
  net::HttpClientRequest request;
  request.method = "POST";
  request.headers.Set("Content-Type", "application/json");
  request.headers.Set("Accept", attempt.stream ? "text/event-stream" : "application/json");
  request.decode = false;
  request.body = attempt.body;
  if (!options_.gateway_url.empty()) {
    request.url = TRY(net::Url::Parse(options_.gateway_url + "/v1/chat/completions"));
    auto response = client_.Send(fiber, request);
    const bool reached = response.ok() || response.error().kind() != ErrorKind::kUnavailable;
    if (response.ok() || fiber.cancelled()) {
      if (response.ok()) SetGatewayUp(true);
      return response;
    }
    if (reached) return response;
    SetGatewayUp(false);
  }
  Count([](LoadStats& stats) { ++stats.direct; });
  request.url = TRY(net::Url::Parse(DirectUrl(attempt.model) + "/v1/chat/completions"));
  return client_.Send(fiber, request);
}

void LoadGenerator::Run(net::Fiber& fiber, const Attempt& attempt) {
  const std::int64_t sent_nanos = clock_.MonotonicNanos();
  auto response = Send(fiber, attempt);
  if (fiber.cancelled()) return;
  if (!response || (*response)->status() != 200) {
    if (response) (void)(*response)->ReadAll(fiber, kMaxAnswerBytes).ok();
    Count([](LoadStats& stats) { ++stats.failed; });
    return;
  }
  const bool good = ReadAnswer(fiber, attempt, sent_nanos, **response);
  if (fiber.cancelled()) return;
  Count(good ? [](LoadStats& stats) { ++stats.succeeded; }
             : [](LoadStats& stats) { ++stats.failed; });
}

bool LoadGenerator::ReadAnswer(net::Fiber& fiber, const Attempt& attempt, std::int64_t sent_nanos,
                               net::HttpClientResponse& response) {
  if (!attempt.stream) return response.ReadAll(fiber, kMaxAnswerBytes).ok();
  StreamReader reader;
  std::uint64_t counted = 0;
  while (true) {
    const auto bytes = response.ReadSome(fiber);
    if (!bytes) return false;
    if (bytes->empty()) return reader.done() && !reader.failed();
    reader.Feed(*bytes);
    MutexLock lock(mutex_);
    if (counted == 0 && reader.tokens() > 0) {
      ++stats_.first_tokens;
      stats_.first_token_seconds += static_cast<double>(clock_.MonotonicNanos() - sent_nanos) / 1e9;
    }
    stats_.tokens += reader.tokens() - counted;
    counted = reader.tokens();
    if (attempt.leave_after > 0 && counted >= attempt.leave_after) {
      ++stats_.left;
      return true;  // The response is destroyed, so the connection closes.
    }
  }
}

}  // namespace sonde::demo
