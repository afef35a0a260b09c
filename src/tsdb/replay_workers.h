#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "tsdb/bounded_queue.h"
#include "tsdb/head.h"
#include "tsdb/ref_map.h"

// The second half of the replay: samples of the log into series. Each series belongs to one worker,
// which sees the records in the order of the log.

namespace sonde::tsdb {

/// Appends the samples of records to the head, on several threads or, with none, at once. Used by
/// one thread.
class ReplayWorkers {
 public:
  ReplayWorkers(Head& head, unsigned threads);
  ~ReplayWorkers();
  ReplayWorkers(const ReplayWorkers&) = delete;
  ReplayWorkers& operator=(const ReplayWorkers&) = delete;

  /// Samples under the number `ref`, in records that are added from now on, are the series' `id`.
  void AddSeries(std::uint64_t ref, SeriesId id);
  /// As AddSeries, for a series that has the number `own_ref` already. Waits for what was added
  /// before.
  void AddAlias(std::uint64_t ref, SeriesId id, std::uint64_t own_ref);
  /// A record of samples.
  void AddRecord(std::string record);
  /// Waits until everything added is appended.
  void Drain();

  struct Summary {
    std::uint64_t samples = 0;          ///< Of known series, and not older than the blocks.
    std::uint64_t unknown_samples = 0;  ///< Of series that the log does not know.
    std::unordered_set<std::uint64_t> unknown_series;
    std::unordered_map<std::uint64_t, std::int64_t> newest_of_alias;
    std::uint64_t malformed_records = 0;
  };
  /// Ends the threads. Nothing may be added after it.
  Summary Finish();

 private:
  struct NewSeries {
    std::uint64_t ref = 0;
    SeriesId id = 0;
  };
  struct Message {
    std::vector<NewSeries> series;
    std::shared_ptr<const std::string> record;
  };
  struct Worker {
    BoundedQueue<Message> queue{64};
    Message next;            // Of the thread that adds.
    std::uint64_t sent = 0;  // The same.
    Mutex mutex;
    CondVar idle;
    std::uint64_t done GUARDED_BY(mutex) = 0;
    // Of the worker's thread, or of the other one while it is drained.
    RefMap refs;
    std::unordered_map<std::uint64_t, std::size_t> alias_owners;
    std::int64_t min_time = std::numeric_limits<std::int64_t>::max();
    std::int64_t max_time = kNoTime;
    Summary summary;
    std::jthread thread;
  };

  std::size_t OwnerOf(std::uint64_t ref) const { return (ref >> 6) % workers_.size(); }
  bool Owns(const Worker& worker, std::size_t index, std::uint64_t ref) const;
  void Send(Worker& worker);
  void Work(Worker& worker, std::size_t index);
  void Process(Worker& worker, std::size_t index, const Message& message);
  void AddSample(Worker& worker, std::uint64_t ref, Timestamp t, double v);

  Head& head_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool threaded_ = false;
  bool finished_ = false;
};

}  // namespace sonde::tsdb
