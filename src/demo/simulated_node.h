#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "demo/engine_model.h"
#include "demo/gpu_model.h"
#include "demo/incident.h"

namespace sonde::demo {

/// A machine of the simulated cluster: one engine and its GPUs, each driving the other: what the
/// engine does heats the GPUs, and how fast they run decides what its steps take.
///
/// Thread-safe. Times given must be simulated time "now" of the caller; a time that lies before
/// what another thread already reached counts as that. `incident` must outlive it.
class SimulatedNode {
 public:
  SimulatedNode(const EngineSpec& spec, const Incident& incident, std::uint64_t seed);

  /// kInvalid if the request is longer than the model's context or than the whole KV cache.
  Result<RequestId> Submit(const SimRequest& request, SimTime now) EXCLUDES(mutex_);

  struct Poll {
    RequestProgress progress;
    SimTime next{0};  ///< When there may be news: the end of the current step. Only while it is not
                      ///< finished.
  };
  /// `id` must be submitted and not forgotten.
  Poll Look(RequestId id, SimTime now) EXCLUDES(mutex_);
  /// The client left, or has got all: `id` is not used again.
  void Leave(RequestId id, SimTime now) EXCLUDES(mutex_);
  /// Lets time pass while nobody asks.
  void Advance(SimTime now) EXCLUDES(mutex_);

  void CountHttp(const std::string& handler, int status) EXCLUDES(mutex_);
  std::string EnginePage(SimTime now) EXCLUDES(mutex_);
  std::string GpuPage(SimTime now) EXCLUDES(mutex_);

  void SetMaxNumSeqs(std::uint32_t count) EXCLUDES(mutex_);
  std::vector<GpuState> gpus() const EXCLUDES(mutex_);
  const EngineSpec& spec() const { return spec_; }

 private:
  void AdvanceLocked(SimTime now) REQUIRES(mutex_);

  const EngineSpec spec_;
  const Incident& incident_;

  mutable Mutex mutex_;
  EngineModel engine_ GUARDED_BY(mutex_);
  GpuModel gpus_ GUARDED_BY(mutex_);
  HttpCounts http_ GUARDED_BY(mutex_);
  SimTime now_ GUARDED_BY(mutex_){0};
  SimTime next_tick_ GUARDED_BY(mutex_);
  SimTime busy_at_tick_ GUARDED_BY(mutex_){0};
};

}  // namespace sonde::demo
