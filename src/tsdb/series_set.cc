#include "tsdb/series_set.h"

#include <algorithm>
#include <limits>

namespace sonde::tsdb {
namespace {

/// Samples per batch, about: small chunks are put together, so that the caller's cost per batch is
/// spread.
constexpr std::size_t kBatchSamples = 512;

/// Two growing columns without initialisation.
class Columns {
 public:
  void Clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  Timestamp* times() { return times_.get(); }
  double* values() { return values_.get(); }

  void Reserve(std::size_t more) {
    if (size_ + more <= capacity_) return;
    const std::size_t capacity = std::max(capacity_ * 2, size_ + more);
    auto times = std::make_unique_for_overwrite<Timestamp[]>(capacity);
    auto values = std::make_unique_for_overwrite<double[]>(capacity);
    std::copy_n(times_.get(), size_, times.get());
    std::copy_n(values_.get(), size_, values.get());
    times_ = std::move(times);
    values_ = std::move(values);
    capacity_ = capacity;
  }
  void SetSize(std::size_t size) { size_ = size; }
  void Append(Timestamp t, double v) {
    Reserve(1);
    times_[size_] = t;
    values_[size_++] = v;
  }

 private:
  std::unique_ptr<Timestamp[]> times_;
  std::unique_ptr<double[]> values_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace

/// Reads the chunks of a series in the order of time; where chunks of different sources overlap, it
/// merges them.
class StoreSampleReader final : public storage::SampleReader {
 public:
  explicit StoreSampleReader(const StoreSeriesSet& set) : set_(set) {}

  void Seek(std::size_t index) override;
  Result<storage::SampleBatch> Next() override;

 private:
  /// One chunk, wherever it is.
  struct Slice {
    Timestamp min_time;
    Timestamp max_time;            // Samples after it are not to be given out.
    std::uint64_t ref = 0;         // In the block or in the files of the head.
    std::string_view data;         // A copy from the head, if set.
    const Block* block = nullptr;  // Null: of the head.
    const Intervals* deleted = nullptr;
  };

  void AddBlockSlices(const SeriesPiece& piece);
  void AddHeadSlices(const SeriesPiece& piece);
  Status Decode(const Slice& slice, Columns& out);
  Status MergeUntil(std::size_t end);
  std::size_t GroupEnd(std::size_t begin) const;

  const StoreSeriesSet& set_;
  std::vector<Slice> slices_;
  std::size_t at_ = 0;
  IndexSeries index_series_;
  Columns out_;
  std::vector<Columns> merging_;
};

void StoreSampleReader::AddBlockSlices(const SeriesPiece& piece) {
  const Block& block = *set_.blocks_[piece.source];
  // It was read once when the set was made; a damaged entry is not in the set.
  if (!block.index().ReadSeries(piece.first, index_series_)) return;
  const Intervals* deleted = block.deleted(piece.first);
  IndexChunkReader chunks = index_series_.chunks();
  IndexChunk chunk;
  while (chunks.Next(chunk)) {
    if (chunk.max_time < set_.start_.ms || chunk.min_time > set_.end_.ms) continue;
    slices_.push_back({{chunk.min_time}, {chunk.max_time}, chunk.ref, {}, &block, deleted});
  }
}

void StoreSampleReader::AddHeadSlices(const SeriesPiece& piece) {
  const Intervals* deleted = nullptr;
  for (const auto& [first_chunk, intervals] : set_.head_deletions_) {
    if (first_chunk == piece.first) deleted = &intervals;
  }
  for (std::uint32_t i = 0; i < piece.count; ++i) {
    const CopiedChunk& chunk = set_.head_chunks_[piece.first + i];
    slices_.push_back({chunk.min_time, chunk.max_time, chunk.ref, chunk.data, nullptr, deleted});
  }
}

void StoreSampleReader::Seek(std::size_t index) {
  slices_.clear();
  at_ = 0;
  std::uint32_t piece = set_.rows_[index].first_piece;
  while (piece != 0) {
    const SeriesPiece& p = set_.pieces_[piece - 1];
    if (p.source == SeriesPiece::kHead) {
      AddHeadSlices(p);
    } else {
      AddBlockSlices(p);
    }
    piece = p.next;
  }
  const auto by_time = [](const Slice& slice) { return slice.min_time; };
  if (!std::ranges::is_sorted(slices_, {}, by_time)) std::ranges::stable_sort(slices_, {}, by_time);
}

Status StoreSampleReader::Decode(const Slice& slice, Columns& out) {
  ChunkView view{ChunkEncoding::kXor, slice.data, slice.data.size() + kDecodeSlackBytes};
  if (slice.data.empty()) {
    // A set that was asked for without samples.
    if (slice.block == nullptr && slice.ref == 0) return OkStatus();
    auto read = slice.block != nullptr ? slice.block->chunks().Read(slice.ref)
                                       : set_.head_files_->Read(slice.ref);
    if (!read) {
      if (slice.block != nullptr) return std::move(read).error().Wrap(slice.block->dir().string());
      return std::move(read).error();
    }
    view = *read;
  }
  // Native histograms: the set's warnings say that they are left out.
  if (!IsFloatEncoding(view.encoding)) return OkStatus();
  const std::uint32_t count = ChunkSampleCount(view.data);
  const std::size_t begin = out.size();
  out.Reserve(count);
  Timestamp* const times = out.times() + begin;
  double* const values = out.values() + begin;
  TRY(DecodeChunk(view.encoding, view.data, view.readable, times, values));
  std::size_t first = 0;
  std::size_t last = count;
  if (slice.min_time < set_.start_) {
    first = static_cast<std::size_t>(std::lower_bound(times, times + count, set_.start_) - times);
  }
  const Timestamp end = std::min(set_.end_, slice.max_time);
  if (count > 0 && times[count - 1] > end) {
    last = static_cast<std::size_t>(std::upper_bound(times, times + count, end) - times);
  }
  std::size_t kept = 0;
  if (slice.deleted == nullptr && first == 0) {
    kept = last;
  } else {
    for (std::size_t i = first; i < last; ++i) {
      if (slice.deleted != nullptr && Covers(*slice.deleted, times[i])) continue;
      times[kept] = times[i];
      values[kept] = values[i];
      ++kept;
    }
  }
  out.SetSize(begin + kept);
  return OkStatus();
}

std::size_t StoreSampleReader::GroupEnd(std::size_t begin) const {
  Timestamp reach = slices_[begin].max_time;
  std::size_t end = begin + 1;
  while (end < slices_.size() && slices_[end].min_time <= reach) {
    reach = std::max(reach, slices_[end].max_time);
    ++end;
  }
  return end;
}

Status StoreSampleReader::MergeUntil(std::size_t end) {
  merging_.resize(std::max(merging_.size(), end - at_));
  std::vector<std::size_t> position(end - at_, 0);
  for (std::size_t i = at_; i < end; ++i) {
    merging_[i - at_].Clear();
    TRY(Decode(slices_[i], merging_[i - at_]));
  }
  // Few sources: a linear search for the smallest is as good as a heap. Of samples at the same time
  // the one of the first source (the oldest block) is taken.
  while (true) {
    Timestamp next = Timestamp::Max();
    std::size_t from = position.size();
    for (std::size_t i = 0; i < position.size(); ++i) {
      if (position[i] == merging_[i].size()) continue;
      const Timestamp t = merging_[i].times()[position[i]];
      if (from == position.size() || t < next) {
        next = t;
        from = i;
      }
    }
    if (from == position.size()) break;
    out_.Append(next, merging_[from].values()[position[from]]);
    for (std::size_t i = 0; i < position.size(); ++i) {
      while (position[i] < merging_[i].size() && merging_[i].times()[position[i]] <= next) {
        ++position[i];
      }
    }
  }
  at_ = end;
  return OkStatus();
}

Result<storage::SampleBatch> StoreSampleReader::Next() {
  out_.Clear();
  while (at_ < slices_.size() && out_.size() < kBatchSamples) {
    const std::size_t end = GroupEnd(at_);
    if (end == at_ + 1) {
      TRY(Decode(slices_[at_], out_));
      ++at_;
    } else {
      TRY(MergeUntil(end));
    }
  }
  storage::SampleBatch batch;
  batch.timestamps = {out_.times(), out_.size()};
  batch.values = {out_.values(), out_.size()};
  return batch;
}

std::unique_ptr<storage::SampleReader> StoreSeriesSet::NewReader() const {
  return std::make_unique<StoreSampleReader>(*this);
}

std::uint32_t StoreSeriesSet::AddRow(LabelsView labels) {
  rows_.push_back({labels, 0, 0});
  return static_cast<std::uint32_t>(rows_.size() - 1);
}

void StoreSeriesSet::AddPiece(std::uint32_t row, SeriesPiece piece) {
  pieces_.push_back(piece);
  const auto number = static_cast<std::uint32_t>(pieces_.size());
  Row& r = rows_[row];
  if (r.first_piece == 0) {
    r.first_piece = number;
  } else {
    pieces_[r.last_piece - 1].next = number;
  }
  r.last_piece = number;
}

void StoreSeriesSet::SortRows() {
  const auto by_labels = [](const Row& row) { return row.labels; };
  if (!std::ranges::is_sorted(rows_, {}, by_labels)) std::ranges::sort(rows_, {}, by_labels);
}

}  // namespace sonde::tsdb
