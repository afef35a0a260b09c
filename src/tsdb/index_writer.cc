#include "tsdb/index_writer.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/bytes.h"
#include "base/hash.h"

namespace sonde::tsdb {
namespace {

constexpr std::uint64_t kMaxSectionBytes = std::numeric_limits<std::uint32_t>::max();

Error TooLarge(std::string_view what) {
  return Error(ErrorKind::kLimit, "index: " + std::string(what) + " would be too large");
}

}  // namespace

Result<IndexWriter> IndexWriter::Create(Env& env, const Env::Path& path,
                                        std::span<const std::string_view> symbols) {
  IndexWriter writer(TRY(BufferedFile::Create(env, path)), symbols);
  PutBe32(writer.file_.buffer(), kIndexMagic);
  writer.file_.buffer().push_back(2);
  TRY(writer.WriteSymbols());
  return writer;
}

Status IndexWriter::WriteSymbols() {
  toc_.symbols = file_.position();
  std::string section;
  PutBe32(section, static_cast<std::uint32_t>(symbols_.size()));
  for (const std::string_view symbol : symbols_) {
    PutUvarintString(section, symbol);
  }
  if (section.size() > kMaxSectionBytes) return TooLarge("the table of symbols");
  PutBe32(file_.buffer(), static_cast<std::uint32_t>(section.size()));
  file_.Append(section);
  PutBe32(file_.buffer(), Crc32c(section));
  TRY(file_.FlushIfLarge());
  toc_.series = file_.position();
  return OkStatus();
}

std::uint32_t IndexWriter::PairNumber(SymbolPair pair) {
  const std::uint64_t key = (static_cast<std::uint64_t>(pair.name) << 32) | pair.value;
  const auto [it, added] =
      pair_numbers_.try_emplace(key, static_cast<std::uint32_t>(pairs_.size()));
  if (added) {
    pairs_.push_back(pair);
    pair_counts_.push_back(0);
  }
  return it->second;
}

Status IndexWriter::AddSeries(std::span<const SymbolPair> labels,
                              std::span<const IndexChunk> chunks) {
  file_.Align(kIndexSeriesAlignment);
  const std::uint64_t ref = file_.position() / kIndexSeriesAlignment;
  if (ref > std::numeric_limits<std::uint32_t>::max()) return TooLarge("the section of series");
  series_refs_.push_back(static_cast<std::uint32_t>(ref));
  series_label_counts_.push_back(static_cast<std::uint32_t>(labels.size()));

  body_.clear();
  PutUvarint(body_, labels.size());
  for (const SymbolPair pair : labels) {
    PutUvarint(body_, pair.name);
    PutUvarint(body_, pair.value);
    const std::uint32_t number = PairNumber(pair);
    ++pair_counts_[number];
    series_pairs_.push_back(number);
  }
  PutUvarint(body_, chunks.size());
  std::int64_t last_max = 0;
  std::uint64_t last_ref = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const IndexChunk& chunk = chunks[i];
    if (i == 0) {
      PutVarint(body_, chunk.min_time);
    } else {
      PutUvarint(body_, static_cast<std::uint64_t>(chunk.min_time - last_max));
    }
    PutUvarint(body_, static_cast<std::uint64_t>(chunk.max_time - chunk.min_time));
    if (i == 0) {
      PutUvarint(body_, chunk.ref);
    } else {
      PutVarint(body_, static_cast<std::int64_t>(chunk.ref - last_ref));
    }
    last_max = chunk.max_time;
    last_ref = chunk.ref;
  }
  PutUvarint(file_.buffer(), body_.size());
  file_.Append(body_);
  PutBe32(file_.buffer(), Crc32c(body_));
  return file_.FlushIfLarge();
}

Status IndexWriter::WritePostingsList(SymbolPair pair, std::span<const std::uint32_t> refs,
                                      bool all) {
  file_.Align(kIndexPostingsAlignment);
  PutUvarint(table_, 2);
  PutUvarintString(table_, all ? std::string_view() : symbols_[pair.name]);
  PutUvarintString(table_, all ? std::string_view() : symbols_[pair.value]);
  PutUvarint(table_, file_.position());
  ++table_entries_;

  std::string& out = file_.buffer();
  PutBe32(out, static_cast<std::uint32_t>(4 + 4 * refs.size()));
  const std::size_t checked = out.size();
  PutBe32(out, static_cast<std::uint32_t>(refs.size()));
  for (const std::uint32_t ref : refs) {
    PutBe32(out, ref);
  }
  PutBe32(out, Crc32c(std::string_view(out).substr(checked)));
  return file_.FlushIfLarge();
}

Status IndexWriter::WritePostings(IndexToc& toc) {
  // All lists behind each other in one array; `ends` holds where each list ends, once it is filled.
  std::vector<std::uint64_t> ends(pairs_.size() + 1, 0);
  std::inclusive_scan(pair_counts_.begin(), pair_counts_.end(), ends.begin() + 1, std::plus<>(),
                      std::uint64_t{0});
  ends.pop_back();
  std::vector<std::uint32_t> lists(series_pairs_.size());
  std::size_t label = 0;
  for (std::size_t i = 0; i < series_refs_.size(); ++i) {
    for (std::uint32_t n = 0; n < series_label_counts_[i]; ++n) {
      lists[ends[series_pairs_[label++]]++] = series_refs_[i];
    }
  }
  std::vector<std::uint32_t> order(pairs_.size());
  std::iota(order.begin(), order.end(), 0U);
  // Symbols are numbered in the order of their strings.
  std::ranges::sort(order, [this](std::uint32_t a, std::uint32_t b) {
    return std::pair(pairs_[a].name, pairs_[a].value) < std::pair(pairs_[b].name, pairs_[b].value);
  });
  toc.label_indices = file_.position();
  file_.Align(kIndexPostingsAlignment);
  toc.postings = file_.position();
  TRY(WritePostingsList({}, series_refs_, true));
  for (const std::uint32_t number : order) {
    const std::uint64_t end = ends[number];
    const std::uint32_t count = pair_counts_[number];
    TRY(WritePostingsList(pairs_[number], std::span(lists).subspan(end - count, count), false));
  }
  return OkStatus();
}

void IndexWriter::WriteToc(const IndexToc& toc) {
  std::string& out = file_.buffer();
  const std::size_t begin = out.size();
  for (const std::uint64_t offset : {toc.symbols, toc.series, toc.label_indices,
                                     toc.label_indices_table, toc.postings, toc.postings_table}) {
    PutBe64(out, offset);
  }
  PutBe32(out, Crc32c(std::string_view(out).substr(begin)));
}

Status IndexWriter::Finish() {
  TRY(WritePostings(toc_));
  toc_.postings_table = toc_.label_indices_table = file_.position();
  if (table_.size() + 4 > kMaxSectionBytes) return TooLarge("the table of postings");
  PutBe32(file_.buffer(), static_cast<std::uint32_t>(table_.size() + 4));
  std::string count;
  PutBe32(count, table_entries_);
  file_.Append(count);
  file_.Append(table_);
  PutBe32(file_.buffer(), Crc32c(table_, Crc32c(count)));
  WriteToc(toc_);
  return file_.Finish();
}

}  // namespace sonde::tsdb
