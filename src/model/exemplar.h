#pragma once

#include <optional>

#include "base/time.h"
#include "model/labels.h"

namespace sonde {

/// An example observation behind a counter or a bucket, usually with a trace or request id.
struct Exemplar {
  Labels labels;
  double value = 0;
  std::optional<Timestamp> timestamp;
};

}  // namespace sonde
