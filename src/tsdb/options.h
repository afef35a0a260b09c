#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/time.h"

// What can be chosen about the store. A plain value; config/ and the command line fill it.

namespace sonde::tsdb {

enum class WalCompression : unsigned char { kNone, kSnappy, kZstd };

/// When the write-ahead log is forced to the disk. Whatever is chosen, an acknowledged sample
/// survives the death of the process at any instant; the policies differ in what a power cut can
/// take.
enum class FsyncPolicy : unsigned char {
  kAlways,    ///< Before a commit is acknowledged: nothing is lost.
  kInterval,  ///< Every `fsync_interval`: at most that much is lost.
  kSegment,   ///< When a segment is full, as Prometheus does: what the kernel has not written back
              ///< is lost.
};

struct Options {
  std::filesystem::path directory;

  Duration retention = std::chrono::hours(
      15 * 24);  ///< Older blocks are removed; relative to the newest data. 0: keep all.
  Duration block_range = std::chrono::hours(2);  ///< A block's length: 1 minute to 31 days.
  std::uint64_t max_series = 0;  ///< Series in the head; more are refused with kLimit. 0: no limit.
  std::uint32_t samples_per_chunk = 120;

  WalCompression wal_compression = WalCompression::kSnappy;
  std::uint64_t wal_segment_bytes = std::uint64_t{128}
                                    << 20;  ///< 10 to 256 MiB; a multiple of 32 KiB.
  FsyncPolicy fsync = FsyncPolicy::kInterval;
  Duration fsync_interval = std::chrono::seconds(1);
  bool wal_metadata = false;  ///< Metadata records in the log (Prometheus: `metadata-wal-records`).

  std::uint64_t head_chunk_file_bytes = std::uint64_t{128} << 20;
  std::uint64_t block_chunk_file_bytes = std::uint64_t{512} << 20;
  Duration block_reload_interval = std::chrono::minutes(1);

  unsigned replay_threads =
      0;  ///< Threads that read the log at the start; 0: one for each processor.
  std::optional<std::uint64_t>
      random_seed;  ///< For the ids of blocks. Unset: from the operating system.
};

}  // namespace sonde::tsdb
