#include "gateway/metrics.h"

#include <algorithm>
#include <utility>

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
constexpr std::string_view kExampleLabel = "request_id";

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

std::string_view BoundedFinishReason(std::string_view reason) {
  if (reason.empty()) return reason;
  const auto it = std::ranges::find(kFinishReasons, reason);
  return it == kFinishReasons.end() ? "other" : *it;
}

namespace {

std::vector<instrument::LabelPairs::Pair> BaseLabels(std::string_view model,
                                                     std::string_view tenant) {
  std::vector<instrument::LabelPairs::Pair> labels = {{"model", model}, {"source", kSource}};
  if (!tenant.empty()) labels.emplace_back("tenant", tenant);
  return labels;
}

}  // namespace

ModelMetrics::ModelMetrics(instrument::Registry& registry, const std::string& prefix,
                           std::string model, std::string tenant)
    : running(registry.GetGauge(prefix + "requests_running",
                                "Requests between arrival and last byte.",
                                instrument::LabelPairs(BaseLabels(model, tenant)))),
      registry_(registry),
      prefix_(prefix),
      model_(std::move(model)),
      tenant_(std::move(tenant)) {}

std::vector<ModelMetrics::Pair> ModelMetrics::Labels(std::initializer_list<Pair> more) const {
  std::vector<Pair> labels = BaseLabels(model_, tenant_);
  labels.insert(labels.end(), more);
  return labels;
}

Counter& ModelMetrics::MakeCounter(std::string_view name, std::string_view help,
                                   std::initializer_list<Pair> more) const {
  return registry_.GetCounter(prefix_ + std::string(name), help,
                              instrument::LabelPairs(Labels(more)));
}

Histogram& ModelMetrics::MakeHistogram(std::string_view name, std::string_view help,
                                       std::initializer_list<Pair> more) const {
  return registry_.GetHistogram(prefix_ + std::string(name), help, kLadder,
                                instrument::LabelPairs(Labels(more)));
}

void ModelMetrics::OnFirstToken(std::int64_t since_request, std::string_view request_id,
                                Timestamp time) {
  GetOrMake(first_token_, [&]() -> Histogram& {
    return MakeHistogram("time_to_first_token_seconds",
                         "From the request's last byte to the first chunk with content "
                         "(text, reasoning or a tool call) written to the client.",
                         {{"streaming", "true"}});
  }).Observe(Seconds(since_request), kExampleLabel, request_id, time);
}

void ModelMetrics::OnTokens(std::int64_t gap, std::uint64_t count) {
  GetOrMake(inter_token_, [&]() -> Histogram& {
    return MakeHistogram(
        "inter_token_latency_seconds",
        "Gap between two chunks with content; a chunk of n tokens counts as n gaps of 1/n.");
  }).Observe(Seconds(gap), count);
}

void ModelMetrics::OnKeepAlive() {
  AddTo(keep_alives_, "upstream_keepalives_total",
        "Keep-alive comments and empty lines before an answer: the upstream has the request in its "
        "queue.",
        1);
}

void ModelMetrics::Count(const RequestEnd& end, Timestamp time) {
  GetOrMake(latency_[static_cast<std::size_t>(end.outcome)][end.streaming ? 1 : 0],
            [&]() -> Histogram& {
              return MakeHistogram(
                  "inference_latency_seconds",
                  "From the request's last byte to the answer's last byte.",
                  {{"outcome", ToString(end.outcome)}, {"streaming", Bool(end.streaming)}});
            })
      .Observe(Seconds(end.nanos), kExampleLabel, end.request_id, time);

  const std::string_view reason = BoundedFinishReason(end.finish_reason);
  Counter* counter = nullptr;
  {
    MutexLock lock(mutex_);
    Counter*& slot = requests_[{end.outcome, end.code, reason, end.streaming}];
    if (slot == nullptr) {
      slot = &MakeCounter("requests_total", "Requests ended.",
                          {{"outcome", ToString(end.outcome)},
                           {"code", std::to_string(end.code)},
                           {"finish_reason", reason},
                           {"streaming", Bool(end.streaming)}});
    }
    counter = slot;
  }
  counter->Add();
}

void ModelMetrics::AddTo(std::atomic<Counter*>& slot, std::string_view name, std::string_view help,
                         std::int64_t count) {
  GetOrMake(slot, [&]() -> Counter& {
    return MakeCounter(name, help);
  }).Add(static_cast<double>(count));
}

void ModelMetrics::AddTokens(std::atomic<Counter*>& counter, std::string_view kind,
                             std::uint64_t count) {
  if (count == 0) return;
  GetOrMake(counter, [&]() -> Counter& {
    return MakeCounter("generation_tokens_total",
                       "Generated tokens, by whether they are reasoning or the answer.",
                       {{"kind", kind}});
  }).Add(static_cast<double>(count));
}

void ModelMetrics::ObserveFirst(std::atomic<Histogram*>& slot, std::string_view name,
                                std::string_view help, std::int64_t nanos) {
  if (nanos < 0) return;
  GetOrMake(slot, [&]() -> Histogram& {
    return MakeHistogram(name, help);
  }).Observe(Seconds(nanos));
}

void ModelMetrics::CountFaults(const Usage& usage) {
  for (std::size_t i = 0; i < kUsageFaults; ++i) {
    const auto fault = static_cast<UsageFault>(i);
    if (!usage.Has(fault)) continue;
    MakeCounter("usage_faults_total", "Answers whose token counts contradict each other.",
                {{"kind", ToString(fault)}})
        .Add();
  }
}

void ModelMetrics::CountAnswer(const StreamMeter& meter) {
  const Usage& usage = meter.usage();
  if (usage.prompt) {
    AddTo(prompt_, "prompt_tokens_total", "Prompt tokens, cached ones included.", *usage.prompt);
  }
  if (const auto cached = usage.CachedPrompt()) {
    AddTo(cached_, "cached_prompt_tokens_total",
          "Prompt tokens that were served from a prefix cache.", *cached);
  }
  const std::uint64_t reasoning = meter.reasoning_tokens();
  AddTokens(reasoning_, "reasoning", reasoning);
  AddTokens(answer_, "answer", meter.tokens() - reasoning);
  CountFaults(usage);
  ObserveFirst(first_reasoning_, "time_to_first_reasoning_token_seconds",
               "From the request's last byte to the first chunk with reasoning.",
               meter.time_to_first_reasoning());
  ObserveFirst(first_answer_, "time_to_first_answer_token_seconds",
               "From the request's last byte to the first chunk of the answer proper.",
               meter.time_to_first_answer());

  const double pace = meter.time_per_output_token();
  if (pace < 0) return;
  const bool estimated = meter.tokens_estimated();
  GetOrMake(per_token_[estimated ? 1 : 0], [&]() -> Histogram& {
    return MakeHistogram("time_per_output_token_seconds",
                         "(last chunk with content - first) / (output tokens - 1).",
                         {{"estimated", Bool(estimated)}});
  }).Observe(pace / 1e9);
}

void ModelMetrics::CountSlo(std::string_view objective, std::string_view input_class,
                            SloVerdict verdict) {
  if (verdict == SloVerdict::kNotCounted) return;
  SloCounters counters;
  {
    MutexLock lock(mutex_);
    SloCounters& known = slo_[{std::string(objective), std::string(input_class)}];
    if (known.requests == nullptr) {
      // Both at once, so that their ratio exists from the first request on.
      known.requests = &MakeCounter("slo_requests_total", "Requests judged by an objective.",
                                    {{"objective", objective}, {"input_class", input_class}});
      known.good = &MakeCounter("slo_good_requests_total", "Of these, those that kept all of it.",
                                {{"objective", objective}, {"input_class", input_class}});
    }
    Counter*& miss = known.misses[static_cast<std::size_t>(verdict)];
    if (verdict != SloVerdict::kGood && miss == nullptr) {
      miss = &MakeCounter("slo_misses_total", "Requests that missed an objective, by what first.",
                          {{"objective", objective},
                           {"input_class", input_class},
                           {"reason", MissReason(verdict)}});
    }
    counters = known;
  }
  counters.requests->Add();
  if (verdict == SloVerdict::kGood) {
    counters.good->Add();
  } else {
    counters.misses[static_cast<std::size_t>(verdict)]->Add();
  }
}

void ModelMetrics::CountCost(const Cost& cost) {
  for (std::size_t i = 0; i < kCostKinds; ++i) {
    if (cost.amounts[i] == 0) continue;
    const auto kind = static_cast<CostKind>(i);
    Counter* counter = nullptr;
    {
      MutexLock lock(mutex_);
      Counter*& slot = cost_[{std::string(cost.currency), kind}];
      if (slot == nullptr) {
        slot = &MakeCounter("cost_total", "Money: tokens times the price at the request's end.",
                            {{"currency", cost.currency}, {"kind", ToString(kind)}});
      }
      counter = slot;
    }
    counter->Add(cost.amounts[i]);
  }
}

void ModelMetrics::CountFeedback(const FeedbackBook::Change& change) {
  if (change.replaced != change.verdict) {
    MakeCounter("feedback_total", "Opinions of people on answers.",
                {{"verdict", ToString(change.verdict)}})
        .Add();
    if (change.replaced) {
      MakeCounter("feedback_replaced_total", "Of these, those that a later one has replaced.",
                  {{"verdict", ToString(*change.replaced)}})
          .Add();
    }
  }
  for (const std::string& tag : change.new_tags) {
    MakeCounter("feedback_tags_total", "Tags given with opinions.", {{"tag", tag}}).Add();
  }
}

void ModelMetrics::CountUntimedColdStart(std::string_view instance, ColdStartKind kind) {
  registry_
      .GetCounter(prefix_ + "cold_starts_total",
                  "Times that an upstream went from absent, asleep or restarted to its first "
                  "served token.",
                  {{"model", model_},
                   {"source", kSource},
                   {"instance", instance},
                   {"kind", ToString(kind)}})
      .Add();
}

void ModelMetrics::CountColdStart(std::string_view instance, const ColdStartEnd& end) {
  CountUntimedColdStart(instance, end.kind);
  registry_
      .GetHistogram(prefix_ + "cold_start_seconds",
                    "From an upstream's first sign of life to its first token.", kLadder,
                    {{"model", model_},
                     {"source", kSource},
                     {"instance", instance},
                     {"kind", ToString(end.kind)}})
      .Observe(Seconds(end.nanos));
}

}  // namespace sonde::gateway
