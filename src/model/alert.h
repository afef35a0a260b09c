#pragma once

#include <string>

#include "base/time.h"
#include "model/labels.h"

namespace sonde {

/// What a rule says to whoever routes and notifies: something is wrong from `starts_at` on. It
/// counts as resolved from `ends_at` on; while it fires, `ends_at` lies in the future and moves
/// with each evaluation, so that an alert whose source has died resolves by itself. Two alerts with
/// the same labels are the same alert.
struct Alert {
  Labels labels;       ///< With `alertname`; without external labels.
  Labels annotations;  ///< Texts for people; names are free, so a label set holds them.
  Timestamp starts_at;
  Timestamp ends_at;
  std::string generator_url;  ///< Where a browser sees the expression; may be empty.

  bool operator==(const Alert&) const = default;
};

}  // namespace sonde
