#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "storage/storage.h"
#include "tsdb/arena.h"
#include "tsdb/block.h"
#include "tsdb/head.h"

// The answer to a Select: series with references to their chunks in blocks, and copies of what was
// in the head. It holds nothing of the head itself, so that the head can go on, collect series and
// truncate while the answer is read.

namespace sonde::tsdb {

/// The samples of one series from one source.
struct SeriesPiece {
  static constexpr std::uint32_t kHead = ~std::uint32_t{0};

  std::uint32_t source = kHead;  ///< Position of the block in the set, or kHead.
  std::uint32_t first =
      0;  ///< The series' number in the block's index, or the first of its chunks from the head.
  std::uint32_t count = 0;  ///< Chunks from the head.
  std::uint32_t next = 0;   ///< The next piece of the same series + 1; 0: none.
};

/// Implements storage::SeriesSet. Immutable once it is built (by StoreQuerier), except for what
/// readers note.
class StoreSeriesSet final : public storage::SeriesSet {
 public:
  StoreSeriesSet(Timestamp start, Timestamp end, std::vector<std::shared_ptr<const Block>> blocks)
      : start_(start), end_(end), blocks_(std::move(blocks)) {}

  std::size_t size() const override { return rows_.size(); }
  LabelsView labels(std::size_t index) const override { return rows_[index].labels; }
  std::unique_ptr<storage::SampleReader> NewReader() const override;
  std::span<const std::string> warnings() const override { return warnings_; }

  // For the querier that builds it.

  const std::vector<std::shared_ptr<const Block>>& blocks() const { return blocks_; }
  Arena& arena() { return arena_; }
  std::vector<CopiedChunk>& head_chunks() { return head_chunks_; }
  void SetHeadFiles(std::shared_ptr<const HeadChunkFiles> files) { head_files_ = std::move(files); }
  /// Ranges that were deleted, for the chunks of head series from `first_chunk` on.
  void AddHeadDeletions(std::uint32_t first_chunk, const Intervals& intervals) {
    head_deletions_.emplace_back(first_chunk, intervals);
  }
  void AddWarning(std::string warning) { warnings_.push_back(std::move(warning)); }
  /// `labels` must live as long as the set. Returns the row.
  std::uint32_t AddRow(LabelsView labels);
  void AddPiece(std::uint32_t row, SeriesPiece piece);
  void SortRows();
  void Limit(std::size_t rows) {
    if (rows_.size() > rows) rows_.resize(rows);
  }

 private:
  friend class StoreSampleReader;

  struct Row {
    LabelsView labels;
    std::uint32_t first_piece = 0;  // + 1; 0: none.
    std::uint32_t last_piece = 0;
  };

  const Timestamp start_;
  const Timestamp end_;
  const std::vector<std::shared_ptr<const Block>> blocks_;
  std::shared_ptr<const HeadChunkFiles> head_files_;
  Arena arena_;  // Labels, and copied chunks.
  std::vector<Row> rows_;
  std::vector<SeriesPiece> pieces_;
  std::vector<CopiedChunk> head_chunks_;
  std::vector<std::pair<std::uint32_t, Intervals>> head_deletions_;  // Rare: few.
  std::vector<std::string> warnings_;
};

}  // namespace sonde::tsdb
