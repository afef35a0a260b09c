#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/sample.h"
#include "storage/storage.h"

// For tests: a store that keeps what was committed, in order, and refuses what a real one refuses.

namespace sonde::scrape {

class RecordingStore final : public storage::Appendable {
 public:
  struct Sample {
    Labels labels;
    Timestamp t;
    double v = 0;
  };

  std::unique_ptr<storage::Appender> NewAppender() override {
    return std::make_unique<Batch>(*this);
  }

  /// Takes what was committed since the last call.
  std::vector<Sample> Take() { return std::exchange(committed_, {}); }
  std::vector<std::pair<std::string, std::string>> TakeExemplars() {
    return std::exchange(exemplars_, {});
  }
  const std::map<std::string, Metadata>& metadata() const { return metadata_; }
  /// The head was truncated: all refs are unknown from now on.
  void ForgetSeries() { forgotten_ = next_ref_; }
  void FailCommits(std::optional<Error> error) { commit_error_ = std::move(error); }
  int commits() const { return commits_; }

 private:
  struct Series {
    Labels labels;
    Timestamp last = Timestamp::Min();
    double last_value = 0;
  };

  class Batch final : public storage::Appender {
   public:
    explicit Batch(RecordingStore& store) : store_(store) {}

    storage::AppendResult Append(storage::SeriesRef ref, Timestamp t, double v) override {
      const auto found = store_.series_.find(ref.value);
      if (found == store_.series_.end() || ref.value <= store_.forgotten_) {
        return {{}, storage::AppendError::kUnknownSeries};
      }
      return {ref, Put(found->second, t, v)};
    }
    storage::AppendResult Append(LabelsView labels, Timestamp t, double v) override {
      std::uint64_t& ref = store_.refs_[Labels(labels)];
      if (ref == 0 || ref <= store_.forgotten_) {
        const Series old =
            ref == 0 ? Series{Labels(labels), Timestamp::Min(), 0} : store_.series_[ref];
        ref = ++store_.next_ref_;
        store_.series_[ref] = old;
      }
      return {{ref}, Put(store_.series_[ref], t, v)};
    }
    storage::AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override {
      return {{}, storage::AppendError::kUnsupported};
    }
    storage::AppendResult AppendFloatHistogram(LabelsView, Timestamp,
                                               const FloatHistogram&) override {
      return {{}, storage::AppendError::kUnsupported};
    }
    storage::AppendError AppendExemplar(storage::SeriesRef ref, const Exemplar& exemplar) override {
      exemplars_.emplace_back(store_.series_[ref.value].labels.ToString(),
                              exemplar.labels.ToString());
      return storage::AppendError::kNone;
    }
    void UpdateMetadata(storage::SeriesRef ref, const Metadata& metadata) override {
      metadata_[store_.series_[ref.value].labels.ToString()] = metadata;
    }
    Status Commit() override {
      ++store_.commits_;
      if (store_.commit_error_) return *store_.commit_error_;
      for (const auto& sample : samples_) {
        bool taken =
            false;  // A second sample of one batch for the same time is dropped, as in a real head.
        for (auto& [ref, series] : store_.series_) {
          if (series.labels != sample.labels || sample.t <= series.last) continue;
          series.last = sample.t;
          series.last_value = sample.v;
          taken = true;
        }
        const bool repeated =
            !taken && std::any_of(store_.series_.begin(), store_.series_.end(), [&](const auto& s) {
              return s.second.labels == sample.labels && s.second.last == sample.t &&
                     std::bit_cast<std::uint64_t>(s.second.last_value) ==
                         std::bit_cast<std::uint64_t>(sample.v);
            });
        if (taken || repeated) store_.committed_.push_back(sample);
      }
      store_.exemplars_.insert(store_.exemplars_.end(), exemplars_.begin(), exemplars_.end());
      for (const auto& [name, metadata] : metadata_)
        store_.metadata_[name] = metadata;
      return OkStatus();
    }
    void Rollback() override { samples_.clear(); }

   private:
    storage::AppendError Put(const Series& series, Timestamp t, double v) {
      if (t < series.last) return storage::AppendError::kOutOfOrder;
      if (t == series.last &&
          std::bit_cast<std::uint64_t>(v) != std::bit_cast<std::uint64_t>(series.last_value)) {
        return storage::AppendError::kDuplicate;
      }
      samples_.push_back({series.labels, t, v});
      return storage::AppendError::kNone;
    }

    RecordingStore& store_;
    std::vector<Sample> samples_;
    std::vector<std::pair<std::string, std::string>> exemplars_;
    std::map<std::string, Metadata> metadata_;
  };

  std::map<Labels, std::uint64_t> refs_;
  std::map<std::uint64_t, Series> series_;
  std::vector<Sample> committed_;
  std::vector<std::pair<std::string, std::string>> exemplars_;
  std::map<std::string, Metadata> metadata_;
  std::optional<Error> commit_error_;
  std::uint64_t next_ref_ = 0;
  std::uint64_t forgotten_ = 0;
  int commits_ = 0;
};

}  // namespace sonde::scrape
