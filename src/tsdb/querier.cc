#include "tsdb/querier.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace sonde::tsdb {
namespace {

/// Builds a set from several sources, putting the pieces of equal series together.
class SetBuilder {
 public:
  SetBuilder(StoreSeriesSet& set, std::size_t sources, std::size_t limit)
      : set_(set), single_(sources <= 1), limit_(limit) {}

  /// The row for these labels, made if needed; nothing if the limit of rows is reached. `packed`
  /// may be temporary.
  std::optional<std::uint32_t> Row(std::string_view packed) {
    if (single_) {
      if (Full()) return std::nullopt;
      return set_.AddRow(LabelsView::FromPacked(set_.arena().Copy(packed)));
    }
    if ((set_.size() + 1) * 2 > slots_.size()) Grow();
    const std::uint64_t hash = Xxh3(packed);
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    while (slots_[i] != 0) {
      const std::uint32_t row = slots_[i] - 1;
      if (hashes_[row] == hash && set_.labels(row).packed() == packed) return row;
      i = (i + 1) & mask;
    }
    if (Full()) return std::nullopt;
    const std::uint32_t row = set_.AddRow(LabelsView::FromPacked(set_.arena().Copy(packed)));
    slots_[i] = row + 1;
    hashes_.push_back(hash);
    return row;
  }
  /// No further row will be made, and no series of another source can join one.
  bool Done() const { return single_ && Full(); }

 private:
  bool Full() const { return limit_ != 0 && set_.size() >= limit_; }
  void Grow() {
    slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), 0);
    const std::size_t mask = slots_.size() - 1;
    for (std::uint32_t row = 0; row < hashes_.size(); ++row) {
      std::size_t i = hashes_[row] & mask;
      while (slots_[i] != 0) {
        i = (i + 1) & mask;
      }
      slots_[i] = row + 1;
    }
  }

  StoreSeriesSet& set_;
  const bool single_;
  const std::size_t limit_;
  std::vector<std::uint32_t> slots_;  // Row + 1; open addressing.
  std::vector<std::uint64_t> hashes_;
};

/// True if a chunk of the series holds samples in the range; `histograms` counts chunks that are
/// none of floats, where it is not null.
bool HasChunks(const Block& block, std::uint32_t id, const IndexSeries& series, Timestamp start,
               Timestamp end, std::size_t* histograms) {
  const Intervals* deleted = block.deleted(id);
  IndexChunkReader chunks = series.chunks();
  IndexChunk chunk;
  bool found = false;
  while (chunks.Next(chunk)) {
    if (chunk.max_time < start.ms || chunk.min_time > end.ms) continue;
    if (deleted != nullptr && CoversAll(*deleted, {chunk.min_time}, {chunk.max_time})) continue;
    found = true;
    if (histograms == nullptr) break;
    const auto view = block.chunks().Read(chunk.ref);
    if (view.ok() && !IsFloatEncoding(view->encoding)) ++*histograms;
  }
  return found;
}

Status SelectFromBlock(std::uint32_t source, Timestamp start, Timestamp end,
                       std::span<const Matcher> matchers, StoreSeriesSet& set,
                       SetBuilder& builder) {
  const Block& block = *set.blocks()[source];
  const std::vector<std::uint32_t> ids = TRY(SelectIds(block.index(), matchers));
  // Only blocks that say so are looked through for native histograms.
  std::size_t histograms = 0;
  std::size_t* const count = block.meta().stats.histogram_samples > 0 ? &histograms : nullptr;
  IndexSeries series;
  std::string packed;
  for (const std::uint32_t id : ids) {
    TRY(block.index().ReadSeries(id, series));
    if (!HasChunks(block, id, series, start, end, count)) continue;
    packed.clear();
    TRY(block.index().AppendPackedLabels(series, packed));
    const auto row = builder.Row(packed);
    if (row) set.AddPiece(*row, {source, id, 0, 0});
    if (builder.Done()) break;
  }
  if (histograms > 0) {
    set.AddWarning("block " + block.meta().id.ToString() + ": " + std::to_string(histograms) +
                   " chunks of native histograms were left out: this version cannot read them");
  }
  return OkStatus();
}

void SortAndLimit(std::vector<std::string>& names, std::size_t limit) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (limit != 0 && names.size() > limit) names.resize(limit);
}

Status AddBlockNames(const Block& block, std::span<const Matcher> matchers,
                     std::vector<std::string>& names) {
  const IndexReader& index = block.index();
  if (matchers.empty()) {
    return index.ForEachName([&](std::string_view name) { names.emplace_back(name); });
  }
  const std::vector<std::uint32_t> ids = TRY(SelectIds(index, matchers));
  std::vector<std::uint32_t> symbols;
  IndexSeries series;
  for (const std::uint32_t id : ids) {
    TRY(index.ReadSeries(id, series));
    for (const SymbolRefs label : series.labels) {
      if (std::ranges::find(symbols, label.name) == symbols.end()) symbols.push_back(label.name);
    }
  }
  for (const std::uint32_t symbol : symbols) {
    names.emplace_back(TRY(index.Symbol(symbol)));
  }
  return OkStatus();
}

}  // namespace

bool StoreQuerier::UsesHead() const {
  return head_.has_samples() && end_ >= view_.head_floor && start_.ms <= head_.max_time();
}

Result<std::unique_ptr<storage::SeriesSet>> StoreQuerier::Select(
    bool sorted, const storage::SelectHints& hints, std::span<const Matcher> matchers) const {
  const Timestamp start = std::max(start_, hints.start);
  const Timestamp end = std::min(end_, hints.end);
  auto set = std::make_unique<StoreSeriesSet>(start, end, view_.blocks);
  const bool uses_head = UsesHead();
  // A sorted answer is cut after sorting: which series come first is not known before.
  const std::size_t limit = sorted ? 0 : hints.limit;
  SetBuilder builder(*set, view_.blocks.size() + (uses_head ? 1 : 0), limit);
  for (std::uint32_t i = 0; i < view_.blocks.size(); ++i) {
    if (!view_.blocks[i]->Overlaps(start, end)) continue;
    if (Status status = SelectFromBlock(i, start, end, matchers, *set, builder); !status) {
      return std::move(status).error().Wrap("block " + view_.blocks[i]->meta().id.ToString());
    }
  }
  if (uses_head) {
    const bool without_samples = hints.function == "series";
    const std::vector<SeriesId> ids = TRY(head_.registry().Select(matchers));
    const Timestamp head_start = std::max(start, view_.head_floor);
    std::vector<CopiedChunk>& chunks = set->head_chunks();
    std::string packed;
    for (const SeriesId id : ids) {
      const auto first = static_cast<std::uint32_t>(chunks.size());
      const std::size_t count = head_.CopyChunks(id, head_start, end, view_.guest->visible_commit(),
                                                 without_samples ? nullptr : &set->arena(), chunks);
      if (count == 0) continue;
      packed.clear();
      head_.registry().AppendLabels(head_.registry()[id], packed);
      const auto row = builder.Row(packed);
      if (!row) {
        chunks.resize(first);
        if (builder.Done()) break;
        continue;
      }
      set->AddPiece(*row, {SeriesPiece::kHead, first, static_cast<std::uint32_t>(count), 0});
      if (const Intervals* deleted = head_.deleted(id)) set->AddHeadDeletions(first, *deleted);
    }
    // After the chunks: what they refer to was mapped before they did.
    if (head_chunks_ != nullptr) set->SetHeadFiles(head_chunks_->files());
  }
  if (sorted) set->SortRows();
  if (hints.limit != 0) set->Limit(hints.limit);
  return std::unique_ptr<storage::SeriesSet>(std::move(set));
}

Result<std::vector<std::string>> StoreQuerier::LabelNames(std::span<const Matcher> matchers,
                                                          std::size_t limit) const {
  std::vector<std::string> names;
  for (const auto& block : view_.blocks) {
    TRY(AddBlockNames(*block, matchers, names));
  }
  if (UsesHead()) {
    std::vector<std::string> head_names = TRY(head_.registry().LabelNames(matchers));
    std::ranges::move(head_names, std::back_inserter(names));
  }
  SortAndLimit(names, limit);
  return names;
}

Result<std::vector<std::string>> StoreQuerier::LabelValues(std::string_view name,
                                                           std::span<const Matcher> matchers,
                                                           std::size_t limit) const {
  std::vector<std::string> values;
  for (const auto& block : view_.blocks) {
    const auto found = TRY(SelectValues(block->index(), name, matchers));
    values.insert(values.end(), found.begin(), found.end());
  }
  if (UsesHead()) {
    std::vector<std::string> head_values = TRY(head_.registry().LabelValues(name, matchers));
    std::ranges::move(head_values, std::back_inserter(values));
  }
  SortAndLimit(values, limit);
  return values;
}

}  // namespace sonde::tsdb
