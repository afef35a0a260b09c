#include "tsdb/index_reader.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/hash.h"
#include "model/labels.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint32_t kSampleEvery = 32;

/// One entry of the postings offset table.
struct TableEntry {
  std::string_view name;
  std::string_view value;
  std::uint64_t offset = 0;
};

bool ReadTableEntry(ByteReader& in, TableEntry& entry) {
  const std::uint64_t keys = in.Uvarint();
  entry.name = in.UvarintString();
  entry.value = in.UvarintString();
  entry.offset = in.Uvarint();
  return in.ok() && keys == 2;
}

void PutTableEntry(std::string& out, const TableEntry& entry) {
  PutUvarint(out, 2);
  PutUvarintString(out, entry.name);
  PutUvarintString(out, entry.value);
  PutUvarint(out, entry.offset);
}

}  // namespace

bool IndexChunkReader::Next(IndexChunk& chunk) {
  if (left_ == 0) return false;
  --left_;
  const auto min_time = first_ ? static_cast<std::uint64_t>(in_.Varint())
                               : static_cast<std::uint64_t>(last_max_) + in_.Uvarint();
  const std::uint64_t length = in_.Uvarint();
  // The first reference is a number, later ones are signed differences.
  last_ref_ = first_ ? in_.Uvarint() : last_ref_ + static_cast<std::uint64_t>(in_.Varint());
  first_ = false;
  chunk.min_time = static_cast<std::int64_t>(min_time);
  chunk.max_time = static_cast<std::int64_t>(min_time + length);
  chunk.ref = last_ref_;
  last_max_ = chunk.max_time;
  return in_.ok() && chunk.max_time >= chunk.min_time;
}

Error IndexReader::Damaged(std::string_view what) const {
  return Error(ErrorKind::kCorruption, path_ + ": " + std::string(what));
}

Result<std::unique_ptr<IndexReader>> IndexReader::Open(Env& env, const Env::Path& path,
                                                       int version) {
  std::unique_ptr<MappedFile> file = TRY(env.MapFile(path));
  std::unique_ptr<IndexReader> reader(new IndexReader(std::move(file), path.string()));
  const std::string_view bytes = reader->file_->bytes();
  if (bytes.size() < kIndexHeaderBytes + kIndexTocBytes)
    return reader->Damaged("index is too short");
  if (LoadBe32(bytes.data()) != kIndexMagic) return reader->Damaged("wrong magic number");
  reader->version_ = version != 0 ? version : static_cast<unsigned char>(bytes[4]);
  if (reader->version_ < 1 || reader->version_ > 3) {
    return reader->Damaged("unknown index version " + std::to_string(reader->version_));
  }
  const std::string_view toc = bytes.substr(bytes.size() - kIndexTocBytes);
  ByteReader in(toc);
  for (std::uint64_t* offset :
       {&reader->toc_.symbols, &reader->toc_.series, &reader->toc_.label_indices,
        &reader->toc_.label_indices_table, &reader->toc_.postings, &reader->toc_.postings_table}) {
    *offset = in.Be64();
  }
  if (in.Be32() != Crc32c(toc.substr(0, kIndexTocBytes - 4))) {
    return reader->Damaged("table of contents has a wrong checksum");
  }
  return reader;
}

Result<std::string_view> IndexReader::Section(std::uint64_t offset) const {
  const std::string_view bytes = file_->bytes();
  if (offset >= bytes.size()) return Damaged("a section lies behind the end of the file");
  ByteReader in(bytes.substr(offset));
  const std::string_view section = in.Bytes(in.Be32());
  const std::uint32_t checksum = in.Be32();
  if (!in.ok() || Crc32c(section) != checksum) {
    return Damaged("section at byte " + std::to_string(offset) + " has a wrong checksum");
  }
  return section;
}

Result<const IndexReader::Tables*> IndexReader::LoadTables() const {
  MutexLock lock(mutex_);
  if (tables_ == nullptr) {
    auto tables = std::make_unique<Tables>();
    TRY(LoadSymbols(*tables));
    TRY(LoadPostingsTable(*tables));
    tables_ = std::move(tables);
    ready_.store(tables_.get(), std::memory_order_release);
  }
  return tables_.get();
}

Status IndexReader::LoadSymbols(Tables& tables) const {
  // Version 1 refers to symbols by their offset in the file.
  if (version_ == 1) return OkStatus();
  tables.symbol_bytes = TRY(Section(toc_.symbols));
  ByteReader in(tables.symbol_bytes);
  const std::uint32_t count = in.Be32();
  if (count > in.remaining()) return Damaged("the table of symbols is too short");
  tables.symbols.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    tables.symbols.push_back(static_cast<std::uint32_t>(in.offset()));
    in.UvarintString();
  }
  if (!in.ok()) return Damaged("the table of symbols is too short");
  return OkStatus();
}

Status IndexReader::SortTable(std::string_view table, std::uint32_t count,
                              std::string& sorted) const {
  std::vector<TableEntry> entries;
  ByteReader in(table);
  for (std::uint32_t i = 0; i < count; ++i) {
    TableEntry entry;
    if (!ReadTableEntry(in, entry)) return Damaged("the postings table is malformed");
    entries.push_back(entry);
  }
  std::ranges::sort(entries, {}, [](const TableEntry& e) { return std::tie(e.name, e.value); });
  for (const TableEntry& entry : entries) {
    PutTableEntry(sorted, entry);
  }
  return OkStatus();
}

Status IndexReader::LoadPostingsTable(Tables& tables) const {
  std::string_view table = TRY(Section(toc_.postings_table));
  ByteReader header(table);
  const std::uint32_t count = header.Be32();
  table = header.rest();
  if (!header.ok() || count > table.size()) return Damaged("the postings table is too short");
  if (version_ == 1) {
    TRY(SortTable(table, count, tables.sorted_table));
    table = tables.sorted_table;
  }
  tables.table = table;
  ByteReader in(table);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::uint32_t>(in.offset());
    TableEntry entry;
    if (!ReadTableEntry(in, entry)) return Damaged("the postings table is malformed");
    if (tables.names.empty() || tables.names.back().name != entry.name) {
      tables.names.push_back(
          {entry.name, offset, offset, 0, static_cast<std::uint32_t>(tables.samples.size())});
    }
    Name& name = tables.names.back();
    if (name.count % kSampleEvery == 0) tables.samples.push_back(offset);
    ++name.count;
    name.end = static_cast<std::uint32_t>(in.offset());
  }
  if (!std::ranges::is_sorted(tables.names, {}, &Name::name)) {
    return Damaged("the postings table is not sorted");
  }
  return OkStatus();
}

const IndexReader::Name* IndexReader::FindName(const Tables& tables, std::string_view name) {
  const auto it = std::ranges::lower_bound(tables.names, name, {}, &Name::name);
  return it != tables.names.end() && it->name == name ? &*it : nullptr;
}

Result<std::string_view> IndexReader::Symbol(std::uint32_t ref) const {
  if (version_ == 1) {
    const std::string_view bytes = file_->bytes();
    if (ref >= bytes.size()) return Damaged("a symbol lies behind the end of the file");
    ByteReader in(bytes.substr(ref));
    const std::string_view symbol = in.UvarintString();
    if (!in.ok()) return Damaged("a symbol is cut off");
    return symbol;
  }
  const Tables& tables = *TRY(GetTables());
  if (ref >= tables.symbols.size()) return Damaged("unknown symbol " + std::to_string(ref));
  return ByteReader(tables.symbol_bytes.substr(tables.symbols[ref])).UvarintString();
}

Status IndexReader::ReadSeries(std::uint32_t id, IndexSeries& series) const {
  const std::uint64_t offset =
      version_ == 1 ? std::uint64_t{id} : std::uint64_t{id} * kIndexSeriesAlignment;
  const std::string_view bytes = file_->bytes();
  const auto damaged = [&] {
    return Damaged("series at byte " + std::to_string(offset) + " is damaged");
  };
  if (offset >= bytes.size()) return damaged();
  ByteReader entry(bytes.substr(offset));
  const std::string_view body = entry.UvarintString();
  const std::uint32_t checksum = entry.Be32();
  if (!entry.ok() || Crc32c(body) != checksum) return damaged();
  ByteReader in(body);
  const std::uint64_t labels = in.Uvarint();
  if (labels > in.remaining()) return damaged();
  series.labels.resize(labels);
  for (SymbolRefs& label : series.labels) {
    const std::uint64_t name = in.Uvarint();
    const std::uint64_t value = in.Uvarint();
    if (name > std::numeric_limits<std::uint32_t>::max() ||
        value > std::numeric_limits<std::uint32_t>::max()) {
      return damaged();
    }
    label = {static_cast<std::uint32_t>(name), static_cast<std::uint32_t>(value)};
  }
  series.chunk_count = in.Uvarint();
  series.chunk_bytes = in.rest();
  if (!in.ok() || series.chunk_count > series.chunk_bytes.size()) return damaged();
  return OkStatus();
}

Status IndexReader::AppendPackedLabels(const IndexSeries& series, std::string& packed) const {
  std::string_view last_name;
  for (const SymbolRefs label : series.labels) {
    const std::string_view name = TRY(Symbol(label.name));
    const std::string_view value = TRY(Symbol(label.value));
    if (name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes) {
      return Damaged("a label is too long");
    }
    if (!last_name.empty() && name <= last_name)
      return Damaged("labels of a series are not sorted");
    last_name = name;
    if (!value.empty()) AppendPackedLabel(packed, name, value);
  }
  return OkStatus();
}

Result<IdList> IndexReader::IdsOf(std::uint64_t handle) const {
  const std::string_view section = TRY(Section(handle));
  ByteReader in(section);
  const std::uint64_t count = in.Be32();
  const std::string_view ids = in.Bytes(count * 4);
  if (!in.ok()) return Damaged("a postings list is too short");
  return IdList::BigEndian(ids);
}

Result<IdList> IndexReader::AllIds() const {
  return Ids("", "");
}

/// The entries of `name` from the last sampled one on that is not behind `value`.
std::string_view IndexReader::EntriesFrom(const Tables& tables, const Name& name,
                                          std::string_view value) {
  std::uint32_t low = 0;
  std::uint32_t high = (name.count + kSampleEvery - 1) / kSampleEvery;
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    ByteReader in(tables.table.substr(tables.samples[name.first_sample + middle]));
    TableEntry at;
    ReadTableEntry(in, at);
    (at.value <= value ? low : high) = middle;
  }
  const std::uint32_t begin = tables.samples[name.first_sample + low];
  return tables.table.substr(begin, name.end - begin);
}

Result<IdList> IndexReader::Ids(std::string_view name, std::string_view value) const {
  const Tables& tables = *TRY(GetTables());
  const Name* entry = FindName(tables, name);
  if (entry == nullptr) return IdList();
  ByteReader in(EntriesFrom(tables, *entry, value));
  TableEntry at;
  while (!in.empty() && ReadTableEntry(in, at)) {
    if (at.value == value) return IdsOf(at.offset);
    if (at.value > value) break;
  }
  return IdList();
}

Status IndexReader::ForEachValue(std::string_view name, std::string_view prefix,
                                 const VisitValue& visit) const {
  const Tables& tables = *TRY(GetTables());
  const Name* entry = FindName(tables, name);
  if (entry == nullptr) return OkStatus();
  ByteReader in(EntriesFrom(tables, *entry, prefix));
  TableEntry at;
  while (!in.empty() && ReadTableEntry(in, at)) {
    if (at.value.starts_with(prefix)) {
      visit(at.value, at.offset);
    } else if (at.value > prefix) {
      break;
    }
  }
  return OkStatus();
}

Status IndexReader::ForEachName(const std::function<void(std::string_view name)>& visit) const {
  const Tables& tables = *TRY(GetTables());
  for (const Name& name : tables.names) {
    if (!name.name.empty()) visit(name.name);
  }
  return OkStatus();
}

Result<std::size_t> IndexReader::ValueCount(std::string_view name) const {
  const Tables& tables = *TRY(GetTables());
  const Name* entry = FindName(tables, name);
  return entry == nullptr ? std::size_t{0} : std::size_t{entry->count};
}

Result<std::string_view> IndexReader::ValueOf(std::uint32_t id, std::string_view name) const {
  IndexSeries series;
  TRY(ReadSeries(id, series));
  for (const SymbolRefs label : series.labels) {
    if (TRY(Symbol(label.name)) == name) return Symbol(label.value);
  }
  return std::string_view();
}

}  // namespace sonde::tsdb
