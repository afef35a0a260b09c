#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/time.h"
#include "gateway/cold_start.h"
#include "gateway/feedback.h"
#include "gateway/outcome.h"
#include "gateway/prices.h"
#include "gateway/slo.h"
#include "gateway/stream_meter.h"
#include "instrument/registry.h"

// The gateway's series, by the names and labels of docs/vocabulary.md. Label values are bounded
// here: models by a number, tenants and objectives by the configuration, everything else by a
// closed set.

namespace sonde::gateway {

/// A finish reason as a label value: the known ones as they are, "other" for the rest.
std::string_view BoundedFinishReason(std::string_view reason);

/// What is known of one request when it has ended. Views live for the length of the call.
struct RequestEnd {
  Outcome outcome = Outcome::kSuccess;
  int code = 0;
  bool streaming = false;
  std::string_view finish_reason = {};
  std::int64_t nanos = 0;              ///< Received in full → last byte written.
  const StreamMeter* meter = nullptr;  ///< Of an answer with a 2xx status, finished; or null.
  std::uint64_t request_bytes = 0;     ///< Of its body.
  std::string_view request_id = {};    ///< As it was sent to the upstream.
  std::string_view answered_id = {};   ///< As the client got it; may be the upstream's own.
  std::string_view upstream_url = {};  ///< Whose answer it is; empty: the gateway's own.
};

/// The series of one model and tenant. Thread-safe; lives as long as the registry's owner.
class ModelMetrics final {
 public:
  ModelMetrics(instrument::Registry& registry, const std::string& prefix, std::string model,
               std::string tenant);

  const std::string& model() const { return model_; }
  const std::string& tenant() const { return tenant_; }  ///< Empty: the series have no such label.
  instrument::Gauge& running;

  void OnFirstToken(std::int64_t since_request, std::string_view request_id, Timestamp time);
  void OnTokens(std::int64_t gap, std::uint64_t count);
  void OnKeepAlive();
  /// `time`: now, for exemplars.
  void Count(const RequestEnd& end, Timestamp time) EXCLUDES(mutex_);
  /// Tokens and pace, once the answer has ended.
  void CountAnswer(const StreamMeter& meter) EXCLUDES(mutex_);
  void CountSlo(std::string_view objective, std::string_view input_class, SloVerdict verdict)
      EXCLUDES(mutex_);
  void CountCost(const Cost& cost) EXCLUDES(mutex_);
  void CountFeedback(const FeedbackBook::Change& change);
  void CountColdStart(std::string_view instance, const ColdStartEnd& end);
  /// One that was noticed too late to be timed.
  void CountUntimedColdStart(std::string_view instance, ColdStartKind kind);

 private:
  using Pair = instrument::LabelPairs::Pair;
  using RequestKey = std::tuple<Outcome, int, std::string_view, bool>;

  /// model, source, tenant if there is one, and these.
  std::vector<Pair> Labels(std::initializer_list<Pair> more = {}) const;
  instrument::Counter& MakeCounter(std::string_view name, std::string_view help,
                                   std::initializer_list<Pair> more = {}) const;
  instrument::Histogram& MakeHistogram(std::string_view name, std::string_view help,
                                       std::initializer_list<Pair> more = {}) const;
  void AddTo(std::atomic<instrument::Counter*>& slot, std::string_view name, std::string_view help,
             std::int64_t count);
  void AddTokens(std::atomic<instrument::Counter*>& counter, std::string_view kind,
                 std::uint64_t count);
  void CountFaults(const Usage& usage);
  void ObserveFirst(std::atomic<instrument::Histogram*>& slot, std::string_view name,
                    std::string_view help, std::int64_t nanos);

  struct SloCounters {
    instrument::Counter* requests = nullptr;
    instrument::Counter* good = nullptr;
    std::array<instrument::Counter*, kSloVerdicts> misses = {};
  };

  instrument::Registry& registry_;
  const std::string prefix_;
  const std::string model_;
  const std::string tenant_;
  // Made when first needed, so that a model has no series for what it never did.
  std::atomic<instrument::Histogram*> first_token_{nullptr};
  std::atomic<instrument::Histogram*> first_reasoning_{nullptr};
  std::atomic<instrument::Histogram*> first_answer_{nullptr};
  std::atomic<instrument::Histogram*> inter_token_{nullptr};
  std::array<std::atomic<instrument::Histogram*>, 2> per_token_{};  // By "estimated".
  std::array<std::array<std::atomic<instrument::Histogram*>, 2>, kOutcomes>
      latency_{};  // By outcome, "streaming".
  std::atomic<instrument::Counter*> prompt_{nullptr};
  std::atomic<instrument::Counter*> cached_{nullptr};
  std::atomic<instrument::Counter*> reasoning_{nullptr};
  std::atomic<instrument::Counter*> answer_{nullptr};
  std::atomic<instrument::Counter*> keep_alives_{nullptr};
  Mutex mutex_;
  std::map<RequestKey, instrument::Counter*> requests_ GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, SloCounters> slo_
      GUARDED_BY(mutex_);  // By objective and input class.
  std::map<std::pair<std::string, CostKind>, instrument::Counter*> cost_
      GUARDED_BY(mutex_);  // By currency and kind.
};

/// What somebody who gave feedback is told.
struct FeedbackReceipt {
  std::string model;
  std::string tenant;
  FeedbackVerdict verdict = FeedbackVerdict::kNeutral;
  bool replaced = false;  ///< There had been feedback for this request.
  std::vector<std::string> unknown_tags;
};

/// All series, and the tables by which requests are judged and priced. Thread-safe.
class GatewayMetrics {
 public:
  /// `prefix`: "deepseek_". At most `max_models` names that nobody serves get series of their own.
  GatewayMetrics(instrument::Registry& registry, std::string prefix, std::size_t max_models,
                 const Clock& clock);
  ~GatewayMetrics();
  GatewayMetrics(const GatewayMetrics&) = delete;
  GatewayMetrics& operator=(const GatewayMetrics&) = delete;

  /// The tables for the requests that end from now on. After an error nothing has changed.
  Status Configure(const SloOptions& slo, const std::vector<PriceOptions>& prices,
                   const FeedbackOptions& feedback) EXCLUDES(mutex_);

  /// `served`: an upstream says that it has this model. "unknown" for an empty name, "other" beyond
  /// the bound. `tenant` comes from the configuration, which bounds it; empty: none.
  ModelMetrics& Model(std::string_view name, bool served, std::string_view tenant = {})
      EXCLUDES(mutex_);

  /// A request of `model` has ended: counts, judges and prices it, and remembers it for feedback.
  void Count(ModelMetrics& model, const RequestEnd& end) EXCLUDES(mutex_);

  /// kNotFound if the request is not known.
  Result<FeedbackReceipt> GiveFeedback(const Feedback& feedback);

  const std::string& prefix() const { return prefix_; }

 private:
  struct Tables {
    SloTable slo;
    PriceTable prices;
  };
  /// Shared with the registry's callbacks, which may be read after the gateway has gone.
  struct Shared;

  ModelMetrics& Make(const std::string& name, std::string_view tenant) REQUIRES(mutex_);
  std::shared_ptr<const Tables> tables() const EXCLUDES(mutex_);
  void AddCollectors();
  void CollectTargets(std::vector<instrument::Point>& points) const EXCLUDES(mutex_);
  void CollectSatisfaction(std::vector<instrument::Point>& points) const;

  instrument::Registry& registry_;
  const std::string prefix_;
  const std::size_t max_models_;
  const Clock& clock_;
  FeedbackBook feedback_;
  const std::shared_ptr<Shared> shared_;
  mutable Mutex mutex_;
  std::shared_ptr<const Tables> tables_ GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::unique_ptr<ModelMetrics>> models_
      GUARDED_BY(mutex_);  // By name and tenant.
  std::set<std::string, std::less<>> unserved_ GUARDED_BY(mutex_);
};

}  // namespace sonde::gateway
