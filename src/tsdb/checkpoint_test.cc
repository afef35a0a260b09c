#include "tsdb/checkpoint.h"

#include <bit>

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "tsdb/wal_files.h"
#include "tsdb/wal_reader.h"
#include "tsdb/wal_record.h"
#include "tsdb/wal_writer.h"

namespace sonde::tsdb {
namespace {

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env_.CreateDir("/wal").ok()); }

  /// Writes records into one segment each.
  void WriteSegments(std::uint32_t first, const std::vector<std::string>& records) {
    WalWriter writer(env_, "/wal", {}, first);
    StoredRecord stored;
    for (const std::string& record : records) {
      ASSERT_TRUE(writer.Prepare().ok());
      StoreRecord(record, WalCompression::kSnappy, stored);
      writer.Append(stored.bytes, stored.flags);
      ASSERT_TRUE(writer.Commit().ok());
      writer.CutSegment();
    }
    ASSERT_TRUE(writer.Commit().ok());
  }
  std::vector<std::string> ReadRecords(const Env::Path& dir) {
    std::vector<std::string> records;
    const auto segments = ListWalSegments(env_, dir);
    for (const WalSegment& segment : *segments) {
      const std::string bytes = *env_.ReadFile(segment.path, 1 << 24);
      WalSegmentReader reader(bytes);
      while (reader.Next()) {
        records.emplace_back(reader.record());
      }
      EXPECT_FALSE(reader.damaged());
    }
    return records;
  }
  static std::string Series(std::initializer_list<std::uint64_t> refs) {
    std::string record;
    BeginRecord(record, RecordType::kSeries);
    for (const std::uint64_t ref : refs) {
      AppendSeries(record, ref, Labels::Of({{"n", std::to_string(ref)}}));
    }
    return record;
  }
  static std::string Samples(std::initializer_list<RefSample> samples) {
    SampleRecordWriter writer;
    for (const RefSample& s : samples) {
      writer.Append(s.ref, s.t.ms, std::bit_cast<std::uint64_t>(s.v));
    }
    return std::string(writer.record());
  }
  static std::string Tombstones(std::initializer_list<RefTombstone> tombstones) {
    std::string record;
    BeginRecord(record, RecordType::kTombstones);
    for (const RefTombstone& t : tombstones) {
      AppendTombstone(record, t);
    }
    return record;
  }
  static std::string MetadataRecord(std::uint64_t ref, std::string_view help) {
    std::string record;
    BeginRecord(record, RecordType::kMetadata);
    AppendMetadata(record, {ref, MetricType::kGauge, "", help});
    return record;
  }
  static std::string Exemplar(std::uint64_t ref, std::int64_t t) {
    std::string record(1, static_cast<char>(RecordType::kExemplars));
    PutBe64(record, ref);
    PutBe64(record, static_cast<std::uint64_t>(t));
    PutVarint(record, 0);
    PutVarint(record, 0);
    PutBe64(record, 0);
    PutUvarint(record, 0);
    return record;
  }

  FaultEnv env_;
};

TEST_F(CheckpointTest, KeepsWhatIsStillNeeded) {
  // A histogram record that is not even read: kept byte by byte.
  const std::string histogram =
      std::string(1, static_cast<char>(RecordType::kHistogramSamples)) + "xyz";
  const std::string unknown = "\x7fwhatever";
  const std::string v2 = [] {
    std::string record(1, static_cast<char>(RecordType::kSamplesV2));
    for (const std::int64_t v : {1, 500, 1}) {
      PutVarint(record, v);
    }
    PutBe64(record, 0);
    PutVarint(record, 0);
    PutVarint(record, 1000);
    record.push_back('\0');
    PutBe64(record, 0);
    return record;
  }();
  WriteSegments(
      0,
      {Series({1, 2, 3}), Samples({{1, {500}, 1}, {2, {1000}, 2}, {1, {999}, 3}, {3, {1001}, 4}}),
       Samples({{1, {10}, 1}}), Samples({{1, {2000}, 1}}),
       Tombstones({{1, {0}, {999}}, {2, {0}, {1000}}, {1, {5}, {5000}}}), Exemplar(1, 999),
       Exemplar(1, 1000), histogram, unknown, v2, MetadataRecord(1, "old"),
       MetadataRecord(1, "new"), MetadataRecord(2, "gone"), Samples({{1, {3000}, 1}})});
  CheckpointRequest request;
  request.last_segment = 12;
  request.min_time = {1000};
  request.keep = [](std::uint64_t ref) { return ref != 2; };
  const auto stats = WriteCheckpoint(env_, "/wal", request);
  ASSERT_TRUE(stats.ok()) << stats.error().message();
  EXPECT_EQ(ReadRecords("/wal/checkpoint.00000012"),
            (std::vector<std::string>{Series({1, 3}), Samples({{2, {1000}, 2}, {3, {1001}, 4}}),
                                      Samples({{1, {2000}, 1}}), Tombstones({{1, {5}, {5000}}}),
                                      Exemplar(1, 1000), histogram, unknown, v2,
                                      MetadataRecord(1, "new")}));
  EXPECT_EQ(stats->series, 2U);
  EXPECT_EQ(stats->dropped_series, 1U);
  EXPECT_EQ(stats->samples, 3U);
  EXPECT_EQ(stats->dropped_samples, 3U);
  EXPECT_EQ(stats->damaged_places, 0U);
  ASSERT_TRUE(RemoveBeforeCheckpoint(env_, "/wal", 12).ok());
  EXPECT_EQ(ListWalSegments(env_, "/wal")->front().number, 13U);
}

TEST_F(CheckpointTest, TheNextOneIncludesTheLast) {
  WriteSegments(0, {Series({1}), Samples({{1, {1000}, 1}}), Samples({{1, {2000}, 1}}),
                    Samples({{1, {3000}, 1}})});
  CheckpointRequest request;
  request.min_time = {0};
  request.keep = [](std::uint64_t) { return true; };
  request.last_segment = 1;
  ASSERT_TRUE(WriteCheckpoint(env_, "/wal", request).ok());
  request.last_segment = 2;
  request.min_time = {1500};
  ASSERT_TRUE(WriteCheckpoint(env_, "/wal", request).ok())
      << "segments of the first are still there";
  ASSERT_TRUE(RemoveBeforeCheckpoint(env_, "/wal", 2).ok());
  EXPECT_EQ(ListWalCheckpoints(env_, "/wal")->size(), 1U);
  EXPECT_EQ(ReadRecords("/wal/checkpoint.00000002"),
            (std::vector<std::string>{Series({1}), Samples({{1, {2000}, 1}})}));
}

TEST_F(CheckpointTest, AnEmptyOneHasASegment) {
  WriteSegments(0, {Samples({{1, {10}, 1}})});
  CheckpointRequest request;
  request.min_time = {1000};
  request.keep = [](std::uint64_t) { return false; };
  ASSERT_TRUE(WriteCheckpoint(env_, "/wal", request).ok());
  EXPECT_EQ(ListWalSegments(env_, "/wal/checkpoint.00000000")->size(), 1U);
}

TEST_F(CheckpointTest, DamagedRecordsAreCountedAndLeftOut) {
  std::string bad = Samples({{1, {2000}, 1}, {1, {3000}, 2}});
  bad.pop_back();
  WriteSegments(0, {Series({1}), bad, Samples({{1, {4000}, 1}})});
  CheckpointRequest request;
  request.last_segment = 2;
  request.min_time = {0};
  request.keep = [](std::uint64_t) { return true; };
  const auto stats = WriteCheckpoint(env_, "/wal", request);
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->damaged_places, 1U);
  EXPECT_EQ(stats->samples, 2U);
}

}  // namespace
}  // namespace sonde::tsdb
