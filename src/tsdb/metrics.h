#pragma once

#include "instrument/registry.h"

namespace sonde::tsdb {

/// The store's own metrics, under the names that Prometheus gives them where it has them. Gauges
/// are brought up to date once a second by the thread `commit`. References live as long as the
/// instrument::Registry.
struct Metrics {
  explicit Metrics(instrument::Registry& registry);

  using Counter = instrument::Counter;
  using Gauge = instrument::Gauge;
  using Histogram = instrument::Histogram;

  // The head.
  Gauge& head_series;
  Counter& head_series_created;
  Counter& head_series_removed;
  Counter& head_series_not_found;
  Gauge& head_chunks;
  Counter& head_chunks_created;
  Counter& head_chunks_removed;
  Counter& mmap_chunks;
  Gauge& head_min_time;
  Gauge& head_max_time;
  Gauge& head_min_time_seconds;
  Gauge& head_max_time_seconds;
  Gauge& head_active_appenders;
  Counter& samples_appended;
  Counter& samples_duplicate;
  Counter& samples_out_of_order;
  Counter& samples_out_of_bounds;
  Counter& series_refused;
  Counter& exemplars_dropped;
  Counter& histograms_refused;
  Counter& head_truncations;
  Counter& head_truncations_failed;
  Histogram& head_gc_seconds;
  Gauge& isolation_low;
  Gauge& isolation_high;
  Gauge& head_chunks_bytes;

  // The log.
  Histogram& wal_fsync_seconds;
  Counter& wal_bytes;
  Counter& wal_pages;
  Counter& wal_commits;
  Counter& wal_groups;
  Counter& wal_writes_failed;
  Counter& wal_corruptions;
  Counter& wal_truncations;
  Counter& wal_truncations_failed;
  Histogram& wal_truncate_seconds;
  Gauge& wal_segment;
  Gauge& wal_storage_bytes;
  Counter& checkpoint_creations;
  Counter& checkpoint_creations_failed;
  Counter& checkpoint_deletions;
  Counter& mmap_corruptions;
  Gauge& replay_seconds;
  Counter& replay_unknown_series;
  Counter& replay_unknown_samples;
  Counter& replay_skipped_histograms;
  Counter& replay_skipped_exemplars;
  Counter& replay_skipped_records;

  // Blocks.
  Gauge& blocks_loaded;
  Gauge& blocks_bytes;
  Gauge& lowest_time;
  Gauge& lowest_time_seconds;
  Gauge& retention_seconds;
  Counter& reloads;
  Counter& reloads_failed;
  Counter& time_retentions;
  Counter& compactions;
  Counter& compactions_failed;
  Counter& compactions_triggered;
  Histogram& compaction_seconds;
  Gauge& compaction_populating;
};

}  // namespace sonde::tsdb
