#include "rules/memory_storage.h"

namespace sonde::rules {
namespace {

class MemoryAppender final : public storage::Appender {
 public:
  explicit MemoryAppender(promql::MemoryStore& store) : store_(store) {}

  storage::AppendResult Append(storage::SeriesRef, Timestamp, double) override {
    return {{}, storage::AppendError::kUnknownSeries};
  }
  storage::AppendResult Append(LabelsView labels, Timestamp t, double v) override {
    return {{}, store_.Append(Labels(labels), t, v)};
  }
  storage::AppendResult AppendHistogram(LabelsView, Timestamp, const Histogram&) override {
    return {{}, storage::AppendError::kUnsupported};
  }
  storage::AppendResult AppendFloatHistogram(LabelsView labels, Timestamp t,
                                             const FloatHistogram& histogram) override {
    return {{}, store_.Append(Labels(labels), t, histogram)};
  }
  storage::AppendError AppendExemplar(storage::SeriesRef, const Exemplar&) override {
    return storage::AppendError::kUnsupported;
  }
  void UpdateMetadata(storage::SeriesRef, const Metadata&) override {}
  Status Commit() override { return OkStatus(); }
  void Rollback() override {}

 private:
  promql::MemoryStore& store_;
};

}  // namespace

std::unique_ptr<storage::Appender> MemoryStorage::NewAppender() {
  return std::make_unique<MemoryAppender>(store_);
}

}  // namespace sonde::rules
