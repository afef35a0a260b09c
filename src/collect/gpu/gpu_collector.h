#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "collect/gpu/gpu_sampler.h"
#include "collect/host/host_page.h"
#include "collect/host/host_source.h"
#include "collect/options.h"
#include "wire/exposition_format.h"

namespace sonde::collect {

/// The machine's accelerators as one exposition page (docs/collectors.md, "Accelerators").
///
/// Each driver has a thread; Collect never waits for one, except for the first reading after Start,
/// and then for at most a second. Thread-safe but for Start and Stop, which are the owner's.
class GpuCollector {
 public:
  /// `clock` and the logger's sink must outlive it.
  GpuCollector(GpuOptions options, const Clock& clock, const Logger& logger);
  ~GpuCollector();

  void Start();
  void Stop();  ///< Idempotent.

  /// The page as of now; text format 0.0.4 unless asked otherwise. Logs when a driver or a device
  /// ceases to answer, or answers again.
  std::string Collect(const wire::ServedFormat& format = {}) EXCLUDES(mutex_);

 private:
  void LogChanges(const GpuSnapshot& snapshot) REQUIRES(mutex_);
  void CountOnBus() REQUIRES(mutex_);

  const GpuOptions options_;
  const Logger logger_;
  std::vector<std::unique_ptr<GpuSampler>> samplers_;

  Mutex mutex_;
  HostPage page_ GUARDED_BY(mutex_);
  HostSource sysfs_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> logged_ GUARDED_BY(mutex_);  // Error by driver or device.
};

}  // namespace sonde::collect
