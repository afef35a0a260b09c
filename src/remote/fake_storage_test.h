#pragma once

#include <bit>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "model/sample.h"
#include "storage/storage.h"

namespace sonde::remote {

/// A store in memory with the rules of the real one: samples in order, batches that commit or do
/// not, series limits.
class FakeStorage final : public storage::Appendable {
 public:
  struct Series {
    Labels labels;
    std::vector<FloatSample> samples;
    std::vector<Timestamp> histograms;
    std::vector<Exemplar> exemplars;
    std::optional<Metadata> metadata;
    bool dropped = false;
  };

  std::unique_ptr<storage::Appender> NewAppender() override {
    return std::make_unique<FakeAppender>(*this);
  }

  /// Samples of a series as "t=v t=v", histograms as "t=h".
  std::string Samples(std::string_view series) const {
    MutexLock lock(mutex_);
    for (const auto& [ref, s] : series_) {
      if (s.dropped || s.labels.ToString() != series) continue;
      std::string out;
      for (const FloatSample& sample : s.samples) {
        if (!out.empty()) out += " ";
        out += std::to_string(sample.t.ms) + "=" + std::to_string(static_cast<int>(sample.v));
      }
      for (const Timestamp t : s.histograms)
        out += " " + std::to_string(t.ms) + "=h";
      return out;
    }
    return "absent";
  }
  std::optional<Metadata> MetadataOf(std::string_view series) const {
    MutexLock lock(mutex_);
    for (const auto& [ref, s] : series_) {
      if (!s.dropped && s.labels.ToString() == series) return s.metadata;
    }
    return std::nullopt;
  }
  std::size_t ExemplarsOf(std::string_view series) const {
    MutexLock lock(mutex_);
    for (const auto& [ref, s] : series_) {
      if (!s.dropped && s.labels.ToString() == series) return s.exemplars.size();
    }
    return 0;
  }
  std::size_t total_samples() const {
    MutexLock lock(mutex_);
    std::size_t total = 0;
    for (const auto& [ref, s] : series_)
      total += s.samples.size();
    return total;
  }
  std::size_t total_series() const {
    MutexLock lock(mutex_);
    return by_labels_.size();
  }

  /// As the head does with series that got no samples: refs become unknown.
  void DropAllSeries() {
    MutexLock lock(mutex_);
    for (auto& [ref, s] : series_)
      s.dropped = true;
    by_labels_.clear();
  }

  // Set before use.
  std::size_t max_series = SIZE_MAX;
  bool fail_commit = false;
  bool takes_histograms = true;
  Timestamp oldest = Timestamp::Min();

  // Appends that had to look labels up.
  std::size_t lookups() const {
    MutexLock lock(mutex_);
    return lookups_;
  }

 private:
  using AppendError = storage::AppendError;
  using AppendResult = storage::AppendResult;
  using SeriesRef = storage::SeriesRef;

  class FakeAppender final : public storage::Appender {
   public:
    explicit FakeAppender(FakeStorage& store) : store_(store) {}

    AppendResult Append(SeriesRef ref, Timestamp t, double v) override {
      MutexLock lock(store_.mutex_);
      return {ref, Add(ref, t, v)};
    }
    AppendResult Append(LabelsView labels, Timestamp t, double v) override {
      MutexLock lock(store_.mutex_);
      const SeriesRef ref = store_.GetOrCreate(labels);
      if (!ref) return {{}, AppendError::kLimit};
      return {ref, Add(ref, t, v)};
    }
    AppendResult AppendHistogram(LabelsView labels, Timestamp t, const Histogram& h) override {
      if (!store_.takes_histograms) return {{}, AppendError::kUnsupported};
      if (h.schema == 99) return {{}, AppendError::kInvalidHistogram};
      return AddHistogram(labels, t);
    }
    AppendResult AppendFloatHistogram(LabelsView labels, Timestamp t,
                                      const FloatHistogram&) override {
      return AddHistogram(labels, t);
    }
    AppendError AppendExemplar(SeriesRef ref, const Exemplar& exemplar) override {
      if (exemplar.value < 0) return AppendError::kOutOfOrder;
      exemplars_.emplace_back(ref, exemplar);
      return AppendError::kNone;
    }
    void UpdateMetadata(SeriesRef ref, const Metadata& metadata) override {
      metadata_.emplace_back(ref, metadata);
    }

    Status Commit() override {
      MutexLock lock(store_.mutex_);
      if (store_.fail_commit) return Error(ErrorKind::kIo, "no space left on device");
      for (const auto& [ref, sample] : samples_)
        store_.series_[ref.value].samples.push_back(sample);
      for (const auto& [ref, t] : histograms_)
        store_.series_[ref.value].histograms.push_back(t);
      for (const auto& [ref, exemplar] : exemplars_)
        store_.series_[ref.value].exemplars.push_back(exemplar);
      for (const auto& [ref, metadata] : metadata_)
        store_.series_[ref.value].metadata = metadata;
      return OkStatus();
    }
    void Rollback() override {}

   private:
    AppendError Add(SeriesRef ref, Timestamp t, double v) REQUIRES(store_.mutex_) {
      const auto found = store_.series_.find(ref.value);
      if (found == store_.series_.end() || found->second.dropped)
        return AppendError::kUnknownSeries;
      if (t < store_.oldest) return AppendError::kOutOfBounds;
      std::optional<FloatSample> newest;
      if (!found->second.samples.empty()) newest = found->second.samples.back();
      if (const auto pending = pending_.find(ref.value); pending != pending_.end())
        newest = pending->second;
      if (newest && t < newest->t) return AppendError::kOutOfOrder;
      if (newest && t == newest->t)
        return std::bit_cast<std::uint64_t>(v) == std::bit_cast<std::uint64_t>(newest->v)
                   ? AppendError::kNone
                   : AppendError::kDuplicate;
      pending_[ref.value] = {t, v};
      samples_.emplace_back(ref, FloatSample{t, v});
      return AppendError::kNone;
    }
    AppendResult AddHistogram(LabelsView labels, Timestamp t) {
      MutexLock lock(store_.mutex_);
      const SeriesRef ref = store_.GetOrCreate(labels);
      if (!ref) return {{}, AppendError::kLimit};
      histograms_.emplace_back(ref, t);
      return {ref, AppendError::kNone};
    }

    FakeStorage& store_;
    std::map<std::uint64_t, FloatSample> pending_;
    std::vector<std::pair<SeriesRef, FloatSample>> samples_;
    std::vector<std::pair<SeriesRef, Timestamp>> histograms_;
    std::vector<std::pair<SeriesRef, Exemplar>> exemplars_;
    std::vector<std::pair<SeriesRef, Metadata>> metadata_;
  };

  SeriesRef GetOrCreate(LabelsView labels) REQUIRES(mutex_) {
    ++lookups_;
    const auto found = by_labels_.find(std::string(labels.packed()));
    if (found != by_labels_.end()) return {found->second};
    if (by_labels_.size() >= max_series) return {};
    const std::uint64_t ref = ++last_ref_;
    by_labels_[std::string(labels.packed())] = ref;
    series_[ref].labels = Labels(labels);
    return {ref};
  }

  mutable Mutex mutex_;
  std::map<std::uint64_t, Series> series_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> by_labels_ GUARDED_BY(mutex_);
  std::uint64_t last_ref_ GUARDED_BY(mutex_) = 0;
  std::size_t lookups_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sonde::remote
