#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/env.h"
#include "base/mutex.h"
#include "base/result.h"
#include "tsdb/index_format.h"
#include "tsdb/postings.h"

// Reading the index of a block, versions 1 to 3. Format: docs/formats/index.md.

namespace sonde::tsdb {

/// A label as the index refers to its symbols.
struct SymbolRefs {
  std::uint32_t name = 0;
  std::uint32_t value = 0;
};

/// The chunks of one series, read one after the other from the index' bytes.
class IndexChunkReader {
 public:
  IndexChunkReader() : in_("") {}
  IndexChunkReader(std::string_view bytes, std::uint64_t count) : in_(bytes), left_(count) {}

  /// False at the end, and where the bytes make no sense.
  bool Next(IndexChunk& chunk);

 private:
  ByteReader in_;
  std::uint64_t left_ = 0;
  bool first_ = true;
  std::int64_t last_max_ = 0;
  std::uint64_t last_ref_ = 0;
};

/// One series as it is in the index. Views into the mapping.
struct IndexSeries {
  std::vector<SymbolRefs> labels;
  std::string_view chunk_bytes;
  std::uint64_t chunk_count = 0;

  IndexChunkReader chunks() const { return {chunk_bytes, chunk_count}; }
};

/// The index of one block. Thread-safe. Tables over symbols and postings are made when somebody
/// asks first, so that opening a thousand blocks costs nothing. All views live as long as the
/// reader.
class IndexReader final : public LabelSource {
 public:
  /// Checks the header and the table of contents. `version` overrides what the file says, unless it
  /// is 0.
  static Result<std::unique_ptr<IndexReader>> Open(Env& env, const Env::Path& path,
                                                   int version = 0);

  /// The series with number `id` (from a list of ids). Reuses the memory of `series`.
  Status ReadSeries(std::uint32_t id, IndexSeries& series) const;
  Result<std::string_view> Symbol(std::uint32_t ref) const;
  /// Appends the labels in the packed form of Labels.
  Status AppendPackedLabels(const IndexSeries& series, std::string& packed) const;

  int version() const { return version_; }
  std::uint64_t bytes() const { return file_->bytes().size(); }

  // LabelSource:
  Result<IdList> AllIds() const override;
  Result<IdList> Ids(std::string_view name, std::string_view value) const override;
  Result<IdList> IdsOf(std::uint64_t handle) const override;
  Status ForEachValue(std::string_view name, std::string_view prefix,
                      const VisitValue& visit) const override;
  Status ForEachName(const std::function<void(std::string_view name)>& visit) const override;
  Result<std::size_t> ValueCount(std::string_view name) const override;
  Result<std::string_view> ValueOf(std::uint32_t id, std::string_view name) const override;

 private:
  /// The entries of one label name in the postings offset table.
  struct Name {
    std::string_view name;
    std::uint32_t begin = 0;  // In the table.
    std::uint32_t end = 0;
    std::uint32_t count = 0;
    std::uint32_t first_sample = 0;  // In samples_: the offset of every 32nd entry.
  };
  struct Tables {
    std::vector<std::uint32_t> symbols;  // Offset of each symbol in the section; version 2 and 3.
    std::string_view symbol_bytes;
    std::string sorted_table;  // Version 1: its table, sorted.
    std::string_view table;
    std::vector<Name> names;
    std::vector<std::uint32_t> samples;
  };

  IndexReader(std::unique_ptr<MappedFile> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Error Damaged(std::string_view what) const;
  Result<std::string_view> Section(std::uint64_t offset) const;
  /// The tables, made by whoever needs them first.
  Result<const Tables*> GetTables() const {
    if (const Tables* tables = ready_.load(std::memory_order_acquire)) return tables;
    return LoadTables();
  }
  Result<const Tables*> LoadTables() const EXCLUDES(mutex_);
  Status LoadSymbols(Tables& tables) const;
  Status LoadPostingsTable(Tables& tables) const;
  Status SortTable(std::string_view table, std::uint32_t count, std::string& sorted) const;
  static const Name* FindName(const Tables& tables, std::string_view name);
  static std::string_view EntriesFrom(const Tables& tables, const Name& name,
                                      std::string_view value);

  const std::unique_ptr<MappedFile> file_;
  const std::string path_;
  int version_ = 2;
  IndexToc toc_;

  mutable Mutex mutex_;
  mutable std::unique_ptr<const Tables> tables_ GUARDED_BY(mutex_);
  mutable std::atomic<const Tables*> ready_{nullptr};  // tables_, published with release.
};

}  // namespace sonde::tsdb
