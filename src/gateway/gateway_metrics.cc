#include <utility>

#include "base/utf8.h"
#include "gateway/metrics.h"

// GatewayMetrics: what belongs to the gateway as a whole. The series of one model are in
// metrics.cc.

namespace sonde::gateway {
namespace {

constexpr std::size_t kMaxModelName = 256;

/// Prompt and generated tokens by what is paid for. A prompt of unknown length costs nothing.
CostTokens TokensOf(const StreamMeter& meter) {
  const Usage& usage = meter.usage();
  const std::int64_t cached = usage.CachedPrompt().value_or(0);
  const auto reasoning = static_cast<std::int64_t>(meter.reasoning_tokens());
  return {cached, usage.prompt.value_or(cached) - cached, reasoning,
          static_cast<std::int64_t>(meter.tokens()) - reasoning};
}

/// A token is about four bytes of English, code or JSON.
std::int64_t PromptTokens(const RequestEnd& end) {
  constexpr std::uint64_t kBytesPerToken = 4;
  if (end.meter != nullptr && end.meter->usage().prompt) return *end.meter->usage().prompt;
  return static_cast<std::int64_t>(end.request_bytes / kBytesPerToken);
}

SloFacts FactsOf(const RequestEnd& end) {
  SloFacts facts;
  facts.outcome = end.outcome;
  facts.streaming = end.streaming;
  facts.e2e = end.nanos;
  if (end.meter == nullptr) return facts;
  facts.ttft = end.meter->time_to_first_token();
  facts.tpot = end.meter->time_per_output_token();
  return facts;
}

}  // namespace

struct GatewayMetrics::Shared {
  Mutex mutex;
  const GatewayMetrics* metrics GUARDED_BY(mutex) = nullptr;  // Null: it has gone.
};

GatewayMetrics::GatewayMetrics(instrument::Registry& registry, std::string prefix,
                               std::size_t max_models, const Clock& clock)
    : registry_(registry),
      prefix_(std::move(prefix)),
      max_models_(max_models),
      clock_(clock),
      shared_(std::make_shared<Shared>()) {
  AddCollectors();
  MutexLock lock(shared_->mutex);
  shared_->metrics = this;
}

GatewayMetrics::~GatewayMetrics() {
  MutexLock lock(shared_->mutex);
  shared_->metrics = nullptr;
}

void GatewayMetrics::AddCollectors() {
  using Collect = void (GatewayMetrics::*)(std::vector<instrument::Point>&) const;
  const auto add = [this](const char* name, const char* help, Collect collect) {
    registry_.AddCollector(prefix_ + name, help, instrument::FamilyType::kGauge,
                           [shared = shared_, collect](std::vector<instrument::Point>& points) {
                             MutexLock lock(shared->mutex);
                             if (shared->metrics != nullptr) (shared->metrics->*collect)(points);
                           });
  };
  add("slo_target_ratio", "The share of requests that an objective wants to be good.",
      &GatewayMetrics::CollectTargets);
  add("user_satisfaction_ratio",
      "Positive / (positive + negative) feedback within sonde.feedback.window.",
      &GatewayMetrics::CollectSatisfaction);
}

void GatewayMetrics::CollectTargets(std::vector<instrument::Point>& points) const {
  const auto current = tables();
  if (current == nullptr) return;
  for (const SloObjective& objective : current->slo.options().objectives) {
    instrument::Point point;
    point.labels = {{"objective", objective.name}, {"source", "gateway"}};
    point.value = objective.target;
    points.push_back(std::move(point));
  }
}

void GatewayMetrics::CollectSatisfaction(std::vector<instrument::Point>& points) const {
  for (const auto& tally : feedback_.Tallies(clock_.MonotonicNanos())) {
    const auto positive =
        static_cast<double>(tally.verdicts[static_cast<std::size_t>(FeedbackVerdict::kPositive)]);
    const auto negative =
        static_cast<double>(tally.verdicts[static_cast<std::size_t>(FeedbackVerdict::kNegative)]);
    if (positive + negative == 0) continue;
    instrument::Point point;
    point.labels = {{"model", tally.owner->model()}, {"source", "gateway"}};
    if (!tally.owner->tenant().empty()) point.labels.emplace_back("tenant", tally.owner->tenant());
    point.value = positive / (positive + negative);
    points.push_back(std::move(point));
  }
}

Status GatewayMetrics::Configure(const SloOptions& slo, const std::vector<PriceOptions>& prices,
                                 const FeedbackOptions& feedback) {
  auto compiled = std::make_shared<const Tables>(
      Tables{TRY(SloTable::Compile(slo)), TRY(PriceTable::Compile(prices))});
  TRY(feedback_.Configure(feedback));
  MutexLock lock(mutex_);
  tables_.swap(compiled);
  return OkStatus();
}

std::shared_ptr<const GatewayMetrics::Tables> GatewayMetrics::tables() const {
  MutexLock lock(mutex_);
  return tables_;
}

ModelMetrics& GatewayMetrics::Make(const std::string& name, std::string_view tenant) {
  auto& slot = models_[{name, std::string(tenant)}];
  if (slot == nullptr)
    slot = std::make_unique<ModelMetrics>(registry_, prefix_, name, std::string(tenant));
  return *slot;
}

ModelMetrics& GatewayMetrics::Model(std::string_view name, bool served, std::string_view tenant) {
  MutexLock lock(mutex_);
  if (name.empty()) return Make("unknown", tenant);
  if (name.size() > kMaxModelName || !IsValidUtf8(name)) return Make("other", tenant);
  std::string own(name);
  if (served || unserved_.contains(name)) return Make(own, tenant);
  // A name that was served once keeps its series.
  if (const auto it = models_.find({own, std::string(tenant)}); it != models_.end())
    return *it->second;
  if (unserved_.size() >= max_models_) return Make("other", tenant);
  unserved_.insert(own);
  return Make(own, tenant);
}

void GatewayMetrics::Count(ModelMetrics& model, const RequestEnd& end) {
  const Timestamp time = clock_.Now();
  model.Count(end, time);
  if (end.meter != nullptr) model.CountAnswer(*end.meter);
  const std::array<std::string_view, 3> ids = {
      end.request_id, end.answered_id,
      end.meter == nullptr ? std::string_view() : std::string_view(end.meter->id())};
  feedback_.Remember(ids, &model, clock_.MonotonicNanos());
  const auto current = tables();
  if (current == nullptr) return;
  const std::string& input_class = current->slo.ClassOf(PromptTokens(end));
  if (const SloObjective* objective =
          current->slo.Find(model.model(), model.tenant(), input_class)) {
    model.CountSlo(objective->name, input_class, Judge(*objective, FactsOf(end)));
  }
  if (end.meter == nullptr || current->prices.empty()) return;
  const auto costs =
      current->prices.CostOf(model.model(), end.upstream_url, time, TokensOf(*end.meter));
  for (const Cost& cost : costs) {
    model.CountCost(cost);
  }
}

Result<FeedbackReceipt> GatewayMetrics::GiveFeedback(const Feedback& feedback) {
  auto change = TRY(feedback_.Give(feedback, clock_.MonotonicNanos()));
  change.owner->CountFeedback(change);
  return FeedbackReceipt{change.owner->model(), change.owner->tenant(), change.verdict,
                         change.replaced.has_value(), std::move(change.unknown_tags)};
}

}  // namespace sonde::gateway
