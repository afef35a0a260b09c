#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "base/mutex.h"
#include "gateway/stream_meter.h"
#include "instrument/registry.h"

// The gateway's series, by the names and labels of docs/vocabulary.md. Label values are bounded
// here: models by a number, everything else by a closed set.

namespace sonde::gateway {

/// How a request ended. docs/vocabulary.md says which case is which.
enum class Outcome : unsigned char {
  kSuccess,
  kClientError,
  kServerError,
  kOverloaded,
  kCancelled,
  kTimeout
};
inline constexpr std::size_t kOutcomes = 6;
std::string_view ToString(Outcome outcome);

/// The outcome that a status alone means.
Outcome OutcomeOfStatus(int status);

/// A finish reason as a label value: the known ones as they are, "other" for the rest.
std::string_view BoundedFinishReason(std::string_view reason);

/// What is observed of one request when it has ended.
struct RequestEnd {
  Outcome outcome = Outcome::kSuccess;
  int code = 0;
  bool streaming = false;
  std::string_view finish_reason;
  std::int64_t nanos = 0;  ///< Received in full → last byte written.
};

/// The series of one model. Thread-safe; lives as long as the registry's owner.
class ModelMetrics final : public MeterSink {
 public:
  ModelMetrics(instrument::Registry& registry, const std::string& prefix, std::string model);

  const std::string& model() const { return model_; }
  instrument::Gauge& running;

  void OnFirstToken(std::int64_t since_request) override;
  void OnTokens(std::int64_t gap, std::uint64_t count) override;
  void Count(const RequestEnd& end) EXCLUDES(mutex_);
  /// Tokens and pace, once the answer has ended.
  void CountAnswer(const StreamMeter& meter) EXCLUDES(mutex_);
  void CountColdStart(std::string_view instance, std::int64_t nanos);

 private:
  using RequestKey = std::tuple<Outcome, int, std::string_view, bool>;

  void AddTokens(std::atomic<instrument::Counter*>& counter, std::string_view kind,
                 std::uint64_t count);

  instrument::Registry& registry_;
  const std::string prefix_;
  const std::string model_;
  // Made when first needed, so that a model has no series for what it never did.
  std::atomic<instrument::Histogram*> first_token_{nullptr};
  std::atomic<instrument::Histogram*> inter_token_{nullptr};
  std::array<std::atomic<instrument::Histogram*>, 2> per_token_{};  // By "estimated".
  std::array<std::array<std::atomic<instrument::Histogram*>, 2>, kOutcomes>
      latency_{};  // By outcome, "streaming".
  std::atomic<instrument::Counter*> prompt_{nullptr};
  std::atomic<instrument::Counter*> cached_{nullptr};
  std::atomic<instrument::Counter*> reasoning_{nullptr};
  std::atomic<instrument::Counter*> answer_{nullptr};
  Mutex mutex_;
  std::map<RequestKey, instrument::Counter*> requests_ GUARDED_BY(mutex_);
};

/// Thread-safe.
class GatewayMetrics {
 public:
  /// `prefix`: "deepseek_". At most `max_models` names that nobody serves get series of their own.
  GatewayMetrics(instrument::Registry& registry, std::string prefix, std::size_t max_models);

  /// `served`: an upstream says that it has this model. "unknown" for an empty name, "other" beyond
  /// the bound.
  ModelMetrics& Model(std::string_view name, bool served) EXCLUDES(mutex_);

  const std::string& prefix() const { return prefix_; }

 private:
  ModelMetrics& Make(const std::string& name) REQUIRES(mutex_);

  instrument::Registry& registry_;
  const std::string prefix_;
  const std::size_t max_models_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<ModelMetrics>, std::less<>> models_ GUARDED_BY(mutex_);
  std::size_t unserved_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sonde::gateway
