#include "promql/promqltest/memory_store.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <utility>

#include "model/sample.h"
#include "promql/histogram_math.h"

namespace sonde::promql {

using storage::AppendError;
using storage::SampleBatch;
using storage::SampleKind;

namespace {

// Consecutive samples of one kind, as columns.
struct Run {
  SampleKind kind = SampleKind::kFloat;
  std::vector<Timestamp> timestamps;
  std::vector<double> values;
  std::vector<FloatHistogram> histograms;
  std::vector<Timestamp> starts;  // Empty, or one for each sample.
};

// What the store would say about a histogram: a gauge, reset since the sample before, not reset, or
// unknown.
ResetHint HintAfter(const FloatHistogram* previous, const FloatHistogram& histogram) {
  if (histogram.reset_hint == ResetHint::kGauge) return ResetHint::kGauge;
  if (histogram.reset_hint == ResetHint::kReset) return ResetHint::kReset;
  const bool comparable = previous != nullptr && previous->reset_hint != ResetHint::kGauge;
  if (!comparable) return ResetHint::kUnknown;
  return IsReset(histogram, *previous) ? ResetHint::kReset : ResetHint::kNotReset;
}

}  // namespace

struct MemoryStore::Series {
  std::vector<Run> runs;

  Run& RunFor(SampleKind kind) {
    if (runs.empty() || runs.back().kind != kind) {
      runs.emplace_back();
      runs.back().kind = kind;
    }
    return runs.back();
  }

  static void Add(Run& run, Timestamp t, Timestamp start) {
    run.timestamps.push_back(t);
    if (start.ms != 0 && run.starts.empty()) run.starts.resize(run.timestamps.size() - 1);
    if (start.ms != 0 || !run.starts.empty()) run.starts.push_back(start);
  }
};

// Not in the anonymous namespace: MemoryStore names it as a friend.
class MemoryQuerier final : public storage::Querier {
 public:
  MemoryQuerier(const MemoryStore& store, Timestamp start, Timestamp end)
      : store_(store), start_(start), end_(end) {}

  Result<std::unique_ptr<storage::SeriesSet>> Select(
      bool sorted, const storage::SelectHints& hints,
      std::span<const Matcher> matchers) const override;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers,
                                              std::size_t limit) const override;
  Result<std::vector<std::string>> LabelValues(std::string_view name,
                                               std::span<const Matcher> matchers,
                                               std::size_t limit) const override;

 private:
  class Set;
  class Reader;

  // Calls visit(labels, series) for each series that matches and has samples in the range.
  template <class F>
  void ForEach(std::span<const Matcher> matchers, F visit) const {
    for (const auto& [labels, series] : store_.series_) {
      const std::vector<Run>& runs = series->runs;
      if (runs.empty() || runs.front().timestamps.front() > end_ ||
          runs.back().timestamps.back() < start_) {
        continue;
      }
      if (MatchesAll(matchers, labels)) visit(labels, *series);
    }
  }

  const MemoryStore& store_;
  Timestamp start_;
  Timestamp end_;
};

class MemoryQuerier::Reader final : public storage::SampleReader {
 public:
  Reader(const Set& set, Timestamp start, Timestamp end) : set_(set), start_(start), end_(end) {}

  void Seek(std::size_t index) override {
    series_ = index;
    run_ = 0;
  }
  Result<SampleBatch> Next() override;

 private:
  SampleBatch Cut(const Run& run) const;

  const Set& set_;
  Timestamp start_;
  Timestamp end_;
  std::size_t series_ = 0;
  std::size_t run_ = 0;
};

class MemoryQuerier::Set final : public storage::SeriesSet {
 public:
  Set(Timestamp start, Timestamp end) : start_(start), end_(end) {}

  void Add(const Labels& labels, const MemoryStore::Series& series) {
    entries_.emplace_back(&labels, &series);
  }
  const std::vector<Run>& runs(std::size_t index) const { return entries_[index].second->runs; }

  std::size_t size() const override { return entries_.size(); }
  LabelsView labels(std::size_t index) const override { return *entries_[index].first; }
  std::unique_ptr<storage::SampleReader> NewReader() const override {
    return std::make_unique<Reader>(*this, start_, end_);
  }

 private:
  std::vector<std::pair<const Labels*, const MemoryStore::Series*>> entries_;
  Timestamp start_;
  Timestamp end_;
};

SampleBatch MemoryQuerier::Reader::Cut(const Run& run) const {
  const auto first = std::ranges::lower_bound(run.timestamps, start_);
  const auto last = std::ranges::upper_bound(run.timestamps, end_);
  SampleBatch batch;
  batch.kind = run.kind;
  if (first >= last) return batch;
  const auto offset = static_cast<std::size_t>(first - run.timestamps.begin());
  const auto size = static_cast<std::size_t>(last - first);
  batch.timestamps = std::span(run.timestamps).subspan(offset, size);
  if (run.kind == SampleKind::kFloat) {
    batch.values = std::span(run.values).subspan(offset, size);
  } else {
    batch.float_histograms = std::span(run.histograms).subspan(offset, size);
  }
  if (!run.starts.empty()) batch.start_timestamps = std::span(run.starts).subspan(offset, size);
  return batch;
}

Result<SampleBatch> MemoryQuerier::Reader::Next() {
  const std::vector<Run>& runs = set_.runs(series_);
  while (run_ < runs.size()) {
    const SampleBatch batch = Cut(runs[run_++]);
    if (batch.size() > 0) return batch;
  }
  return SampleBatch{};
}

Result<std::unique_ptr<storage::SeriesSet>> MemoryQuerier::Select(
    bool /*sorted*/, const storage::SelectHints& hints, std::span<const Matcher> matchers) const {
  auto set = std::make_unique<Set>(start_, end_);
  ForEach(matchers, [&](const Labels& labels, const MemoryStore::Series& series) {
    if (hints.limit == 0 || set->size() < hints.limit) set->Add(labels, series);
  });
  return std::unique_ptr<storage::SeriesSet>(std::move(set));
}

Result<std::vector<std::string>> MemoryQuerier::LabelNames(std::span<const Matcher> matchers,
                                                           std::size_t limit) const {
  std::set<std::string> names;
  ForEach(matchers, [&](const Labels& labels, const MemoryStore::Series& /*series*/) {
    for (const LabelView label : labels) {
      names.emplace(label.name);
    }
  });
  std::vector<std::string> result(names.begin(), names.end());
  if (limit != 0 && result.size() > limit) result.resize(limit);
  return result;
}

Result<std::vector<std::string>> MemoryQuerier::LabelValues(std::string_view name,
                                                            std::span<const Matcher> matchers,
                                                            std::size_t limit) const {
  std::set<std::string> values;
  ForEach(matchers, [&](const Labels& labels, const MemoryStore::Series& /*series*/) {
    if (labels.Has(name)) values.emplace(labels.Get(name));
  });
  std::vector<std::string> result(values.begin(), values.end());
  if (limit != 0 && result.size() > limit) result.resize(limit);
  return result;
}

MemoryStore::MemoryStore() = default;
MemoryStore::~MemoryStore() = default;

MemoryStore::Series& MemoryStore::Find(const Labels& labels) {
  std::unique_ptr<Series>& series = series_[labels];
  if (series == nullptr) series = std::make_unique<Series>();
  return *series;
}

AppendError MemoryStore::Check(const Series& series, Timestamp t) const {
  if (series.runs.empty()) return AppendError::kNone;
  const Timestamp newest = series.runs.back().timestamps.back();
  if (t < newest) return AppendError::kOutOfOrder;
  return t == newest ? AppendError::kDuplicate : AppendError::kNone;
}

AppendError MemoryStore::Append(const Labels& labels, Timestamp t, double v, Timestamp start) {
  Series& series = Find(labels);
  const AppendError error = Check(series, t);
  if (error == AppendError::kDuplicate) {
    const Run& run = series.runs.back();
    const bool same =
        run.kind == SampleKind::kFloat &&
        std::bit_cast<std::uint64_t>(run.values.back()) == std::bit_cast<std::uint64_t>(v);
    return same ? AppendError::kNone : error;
  }
  if (error != AppendError::kNone) return error;
  Run& run = series.RunFor(SampleKind::kFloat);
  Series::Add(run, t, start);
  run.values.push_back(v);
  ++samples_;
  return AppendError::kNone;
}

AppendError MemoryStore::Append(const Labels& labels, Timestamp t, FloatHistogram histogram,
                                Timestamp start) {
  Series& series = Find(labels);
  const AppendError error = Check(series, t);
  const bool after_histogram =
      !series.runs.empty() && series.runs.back().kind == SampleKind::kFloatHistogram;
  const FloatHistogram* previous =
      after_histogram ? &series.runs.back().histograms.back() : nullptr;
  if (error == AppendError::kDuplicate) {
    return previous != nullptr && SameData(*previous, histogram) ? AppendError::kNone : error;
  }
  if (error != AppendError::kNone) return error;
  histogram.reset_hint = HintAfter(previous, histogram);
  Run& run = series.RunFor(SampleKind::kFloatHistogram);
  Series::Add(run, t, start);
  run.histograms.push_back(std::move(histogram));
  ++samples_;
  return AppendError::kNone;
}

void MemoryStore::Clear() {
  series_.clear();
  samples_ = 0;
}

bool MemoryStore::HasHistograms(std::span<const Matcher> matchers) const {
  return std::ranges::any_of(series_, [&](const auto& entry) {
    const std::vector<Run>& runs = entry.second->runs;
    return std::ranges::any_of(
               runs, [](const Run& run) { return run.kind == SampleKind::kFloatHistogram; }) &&
           MatchesAll(matchers, entry.first);
  });
}

Result<std::unique_ptr<storage::Querier>> MemoryStore::NewQuerier(Timestamp start,
                                                                  Timestamp end) const {
  return std::unique_ptr<storage::Querier>(std::make_unique<MemoryQuerier>(*this, start, end));
}

}  // namespace sonde::promql
