#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "instrument/registry.h"
#include "model/sample.h"
#include "tsdb/database.h"

// What the tests of the store share: opening one on any Env, and reading all of it back.

namespace sonde::tsdb {

/// Samples by series (as text), in the order of time; values as bits, so that NaNs compare.
using StoreContents = std::map<std::string, std::vector<std::pair<std::int64_t, std::uint64_t>>>;

/// A database with what it needs around it. Threads are not started: tests call RunMaintenance.
class TestStore {
 public:
  explicit TestStore(Env& env, Options options = {}) : env_(env), options_(std::move(options)) {
    if (options_.directory.empty()) options_.directory = "/data";
    options_.random_seed = 7;
    if (options_.replay_threads == 0) options_.replay_threads = 1;
    options_.fsync =
        options_.fsync == FsyncPolicy::kInterval ? FsyncPolicy::kSegment : options_.fsync;
  }

  Status Open() {
    database_.reset();
    registry_ = std::make_unique<instrument::Registry>();
    database_ = TRY(Database::Open(env_, clock_, Logger(sink_, clock_), *registry_, options_));
    return OkStatus();
  }
  void Close() { database_.reset(); }

  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }
  ManualClock& clock() { return clock_; }
  std::string log() const { return sink_.text(); }
  double metric(const std::string& name) const {
    double sum = 0;
    for (const auto& family : registry_->Snapshot()) {
      if (family.name != name) continue;
      for (const auto& point : family.points) {
        sum += point.value;
      }
    }
    return sum;
  }

  /// One sample, one commit.
  Status Append(const Labels& labels, std::int64_t t, double v) {
    auto appender = database_->NewAppender();
    if (const auto result = appender->Append(labels, {t}, v);
        result.error != storage::AppendError::kNone) {
      return Error(ErrorKind::kInvalid, std::string(storage::ToString(result.error)));
    }
    return appender->Commit();
  }

  Result<StoreContents> Read(Timestamp start = Timestamp::Min(), Timestamp end = Timestamp::Max(),
                             const std::vector<Matcher>& matchers = {}) {
    const auto querier = TRY(database_->NewQuerier(start, end));
    return ReadWith(*querier, matchers);
  }
  static Result<StoreContents> ReadWith(const storage::Querier& querier,
                                        const std::vector<Matcher>& matchers = {}) {
    const auto set = TRY(querier.Select(true, {}, matchers));
    StoreContents contents;
    const auto reader = set->NewReader();
    for (std::size_t i = 0; i < set->size(); ++i) {
      auto& samples = contents[set->labels(i).ToString()];
      reader->Seek(i);
      while (true) {
        const storage::SampleBatch batch = TRY(reader->Next());
        if (batch.size() == 0) break;
        for (std::size_t k = 0; k < batch.size(); ++k) {
          samples.emplace_back(batch.timestamps[k].ms,
                               std::bit_cast<std::uint64_t>(batch.values[k]));
        }
      }
    }
    return contents;
  }

 private:
  Env& env_;
  Options options_;
  ManualClock clock_{{1'700'000'000'000}};
  MemorySink sink_;
  std::unique_ptr<instrument::Registry> registry_;
  std::unique_ptr<Database> database_;
};

/// Where two contents differ first, for messages; empty if they are equal.
inline std::string Difference(const StoreContents& got, const StoreContents& want) {
  for (const auto& [labels, samples] : want) {
    const auto it = got.find(labels);
    if (it == got.end()) return labels + " is missing";
    for (std::size_t i = 0; i < samples.size() && i < it->second.size(); ++i) {
      if (samples[i] == it->second[i]) continue;
      return labels + ": sample " + std::to_string(i) + " is at " +
             std::to_string(it->second[i].first) + ", not at " + std::to_string(samples[i].first);
    }
    if (samples.size() != it->second.size()) {
      return labels + ": " + std::to_string(it->second.size()) + " samples, not " +
             std::to_string(samples.size());
    }
  }
  for (const auto& [labels, samples] : got) {
    if (!want.contains(labels)) return labels + " is too much";
  }
  return "";
}

/// A sample as StoreContents has it.
inline std::pair<std::int64_t, std::uint64_t> At(std::int64_t t, double v) {
  return {t, std::bit_cast<std::uint64_t>(v)};
}

}  // namespace sonde::tsdb
