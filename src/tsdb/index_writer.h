#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "tsdb/buffered_file.h"
#include "tsdb/index_format.h"

// Writing the index of a block, version 2. Format: docs/formats/index.md.

namespace sonde::tsdb {

/// A label as positions of its name and value in the sorted list of symbols.
struct SymbolPair {
  std::uint32_t name = 0;
  std::uint32_t value = 0;
  bool operator==(const SymbolPair&) const = default;
};

/// Writes one index from front to back: Create, AddSeries for each series in the order of labels,
/// Finish. Not thread-safe; after an error the file is to be removed.
class IndexWriter {
 public:
  /// `symbols` are all names and values, sorted and unique; they must live until Finish.
  static Result<IndexWriter> Create(Env& env, const Env::Path& path,
                                    std::span<const std::string_view> symbols);

  /// `labels` sorted by name, `chunks` by time. Series must come in the order of their labels.
  Status AddSeries(std::span<const SymbolPair> labels, std::span<const IndexChunk> chunks);
  Status Finish();

 private:
  IndexWriter(BufferedFile file, std::span<const std::string_view> symbols)
      : file_(std::move(file)), symbols_(symbols) {}

  Status WriteSymbols();
  std::uint32_t PairNumber(SymbolPair pair);
  Status WritePostings(IndexToc& toc);
  Status WritePostingsList(SymbolPair pair, std::span<const std::uint32_t> refs, bool all);
  void WriteToc(const IndexToc& toc);

  BufferedFile file_;
  std::span<const std::string_view> symbols_;
  IndexToc toc_;
  std::string body_;   // Of the series being written.
  std::string table_;  // Entries of the postings offset table.
  std::uint32_t table_entries_ = 0;

  // Which series have which label, in the order of writing: so a counting sort gives the lists.
  std::unordered_map<std::uint64_t, std::uint32_t> pair_numbers_;
  std::vector<SymbolPair> pairs_;
  std::vector<std::uint32_t> pair_counts_;
  std::vector<std::uint32_t> series_refs_;
  std::vector<std::uint32_t> series_label_counts_;
  std::vector<std::uint32_t> series_pairs_;
};

}  // namespace sonde::tsdb
