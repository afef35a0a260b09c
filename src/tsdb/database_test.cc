#include "tsdb/database.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/test_store.h"
#include "tsdb/wal_files.h"

namespace sonde::tsdb {
namespace {

using storage::AppendError;

constexpr std::int64_t kHour = 3'600'000;
// A whole number of block ranges.
constexpr std::int64_t kStart = 1'699'999'200'000 / (2 * kHour) * (2 * kHour);

Labels Named(const char* name, const char* instance = "a") {
  return Labels::Of({{"__name__", name}, {"instance", instance}});
}

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.Open().ok()); }

  StoreContents Read(Timestamp start = Timestamp::Min(), Timestamp end = Timestamp::Max()) {
    auto contents = store_.Read(start, end);
    EXPECT_TRUE(contents.ok()) << contents.error().message();
    return *std::move(contents);
  }
  /// `count` samples of each of two series, 15 s apart.
  void Fill(std::int64_t start, int count) {
    storage::SeriesRef up;
    storage::SeriesRef load;
    for (int i = 0; i < count; ++i) {
      auto appender = store_->NewAppender();
      const Timestamp t{start + i * 15'000};
      if (!up) {
        up = appender->Append(Named("up"), t, 1).ref;
        load = appender->Append(Named("load"), t, i * 0.5).ref;
      } else {
        ASSERT_EQ(appender->Append(up, t, 1).error, AppendError::kNone);
        ASSERT_EQ(appender->Append(load, t, i * 0.5).error, AppendError::kNone);
      }
      ASSERT_TRUE(appender->Commit().ok());
    }
  }

  FaultEnv env_;
  TestStore store_{env_};
};

TEST_F(DatabaseTest, WhatIsCommittedCanBeReadAndSurvivesReopening) {
  Fill(kStart, 300);
  const StoreContents before = Read();
  ASSERT_EQ(before.size(), 2U);
  EXPECT_EQ(before.at("load{instance=\"a\"}").size(), 300U);
  EXPECT_EQ(before.at("load{instance=\"a\"}")[7], At(kStart + 105'000, 3.5));
  store_.Close();
  ASSERT_TRUE(store_.Open().ok());
  EXPECT_EQ(Read(), before);
  EXPECT_EQ(Read({kStart + 1}, {kStart + 30'000}).at("up{instance=\"a\"}").size(), 2U);
}

TEST_F(DatabaseTest, RollbackLeavesNothingVisible) {
  auto appender = store_->NewAppender();
  EXPECT_EQ(appender->Append(Named("up"), {kStart}, 1).error, AppendError::kNone);
  appender->Rollback();
  appender = store_->NewAppender();
  appender.reset();
  EXPECT_TRUE(Read().empty());
  EXPECT_EQ(store_->head_stats().series, 1U);
}

TEST_F(DatabaseTest, SamplesAreRefusedAsInPrometheus) {
  auto appender = store_->NewAppender();
  const auto ref = appender->Append(Named("up"), {kStart}, 1).ref;
  EXPECT_EQ(appender->Append(ref, {kStart}, 1).error, AppendError::kNone) << "the same again";
  EXPECT_EQ(appender->Append(ref, {kStart}, 2).error, AppendError::kDuplicate);
  EXPECT_EQ(appender->Append(ref, {kStart - 1}, 2).error, AppendError::kOutOfOrder);
  ASSERT_TRUE(appender->Commit().ok());

  appender = store_->NewAppender();
  EXPECT_EQ(appender->Append(ref, {kStart}, 1).error, AppendError::kNone);
  EXPECT_EQ(appender->Append(ref, {kStart}, 2).error, AppendError::kDuplicate);
  EXPECT_EQ(appender->Append(ref, {kStart - 1}, 1).error, AppendError::kOutOfOrder);
  EXPECT_EQ(appender->Append(ref, {kStart + 10 * kHour}, 1).error, AppendError::kNone);
  ASSERT_TRUE(appender->Commit().ok());

  // Half a block range behind the newest sample is the limit.
  appender = store_->NewAppender();
  EXPECT_EQ(appender->Append(Named("new"), {kStart + 9 * kHour - 1}, 1).error,
            AppendError::kOutOfBounds);
  EXPECT_EQ(appender->Append(Named("new"), {kStart + 9 * kHour}, 1).error, AppendError::kNone);
  EXPECT_EQ(appender->Append({999'999}, {kStart + 10 * kHour}, 1).error,
            AppendError::kUnknownSeries);
  EXPECT_EQ(appender->Append(storage::SeriesRef(), {kStart + 10 * kHour}, 1).error,
            AppendError::kUnknownSeries);
  EXPECT_EQ(appender->Append({~std::uint64_t{0}}, {0}, 1).error, AppendError::kUnknownSeries);
  EXPECT_EQ(appender->Append(LabelsView(), {kStart + 10 * kHour}, 1).error,
            AppendError::kInvalidLabels);
  EXPECT_EQ(appender->Append(Named("\xFF"), {kStart + 10 * kHour}, 1).error,
            AppendError::kInvalidLabels);
  EXPECT_EQ(appender->Append(Named("x"), Timestamp::Max(), 1).error, AppendError::kOutOfBounds);
  ASSERT_TRUE(appender->Commit().ok());
  EXPECT_EQ(store_.metric("prometheus_tsdb_out_of_bound_samples_total"), 2);
  EXPECT_EQ(store_.metric("prometheus_tsdb_out_of_order_samples_total"), 2);
  EXPECT_EQ(store_.metric("prometheus_tsdb_head_samples_appended_total"), 3);
}

TEST_F(DatabaseTest, HistogramsAreRefusedAndExemplarsDroppedAndBothCounted) {
  auto appender = store_->NewAppender();
  EXPECT_EQ(appender->AppendHistogram(Named("h"), {kStart}, Histogram()).error,
            AppendError::kUnsupported);
  EXPECT_EQ(appender->AppendFloatHistogram(Named("h"), {kStart}, FloatHistogram()).error,
            AppendError::kUnsupported);
  const auto ref = appender->Append(Named("up"), {kStart}, 1).ref;
  EXPECT_EQ(appender->AppendExemplar(ref, Exemplar()), AppendError::kNone);
  EXPECT_EQ(appender->AppendExemplar({77}, Exemplar()), AppendError::kUnknownSeries);
  ASSERT_TRUE(appender->Commit().ok());
  EXPECT_EQ(store_.metric("sonde_tsdb_refused_histograms_total"), 2);
  EXPECT_EQ(store_.metric("sonde_tsdb_dropped_exemplars_total"), 1);
}

TEST_F(DatabaseTest, AReaderSeesWholeCommitsOrNothingOfThem) {
  ASSERT_TRUE(store_.Append(Named("a"), kStart, 1).ok());
  ASSERT_TRUE(store_.Append(Named("b"), kStart, 1).ok());
  const auto before = store_->NewQuerier(Timestamp::Min(), Timestamp::Max());
  for (int i = 1; i <= 300; ++i) {
    auto appender = store_->NewAppender();
    appender->Append(Named("a"), {kStart + i * 1000}, i);
    appender->Append(Named("c"), {kStart + i * 1000}, i);
    ASSERT_TRUE(appender->Commit().ok());
    if (i == 100) {
      const auto middle = store_->NewQuerier(Timestamp::Min(), Timestamp::Max());
      ASSERT_TRUE(store_.Append(Named("a"), kStart + i * 1000 + 500, 7).ok());
      const auto contents = TestStore::ReadWith(**middle);
      EXPECT_EQ(contents->at("a{instance=\"a\"}").size(), 101U);
      EXPECT_EQ(contents->at("c{instance=\"a\"}").size(), 100U);
    }
  }
  const auto contents = TestStore::ReadWith(**before);
  EXPECT_EQ(contents->size(), 2U) << "a series without visible samples is not there";
  EXPECT_EQ(contents->at("a{instance=\"a\"}").size(), 1U);
  EXPECT_EQ(Read().at("a{instance=\"a\"}").size(), 302U);
}

TEST_F(DatabaseTest, AFullHeadIsCutIntoABlock) {
  Fill(kStart, 4 * 240);
  const StoreContents before = Read();
  ASSERT_TRUE(store_->RunMaintenance().ok());
  const auto blocks = store_->blocks();
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks[0].min_time, Timestamp{kStart});
  EXPECT_EQ(blocks[0].max_time, Timestamp{kStart + 2 * kHour});
  EXPECT_EQ(blocks[0].stats.samples, 960U);
  EXPECT_EQ(blocks[0].stats.series, 2U);
  EXPECT_EQ(store_->head_stats().min_time, Timestamp{kStart + 2 * kHour});
  EXPECT_EQ(Read(), before);
  store_.Close();
  ASSERT_TRUE(store_.Open().ok());
  EXPECT_EQ(Read(), before);
  EXPECT_EQ(store_->head_stats().min_time, Timestamp{kStart + 2 * kHour});
  // No sample of the block's time is taken any more.
  EXPECT_FALSE(store_.Append(Named("late"), kStart + 2 * kHour - 1, 1).ok());
}

TEST_F(DatabaseTest, AnOldReaderKeepsItsViewWhileTheHeadIsCut) {
  Fill(kStart, 4 * 240);
  const StoreContents want = Read();
  auto querier = store_->NewQuerier(Timestamp::Min(), Timestamp::Max());
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_EQ(store_->blocks().size(), 1U);
  EXPECT_EQ(store_->head_stats().min_time, Timestamp{kStart}) << "the head waits for the reader";
  EXPECT_EQ(*TestStore::ReadWith(**querier), want);
  EXPECT_EQ(Read(), want);
  querier = Error(ErrorKind::kCancelled, "done");
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_EQ(store_->head_stats().min_time, Timestamp{kStart + 2 * kHour});
  EXPECT_EQ(Read(), want);
}

TEST_F(DatabaseTest, AnOpenBatchIsWaitedForBeforeABlockIsCut) {
  Fill(kStart, 240);
  auto slow = store_->NewAppender();
  ASSERT_EQ(slow->Append(Named("slow"), {kStart + kHour}, 5).error, AppendError::kNone);
  Fill(kStart + kHour, 3 * 240 + 1);
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_TRUE(store_->blocks().empty());
  ASSERT_TRUE(slow->Commit().ok());
  slow.reset();
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_EQ(store_->blocks().size(), 1U);
  EXPECT_EQ(Read().at("slow{instance=\"a\"}"), (std::vector{At(kStart + kHour, 5)}));
}

TEST_F(DatabaseTest, SeriesWithoutSamplesLeaveTheHeadAndComeBackUnderANewNumber) {
  auto appender = store_->NewAppender();
  const auto gone = appender->Append(Named("gone"), {kStart}, 1).ref;
  ASSERT_TRUE(appender->Commit().ok());
  appender.reset();
  Fill(kStart, 4 * 240);
  auto set = *(*store_->NewQuerier(Timestamp::Min(), Timestamp::Max()))
                  ->Select(true, {}, std::vector{Matcher::Equal("__name__", "gone")});
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_EQ(store_->head_stats().series, 2U);
  EXPECT_EQ(set->labels(0).ToString(), "gone{instance=\"a\"}") << "views outlive the series";
  appender = store_->NewAppender();
  const Timestamp now{kStart + 4 * kHour};
  EXPECT_EQ(appender->Append(gone, now, 1).error, AppendError::kUnknownSeries);
  const auto back = appender->Append(Named("gone"), now, 2);
  EXPECT_EQ(back.error, AppendError::kNone);
  EXPECT_NE(back.ref, gone);
  ASSERT_TRUE(appender->Commit().ok());
  EXPECT_EQ(Read().at("gone{instance=\"a\"}"), (std::vector{At(kStart, 1), At(now.ms, 2)}));
  EXPECT_EQ(*(*store_->NewQuerier({now.ms}, {now.ms}))->LabelValues("__name__", {}, 0),
            (std::vector<std::string>{"gone", "load", "up"}));
}

TEST_F(DatabaseTest, OldBlocksAreRemoved) {
  store_.Close();
  Options options;
  options.retention = std::chrono::hours(6);
  TestStore store(env_, options);
  ASSERT_TRUE(store.Open().ok());
  for (int hour = 0; hour < 16; ++hour) {
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(store.Append(Named("up"), kStart + hour * kHour + i * 60'000, hour).ok());
    }
    ASSERT_TRUE(store->RunMaintenance().ok());
  }
  const auto blocks = store->blocks();
  ASSERT_FALSE(blocks.empty());
  // Relative to the newest block: 6 hours, so three of 2 hours stay.
  EXPECT_EQ(blocks.size(), 3U);
  EXPECT_EQ(blocks.back().max_time - blocks.front().max_time, std::chrono::hours(4));
  EXPECT_EQ(store.metric("prometheus_tsdb_blocks_loaded"), 3);
  std::size_t directories = 0;
  const auto entries = env_.ListDir("/data");
  for (const DirEntry& entry : *entries) {
    directories += Ulid::Parse(entry.name) ? 1 : 0;
  }
  EXPECT_EQ(directories, 3U);
}

TEST_F(DatabaseTest, TheLogIsTruncatedAndReplaysTheSame) {
  store_.Close();
  Options options;
  options.wal_segment_bytes = kWalPageBytes;
  TestStore store(env_, options);
  ASSERT_TRUE(store.Open().ok());
  // New series in every hour, so that some leave.
  for (int hour = 0; hour < 12; ++hour) {
    for (int i = 0; i < 60; ++i) {
      auto appender = store->NewAppender();
      for (int s = 0; s < 10; ++s) {
        const std::string instance = std::to_string(s % 2 == 0 ? s : hour * 100 + s);
        appender->Append(Named("m", instance.c_str()), {kStart + hour * kHour + i * 60'000},
                         hour * 0.25 + i);
      }
      ASSERT_TRUE(appender->Commit().ok());
    }
    ASSERT_TRUE(store->RunMaintenance().ok());
  }
  EXPECT_EQ(ListWalCheckpoints(env_, "/data/wal")->size(), 1U);
  EXPECT_LT(ListWalSegments(env_, "/data/wal")->size(), 15U);
  const auto want = *store.Read();
  store.Close();
  ASSERT_TRUE(store.Open().ok());
  EXPECT_EQ(*store.Read(), want);
  EXPECT_EQ(store.metric("prometheus_tsdb_wal_replay_unknown_refs_total"), 0);
  EXPECT_EQ(store.metric("prometheus_tsdb_wal_corruptions_total"), 0);
}

TEST_F(DatabaseTest, FullChunksGoToMappedFilesAndAreReadFromThere) {
  Fill(kStart, 500);
  const StoreContents want = Read();
  ASSERT_TRUE(store_->RunMaintenance().ok());
  EXPECT_GT(*DirectoryBytes(env_, "/data/chunks_head"), 100U);
  EXPECT_EQ(Read(), want);
  store_.Close();
  // Without the log only the mapped chunks are left, but nobody knows their series.
  ASSERT_TRUE(store_.Open().ok());
  EXPECT_EQ(Read(), want);
  Fill(kStart + 500 * 15'000, 300);
  ASSERT_TRUE(store_->RunMaintenance().ok());
  const StoreContents more = Read();
  EXPECT_EQ(more.at("up{instance=\"a\"}").size(), 800U);
  store_.Close();
  ASSERT_TRUE(store_.Open().ok());
  EXPECT_EQ(Read(), more);
}

TEST_F(DatabaseTest, TheLimitOfSeriesRefusesNewOnesOnly) {
  store_.Close();
  Options options;
  options.max_series = 2;
  TestStore store(env_, options);
  ASSERT_TRUE(store.Open().ok());
  ASSERT_TRUE(store.Append(Named("a"), kStart, 1).ok());
  ASSERT_TRUE(store.Append(Named("b"), kStart, 1).ok());
  EXPECT_EQ(store.Append(Named("c"), kStart, 1).error().message(), "series limit reached");
  EXPECT_TRUE(store.Append(Named("a"), kStart + 1, 1).ok());
  EXPECT_EQ(store.metric("sonde_tsdb_refused_series_total"), 1);
}

TEST_F(DatabaseTest, AFullDiskFailsCommitsUntilThereIsRoom) {
  ASSERT_TRUE(store_.Append(Named("a"), kStart, 1).ok());
  env_.SetCapacity(*DirectoryBytes(env_, "/data") + 10);
  for (int i = 1; i < 5; ++i) {
    const Status status = store_.Append(Named("a"), kStart + i, i);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind(), ErrorKind::kIo);
    EXPECT_FALSE(store_.Append(Named("b"), kStart + i, i).ok());
  }
  EXPECT_EQ(Read().size(), 1U);
  EXPECT_EQ(Read().at("a{instance=\"a\"}").size(), 1U);
  env_.SetCapacity(~std::uint64_t{0});
  ASSERT_TRUE(store_.Append(Named("a"), kStart + 2, 9).ok())
      << "nothing of the failed ones is left";
  ASSERT_TRUE(store_.Append(Named("b"), kStart + 1, 8).ok());
  const StoreContents want = Read();
  EXPECT_EQ(want.at("a{instance=\"a\"}"), (std::vector{At(kStart, 1), At(kStart + 2, 9)}));
  EXPECT_EQ(want.at("b{instance=\"a\"}"), (std::vector{At(kStart + 1, 8)}));
  const std::string log = store_.log();
  const std::string line = "The write-ahead log cannot be written";
  EXPECT_NE(log.find(line), std::string::npos);
  EXPECT_EQ(log.find(line, log.find(line) + 1), std::string::npos) << "logged once";
  EXPECT_EQ(store_.metric("prometheus_tsdb_wal_writes_failed_total"), 8);
  store_.Close();
  ASSERT_TRUE(store_.Open().ok());
  EXPECT_EQ(Read(), want);
}

TEST_F(DatabaseTest, AFailedSyncFailsTheCommitWhenEveryCommitIsSynced) {
  store_.Close();
  Options options;
  options.fsync = FsyncPolicy::kAlways;
  TestStore store(env_, options);
  ASSERT_TRUE(store.Open().ok());
  ASSERT_TRUE(store.Append(Named("a"), kStart, 1).ok());
  env_.SetFault([](FaultOp op, const Env::Path&) -> std::optional<Error> {
    if (op != FaultOp::kSync) return std::nullopt;
    return Error(ErrorKind::kIo, "fdatasync: Input/output error");
  });
  EXPECT_FALSE(store.Append(Named("a"), kStart + 1, 2).ok());
  env_.SetFault(nullptr);
  ASSERT_TRUE(store.Append(Named("a"), kStart + 1, 3).ok());
  const auto want = *store.Read();
  EXPECT_EQ(want.at("a{instance=\"a\"}"), (std::vector{At(kStart, 1), At(kStart + 1, 3)}));
  Rng rng(1);
  const auto after = env_.AfterPowerCut(rng);
  TestStore again(*after, options);
  ASSERT_TRUE(again.Open().ok());
  EXPECT_EQ(*again.Read(), want);
}

TEST_F(DatabaseTest, OneProcessAtATime) {
  TestStore second(env_);
  const Status status = second.Open();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kUnavailable);
}

TEST_F(DatabaseTest, ImpossibleOptionsAreRefused) {
  Options options;
  options.block_range = Duration(5);
  EXPECT_EQ(TestStore(env_, options).Open().error().kind(), ErrorKind::kInvalid);
  options = {};
  options.wal_segment_bytes = 1000;
  EXPECT_EQ(TestStore(env_, options).Open().error().kind(), ErrorKind::kInvalid);
}

TEST_F(DatabaseTest, MetadataIsKeptAndLoggedIfAsked) {
  store_.Close();
  Options options;
  options.wal_metadata = true;
  TestStore store(env_, options);
  ASSERT_TRUE(store.Open().ok());
  for (int i = 0; i < 3; ++i) {
    auto appender = store->NewAppender();
    const auto ref = appender->Append(Named("tokens_total"), {kStart + i}, 1).ref;
    appender->UpdateMetadata(ref, {MetricType::kCounter, "Tokens.", "tokens"});
    ASSERT_TRUE(appender->Commit().ok());
  }
  for (int round = 0; round < 2; ++round) {
    const auto metadata = store->metadata("tokens_total", 0);
    ASSERT_EQ(metadata.size(), 1U) << round;
    EXPECT_EQ(metadata[0].variants,
              (std::vector<Metadata>{{MetricType::kCounter, "Tokens.", "tokens"}}));
    EXPECT_EQ(store->metadata("", 10).size(), 1U);
    EXPECT_TRUE(store->metadata("other", 0).empty());
    store.Close();
    ASSERT_TRUE(store.Open().ok());
  }
}

TEST_F(DatabaseTest, CardinalityCountsWhatPrometheusCounts) {
  for (const char* instance : {"a", "b", "c"}) {
    ASSERT_TRUE(store_.Append(Named("up", instance), kStart, 1).ok());
  }
  ASSERT_TRUE(store_.Append(Named("load", "a"), kStart, 1).ok());
  const Cardinality tables = store_->cardinality(1);
  EXPECT_EQ(tables.series_by_metric[0].name, "up");
  EXPECT_EQ(tables.series_by_metric[0].count, 3U);
  EXPECT_EQ(tables.values_by_label[0].name, "instance");
  EXPECT_EQ(tables.values_by_label[0].count, 3U);
  EXPECT_EQ(tables.bytes_by_label[0].name, "__name__");
  EXPECT_EQ(tables.bytes_by_label[0].count, 3U * 2 + 4);
  EXPECT_EQ(tables.series_by_pair[0].name, "__name__=up");
  EXPECT_EQ(tables.label_pairs, 5U);
  EXPECT_EQ(store_->cardinality(10).series_by_metric.size(), 2U);
}

TEST_F(DatabaseTest, SelectHonoursHints) {
  for (const char* instance : {"a", "b", "c"}) {
    ASSERT_TRUE(store_.Append(Named("up", instance), kStart, 1).ok());
  }
  const auto querier = *store_->NewQuerier(Timestamp::Min(), Timestamp::Max());
  storage::SelectHints hints;
  hints.limit = 2;
  EXPECT_EQ((*querier->Select(true, hints, {}))->size(), 2U);
  EXPECT_EQ((*querier->Select(false, hints, {}))->size(), 2U);
  hints = {};
  hints.function = "series";
  const auto set = *querier->Select(true, hints, {});
  ASSERT_EQ(set->size(), 3U);
  EXPECT_EQ(set->labels(1).ToString(), "up{instance=\"b\"}");
  const auto reader = set->NewReader();
  reader->Seek(0);
  EXPECT_EQ(reader->Next()->size(), 0U);
  hints = {};
  hints.start = {kStart + 1};
  EXPECT_EQ((*querier->Select(false, hints, {}))->size(), 0U);
}

}  // namespace
}  // namespace sonde::tsdb
