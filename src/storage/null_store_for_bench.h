#pragma once

#include <cstdint>
#include <memory>

#include "storage/storage.h"

namespace sonde::storage {

/// A store that takes everything and keeps nothing: what is measured is its caller's own cost. Not
/// thread-safe.
class NullStore final : public Appendable {
 public:
  std::unique_ptr<Appender> NewAppender() override { return std::make_unique<Batch>(*this); }
  double sum = 0;

 private:
  class Batch final : public Appender {
   public:
    explicit Batch(NullStore& store) : store_(store) {}
    AppendResult Append(SeriesRef ref, Timestamp, double v) override {
      store_.sum += v;
      return {ref, AppendError::kNone};
    }
    AppendResult Append(LabelsView, Timestamp, double) override {
      return {{++store_.refs_}, AppendError::kNone};
    }
    AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override { return {}; }
    AppendResult AppendFloatHistogram(LabelsView, Timestamp, const FloatHistogram&) override {
      return {};
    }
    AppendError AppendExemplar(SeriesRef, const Exemplar&) override { return AppendError::kNone; }
    void UpdateMetadata(SeriesRef, const Metadata&) override {}
    Status Commit() override { return OkStatus(); }
    void Rollback() override {}

   private:
    NullStore& store_;
  };

  std::uint64_t refs_ = 0;
};

}  // namespace sonde::storage
