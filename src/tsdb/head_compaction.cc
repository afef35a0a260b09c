#include "tsdb/head_compaction.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "tsdb/block_writer.h"

namespace sonde::tsdb {
namespace {

/// The labels of some series as numbers in the order of the strings, so that sorting and writing
/// compare integers.
class LabelOrder {
 public:
  LabelOrder(const SeriesRegistry& registry, std::span<const SeriesId> series) {
    CollectLabels(registry, series);
    CollectSymbols(registry);
    RankLabels();
  }

  /// All names and values, sorted; the first is the empty string, as in Prometheus's blocks.
  std::span<const std::string_view> symbols() const { return symbols_; }
  SymbolPair pair(LabelId label) const { return pairs_[Position(label)]; }
  std::uint32_t rank(LabelId label) const { return ranks_[Position(label)]; }

 private:
  void CollectLabels(const SeriesRegistry& registry, std::span<const SeriesId> series) {
    LabelId last = 0;
    for (const SeriesId id : series) {
      for (const LabelId label : registry[id].pairs()) {
        last = std::max(last, label);
      }
    }
    positions_.assign(last + std::size_t{1}, 0);
    for (const SeriesId id : series) {
      for (const LabelId label : registry[id].pairs()) {
        if (positions_[label] != 0) continue;
        labels_.push_back(label);
        positions_[label] = static_cast<std::uint32_t>(labels_.size());
      }
    }
  }

  void CollectSymbols(const SeriesRegistry& registry) {
    symbols_.emplace_back("");
    std::vector<std::pair<std::string_view, std::string_view>> texts;
    texts.reserve(labels_.size());
    for (const LabelId label : labels_) {
      const std::string_view packed = registry.packed_label(label);
      texts.emplace_back(PackedName(packed), PackedValue(packed));
      symbols_.push_back(texts.back().first);
      symbols_.push_back(texts.back().second);
    }
    std::ranges::sort(symbols_);
    symbols_.erase(std::unique(symbols_.begin(), symbols_.end()), symbols_.end());
    const auto number = [this](std::string_view text) {
      return static_cast<std::uint32_t>(std::ranges::lower_bound(symbols_, text) -
                                        symbols_.begin());
    };
    pairs_.reserve(labels_.size());
    for (const auto& [name, value] : texts) {
      pairs_.push_back({number(name), number(value)});
    }
  }

  void RankLabels() {
    std::vector<std::uint32_t> order(labels_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [this](std::uint32_t a, std::uint32_t b) {
      return std::pair(pairs_[a].name, pairs_[a].value) <
             std::pair(pairs_[b].name, pairs_[b].value);
    });
    ranks_.resize(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      ranks_[order[i]] = i;
    }
  }

  std::size_t Position(LabelId label) const { return positions_[label] - 1; }

  std::vector<LabelId> labels_;
  std::vector<std::uint32_t> positions_;  // By label; + 1.
  std::vector<std::string_view> symbols_;
  std::vector<SymbolPair> pairs_;
  std::vector<std::uint32_t> ranks_;
};

void SortByLabels(const SeriesRegistry& registry, const LabelOrder& order,
                  std::vector<SeriesId>& series) {
  // Side by side in memory: a comparison looks at two short runs of numbers.
  std::vector<std::uint32_t> ranks;
  struct Key {
    std::size_t begin;
    std::uint32_t size;
    SeriesId id;
  };
  std::vector<Key> keys;
  keys.reserve(series.size());
  for (const SeriesId id : series) {
    const auto labels = registry[id].pairs();
    keys.push_back({ranks.size(), static_cast<std::uint32_t>(labels.size()), id});
    for (const LabelId label : labels) {
      ranks.push_back(order.rank(label));
    }
  }
  std::ranges::sort(keys, [&ranks](const Key& a, const Key& b) {
    const auto left = ranks.begin() + static_cast<std::ptrdiff_t>(a.begin);
    const auto right = ranks.begin() + static_cast<std::ptrdiff_t>(b.begin);
    return std::lexicographical_compare(left, left + a.size, right, right + b.size);
  });
  for (std::size_t i = 0; i < keys.size(); ++i) {
    series[i] = keys[i].id;
  }
}

/// Turns the chunks of a head series into those of the block.
class ChunkCutter {
 public:
  ChunkCutter(const HeadChunkFiles& files, Timestamp min_time, Timestamp max_time)
      : files_(files), min_time_(min_time), max_time_(max_time) {}

  /// Valid until the next call.
  Result<std::span<const BlockChunk>> Cut(std::span<const CopiedChunk> chunks,
                                          const Intervals* deleted) {
    out_.clear();
    rewritten_.clear();
    for (const CopiedChunk& chunk : chunks) {
      ChunkView view{ChunkEncoding::kXor, chunk.data, chunk.data.size() + kDecodeSlackBytes};
      if (chunk.data.empty()) view = TRY(files_.Read(chunk.ref));
      const bool whole = chunk.min_time >= min_time_ && chunk.max_time <= max_time_;
      if (whole && deleted == nullptr) {
        out_.push_back({chunk.min_time, chunk.max_time, ChunkSampleCount(view.data),
                        ChunkEncoding::kXor, view.data});
      } else {
        TRY(Rewrite(view, chunk.max_time, deleted));
      }
    }
    return std::span<const BlockChunk>(out_);
  }

 private:
  Status Rewrite(const ChunkView& view, Timestamp chunk_max, const Intervals* deleted) {
    const std::uint32_t count = ChunkSampleCount(view.data);
    times_.resize(count);
    values_.resize(count);
    TRY(DecodeChunk(view.encoding, view.data, view.readable, times_.data(), values_.data()));
    builder_.Reset();
    Timestamp first;
    Timestamp last;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Timestamp t = times_[i];
      if (t < min_time_ || t > max_time_ || t > chunk_max) continue;
      if (deleted != nullptr && Covers(*deleted, t)) continue;
      if (builder_.count() == 0) first = t;
      last = t;
      builder_.Append(t, values_[i]);
    }
    if (builder_.count() == 0) return OkStatus();
    rewritten_.push_back(std::make_unique<std::string>(builder_.bytes()));
    out_.push_back({first, last, builder_.count(), ChunkEncoding::kXor, *rewritten_.back()});
    return OkStatus();
  }

  const HeadChunkFiles& files_;
  const Timestamp min_time_;
  const Timestamp max_time_;  // Inclusive.
  std::vector<BlockChunk> out_;
  std::vector<std::unique_ptr<std::string>> rewritten_;
  std::vector<Timestamp> times_;
  std::vector<double> values_;
  XorChunkBuilder builder_;
};

constexpr std::uint64_t kEverything = std::numeric_limits<std::uint64_t>::max();

}  // namespace

Result<std::optional<BlockMeta>> CutBlock(Env& env, const Env::Path& data_dir, Head& head,
                                          const HeadChunks& head_chunks,
                                          const CutRequest& request) {
  // As a guest: the labels stay where they are.
  const Guests::Reader guest(head.guests());
  const SeriesRegistry& registry = head.registry();
  const Timestamp last{request.max_time.ms - 1};
  std::vector<SeriesId> series;
  std::vector<CopiedChunk> chunks;
  Timestamp oldest = request.max_time;
  const std::vector<SeriesId> all = registry.All();
  for (const SeriesId id : all) {
    chunks.clear();
    if (head.CopyChunks(id, request.min_time, last, kEverything, nullptr, chunks) == 0) continue;
    series.push_back(id);
    oldest = std::min(oldest, std::max(chunks.front().min_time, request.min_time));
  }
  if (series.empty()) return std::optional<BlockMeta>();

  const LabelOrder order(registry, series);
  SortByLabels(registry, order, series);
  const auto files = head_chunks.files();
  ChunkCutter cutter(*files, request.min_time, last);
  auto writer = TRY(
      BlockWriter::Create(env, data_dir, request.id, order.symbols(), request.chunk_file_bytes));
  std::vector<SymbolPair> labels;
  for (const SeriesId id : series) {
    Arena arena;
    chunks.clear();
    head.CopyChunks(id, request.min_time, last, kEverything, &arena, chunks);
    const std::span<const BlockChunk> cut = TRY(cutter.Cut(chunks, head.deleted(id)));
    if (cut.empty()) continue;
    labels.clear();
    for (const LabelId label : registry[id].pairs()) {
      labels.push_back(order.pair(label));
    }
    TRY(writer->AddSeries(labels, cut));
  }
  if (writer->samples() == 0) return std::optional<BlockMeta>();
  BlockMeta meta;
  meta.min_time = oldest;
  meta.max_time = request.max_time;
  return std::optional<BlockMeta>(TRY(writer->Finish(meta)));
}

}  // namespace sonde::tsdb
