// The process is stopped at every single operation on the file system, by a kill or a power cut,
// and the store is opened on what is left. See docs/decisions/0033-durability.md for what must
// hold.

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/test_store.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kStart = 1'700'000'040'000 / kMinute * kMinute;
constexpr int kMinutes = 13;
constexpr Duration kRetention = std::chrono::minutes(5);

using Sample = std::pair<std::string, std::pair<std::int64_t, std::uint64_t>>;

/// What happened to the samples of a run.
struct History {
  std::set<Sample> acknowledged;
  std::set<Sample> synced;               // Acknowledged before the last sync that succeeded.
  std::vector<std::set<Sample>> failed;  // One set for each commit that failed.
  std::int64_t newest = 0;               // Of what was acknowledged.
};

Options SmallOptions(FsyncPolicy fsync = FsyncPolicy::kSegment) {
  Options options;
  options.block_range = std::chrono::minutes(1);
  options.retention = kRetention;
  options.wal_segment_bytes = kWalPageBytes;
  options.head_chunk_file_bytes = 4096;
  options.block_chunk_file_bytes = 4096;
  options.samples_per_chunk = 4;
  options.fsync = fsync;
  return options;
}

void CommitRound(TestStore& store, int minute, int second, History& history) {
  const std::int64_t t = kStart + minute * kMinute + second * 1000;
  auto appender = store->NewAppender();
  std::set<Sample> batch;
  for (int s = 0; s < 5; ++s) {
    // Two series stay, the others change every few minutes.
    const std::string instance = std::to_string(s < 2 ? s : s + 10 * (minute / 3));
    const Labels labels = Labels::Of({{"__name__", "m"}, {"instance", instance}});
    const double v = minute * 0.5 + second + s;
    if (appender->Append(labels, {t}, v).error != storage::AppendError::kNone) continue;
    batch.insert({labels.ToString(), At(t, v)});
  }
  if (appender->Commit().ok()) {
    history.acknowledged.merge(batch);
    history.newest = t;
  } else {
    history.failed.push_back(std::move(batch));
  }
}

/// Appends, commits, cuts blocks, truncates, drops old blocks; goes on after errors as a server
/// does.
History RunWorkload(TestStore& store) {
  History history;
  if (!store.Open()) return history;
  for (int minute = 0; minute < kMinutes; ++minute) {
    for (int second = 0; second < 60; second += 5) {
      CommitRound(store, minute, second, history);
      if (second == 30 && store->SyncWal().ok()) history.synced = history.acknowledged;
    }
    store.clock().Advance(std::chrono::minutes(1));
    (void)store->RunMaintenance().ok();
  }
  return history;
}

std::set<Sample> Flatten(const StoreContents& contents) {
  std::set<Sample> samples;
  for (const auto& [labels, series] : contents) {
    for (const auto& sample : series) {
      samples.insert({labels, sample});
    }
  }
  return samples;
}

/// Every sample of `want` that the retention cannot have taken is in `got`.
void ExpectKept(const std::set<Sample>& got, const std::set<Sample>& want, std::int64_t newest,
                const std::string& where) {
  const std::int64_t safe = newest - kRetention.count();
  for (const Sample& sample : want) {
    if (sample.second.first < safe) continue;
    if (!got.contains(sample)) {
      ADD_FAILURE() << where << ": lost " << sample.first << " at "
                    << (sample.second.first - kStart) / 1000 << " s";
      return;
    }
  }
}

/// Nothing is there that was not written; of a failed commit all or nothing.
void ExpectNothingInvented(const std::set<Sample>& got, const History& history,
                           const std::string& where) {
  std::set<Sample> known = history.acknowledged;
  for (const auto& batch : history.failed) {
    const auto present = static_cast<std::size_t>(
        std::ranges::count_if(batch, [&](const Sample& s) { return got.contains(s); }));
    EXPECT_TRUE(present == 0 || present == batch.size()) << where << ": half a commit";
    known.insert(batch.begin(), batch.end());
  }
  for (const Sample& sample : got) {
    if (!known.contains(sample)) {
      ADD_FAILURE() << where << ": invented " << sample.first;
      return;
    }
  }
}

/// Opens what is left, checks it, goes on working with it, and opens it once more.
void CheckSurvivor(FaultEnv& env, const Options& options, const History& history,
                   const std::set<Sample>& must_have, const std::string& where) {
  TestStore store(env, options);
  const Status opened = store.Open();
  ASSERT_TRUE(opened.ok()) << where << ": " << opened.error().message();
  const auto read = store.Read();
  ASSERT_TRUE(read.ok()) << where << ": " << read.error().message();
  const std::set<Sample> got = Flatten(*read);
  ExpectKept(got, must_have, history.newest, where);
  ExpectNothingInvented(got, history, where);

  const std::int64_t later = kStart + (kMinutes + 2) * kMinute;
  const Labels labels = Labels::Of({{"__name__", "after"}});
  ASSERT_TRUE(store.Append(labels, later, 1).ok()) << where;
  const Status maintained = store->RunMaintenance();
  ASSERT_TRUE(maintained.ok()) << where << ": " << maintained.error().message();
  const auto before = store.Read();
  ASSERT_TRUE(before.ok()) << where;
  store.Close();
  ASSERT_TRUE(store.Open().ok()) << where;
  const auto after = store.Read();
  ASSERT_TRUE(after.ok()) << where;
  EXPECT_EQ(Difference(*after, *before), "") << where;
  EXPECT_TRUE(after->contains("after")) << where;
}

void RunMatrix(const Options& options, std::uint64_t step, std::uint64_t offset) {
  std::uint64_t operations = 0;
  {
    FaultEnv env;
    TestStore store(env, options);
    const History history = RunWorkload(store);
    EXPECT_TRUE(history.failed.empty());
    EXPECT_GE(store->blocks().size(), 4U);
    EXPECT_FALSE(ListWalCheckpoints(env, "/data/wal")->empty()) << "the workload must checkpoint";
    EXPECT_GT(store.metric("prometheus_tsdb_time_retentions_total"), 0);
    EXPECT_GT(store.metric("prometheus_tsdb_mmap_chunks_total"), 0);
    operations = env.operations();
  }
  ASSERT_GT(operations, 300U);
  for (std::uint64_t n = offset; n < operations; n += step) {
    FaultEnv env;
    env.StopAt(n, n * 7 + 1);
    History history;
    {
      TestStore store(env, options);
      history = RunWorkload(store);
    }
    const std::string where = "stopped at operation " + std::to_string(n);
    CheckSurvivor(*env.AfterKill(), options, history, history.acknowledged, where + ", kill");
    const auto& durable =
        options.fsync == FsyncPolicy::kAlways ? history.acknowledged : history.synced;
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
      Rng rng(n * 31 + seed);
      CheckSurvivor(*env.AfterPowerCut(rng), options, history, durable,
                    where + ", power cut " + std::to_string(seed));
    }
    if (testing::Test::HasFailure()) return;  // One is enough to look at.
  }
}

// In four parts, so that they can run side by side.
class CrashMatrix : public testing::TestWithParam<std::uint64_t> {};

TEST_P(CrashMatrix, NothingAcknowledgedIsLost) {
  RunMatrix(SmallOptions(), 4, GetParam());
}
TEST_P(CrashMatrix, NothingAcknowledgedIsLostWhenEveryCommitIsSynced) {
  RunMatrix(SmallOptions(FsyncPolicy::kAlways), 12, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Parts, CrashMatrix, testing::Values(0, 1, 2, 3));

// The disk is full from some byte on, then there is room again.
TEST(FullDisk, AtAnyByteCommitsFailCleanlyAndWorkAgainLater) {
  std::uint64_t total = 0;
  {
    FaultEnv env;
    TestStore store(env, SmallOptions());
    RunWorkload(store);
    total = *DirectoryBytes(env, "/data");
  }
  Rng rng(11);
  for (int round = 0; round < 60; ++round) {
    FaultEnv env;
    env.SetCapacity(rng.Below(total));
    TestStore store(env, SmallOptions());
    History history = RunWorkload(store);
    const std::string where = "round " + std::to_string(round);
    // The same process, with room again.
    env.SetCapacity(~std::uint64_t{0});
    if (history.newest == 0 && !store.Open()) {
      ADD_FAILURE() << where;
      return;
    }
    CommitRound(store, kMinutes, 0, history);
    EXPECT_TRUE(history.acknowledged.rbegin()->second.first > 0);
    ASSERT_TRUE(store->RunMaintenance().ok()) << where;
    const auto live = store.Read();
    ASSERT_TRUE(live.ok()) << where;
    const std::set<Sample> got = Flatten(*live);
    ExpectKept(got, history.acknowledged, history.newest, where);
    for (const auto& batch : history.failed) {
      for (const Sample& sample : batch) {
        EXPECT_FALSE(got.contains(sample)) << where << ": a failed commit is visible";
      }
    }
    store.Close();
    ASSERT_TRUE(store.Open().ok()) << where;
    EXPECT_TRUE(Flatten(*store.Read()) == got) << where;
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sonde::tsdb
