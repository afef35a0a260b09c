#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/fault_env.h"
#include "base/random.h"
#include "tsdb/wal_files.h"
#include "tsdb/wal_reader.h"
#include "tsdb/wal_writer.h"

namespace sonde::tsdb {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  return hex;
}

std::string Payload(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) {
    c = static_cast<char>(rng.Next());
  }
  return bytes;
}

struct ReadResult {
  std::vector<std::string> records;
  std::string damage;
};

ReadResult ReadSegment(std::string_view bytes) {
  ReadResult result;
  WalSegmentReader reader(bytes);
  while (reader.Next()) {
    result.records.emplace_back(reader.record());
  }
  result.damage = reader.damage();
  return result;
}

ReadResult ReadAll(Env& env, const Env::Path& dir) {
  ReadResult all;
  const auto segments = ListWalSegments(env, dir);
  for (const WalSegment& segment : *segments) {
    const auto bytes = env.ReadFile(segment.path, ~std::uint64_t{0});
    ReadResult part = ReadSegment(*bytes);
    for (auto& record : part.records) {
      all.records.push_back(std::move(record));
    }
    if (all.damage.empty()) all.damage = part.damage;
  }
  return all;
}

Status WriteGroup(WalWriter& writer, const std::vector<std::string>& records,
                  WalCompression compression = WalCompression::kNone) {
  TRY(writer.Prepare());
  StoredRecord stored;
  for (const std::string& record : records) {
    StoreRecord(record, compression, stored);
    writer.Append(stored.bytes, stored.flags);
  }
  return writer.Commit();
}

class WalTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env_.CreateDir("/wal").ok()); }

  FaultEnv env_;
};

// The worked example of docs/formats/wal.md.
TEST_F(WalTest, WorkedExample) {
  WalWriter writer(env_, "/wal", {}, 0);
  ASSERT_TRUE(WriteGroup(writer, {"abc", ""}).ok());
  EXPECT_EQ(Hex(*env_.ReadFile("/wal/00000000", 1000)),
            "01"        // full record, not compressed
            "0003"      // three bytes
            "364b3fb7"  // CRC-32C("abc")
            "616263"
            "01"
            "0000"
            "00000000");
}

TEST_F(WalTest, RecordsOfEverySizeComeBackInOrder) {
  for (const auto compression :
       {WalCompression::kNone, WalCompression::kSnappy, WalCompression::kZstd}) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("/wal").ok());
    WalWriter writer(env, "/wal", {.segment_bytes = 8 * kWalPageBytes}, 3);
    std::vector<std::string> want;
    for (std::size_t size = 0; size < 120; ++size) {
      want.push_back(Payload(size, size));
    }
    for (const std::size_t size :
         {kWalPageBytes - 7, kWalPageBytes - 6, kWalPageBytes - 8, kWalPageBytes, 100'000UL,
          8 * (kWalPageBytes - 7), 1UL, 2'000'000UL, 5UL}) {
      want.push_back(Payload(size, size));
      want.push_back(std::string(size, 'x'));
    }
    for (const std::string& record : want) {
      ASSERT_TRUE(WriteGroup(writer, {record}, compression).ok());
    }
    const ReadResult got = ReadAll(env, "/wal");
    EXPECT_EQ(got.damage, "");
    ASSERT_EQ(got.records.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(got.records[i] == want[i]) << i;
    }
    const auto segments = ListWalSegments(env, "/wal");
    EXPECT_EQ(segments->front().number, 3U);
    EXPECT_GT(segments->size(), 3U);
    for (std::size_t i = 0; i + 1 < segments->size(); ++i) {
      EXPECT_EQ((*segments)[i + 1].number, (*segments)[i].number + 1);
      EXPECT_EQ((*segments)[i].bytes % kWalPageBytes, 0U) << "a full segment ends with a page";
    }
  }
}

TEST_F(WalTest, ARecordNeverSpansSegments) {
  WalWriter writer(env_, "/wal", {.segment_bytes = 2 * kWalPageBytes}, 0);
  ASSERT_TRUE(WriteGroup(writer, {Payload(40'000, 1), Payload(40'000, 2), Payload(10, 3)}).ok());
  const auto segments = ListWalSegments(env_, "/wal");
  ASSERT_EQ(segments->size(), 2U);
  EXPECT_EQ(ReadSegment(*env_.ReadFile((*segments)[0].path, 1 << 20)).records.size(), 1U);
  EXPECT_EQ(ReadSegment(*env_.ReadFile((*segments)[1].path, 1 << 20)).records.size(), 2U);
}

TEST_F(WalTest, OneGroupIsOneWrite) {
  WalWriter writer(env_, "/wal", {}, 0);
  ASSERT_TRUE(WriteGroup(writer, {"first"}).ok());
  const std::uint64_t before = env_.operations();
  ASSERT_TRUE(WriteGroup(writer, {Payload(50'000, 1), Payload(50'000, 2), "x"}).ok());
  EXPECT_EQ(env_.operations(), before + 1);
}

TEST_F(WalTest, CutSegmentStartsANewOneOnlyIfTheOldHoldsSomething) {
  WalWriter writer(env_, "/wal", {}, 0);
  writer.CutSegment();
  ASSERT_TRUE(WriteGroup(writer, {"a"}).ok());
  writer.CutSegment();
  writer.CutSegment();
  ASSERT_TRUE(WriteGroup(writer, {"b"}).ok());
  EXPECT_EQ(ListWalSegments(env_, "/wal")->size(), 2U);
  EXPECT_EQ(*env_.FileSize("/wal/00000000"), kWalPageBytes);
  EXPECT_EQ(ReadAll(env_, "/wal").records, (std::vector<std::string>{"a", "b"}));
}

TEST_F(WalTest, AFullDiskFailsTheGroupAndNothingElse) {
  // Cut the space at every byte of the second group.
  const std::vector<std::string> second{Payload(300, 2), Payload(40'000, 3), Payload(200, 4)};
  for (std::uint64_t room = 0; room < 40'600; room += (room < 400 || room > 40'300 ? 1 : 371)) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("/wal").ok());
    WalWriter writer(env, "/wal", {.segment_bytes = 2 * kWalPageBytes}, 0);
    ASSERT_TRUE(WriteGroup(writer, {Payload(30'000, 1)}).ok());
    env.SetCapacity(*DirectoryBytes(env, "/wal") + room);
    if (WriteGroup(writer, second).ok()) continue;
    EXPECT_FALSE(WriteGroup(writer, {"too early", Payload(41'000, 9)}).ok());
    env.SetCapacity(~std::uint64_t{0});
    ASSERT_TRUE(WriteGroup(writer, {"third"}).ok());
    const ReadResult got = ReadAll(env, "/wal");
    EXPECT_EQ(got.damage, "") << room;
    ASSERT_EQ(got.records.size(), 2U) << room;
    EXPECT_EQ(got.records[1], "third");
  }
}

TEST_F(WalTest, UndoLastCommitTakesTheGroupBack) {
  WalWriter writer(env_, "/wal", {}, 0);
  ASSERT_TRUE(WriteGroup(writer, {"a"}).ok());
  ASSERT_TRUE(WriteGroup(writer, {"b"}).ok());
  writer.UndoLastCommit();
  ASSERT_TRUE(WriteGroup(writer, {"c"}).ok());
  EXPECT_EQ(ReadAll(env_, "/wal").records, (std::vector<std::string>{"a", "c"}));
}

TEST_F(WalTest, WhatWasSyncedSurvivesAPowerCut) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("/wal").ok());
    WalWriter writer(env, "/wal", {.segment_bytes = kWalPageBytes}, 0);
    std::vector<std::string> synced;
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(WriteGroup(writer, {Payload(9000, static_cast<std::uint64_t>(i))}).ok());
      if (i == 7) {
        const auto unsynced = writer.unsynced();
        ASSERT_TRUE(WalWriter::Sync(env, "/wal", unsynced).ok());
        writer.MarkSynced(unsynced);
        EXPECT_TRUE(writer.unsynced().empty());
      }
      if (i <= 7) synced.push_back(Payload(9000, static_cast<std::uint64_t>(i)));
    }
    Rng rng(seed);
    const auto after = env.AfterPowerCut(rng);
    const ReadResult got = ReadAll(*after, "/wal");
    ASSERT_GE(got.records.size(), synced.size());
    EXPECT_TRUE(std::equal(synced.begin(), synced.end(), got.records.begin()));
  }
}

TEST_F(WalTest, ATornTailKeepsEveryRecordBeforeIt) {
  WalWriter writer(env_, "/wal", {}, 0);
  std::vector<std::string> records;
  std::vector<std::uint64_t> ends;
  for (std::uint64_t i = 0; i < 30; ++i) {
    records.push_back(Payload(i * 181, i));
    ASSERT_TRUE(WriteGroup(writer, {records.back()}).ok());
    ends.push_back(*env_.FileSize("/wal/00000000"));
  }
  const std::string bytes = *env_.ReadFile("/wal/00000000", 1 << 24);
  for (std::size_t cut = 0; cut < bytes.size(); cut += (cut % 5000 < 200 ? 1 : 13)) {
    WalSegmentReader reader(std::string_view(bytes).substr(0, cut));
    std::size_t count = 0;
    while (reader.Next()) {
      EXPECT_EQ(reader.record(), records[count]);
      EXPECT_EQ(reader.good_end(), ends[count]);
      ++count;
    }
    const auto whole =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin());
    EXPECT_EQ(count, whole) << cut;
    EXPECT_FALSE(reader.good_after_damage());
    const bool behind_a_record = whole > 0 && cut == ends[whole - 1];
    EXPECT_TRUE(!behind_a_record || !reader.damaged()) << cut;
  }
}

TEST_F(WalTest, ADamagedPageCostsTheRecordsOnItAndNoOthers) {
  WalWriter writer(env_, "/wal", {}, 0);
  std::vector<std::string> records;
  for (std::uint64_t i = 0; i < 400; ++i) {
    records.push_back(Payload(700, i));
    ASSERT_TRUE(WriteGroup(writer, {records.back()}).ok());
  }
  std::string bytes = *env_.ReadFile("/wal/00000000", 1 << 24);
  ASSERT_GT(bytes.size(), 6 * kWalPageBytes);
  bytes[3 * kWalPageBytes + 1000] = static_cast<char>(bytes[3 * kWalPageBytes + 1000] ^ 1);
  WalSegmentReader reader(bytes);
  std::set<std::string> got;
  while (reader.Next()) {
    got.emplace(reader.record());
  }
  EXPECT_TRUE(reader.damaged());
  EXPECT_TRUE(reader.good_after_damage());
  EXPECT_NE(reader.damage().find("wrong checksum at byte"), std::string::npos) << reader.damage();
  // At most one page of records is lost.
  EXPECT_GE(got.size(), records.size() - 48);
  EXPECT_LT(got.size(), records.size());
  for (const std::string& record : got) {
    EXPECT_NE(std::ranges::find(records, record), records.end());
  }
}

TEST_F(WalTest, FlippedBitsNeverMakeARecordThatWasNotWritten) {
  WalWriter writer(env_, "/wal", {}, 0);
  std::set<std::string> records;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const std::string record = Payload(1 + i * 53, i);
    records.insert(record);
    ASSERT_TRUE(WriteGroup(writer, {record}, WalCompression::kSnappy).ok());
  }
  const std::string bytes = *env_.ReadFile("/wal/00000000", 1 << 24);
  // The checksum covers neither the kind of a fragment nor its compression: leave those bytes
  // alone.
  std::set<std::size_t> unprotected;
  for (std::size_t at = 0; at + 7 <= bytes.size();) {
    unprotected.insert(at);
    at += bytes[at] == 0 ? kWalPageBytes - at % kWalPageBytes
                         : 7 + static_cast<std::size_t>(LoadBe16(bytes.data() + at + 1));
  }
  Rng rng(3);
  std::size_t lost = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    const std::uint64_t flips = 1 + rng.Below(3);
    for (std::uint64_t i = 0; i < flips; ++i) {
      const std::size_t at = rng.Below(damaged.size());
      if (!unprotected.contains(at)) {
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << rng.Below(8)));
      }
    }
    const ReadResult got = ReadSegment(damaged);
    for (const std::string& record : got.records) {
      ASSERT_TRUE(records.contains(record));
    }
    lost += records.size() - got.records.size();
  }
  EXPECT_GT(lost, 3000U);
}

TEST_F(WalTest, NamesThatAreNoSegmentsAreIgnored) {
  for (const char* name : {"/wal/00000002", "/wal/00000000", "/wal/abc", "/wal/00000001.damaged"}) {
    ASSERT_TRUE(env_.NewWritableFile(name).ok());
  }
  ASSERT_TRUE(env_.CreateDir("/wal/checkpoint.00000007").ok());
  ASSERT_TRUE(env_.CreateDir("/wal/checkpoint.00000009.tmp").ok());
  const auto segments = ListWalSegments(env_, "/wal");
  ASSERT_EQ(segments->size(), 2U);
  EXPECT_EQ((*segments)[1].number, 2U);
  ASSERT_EQ(ListWalCheckpoints(env_, "/wal")->size(), 1U);
  ASSERT_TRUE(RemoveWalLeftovers(env_, "/wal").ok());
  EXPECT_FALSE(env_.Exists("/wal/checkpoint.00000009.tmp"));
  EXPECT_TRUE(ListWalSegments(env_, "/nowhere")->empty());
  EXPECT_EQ(WalSegmentName(42), "00000042");
  EXPECT_EQ(WalCheckpointName(123456789), "checkpoint.123456789");
}

}  // namespace
}  // namespace sonde::tsdb
