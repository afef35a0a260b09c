#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/storage.h"
#include "tsdb/commit_log.h"
#include "tsdb/guests.h"
#include "tsdb/head.h"
#include "tsdb/metadata_table.h"
#include "tsdb/metrics.h"
#include "tsdb/wal_record.h"

namespace sonde::tsdb {

/// Collects a batch of samples: checks each against what the head holds, encodes it for the log,
/// and hands everything to the CommitLog. A SeriesRef is the series' number in the head. Not
/// thread-safe; made by Database::NewAppender. Of no use after Commit or Rollback.
class HeadAppender final : public storage::Appender {
 public:
  struct Context {
    Head& head;
    CommitLog& log;
    MetadataTable& metadata;
    Metrics& metrics;
    bool log_metadata = false;
  };

  explicit HeadAppender(Context context);
  ~HeadAppender() override;

  storage::AppendResult Append(storage::SeriesRef ref, Timestamp t, double v) override;
  storage::AppendResult Append(LabelsView labels, Timestamp t, double v) override;
  storage::AppendResult AppendHistogram(LabelsView labels, Timestamp t,
                                        const Histogram& h) override;
  storage::AppendResult AppendFloatHistogram(LabelsView labels, Timestamp t,
                                             const FloatHistogram& h) override;
  storage::AppendError AppendExemplar(storage::SeriesRef ref, const Exemplar& exemplar) override;
  void UpdateMetadata(storage::SeriesRef ref, const Metadata& metadata) override;
  Status Commit() override;
  void Rollback() override;

 private:
  struct PendingMetadata {
    SeriesId series = 0;
    Metadata metadata;
  };

  Series* FindTouched(storage::SeriesRef ref);
  storage::AppendError Add(SeriesId id, Series& series, Timestamp t, double v);
  storage::AppendError CheckTime(const Series& series, SeriesId id, Timestamp t,
                                 std::uint64_t value, bool& already_there);
  void SealRecord();
  /// Adds a record of what the log does not say yet, and returns of which series.
  std::vector<SeriesId> LogMetadata();

  const Context context_;
  std::optional<Guests::Appender> guest_;  // Until Commit or Rollback.
  std::int64_t appendable_from_;
  CommitBatch batch_;
  SampleRecordWriter record_;
  std::vector<PendingMetadata> metadata_;
  std::uint64_t out_of_order_ = 0;
  std::uint64_t out_of_bounds_ = 0;
  std::uint64_t duplicates_ = 0;
  bool finished_ = false;
};

}  // namespace sonde::tsdb
