#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/env.h"
#include "base/log.h"
#include "base/result.h"
#include "tsdb/head.h"
#include "tsdb/head_chunks.h"
#include "tsdb/metadata_table.h"
#include "tsdb/metrics.h"

// Filling the head at the start: from the mapped chunk files, the newest checkpoint, and the
// segments of the log after it.

namespace sonde::tsdb {

/// How far the replay is. May be read by other threads at any time.
struct ReplayProgress {
  std::atomic<std::int64_t> min{0};      ///< First segment to read.
  std::atomic<std::int64_t> max{0};      ///< Last one.
  std::atomic<std::int64_t> current{0};  ///< The one that is being read.
};

struct ReplayOptions {
  unsigned threads = 1;  ///< 1: everything on the calling thread.
  bool log_metadata = false;
};

/// What the log must still remember although the head does not hold it.
struct ReplayResult {
  std::uint32_t next_segment = 0;  ///< Where writing goes on.
  /// Series records to keep in checkpoints until samples of that time are gone from the log.
  std::unordered_map<std::uint64_t, std::int64_t> keep_until;
  /// Series that records refer to which this version does not read (native histograms): to be kept
  /// with those records.
  std::unordered_set<std::uint64_t> foreign_series;
  std::uint64_t series = 0;
  std::uint64_t samples = 0;
  std::uint64_t damaged_places = 0;
};

/// Replays `wal_dir` and `head_chunks` into `head`, and repairs what a crash or a bad disk left: a
/// torn tail is cut off, a damaged segment is rewritten without what cannot be read (the original
/// is kept beside it as "<number>.damaged"), a missing segment is put there empty. Samples older
/// than head.min_valid_time() are in blocks already and left out.
///
/// Damage is counted and logged, it is no error; an error is that the directory cannot be read.
Result<ReplayResult> ReplayLog(Env& env, const Env::Path& wal_dir, HeadChunks& head_chunks,
                               Head& head, MetadataTable& metadata, Metrics& metrics,
                               const Logger& logger, ReplayProgress* progress,
                               ReplayOptions options);

}  // namespace sonde::tsdb
