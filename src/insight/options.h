#pragma once

#include "base/time.h"

// What the jobs of insight/ are told. Plain values with good defaults; config/ fills them.

namespace sonde::insight {

/// The progress detector (docs/progress.md).
struct ProgressOptions {
  bool enabled = true;
  Duration interval{5'000};  ///< Between two looks.
  /// An engine that has work and shows no progress is accused after this long …
  Duration patience{30'000};
  /// … or after twice the longest pause that it has come back from by itself, up to this.
  Duration max_patience{45'000};
  /// While there is evidence that it works on a long prompt: after this long.
  Duration prefill_patience{600'000};
  /// An engine that has been idle for this long gets a canary (one token) now and then, so that it
  /// is known to be well before somebody needs it; 0: never.
  Duration canary_interval{0};

  bool operator==(const ProgressOptions&) const = default;
};

}  // namespace sonde::insight
