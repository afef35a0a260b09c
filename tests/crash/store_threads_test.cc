// Appends, queries, maintenance and syncs at the same time, for ThreadSanitizer and for what
// isolation promises.

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/test_store.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000 / 60'000 * 60'000;
constexpr int kWriters = 3;
constexpr int kRounds = 400;

Labels SeriesOf(int writer, int s) {
  return Labels::Of({{"__name__", "m"}, {"s", std::to_string(s)}, {"w", std::to_string(writer)}});
}

TEST(StoreThreads, EverythingAtOnce) {
  FaultEnv env;
  Options options;
  options.block_range = std::chrono::minutes(1);
  options.wal_segment_bytes = kWalPageBytes;
  options.samples_per_chunk = 8;
  TestStore store(env, options);
  ASSERT_TRUE(store.Open().ok());
  store->Start();
  // Writers go through the same times together, so that none is left behind the head's window.
  std::atomic<std::int64_t> committed{0};
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::map<int, storage::SeriesRef> refs;
      for (int round = 0; round < kRounds; ++round) {
        while (committed.load() < static_cast<std::int64_t>(round - 1) * kWriters) {
          std::this_thread::yield();
        }
        auto appender = store->NewAppender();
        const Timestamp t{kStart + round * 2000};
        // Ten series that get the same value in each commit; some of them change over time.
        for (int s = 0; s < 10; ++s) {
          const int number = s < 5 ? s : s + 10 * (round / 100);
          auto result = appender->Append(refs[number], t, round);
          if (result.error == storage::AppendError::kUnknownSeries) {
            result = appender->Append(SeriesOf(writer, number), t, round);
          }
          if (result.error != storage::AppendError::kNone) ++failures;
          refs[number] = result.ref;
        }
        if (!appender->Commit().ok()) ++failures;
        ++committed;
      }
    });
  }
  std::jthread maintenance([&] {
    while (!done) {
      if (!store->RunMaintenance().ok()) ++failures;
      if (!store->SyncWal().ok()) ++failures;
    }
  });
  std::atomic<int> queries{0};
  std::jthread reader([&] {
    while (!done) {
      const auto querier = store->NewQuerier(Timestamp::Min(), Timestamp::Max());
      const auto contents = TestStore::ReadWith(**querier);
      if (!contents.ok()) {
        ++failures;
        continue;
      }
      // A commit gave the same value to all series of its writer: the five that stay end alike.
      for (int writer = 0; writer < kWriters; ++writer) {
        std::set<std::size_t> sizes;
        for (int s = 0; s < 5; ++s) {
          const auto it = contents->find(SeriesOf(writer, s).ToString());
          sizes.insert(it == contents->end() ? 0 : it->second.size());
        }
        if (sizes.size() != 1) ++failures;
      }
      (void)(*querier)->LabelValues("s", {}, 0).ok();
      (void)store->cardinality(10);
      ++queries;
    }
  });
  for (auto& thread : threads) {
    thread.join();
  }
  done = true;
  maintenance.join();
  reader.join();
  store->Stop();
  EXPECT_EQ(failures, 0);
  EXPECT_GT(queries, 0);
  const auto contents = *store.Read();
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int s = 0; s < 5; ++s) {
      EXPECT_EQ(contents.at(SeriesOf(writer, s).ToString()).size(),
                static_cast<std::size_t>(kRounds));
    }
  }
  store.Close();
  ASSERT_TRUE(store.Open().ok());
  EXPECT_EQ(Difference(*store.Read(), contents), "");
  EXPECT_GT(store->blocks().size(), 5U);
}

// Commits that wait at the same time share a write.
TEST(StoreThreads, ConcurrentCommitsAreGrouped) {
  FaultEnv env;
  TestStore store(env);
  ASSERT_TRUE(store.Open().ok());
  // The first write is held until all others wait behind it.
  std::atomic<bool> first{true};
  env.SetFault([&](FaultOp op, const Env::Path&) -> std::optional<Error> {
    if (op == FaultOp::kAppend && first.exchange(false)) {
      while (store->commits_waiting() < 8) {
        std::this_thread::yield();
      }
    }
    return std::nullopt;
  });
  std::vector<std::jthread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      auto appender = store->NewAppender();
      if (appender->Append(SeriesOf(i, 0), {kStart}, i).error != storage::AppendError::kNone)
        ++failures;
      if (!appender->Commit().ok()) ++failures;
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(store.Read()->size(), 8U);
  // One for the first, one for all who came while it was written.
  EXPECT_EQ(store.metric("sonde_tsdb_wal_commit_groups_total"), 2);
  EXPECT_EQ(store.metric("sonde_tsdb_wal_commits_total"), 8);
}

}  // namespace
}  // namespace sonde::tsdb
