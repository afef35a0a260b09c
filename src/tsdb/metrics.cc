#include "tsdb/metrics.h"

#include <array>

namespace sonde::tsdb {
namespace {

constexpr std::array<double, 11> kSyncBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                0.01,   0.025,   0.1,    0.5,   2};
constexpr std::array<double, 10> kLongBounds = {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800};

}  // namespace

// NOLINTNEXTLINE(readability-function-size): one line a metric.
Metrics::Metrics(instrument::Registry& r)
    : head_series(r.GetGauge("prometheus_tsdb_head_series", "Series in the head.")),
      head_series_created(
          r.GetCounter("prometheus_tsdb_head_series_created_total", "Series created in the head.")),
      head_series_removed(r.GetCounter("prometheus_tsdb_head_series_removed_total",
                                       "Series removed from the head.")),
      head_series_not_found(r.GetCounter("prometheus_tsdb_head_series_not_found_total",
                                         "Appends to a series number that is not known.")),
      head_chunks(r.GetGauge("prometheus_tsdb_head_chunks", "Chunks in the head.")),
      head_chunks_created(
          r.GetCounter("prometheus_tsdb_head_chunks_created_total", "Chunks begun in the head.")),
      head_chunks_removed(r.GetCounter("prometheus_tsdb_head_chunks_removed_total",
                                       "Chunks removed from the head.")),
      mmap_chunks(r.GetCounter("prometheus_tsdb_mmap_chunks_total",
                               "Full chunks of the head written to mapped files.")),
      head_min_time(
          r.GetGauge("prometheus_tsdb_head_min_time", "Oldest time in the head, in milliseconds.")),
      head_max_time(
          r.GetGauge("prometheus_tsdb_head_max_time", "Newest time in the head, in milliseconds.")),
      head_min_time_seconds(
          r.GetGauge("prometheus_tsdb_head_min_time_seconds", "Oldest time in the head.")),
      head_max_time_seconds(
          r.GetGauge("prometheus_tsdb_head_max_time_seconds", "Newest time in the head.")),
      head_active_appenders(
          r.GetGauge("prometheus_tsdb_head_active_appenders", "Batches that are being appended.")),
      samples_appended(r.GetCounter("prometheus_tsdb_head_samples_appended_total",
                                    "Samples appended.", {{"type", "float"}})),
      samples_duplicate(r.GetCounter("sonde_tsdb_duplicate_samples_total",
                                     "Samples that repeated the newest one and were accepted "
                                     "without being stored again.")),
      samples_out_of_order(r.GetCounter("prometheus_tsdb_out_of_order_samples_total",
                                        "Samples refused because they are older than the newest "
                                        "one of their series.",
                                        {{"type", "float"}})),
      samples_out_of_bounds(r.GetCounter("prometheus_tsdb_out_of_bound_samples_total",
                                         "Samples refused because they are older than what the "
                                         "head accepts.",
                                         {{"type", "float"}})),
      series_refused(r.GetCounter("sonde_tsdb_refused_series_total",
                                  "New series refused because of the limit on series.")),
      exemplars_dropped(r.GetCounter("sonde_tsdb_dropped_exemplars_total",
                                     "Exemplars that were accepted and not stored.")),
      histograms_refused(r.GetCounter("sonde_tsdb_refused_histograms_total",
                                      "Native histogram samples that were refused.")),
      head_truncations(
          r.GetCounter("prometheus_tsdb_head_truncations_total", "Truncations of the head.")),
      head_truncations_failed(r.GetCounter("prometheus_tsdb_head_truncations_failed_total",
                                           "Truncations of the head that failed.")),
      head_gc_seconds(r.GetHistogram("prometheus_tsdb_head_gc_duration_seconds",
                                     "Time to remove old chunks and series from the head.",
                                     kLongBounds)),
      isolation_low(r.GetGauge("prometheus_tsdb_isolation_low_watermark",
                               "Youngest commit that every reader sees.")),
      isolation_high(r.GetGauge("prometheus_tsdb_isolation_high_watermark", "Youngest commit.")),
      head_chunks_bytes(r.GetGauge("prometheus_tsdb_head_chunks_storage_size_bytes",
                                   "Size of the mapped files of the head.")),
      wal_fsync_seconds(r.GetHistogram("prometheus_tsdb_wal_fsync_duration_seconds",
                                       "Time to force the log to the disk.", kSyncBounds)),
      wal_bytes(r.GetCounter("sonde_tsdb_wal_written_bytes_total", "Bytes written to the log.")),
      wal_pages(
          r.GetCounter("prometheus_tsdb_wal_completed_pages_total", "Pages of the log completed.")),
      wal_commits(r.GetCounter("sonde_tsdb_wal_commits_total", "Batches written to the log.")),
      wal_groups(
          r.GetCounter("sonde_tsdb_wal_commit_groups_total",
                       "Writes to the log; batches that waited at the same time share one.")),
      wal_writes_failed(r.GetCounter("prometheus_tsdb_wal_writes_failed_total",
                                     "Writes to the log that failed.")),
      wal_corruptions(r.GetCounter("prometheus_tsdb_wal_corruptions_total",
                                   "Damaged places found in the log.")),
      wal_truncations(
          r.GetCounter("prometheus_tsdb_wal_truncations_total", "Truncations of the log.")),
      wal_truncations_failed(r.GetCounter("prometheus_tsdb_wal_truncations_failed_total",
                                          "Truncations of the log that failed.")),
      wal_truncate_seconds(r.GetHistogram("prometheus_tsdb_wal_truncate_duration_seconds",
                                          "Time to truncate the log.", kLongBounds)),
      wal_segment(r.GetGauge("prometheus_tsdb_wal_segment_current",
                             "Number of the segment that is being written.")),
      wal_storage_bytes(
          r.GetGauge("prometheus_tsdb_wal_storage_size_bytes", "Size of the log on disk.")),
      checkpoint_creations(
          r.GetCounter("prometheus_tsdb_checkpoint_creations_total", "Checkpoints attempted.")),
      checkpoint_creations_failed(r.GetCounter("prometheus_tsdb_checkpoint_creations_failed_total",
                                               "Checkpoints that failed.")),
      checkpoint_deletions(
          r.GetCounter("prometheus_tsdb_checkpoint_deletions_total", "Old checkpoints removed.")),
      mmap_corruptions(r.GetCounter("prometheus_tsdb_mmap_chunk_corruptions_total",
                                    "Damaged places found in the mapped files of the head.")),
      replay_seconds(r.GetGauge("prometheus_tsdb_data_replay_duration_seconds",
                                "Time that the replay of the log took at the start.")),
      replay_unknown_series(r.GetCounter("prometheus_tsdb_wal_replay_unknown_refs_total",
                                         "References to series that the log does not know.",
                                         {{"type", "series"}})),
      replay_unknown_samples(r.GetCounter("prometheus_tsdb_wal_replay_unknown_refs_total",
                                          "References to series that the log does not know.",
                                          {{"type", "samples"}})),
      replay_skipped_histograms(r.GetCounter("sonde_tsdb_wal_replay_skipped_total",
                                             "What the log held and this version does not store.",
                                             {{"type", "histograms"}})),
      replay_skipped_exemplars(r.GetCounter("sonde_tsdb_wal_replay_skipped_total",
                                            "What the log held and this version does not store.",
                                            {{"type", "exemplars"}})),
      replay_skipped_records(r.GetCounter("sonde_tsdb_wal_replay_skipped_total",
                                          "What the log held and this version does not store.",
                                          {{"type", "records"}})),
      blocks_loaded(r.GetGauge("prometheus_tsdb_blocks_loaded", "Blocks in use.")),
      blocks_bytes(r.GetGauge("prometheus_tsdb_storage_blocks_bytes", "Size of all blocks.")),
      lowest_time(r.GetGauge("prometheus_tsdb_lowest_timestamp",
                             "Oldest time in the store, in milliseconds.")),
      lowest_time_seconds(
          r.GetGauge("prometheus_tsdb_lowest_timestamp_seconds", "Oldest time in the store.")),
      retention_seconds(r.GetGauge("prometheus_tsdb_retention_limit_seconds",
                                   "How long samples are kept; 0: for ever.")),
      reloads(r.GetCounter("prometheus_tsdb_reloads_total", "Looks at the blocks on disk.")),
      reloads_failed(r.GetCounter("prometheus_tsdb_reloads_failures_total",
                                  "Looks at the blocks on disk that failed.")),
      time_retentions(r.GetCounter("prometheus_tsdb_time_retentions_total",
                                   "Removals of blocks because of their age.")),
      compactions(r.GetCounter("prometheus_tsdb_compactions_total", "Blocks written.")),
      compactions_failed(
          r.GetCounter("prometheus_tsdb_compactions_failed_total", "Blocks that failed.")),
      compactions_triggered(r.GetCounter("prometheus_tsdb_compactions_triggered_total",
                                         "Looks whether something is to be compacted.")),
      compaction_seconds(r.GetHistogram("prometheus_tsdb_compaction_duration_seconds",
                                        "Time to write a block.", kLongBounds)),
      compaction_populating(r.GetGauge("prometheus_tsdb_compaction_populating_block",
                                       "1 while a block is being written.")) {}

}  // namespace sonde::tsdb
