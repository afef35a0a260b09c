#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/storage.h"
#include "tsdb/block.h"
#include "tsdb/guests.h"
#include "tsdb/head.h"
#include "tsdb/series_set.h"

namespace sonde::tsdb {

/// Implements storage::Querier over the blocks and the head as they were when it was made. Const
/// functions are thread-safe. While it lives the head keeps what it may look at.
class StoreQuerier final : public storage::Querier {
 public:
  /// What a querier sees. `guest` must have come in before `blocks` and `head_floor` were taken.
  struct View {
    std::unique_ptr<Guests::Reader> guest;
    std::vector<std::shared_ptr<const Block>>
        blocks;            ///< Those that overlap [start, end], oldest first.
    Timestamp head_floor;  ///< What is older is in blocks.
  };

  StoreQuerier(const Head& head, const HeadChunks* head_chunks, View view, Timestamp start,
               Timestamp end)
      : head_(head), head_chunks_(head_chunks), view_(std::move(view)), start_(start), end_(end) {}

  Result<std::unique_ptr<storage::SeriesSet>> Select(
      bool sorted, const storage::SelectHints& hints,
      std::span<const Matcher> matchers) const override;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers,
                                              std::size_t limit) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name,
                                               std::span<const Matcher> matchers,
                                               std::size_t limit) const override;

 private:
  bool UsesHead() const;

  const Head& head_;
  const HeadChunks* const head_chunks_;  // Null: nothing of the head is mapped.
  const View view_;
  const Timestamp start_;
  const Timestamp end_;
};

}  // namespace sonde::tsdb
