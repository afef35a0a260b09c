#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/time.h"
#include "collect/gpu/gpu_meter.h"
#include "collect/gpu/gpu_reading.h"

namespace sonde::collect {

struct GpuFaultCount {
  std::uint64_t count = 0;
  std::int64_t last = 0;  ///< Milliseconds since 1970; 0: never.
};

/// What is known of one driver, as the page shows it.
struct GpuSnapshot {
  std::string driver;
  bool absent = false;  ///< The machine has nothing for this driver, or nothing is known yet.
  std::string error;    ///< Empty while the driver answers. "hang": a call has not come back.
  std::string error_detail;
  std::int64_t error_since = 0;  ///< Milliseconds since 1970.
  std::string driver_version;
  std::int64_t sweeps = 0;  ///< That ended, with or without an error.
  std::vector<GpuDevice> devices;
  std::map<std::string, std::map<std::uint64_t, GpuFaultCount>> faults;  ///< By UUID and code.
};

struct GpuSamplerOptions {
  Duration interval{500};
  Duration detail_interval{5'000};
  Duration hang_timeout{10'000};  ///< A call that takes longer hangs.
  Duration retry_min{1'000};      ///< Between two attempts to use a driver that failed; doubles.
  Duration retry_max{60'000};
};

/// Asks one driver again and again on a thread of its own (`collect-gpu`), so that nobody waits for
/// a driver that hangs.
///
/// A call that does not come back cannot be interrupted. Then snapshot() says "hang" and since
/// when; no second thread is started, and sampling goes on when the call returns. Stop (and the
/// destructor) wait for a call in flight for two seconds; a thread that still hangs then ends with
/// its call and touches nothing of this object.
///
/// Start and Stop by the owner; snapshot by any thread, without waiting for the driver.
class GpuSampler {
 public:
  /// `clock` must outlive it.
  GpuSampler(std::unique_ptr<GpuSource> source, GpuSamplerOptions options, const Clock& clock);
  ~GpuSampler();
  GpuSampler(const GpuSampler&) = delete;
  GpuSampler& operator=(const GpuSampler&) = delete;

  void Start();
  void Stop();  ///< Idempotent.

  /// One sweep on the caller's thread, instead of Start. For tests, and for a page without a
  /// thread.
  void SampleOnce(GpuDepth depth);

  GpuSnapshot snapshot() const;
  /// Returns when the first sweep has ended or `timeout` has passed.
  void AwaitFirst(Duration timeout) const;

 private:
  struct State;

  static void Run(const std::shared_ptr<State>& state);
  static bool Sweep(State& state, GpuDepth depth);

  const std::shared_ptr<State> state_;
};

}  // namespace sonde::collect
