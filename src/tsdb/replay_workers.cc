#include "tsdb/replay_workers.h"

#include <algorithm>
#include <bit>

#include "base/thread_pool.h"
#include "tsdb/wal_record.h"

namespace sonde::tsdb {
namespace {

constexpr std::size_t kMaxUnknownSeries = 1 << 20;

}  // namespace

ReplayWorkers::ReplayWorkers(Head& head, unsigned threads) : head_(head), threaded_(threads > 0) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  if (!threaded_) return;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->thread = std::jthread([this, i] { Work(*workers_[i], i); });
  }
}

ReplayWorkers::~ReplayWorkers() {
  Finish();
}

void ReplayWorkers::AddSeries(std::uint64_t ref, SeriesId id) {
  workers_[OwnerOf(ref)]->next.series.push_back({ref, id});
}

void ReplayWorkers::AddAlias(std::uint64_t ref, SeriesId id, std::uint64_t own_ref) {
  Drain();
  // All workers are idle: this thread may touch what is theirs.
  const std::size_t owner = OwnerOf(own_ref);
  for (auto& worker : workers_) {
    worker->alias_owners[ref] = owner;
  }
  workers_[owner]->refs.Set(ref, id, true);
}

void ReplayWorkers::AddRecord(std::string record) {
  const auto shared = std::make_shared<const std::string>(std::move(record));
  for (auto& worker : workers_) {
    worker->next.record = shared;
    Send(*worker);
  }
}

void ReplayWorkers::Send(Worker& worker) {
  Message message = std::move(worker.next);
  worker.next = {};
  if (!threaded_) {
    Process(worker, 0, message);
    return;
  }
  ++worker.sent;
  worker.queue.Put(std::move(message));
}

void ReplayWorkers::Drain() {
  for (auto& worker : workers_) {
    if (!worker->next.series.empty()) Send(*worker);
  }
  if (!threaded_) return;
  for (auto& worker : workers_) {
    MutexLock lock(worker->mutex);
    while (worker->done < worker->sent) {
      worker->idle.Wait(worker->mutex);
    }
  }
}

void ReplayWorkers::Work(Worker& worker, std::size_t index) {
  SetThreadName("replay");
  while (const auto message = worker.queue.Take()) {
    Process(worker, index, *message);
    MutexLock lock(worker.mutex);
    ++worker.done;
    worker.idle.NotifyAll();
  }
}

bool ReplayWorkers::Owns(const Worker& worker, std::size_t index, std::uint64_t ref) const {
  if (workers_.size() == 1) return true;
  if (!worker.alias_owners.empty()) {
    const auto it = worker.alias_owners.find(ref);
    if (it != worker.alias_owners.end()) return it->second == index;
  }
  return OwnerOf(ref) == index;
}

void ReplayWorkers::Process(Worker& worker, std::size_t index, const Message& message) {
  for (const NewSeries& series : message.series) {
    worker.refs.Set(series.ref, series.id, false);
  }
  if (message.record == nullptr) return;
  const Status status = ForEachSample(*message.record, [&](const RefSample& sample) {
    if (Owns(worker, index, sample.ref)) AddSample(worker, sample.ref, sample.t, sample.v);
  });
  if (!status && index == 0) ++worker.summary.malformed_records;
}

void ReplayWorkers::AddSample(Worker& worker, std::uint64_t ref, Timestamp t, double v) {
  if (t.ms < head_.min_valid_time() || t.ms > kMaxTime || t.ms < -kMaxTime) return;
  const RefMap::Entry entry = worker.refs.Find(ref);
  if (entry.id == 0) {
    ++worker.summary.unknown_samples;
    if (worker.summary.unknown_series.size() < kMaxUnknownSeries) {
      worker.summary.unknown_series.insert(ref);
    }
    return;
  }
  if (entry.alias) {
    const auto [it, added] = worker.summary.newest_of_alias.try_emplace(ref, t.ms);
    it->second = std::max(it->second, t.ms);
  }
  ++worker.summary.samples;
  const AppendOutcome outcome = head_.Replay(entry.id, t, std::bit_cast<std::uint64_t>(v));
  if (outcome != AppendOutcome::kAppended && outcome != AppendOutcome::kAppendedToNewChunk) return;
  worker.min_time = std::min(worker.min_time, t.ms);
  worker.max_time = std::max(worker.max_time, t.ms);
}

ReplayWorkers::Summary ReplayWorkers::Finish() {
  Summary all;
  if (finished_) return all;
  finished_ = true;
  Drain();
  for (auto& worker : workers_) {
    worker->queue.Close();
    if (worker->thread.joinable()) worker->thread.join();
    if (worker->max_time != kNoTime) head_.NoteTimes(worker->min_time, worker->max_time);
    Summary& one = worker->summary;
    all.samples += one.samples;
    all.unknown_samples += one.unknown_samples;
    all.malformed_records += one.malformed_records;
    all.unknown_series.merge(one.unknown_series);
    for (const auto& [ref, newest] : one.newest_of_alias) {
      const auto [it, added] = all.newest_of_alias.try_emplace(ref, newest);
      it->second = std::max(it->second, newest);
    }
  }
  return all;
}

}  // namespace sonde::tsdb
