#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {

/// A segment in which something could not be read.
struct DamagedSegment {
  WalSegment segment;
  std::uint64_t good_end = 0;      ///< Behind the last good record.
  bool good_after_damage = false;  ///< Good records follow a damaged place.
};

/// Makes the log one that every reader accepts, without losing what can still be read. A torn tail
/// is cut off; a segment that is damaged in the middle is rewritten from its good records, and a
/// copy of the damaged file stays as
/// "<number>.damaged"; a missing number among `segments` (in order) becomes an empty segment.
Status RepairWal(Env& env, const Env::Path& wal_dir, std::span<const DamagedSegment> damaged,
                 std::span<const WalSegment> segments);

}  // namespace sonde::tsdb
