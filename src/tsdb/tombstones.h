#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"

// Deleted ranges of time. Sonde does not delete yet; it honours what Prometheus deleted. Format:
// docs/formats/block.md.

namespace sonde::tsdb {

/// Both ends inclusive.
struct Interval {
  Timestamp min_time;
  Timestamp max_time;
  bool operator==(const Interval&) const = default;
};

/// Disjoint intervals, ascending.
using Intervals = std::vector<Interval>;

/// Adds one, merging it with what it overlaps or touches.
void AddInterval(Intervals& intervals, Interval added);
/// True if `t` lies in one of them.
bool Covers(const Intervals& intervals, Timestamp t);
/// True if one of them holds all of [min_time, max_time].
bool CoversAll(const Intervals& intervals, Timestamp min_time, Timestamp max_time);

/// By the number of the series in the block's index.
using TombstoneMap = std::unordered_map<std::uint64_t, Intervals>;

/// Reads a block's tombstones file; kCorruption if it is damaged.
Result<TombstoneMap> ParseTombstones(std::string_view file);
/// The file of a block without deletions.
std::string EmptyTombstonesFile();

}  // namespace sonde::tsdb
