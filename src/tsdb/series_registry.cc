#include "tsdb/series_registry.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "tsdb/wal_record.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr std::size_t kLogRecordBytes = 256 * 1024;
// How many series lists are shortened, or how many ids looked through, before other users of the
// index get a turn.
constexpr std::size_t kIdsPerTurn = 64 * 1024;

bool Valid(LabelsView labels) {
  if (labels.empty()) return false;
  std::string_view last_name;
  for (const LabelView label : labels) {
    if (label.name.empty() || label.value.empty() || label.name <= last_name) return false;
    last_name = label.name;
  }
  return std::all_of(labels.begin(), labels.end(), [](LabelView label) {
    return IsValidUtf8(label.name) && IsValidUtf8(label.value);
  });
}

/// The head's labels as SelectIds wants them. The index' lock must be held while it lives.
class HeadLabels final : public LabelSource {
 public:
  HeadLabels(const LabelIndex& index, const SeriesRegistry& registry)
      : index_(index), registry_(registry) {}

  Result<IdList> AllIds() const override NO_THREAD_SAFETY_ANALYSIS {
    return IdList(index_.all_series());
  }
  Result<IdList> Ids(std::string_view name,
                     std::string_view value) const override NO_THREAD_SAFETY_ANALYSIS {
    const LabelId label = index_.Find(name, value);
    return label == 0 ? IdList() : IdList(index_.series(label));
  }
  Result<IdList> IdsOf(std::uint64_t handle) const override NO_THREAD_SAFETY_ANALYSIS {
    return IdList(index_.series(static_cast<LabelId>(handle)));
  }
  Status ForEachValue(std::string_view name, std::string_view prefix,
                      const VisitValue& visit) const override NO_THREAD_SAFETY_ANALYSIS {
    const LabelIndex::Name* entry = index_.FindName(name);
    if (entry == nullptr) return OkStatus();
    for (const LabelId label : entry->labels) {
      const std::string_view value = PackedValue(index_.packed_label(label));
      if (value.starts_with(prefix)) visit(value, label);
    }
    return OkStatus();
  }
  Status ForEachName(const std::function<void(std::string_view name)>& visit) const override
      NO_THREAD_SAFETY_ANALYSIS {
    for (const LabelIndex::Name& name : index_.names()) {
      if (!name.labels.empty()) visit(name.name);
    }
    return OkStatus();
  }
  Result<std::size_t> ValueCount(std::string_view name) const override NO_THREAD_SAFETY_ANALYSIS {
    const LabelIndex::Name* entry = index_.FindName(name);
    return entry == nullptr ? std::size_t{0} : entry->labels.size();
  }
  Result<std::string_view> ValueOf(std::uint32_t id, std::string_view name) const override {
    for (const LabelId label : registry_[id].pairs()) {
      const std::string_view packed = index_.packed_label(label);
      if (PackedName(packed) == name) return PackedValue(packed);
    }
    return std::string_view();
  }

 private:
  const LabelIndex& index_;
  const SeriesRegistry& registry_;
};

}  // namespace

SeriesRegistry::SeriesRegistry(std::uint64_t max_series) : max_series_(max_series) {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    shard.slots.resize(kFirstSlots);
  }
}

SeriesRegistry::~SeriesRegistry() = default;

SeriesRegistry::Entry SeriesRegistry::GetOrCreate(LabelsView labels, std::uint32_t epoch) {
  return GetOrMake(labels, Xxh3(labels.packed()), epoch, 0);
}

void SeriesRegistry::Restore(std::span<Restored> series) {
  // The slots are all over the memory: have them on the way while the hashes of the next ones are
  // computed.
  for (Restored& item : series) {
    item.hash = Xxh3(item.labels.packed());
    Shard& shard = shards_[item.hash >> 58];
    MutexLock lock(shard.mutex);
    __builtin_prefetch(&shard.slots[item.hash & (shard.slots.size() - 1)], 1);
  }
  for (Restored& item : series) {
    item.entry = GetOrMake(item.labels, item.hash, 1, item.wal_ref);
  }
}

SeriesRegistry::Entry SeriesRegistry::GetOrMake(LabelsView labels, std::uint64_t hash,
                                                std::uint32_t epoch, std::uint64_t wal_ref) {
  const auto slot_hash = static_cast<std::uint32_t>(hash);
  Shard& shard = shards_[hash >> 58];
  MutexLock lock(shard.mutex);
  if (const SeriesId id = FindInShard(shard, slot_hash, labels.packed()); id != 0) {
    Series& series = series_[id];
    // It is in the table, so it is not collected; and now it will not be.
    ScopedSeriesLock series_lock(series.lock);
    if (series.touched.load(std::memory_order_relaxed) < epoch) {
      series.touched.store(epoch, std::memory_order_release);
    }
    return {id, &series, false};
  }
  Entry entry;
  if (wal_ref == 0 && !Valid(labels)) {
    entry.error = storage::AppendError::kInvalidLabels;
    return entry;
  }
  if (wal_ref == 0 && max_series_ != 0 && size() >= max_series_) {
    entry.error = storage::AppendError::kLimit;
    return entry;
  }
  entry.id = Make(labels, epoch, wal_ref);
  if (entry.id == 0) {
    entry.error = storage::AppendError::kLimit;
    return entry;
  }
  Insert(shard, slot_hash, entry.id);
  entry.series = &series_[entry.id];
  entry.created = true;
  size_.fetch_add(1, std::memory_order_relaxed);
  return entry;
}

SeriesId SeriesRegistry::Make(LabelsView labels, std::uint32_t epoch, std::uint64_t wal_ref) {
  FairWriterLock lock(index_.mutex());
  if (next_id_ == kRemoved) return 0;  // Four thousand million series in one life of the process.
  index_.Intern(labels, scratch_);
  const SeriesId id = next_id_++;
  Series& series = series_.Make(id);
  const std::size_t page = id / decltype(series_)::kPageSize;
  if (page_counts_.size() <= page) page_counts_.resize(page + 1);
  ++page_counts_[page];
  const bool log = wal_ref == 0;
  if (log) wal_ref = ++last_wal_ref_;
  last_wal_ref_ = std::max(last_wal_ref_, wal_ref);
  series.wal_ref = wal_ref;
  series.labels.reset(new std::uint32_t[scratch_.size() + 1]);
  series.labels[0] = static_cast<std::uint32_t>(scratch_.size());
  std::ranges::copy(scratch_, series.labels.get() + 1);
  if (log) QueueForLog(wal_ref, labels);
  // Release: whoever sees a value other than 0 sees the series as it is now.
  series.touched.store(epoch, std::memory_order_release);
  index_.AddSeries(id, scratch_);
  return id;
}

bool SeriesRegistry::HasLabels(const Series& series, std::string_view packed) const {
  for (const LabelId label : series.pairs()) {
    const std::string_view part = index_.packed_label(label);
    if (!packed.starts_with(part)) return false;
    packed.remove_prefix(part.size());
  }
  return packed.empty();
}

SeriesId SeriesRegistry::FindInShard(const Shard& shard, std::uint32_t hash,
                                     std::string_view packed) const {
  const std::size_t mask = shard.slots.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = shard.slots[i];
    if (slot.id == 0) return 0;
    if (slot.hash == hash && slot.id != kRemoved && HasLabels(series_[slot.id], packed)) {
      return slot.id;
    }
  }
}

void SeriesRegistry::Insert(Shard& shard, std::uint32_t hash, SeriesId id) {
  if ((shard.filled + 1) * 4 > shard.slots.size() * 3) Rehash(shard);
  const std::size_t mask = shard.slots.size() - 1;
  std::size_t i = hash & mask;
  while (shard.slots[i].id != 0) {
    i = (i + 1) & mask;
  }
  shard.slots[i] = {hash, id};
  ++shard.filled;
  ++shard.used;
}

void SeriesRegistry::Rehash(Shard& shard) {
  std::vector<Slot> old(std::max(kFirstSlots, std::bit_ceil(shard.used * 2 + 2)));
  old.swap(shard.slots);
  const std::size_t mask = shard.slots.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id == 0 || slot.id == kRemoved) continue;
    std::size_t i = slot.hash & mask;
    while (shard.slots[i].id != 0) {
      i = (i + 1) & mask;
    }
    shard.slots[i] = slot;
  }
  shard.filled = shard.used;
}

void SeriesRegistry::Erase(Shard& shard, std::uint32_t hash, SeriesId id) {
  const std::size_t mask = shard.slots.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    CHECK(shard.slots[i].id != 0);
    if (shard.slots[i].id != id) continue;
    shard.slots[i].id = kRemoved;
    --shard.used;
    return;
  }
}

void SeriesRegistry::AppendLabels(const Series& series, std::string& packed) const {
  for (const LabelId label : series.pairs()) {
    packed.append(index_.packed_label(label));
  }
}

Result<std::vector<SeriesId>> SeriesRegistry::Select(std::span<const Matcher> matchers) const {
  FairReaderLock lock(index_.mutex());
  return SelectIds(HeadLabels(index_, *this), matchers);
}

Result<std::vector<std::string>> SeriesRegistry::LabelNames(
    std::span<const Matcher> matchers) const {
  std::vector<std::string> names;
  FairReaderLock lock(index_.mutex());
  const HeadLabels source(index_, *this);
  if (matchers.empty()) {
    TRY(source.ForEachName([&](std::string_view name) { names.emplace_back(name); }));
    return names;
  }
  std::vector<std::string_view> found;
  const std::vector<SeriesId> ids = TRY(SelectIds(source, matchers));
  for (const SeriesId id : ids) {
    for (const LabelId label : series_[id].pairs()) {
      const std::string_view name = PackedName(index_.packed_label(label));
      if (std::ranges::find(found, name) == found.end()) found.push_back(name);
    }
  }
  names.assign(found.begin(), found.end());
  return names;
}

Result<std::vector<std::string>> SeriesRegistry::LabelValues(
    std::string_view name, std::span<const Matcher> matchers) const {
  FairReaderLock lock(index_.mutex());
  const auto values = TRY(SelectValues(HeadLabels(index_, *this), name, matchers));
  return std::vector<std::string>(values.begin(), values.end());
}

std::vector<SeriesId> SeriesRegistry::All() const {
  FairReaderLock lock(index_.mutex());
  const auto ids = index_.all_series();
  return {ids.begin(), ids.end()};
}

void SeriesRegistry::ReserveWalRef(std::uint64_t wal_ref) {
  FairWriterLock lock(index_.mutex());
  last_wal_ref_ = std::max(last_wal_ref_, wal_ref);
}

void SeriesRegistry::QueueForLog(std::uint64_t wal_ref, LabelsView labels) {
  MutexLock lock(unlogged_mutex_);
  if (unlogged_.empty() || unlogged_.back().size() > kLogRecordBytes) {
    unlogged_.emplace_back();
    BeginRecord(unlogged_.back(), RecordType::kSeries);
  }
  AppendSeries(unlogged_.back(), wal_ref, labels);
}

std::vector<std::string> SeriesRegistry::TakeUnlogged() {
  MutexLock lock(unlogged_mutex_);
  return std::exchange(unlogged_, {});
}

bool SeriesRegistry::HasUnlogged() const {
  MutexLock lock(unlogged_mutex_);
  return !unlogged_.empty();
}

void SeriesRegistry::PutBackUnlogged(std::vector<std::string> records) {
  MutexLock lock(unlogged_mutex_);
  // In front: they are older than what has come since.
  for (std::string& record : unlogged_) {
    records.push_back(std::move(record));
  }
  unlogged_ = std::move(records);
}

bool SeriesRegistry::Kill(SeriesId id, std::uint32_t oldest_epoch) {
  Series* series = Find(id);
  if (series == nullptr) return false;
  std::string packed;
  AppendLabels(*series, packed);
  const std::uint64_t hash = Xxh3(packed);
  Shard& shard = shards_[hash >> 58];
  MutexLock lock(shard.mutex);
  ScopedSeriesLock series_lock(series->lock);
  if (series->dead || series->open != nullptr || !series->full.empty() ||
      series->touched.load(std::memory_order_relaxed) >= oldest_epoch) {
    return false;
  }
  series->dead = true;
  Erase(shard, static_cast<std::uint32_t>(hash), id);
  return true;
}

SeriesRegistry::Removed SeriesRegistry::Collect(std::span<const SeriesId> candidates,
                                                std::uint32_t oldest_epoch) {
  Removed removed;
  std::vector<LabelId> labels;
  for (const SeriesId id : candidates) {
    if (!Kill(id, oldest_epoch)) continue;
    removed.series.push_back(id);
    const auto pairs = series_[id].pairs();
    labels.insert(labels.end(), pairs.begin(), pairs.end());
  }
  size_.fetch_sub(removed.series.size(), std::memory_order_relaxed);
  std::ranges::sort(labels);
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  // In turns, so that appends of new series and queries are not kept waiting.
  for (std::size_t at = 0; at < labels.size();) {
    FairWriterLock lock(index_.mutex());
    for (std::size_t ids = 0; at < labels.size() && ids < kIdsPerTurn; ++at) {
      ids += index_.series_count(labels[at]) + 16;
      if (index_.RemoveSeries(labels[at], removed.series)) removed.labels.push_back(labels[at]);
    }
  }
  FairWriterLock lock(index_.mutex());
  index_.RemoveFromAll(removed.series);
  index_.ForgetRemoved();
  return removed;
}

SeriesRegistry::Pages SeriesRegistry::Reclaim(const Removed& removed) {
  Pages pages;
  FairWriterLock lock(index_.mutex());
  for (const LabelId label : removed.labels) {
    index_.Release(label);
  }
  for (const SeriesId id : removed.series) {
    Series& series = series_[id];
    series.labels.reset();
    series.touched.store(0, std::memory_order_relaxed);
    const std::size_t page = id / decltype(series_)::kPageSize;
    // The page that new series go to stays.
    if (--page_counts_[page] == 0 && page != next_id_ / decltype(series_)::kPageSize) {
      pages.push_back(series_.UnlinkPage(id));
    }
  }
  return pages;
}

}  // namespace sonde::tsdb
