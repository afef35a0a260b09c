#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "demo/engine_metrics.h"
#include "demo/engine_spec.h"
#include "demo/kv_cache.h"
#include "demo/sim_time.h"

// A vLLM engine (V1) as a queueing model: continuous batching with chunked prefill, paged KV cache
// with prefix caching, preemption by recomputation. It computes when each token would have come,
// not the tokens.

namespace sonde::demo {

/// Numbers a request within its engine.
using RequestId = std::uint64_t;

/// What a client wants.
struct SimRequest {
  std::uint32_t prompt_tokens = 1;
  /// For each full block of the prompt, a hash of everything up to its end.
  std::vector<std::uint64_t> prefix_hashes;
  std::uint32_t output_tokens = 1;               ///< It ends after so many …
  FinishReason ends_with = FinishReason::kStop;  ///< … for this reason.
  std::uint32_t max_tokens = 0;                  ///< As asked; for the histograms of parameters.
};

/// How far a request has come.
struct RequestProgress {
  std::uint32_t generated = 0;  ///< Tokens so far.
  std::uint32_t cached = 0;     ///< Prompt tokens that came from the prefix cache.
  bool finished = false;
  FinishReason reason = FinishReason::kStop;
};

/// Deterministic: the same calls give the same history. Not thread-safe. Time only goes forward:
/// every call's time is at or after that of the call before.
class EngineModel {
 public:
  explicit EngineModel(const EngineSpec& spec);

  /// True if the request fits into the model's context and the KV cache at all. Submit needs it.
  bool Fits(const SimRequest& request) const;
  RequestId Submit(const SimRequest& request, SimTime at);
  /// The client left. Nothing happens if the request has finished or is unknown.
  void Abort(RequestId id, SimTime at);
  /// Runs until `until`: completes every step that ends by then.
  void Advance(SimTime until);

  /// Nothing if the id is unknown.
  std::optional<RequestProgress> Progress(RequestId id) const;
  /// Forgets a request that has finished.
  void Forget(RequestId id);

  /// When the current step ends; nothing while the engine is idle.
  std::optional<SimTime> step_end() const;
  SimTime now() const { return now_; }

  /// How much longer the steps that begin from now on take in the part that depends on the
  /// processors' clock: full clock ÷ clock.
  void set_clock_slowdown(double slowdown) { clock_slowdown_ = slowdown; }
  /// How many requests may run together; takes effect with the next step.
  void set_max_num_seqs(std::uint32_t count) { max_num_seqs_ = count; }
  std::uint32_t max_num_seqs() const { return max_num_seqs_; }

  /// Time spent in steps, until now(). What of a step lies behind now() is counted.
  SimTime busy() const;
  /// Share of the last step's time that went into prefill, 0 to 1: it draws more power.
  double prefill_share() const { return prefill_share_; }

  const EngineMetrics& metrics();
  const EngineSpec& spec() const { return spec_; }
  const KvCache& cache() const { return cache_; }

 private:
  struct Request {
    SimRequest wanted;
    RequestProgress progress;
    BlockList blocks;
    std::uint32_t computed = 0;   // Tokens whose KV is in the cache.
    std::uint32_t scheduled = 0;  // In the current step.
    bool was_scheduled = false;   // At least once.
    SimTime arrival{0}, first_scheduled{0}, first_token{0}, last_token{0};

    std::uint32_t total() const { return wanted.prompt_tokens + progress.generated; }
  };
  struct Step {
    SimTime begin{0}, end{0};
  };

  void StartStep(SimTime at);
  void CompleteStep();
  void ScheduleRunning(std::uint32_t& budget, bool& preempted);
  void ScheduleWaiting(std::uint32_t& budget, SimTime at);
  bool AdmitFirstWaiting(std::uint32_t& budget, SimTime at);
  void PreemptLast();
  SimTime StepDuration();
  void EmitToken(Request& request);
  void Finish(Request& request, FinishReason reason);
  void ObserveFinished(const Request& request);
  void RemoveFrom(std::deque<RequestId>& queue, RequestId id);

  const EngineSpec spec_;
  KvCache cache_;
  EngineMetrics metrics_;
  SimTime now_{0};
  SimTime busy_before_{0};  // Of completed steps.
  double clock_slowdown_ = 1;
  double prefill_share_ = 0;
  std::uint32_t max_num_seqs_;
  RequestId next_id_ = 1;
  std::unordered_map<RequestId, Request> requests_;
  std::deque<RequestId> waiting_;
  std::deque<RequestId> running_;
  std::optional<Step> step_;
};

}  // namespace sonde::demo
