#include "gateway/metrics.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace sonde::gateway {
namespace {

using instrument::Counter;
using instrument::Histogram;

// docs/vocabulary.md, "Bucket ladder".
constexpr std::array kLadder = {0.001, 0.002, 0.005, 0.01,  0.015, 0.02,  0.03, 0.05, 0.075,
                                0.1,   0.15,  0.2,   0.3,   0.4,   0.5,   0.75, 1.0,  1.5,
                                2.0,   3.0,   4.0,   5.0,   7.5,   10.0,  15.0, 20.0, 30.0,
                                45.0,  60.0,  90.0,  120.0, 180.0, 300.0, 600.0};
constexpr std::string_view kSource = "gateway";
constexpr std::size_t kMaxModelName = 256;

constexpr std::array<std::string_view, 16> kFinishReasons = {
    "stop",           "length",
    "tool_calls",     "function_call",
    "content_filter", "insufficient_system_resource",
    "abort",          "error",
    "repetition",     "max_output_tokens",
    "end_turn",       "max_tokens",
    "tool_use",       "stop_sequence",
    "pause_turn",     "refusal"};

double Seconds(std::int64_t nanos) {
  return static_cast<double>(nanos) / 1e9;
}
std::string_view Bool(bool value) {
  return value ? "true" : "false";
}

/// The metric in `slot`, made if this is its first use. Two threads may both make it: the registry
/// gives them the same.
template <class T, class Make>
T& GetOrMake(std::atomic<T*>& slot, const Make& make) {
  T* metric = slot.load(std::memory_order_acquire);
  if (metric == nullptr) {
    metric = &make();
    slot.store(metric, std::memory_order_release);
  }
  return *metric;
}

}  // namespace

std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "success";
    case Outcome::kClientError:
      return "client_error";
    case Outcome::kServerError:
      return "server_error";
    case Outcome::kOverloaded:
      return "overloaded";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kTimeout:
      return "timeout";
  }
  return "";
}

Outcome OutcomeOfStatus(int status) {
  if (status == 429 || status == 503) return Outcome::kOverloaded;
  if (status >= 500) return Outcome::kServerError;
  if (status >= 400) return Outcome::kClientError;
  return Outcome::kSuccess;
}

std::string_view BoundedFinishReason(std::string_view reason) {
  if (reason.empty()) return reason;
  const auto it = std::ranges::find(kFinishReasons, reason);
  return it == kFinishReasons.end() ? "other" : *it;
}

ModelMetrics::ModelMetrics(instrument::Registry& registry, const std::string& prefix,
                           std::string model)
    : running(registry.GetGauge(prefix + "requests_running",
                                "Requests between arrival and last byte.",
                                {{"model", model}, {"source", kSource}})),
      registry_(registry),
      prefix_(prefix),
      model_(std::move(model)) {}

void ModelMetrics::OnFirstToken(std::int64_t since_request) {
  GetOrMake(first_token_, [&]() -> Histogram& {
    return registry_.GetHistogram(prefix_ + "time_to_first_token_seconds",
                                  "From the request's last byte to the first chunk with content "
                                  "(text, reasoning or a tool call) written to the client.",
                                  kLadder,
                                  {{"model", model_}, {"source", kSource}, {"streaming", "true"}});
  }).Observe(Seconds(since_request));
}

void ModelMetrics::OnTokens(std::int64_t gap, std::uint64_t count) {
  GetOrMake(inter_token_, [&]() -> Histogram& {
    return registry_.GetHistogram(
        prefix_ + "inter_token_latency_seconds",
        "Gap between two chunks with content; a chunk of n tokens counts as n gaps of 1/n.",
        kLadder, {{"model", model_}, {"source", kSource}});
  }).Observe(Seconds(gap), count);
}

void ModelMetrics::Count(const RequestEnd& end) {
  GetOrMake(latency_[static_cast<std::size_t>(end.outcome)][end.streaming ? 1 : 0],
            [&]() -> Histogram& {
              return registry_.GetHistogram(
                  prefix_ + "inference_latency_seconds",
                  "From the request's last byte to the answer's last byte.", kLadder,
                  {{"model", model_},
                   {"source", kSource},
                   {"outcome", ToString(end.outcome)},
                   {"streaming", Bool(end.streaming)}});
            })
      .Observe(Seconds(end.nanos));

  const std::string_view reason = BoundedFinishReason(end.finish_reason);
  Counter* counter = nullptr;
  {
    MutexLock lock(mutex_);
    Counter*& slot = requests_[{end.outcome, end.code, reason, end.streaming}];
    if (slot == nullptr) {
      slot = &registry_.GetCounter(prefix_ + "requests_total", "Requests ended.",
                                   {{"model", model_},
                                    {"source", kSource},
                                    {"outcome", ToString(end.outcome)},
                                    {"code", std::to_string(end.code)},
                                    {"finish_reason", reason},
                                    {"streaming", Bool(end.streaming)}});
    }
    counter = slot;
  }
  counter->Add();
}

void ModelMetrics::AddTokens(std::atomic<Counter*>& counter, std::string_view kind,
                             std::uint64_t count) {
  if (count == 0) return;
  GetOrMake(counter, [&]() -> Counter& {
    return registry_.GetCounter(prefix_ + "generation_tokens_total",
                                "Generated tokens, by whether they are reasoning or the answer.",
                                {{"model", model_}, {"source", kSource}, {"kind", kind}});
  }).Add(static_cast<double>(count));
}

void ModelMetrics::CountAnswer(const StreamMeter& meter) {
  const auto add = [&](std::atomic<Counter*>& slot, const char* name, const char* help,
                       std::int64_t count) {
    GetOrMake(slot, [&]() -> Counter& {
      return registry_.GetCounter(prefix_ + name, help, {{"model", model_}, {"source", kSource}});
    }).Add(static_cast<double>(count));
  };
  const Usage& usage = meter.usage();
  if (usage.prompt)
    add(prompt_, "prompt_tokens_total", "Prompt tokens, cached ones included.", *usage.prompt);
  if (usage.cached) {
    add(cached_, "cached_prompt_tokens_total",
        "Prompt tokens that were served from a prefix cache.", *usage.cached);
  }
  const std::uint64_t reasoning = meter.reasoning_tokens();
  AddTokens(reasoning_, "reasoning", reasoning);
  AddTokens(answer_, "answer", meter.tokens() - reasoning);

  const double pace = meter.time_per_output_token();
  if (pace < 0) return;
  const bool estimated = meter.tokens_estimated();
  GetOrMake(per_token_[estimated ? 1 : 0], [&]() -> Histogram& {
    return registry_.GetHistogram(
        prefix_ + "time_per_output_token_seconds",
        "(last chunk with content - first) / (output tokens - 1).", kLadder,
        {{"model", model_}, {"source", kSource}, {"estimated", Bool(estimated)}});
  }).Observe(pace / 1e9);
}

void ModelMetrics::CountColdStart(std::string_view instance, std::int64_t nanos) {
  registry_
      .GetCounter(prefix_ + "cold_starts_total",
                  "Times that an upstream went from absent to its first served token.",
                  {{"model", model_}, {"source", kSource}, {"instance", instance}})
      .Add();
  registry_
      .GetHistogram(prefix_ + "cold_start_seconds",
                    "From an upstream's first sign of life to its first token.", kLadder,
                    {{"model", model_}, {"source", kSource}, {"instance", instance}})
      .Observe(Seconds(nanos));
}

GatewayMetrics::GatewayMetrics(instrument::Registry& registry, std::string prefix,
                               std::size_t max_models)
    : registry_(registry), prefix_(std::move(prefix)), max_models_(max_models) {}

ModelMetrics& GatewayMetrics::Make(const std::string& name) {
  auto& slot = models_[name];
  if (slot == nullptr) slot = std::make_unique<ModelMetrics>(registry_, prefix_, name);
  return *slot;
}

ModelMetrics& GatewayMetrics::Model(std::string_view name, bool served) {
  MutexLock lock(mutex_);
  if (name.empty()) return Make("unknown");
  if (name.size() > kMaxModelName || !IsValidUtf8(name)) return Make("other");
  if (const auto it = models_.find(name); it != models_.end()) return *it->second;
  if (served) return Make(std::string(name));
  if (unserved_ >= max_models_) return Make("other");
  ++unserved_;
  return Make(std::string(name));
}

}  // namespace sonde::gateway
