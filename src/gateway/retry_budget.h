#pragma once

#include <algorithm>

#include "base/mutex.h"
#include "gateway/options.h"

namespace sonde::gateway {

/// Bounds how much load retries may add: each request saves a share of a retry, and each retry
/// takes one. So when everything fails, the upstreams get a fifth more and not a multiple.
/// Thread-safe.
class RetryBudget {
 public:
  void Save(double share) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    saved_ = std::min(saved_ + share, RetryOptions::kBurst);
  }
  /// True if a retry may be made.
  bool Take() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (saved_ < 1) return false;
    saved_ -= 1;
    return true;
  }

 private:
  Mutex mutex_;
  double saved_ GUARDED_BY(mutex_) = RetryOptions::kBurst;
};

}  // namespace sonde::gateway
