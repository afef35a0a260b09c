#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "storage/storage.h"

// A store that keeps everything in memory, for test scripts, generated tests and benchmarks. It
// behaves as the real one does towards queries: series sorted by labels, samples in batches of one
// kind, samples out of order refused.

namespace sonde::promql {

/// Fill it, then query it: appending while a querier lives is not allowed. Not thread-safe while it
/// is filled.
class MemoryStore final : public storage::Queryable {
 public:
  MemoryStore();
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  /// Adds a sample at the end of a series. A sample at the newest one's time is kDuplicate, unless
  /// it is the same. `start` 0: without a start timestamp.
  storage::AppendError Append(const Labels& labels, Timestamp t, double v, Timestamp start = {});

  /// As Append. What the hint says about counter resets is worked out as the real store does it,
  /// which compares with the sample before.
  storage::AppendError Append(const Labels& labels, Timestamp t, FloatHistogram histogram,
                              Timestamp start = {});

  /// Forgets all series.
  void Clear();

  /// True if a series that fits the matchers has a histogram sample.
  bool HasHistograms(std::span<const Matcher> matchers) const;

  std::size_t series() const { return series_.size(); }
  std::size_t samples() const { return samples_; }

  Result<std::unique_ptr<storage::Querier>> NewQuerier(Timestamp start,
                                                       Timestamp end) const override;

 private:
  friend class MemoryQuerier;
  struct Series;

  storage::AppendError Check(const Series& series, Timestamp t) const;
  Series& Find(const Labels& labels);

  std::map<Labels, std::unique_ptr<Series>> series_;
  std::size_t samples_ = 0;
};

}  // namespace sonde::promql
