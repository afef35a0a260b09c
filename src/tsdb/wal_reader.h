#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"

// Reading the write-ahead log. Format: docs/formats/wal.md.

namespace sonde::tsdb {

/// Reads the records of one segment. Bytes that are damaged are skipped to the next page that
/// begins a record, so that one bad sector costs the records on it and no others. Not thread-safe.
class WalSegmentReader {
 public:
  /// Decompressed records above `max_record_bytes` count as damaged. `segment` must outlive the
  /// reader.
  explicit WalSegmentReader(std::string_view segment,
                            std::uint64_t max_record_bytes = kDefaultMaxRecordBytes)
      : segment_(segment), max_record_bytes_(max_record_bytes) {}

  /// False at the end of the segment.
  bool Next();
  /// Uncompressed. Valid until the next call of Next.
  std::string_view record() const { return record_; }
  /// The same as a string of its own, without copying if it was compressed; record() is empty
  /// afterwards.
  std::string TakeRecord();
  /// Where the last good record ends.
  std::uint64_t good_end() const { return good_end_; }

  /// True if bytes were skipped because they are damaged or end too early.
  bool damaged() const { return !damage_.empty(); }
  /// What was wrong with the first damaged place, and where.
  const std::string& damage() const { return damage_; }
  /// True if a good record came after a damaged place: cutting the tail off would lose it.
  bool good_after_damage() const { return good_after_damage_; }

  static constexpr std::uint64_t kDefaultMaxRecordBytes = std::uint64_t{512} << 20;

 private:
  enum class Step : unsigned char { kFragment, kEnd, kDamaged };

  Step ReadFragment();
  bool SkipPadding();
  void NoteDamage(std::string_view what);
  void Resynchronise();
  bool FinishRecord(std::uint8_t flags);

  const std::string_view segment_;
  const std::uint64_t max_record_bytes_;
  std::size_t at_ = 0;
  std::size_t fragment_begin_ = 0;
  std::uint8_t header_ = 0;
  std::string_view fragment_;
  std::string assembled_;  // Fragments of a record that spans pages.
  std::string decompressed_;
  std::string_view record_;
  std::uint64_t good_end_ = 0;
  std::string damage_;
  bool good_after_damage_ = false;
};

}  // namespace sonde::tsdb
