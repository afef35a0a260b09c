#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "base/env.h"
#include "base/result.h"
#include "base/time.h"
#include "tsdb/options.h"

// Checkpoints of the write-ahead log: what is still needed of old segments, in the same format.
// Format: docs/formats/wal.md.

namespace sonde::tsdb {

struct CheckpointRequest {
  std::uint32_t last_segment = 0;  ///< The last one that the checkpoint stands for.
  Timestamp min_time;              ///< Older samples are left out.
  /// True for series whose records must stay. Its answers must not change meanwhile.
  std::function<bool(std::uint64_t ref)> keep;
  WalCompression compression = WalCompression::kSnappy;
  std::uint64_t segment_bytes = std::uint64_t{128} << 20;
};

struct CheckpointStats {
  std::uint64_t series = 0;  ///< Kept.
  std::uint64_t dropped_series = 0;
  std::uint64_t samples = 0;  ///< Kept.
  std::uint64_t dropped_samples = 0;
  std::uint64_t damaged_places = 0;  ///< What could not be read is left out.
};

/// Writes a checkpoint of the newest checkpoint and the segments after it up to `last_segment`. It
/// is there whole or not at all. Records that this version does not read (native histograms,
/// unknown types) are kept as they are.
Result<CheckpointStats> WriteCheckpoint(Env& env, const Env::Path& wal_dir,
                                        const CheckpointRequest& request);

/// Removes segments up to `last_segment`, and checkpoints before the one of that number.
Status RemoveBeforeCheckpoint(Env& env, const Env::Path& wal_dir, std::uint32_t last_segment);

}  // namespace sonde::tsdb
