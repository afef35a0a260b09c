#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/result.h"

// The files of a write-ahead log: numbered segments, and checkpoints that stand for the segments up
// to their number. Format: docs/formats/wal.md.

namespace sonde::tsdb {

inline constexpr std::size_t kWalPageBytes = 32 * 1024;
/// Type and flags, length, checksum.
inline constexpr std::size_t kWalFragmentHeaderBytes = 7;

/// What a fragment's type byte says: the low three bits, and the flags.
enum class WalFragment : std::uint8_t {
  kPageEnd = 0,
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4
};
inline constexpr std::uint8_t kWalFragmentMask = 0x07;
inline constexpr std::uint8_t kWalSnappyFlag = 0x08;
inline constexpr std::uint8_t kWalZstdFlag = 0x10;

struct WalSegment {
  std::uint32_t number = 0;
  Env::Path path;
  std::uint64_t bytes = 0;
};

struct WalCheckpoint {
  std::uint32_t number = 0;  ///< The last segment that it stands for.
  Env::Path path;
};

/// "00000042".
std::string WalSegmentName(std::uint32_t number);
/// "checkpoint.00000042".
std::string WalCheckpointName(std::uint32_t number);

/// The segments in `dir`, by number; other names are ignored. Empty if `dir` does not exist.
Result<std::vector<WalSegment>> ListWalSegments(Env& env, const Env::Path& dir);
/// The checkpoints in `dir`, by number; unfinished ones (".tmp") are ignored.
Result<std::vector<WalCheckpoint>> ListWalCheckpoints(Env& env, const Env::Path& dir);
/// Removes what an interrupted checkpoint or repair left in `dir`.
Status RemoveWalLeftovers(Env& env, const Env::Path& dir);

}  // namespace sonde::tsdb
