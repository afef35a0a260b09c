#pragma once

#include <cstddef>
#include <cstdint>

// Constants of the index file of a block. Format: docs/formats/index.md.

namespace sonde::tsdb {

inline constexpr std::uint32_t kIndexMagic = 0xBAAAD700;
inline constexpr std::size_t kIndexHeaderBytes = 5;
inline constexpr std::size_t kIndexTocBytes = 6 * 8 + 4;
/// Series begin at multiples of this; a reference is the offset divided by it.
inline constexpr std::uint64_t kIndexSeriesAlignment = 16;
inline constexpr std::uint64_t kIndexPostingsAlignment = 4;

/// Where the sections of an index begin.
struct IndexToc {
  std::uint64_t symbols = 0;
  std::uint64_t series = 0;
  std::uint64_t label_indices = 0;        ///< Not written any more: the end of the series.
  std::uint64_t label_indices_table = 0;  ///< Not written any more: the postings table.
  std::uint64_t postings = 0;
  std::uint64_t postings_table = 0;
};

/// One chunk of a series, as the index says it.
struct IndexChunk {
  std::int64_t min_time = 0;
  std::int64_t max_time = 0;  ///< Inclusive.
  std::uint64_t ref = 0;
};

}  // namespace sonde::tsdb
