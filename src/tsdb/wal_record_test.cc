#include "tsdb/wal_record.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "model/sample.h"

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

std::string SeriesRecord(std::uint64_t ref, LabelsView labels) {
  std::string record;
  BeginRecord(record, RecordType::kSeries);
  AppendSeries(record, ref, labels);
  return record;
}

// The worked examples of docs/formats/wal.md.
TEST(WalRecordTest, SeriesAsInTheDocument) {
  EXPECT_EQ(Hex(SeriesRecord(7, Labels::Of({{"__name__", "up"}, {"job", "a"}}))),
            "01"
            "0000000000000007"
            "02"
            "085f5f6e616d655f5f"
            "027570"
            "036a6f62"
            "0161");
}

TEST(WalRecordTest, SamplesAsInTheDocument) {
  SampleRecordWriter writer;
  writer.Append(7, 1000, std::bit_cast<std::uint64_t>(1.5));
  writer.Append(5, 1030, std::bit_cast<std::uint64_t>(-0.0));
  EXPECT_EQ(Hex(writer.record()),
            "02"
            "0000000000000007"
            "00000000000003e8"
            "00"
            "00"
            "3ff8000000000000"
            "03"
            "3c"
            "8000000000000000");
  std::vector<RefSample> samples;
  ASSERT_TRUE(DecodeSamples(writer.record(), samples).ok());
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[1].ref, 5U);
  EXPECT_EQ(samples[1].t, Timestamp{1030});
  EXPECT_TRUE(std::signbit(samples[1].v));
}

TEST(WalRecordTest, SamplesRoundTripWithExtremes) {
  SampleRecordWriter writer;
  Rng rng(1);
  std::vector<RefSample> want;
  for (int i = 0; i < 2000; ++i) {
    RefSample s{rng.Next() >> rng.Below(64), {static_cast<std::int64_t>(rng.Next())}, StaleNan()};
    if (i % 3 == 0) s.t = Timestamp::Min();
    if (i % 3 == 1) s.v = rng.Uniform();
    want.push_back(s);
    writer.Append(s.ref, s.t.ms, std::bit_cast<std::uint64_t>(s.v));
  }
  std::vector<RefSample> got;
  ASSERT_TRUE(DecodeSamples(writer.record(), got).ok());
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(got[i].ref, want[i].ref);
    EXPECT_EQ(got[i].t, want[i].t);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(got[i].v), std::bit_cast<std::uint64_t>(want[i].v));
  }
  writer.Clear();
  EXPECT_TRUE(writer.record().empty());
}

TEST(WalRecordTest, SeriesRoundTrip) {
  const Labels plain = Labels::Of({{"__name__", "up"}, {"instance", "a:1"}});
  const Labels long_value = Labels::Of(
      {{"__name__", "x"}, {"a", std::string(200, 'v')}, {"b", std::string(70'000, 'w')}});
  std::string record;
  BeginRecord(record, RecordType::kSeries);
  AppendSeries(record, 1, plain);
  AppendSeries(record, ~std::uint64_t{0}, long_value);
  AppendSeries(record, 3, LabelsView());
  SeriesRecordReader reader(record);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.ref(), 1U);
  EXPECT_EQ(reader.labels(), plain.view());
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.ref(), ~std::uint64_t{0});
  EXPECT_EQ(reader.labels(), long_value.view());
  ASSERT_TRUE(reader.Next());
  EXPECT_TRUE(reader.labels().empty());
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.status().ok());
}

TEST(WalRecordTest, UnsortedLabelsOfOthersAreSorted) {
  std::string record("\x01", 1);
  PutBe64(record, 9);
  PutUvarint(record, 3);
  for (const char* text : {"job", "b", "__name__", "up", "empty", ""}) {
    PutUvarintString(record, text);
  }
  SeriesRecordReader reader(record);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.labels().ToString(), "up{job=\"b\"}");
}

TEST(WalRecordTest, TombstonesAndMetadataRoundTrip) {
  std::string record;
  BeginRecord(record, RecordType::kTombstones);
  AppendTombstone(record, {4, {-5}, Timestamp::Max()});
  std::vector<RefTombstone> tombstones;
  ASSERT_TRUE(DecodeTombstones(record, tombstones).ok());
  ASSERT_EQ(tombstones.size(), 1U);
  EXPECT_EQ(tombstones[0].min_time, Timestamp{-5});
  EXPECT_EQ(tombstones[0].max_time, Timestamp::Max());

  record.clear();
  BeginRecord(record, RecordType::kMetadata);
  AppendMetadata(record, {300, MetricType::kHistogram, "seconds", "Time to first token."});
  EXPECT_EQ(Hex(record),
            "06"
            "ac02"
            "03"
            "02"
            "04554e4954"
            "077365636f6e6473"
            "0448454c50"
            "1454696d6520746f20666972737420746f6b656e2e");
  std::vector<RefMetadata> metadata;
  ASSERT_TRUE(DecodeMetadata(record, metadata).ok());
  ASSERT_EQ(metadata.size(), 1U);
  EXPECT_EQ(metadata[0].ref, 300U);
  EXPECT_EQ(metadata[0].type, MetricType::kHistogram);
  EXPECT_EQ(metadata[0].help, "Time to first token.");
  EXPECT_EQ(metadata[0].unit, "seconds");
}

/// An integer histogram sample's body: schema, one positive span of two buckets.
void PutHistogramBody(std::string& out, std::int64_t schema) {
  out.push_back('\0');
  PutVarint(out, schema);
  PutBe64(out, std::bit_cast<std::uint64_t>(0.001));
  PutUvarint(out, 1);
  PutUvarint(out, 6);
  PutBe64(out, std::bit_cast<std::uint64_t>(12.5));
  PutUvarint(out, 1);
  PutVarint(out, -1);
  PutUvarint(out, 2);
  PutUvarint(out, 0);
  PutUvarint(out, 2);
  PutVarint(out, 3);
  PutVarint(out, -1);
  PutUvarint(out, 0);
  if (schema == -53) {
    PutUvarint(out, 2);
    PutBe64(out, std::bit_cast<std::uint64_t>(1.0));
    PutBe64(out, std::bit_cast<std::uint64_t>(2.0));
  }
}

TEST(WalRecordTest, HistogramsAndExemplarsAreReadOver) {
  for (const std::int64_t schema : {3, -53}) {
    std::string record(1, static_cast<char>(RecordType::kHistogramSamples));
    PutBe64(record, 10);
    PutBe64(record, 1000);
    for (const std::int64_t dref : {0, 2}) {
      PutVarint(record, dref);
      PutVarint(record, 5);
      PutHistogramBody(record, schema);
    }
    std::vector<RefTime> got;
    ASSERT_TRUE(DecodeRefTimes(record, got).ok());
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1].ref, 12U);
    EXPECT_EQ(got[1].t, Timestamp{1005});
    record.pop_back();
    EXPECT_FALSE(DecodeRefTimes(record, got).ok());
  }

  std::string exemplars(1, static_cast<char>(RecordType::kExemplars));
  PutBe64(exemplars, 10);
  PutBe64(exemplars, 1000);
  PutVarint(exemplars, 1);
  PutVarint(exemplars, -1);
  PutBe64(exemplars, 0);
  PutUvarint(exemplars, 1);
  PutUvarintString(exemplars, "trace_id");
  PutUvarintString(exemplars, "abc");
  std::vector<RefTime> got;
  ASSERT_TRUE(DecodeRefTimes(exemplars, got).ok());
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].ref, 11U);
  EXPECT_EQ(got[0].t, Timestamp{999});
}

TEST(WalRecordTest, FloatHistogramsOfTheSecondForm) {
  std::string record(1, static_cast<char>(RecordType::kFloatHistogramSamplesV2));
  const auto put_body = [&record] {
    record.push_back('\3');
    PutVarint(record, 0);
    for (int i = 0; i < 4; ++i) {
      PutBe64(record, 0);  // Zero threshold, zero count, count, sum.
    }
    PutUvarint(record, 1);
    PutVarint(record, 0);
    PutUvarint(record, 1);
    PutUvarint(record, 0);
    PutUvarint(record, 1);
    PutBe64(record, std::bit_cast<std::uint64_t>(4.0));
    PutUvarint(record, 0);
  };
  PutVarint(record, 20);
  PutVarint(record, 5000);
  PutVarint(record, 4000);
  put_body();
  PutVarint(record, 1);   // The reference after the previous one,
  PutVarint(record, 15);  // the time after the first one,
  record.push_back('\2');
  PutVarint(record, 7);  // and another start timestamp.
  put_body();
  PutVarint(record, 1);
  PutVarint(record, 30);
  record.push_back('\0');
  put_body();
  std::vector<RefTime> got;
  ASSERT_TRUE(DecodeRefTimes(record, got).ok());
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[2].ref, 22U);
  EXPECT_EQ(got[2].t, Timestamp{5030});
}

TEST(WalRecordTest, SamplesOfTheSecondForm) {
  std::string record(1, static_cast<char>(RecordType::kSamplesV2));
  PutVarint(record, 20);
  PutVarint(record, 5000);
  PutVarint(record, 0);
  PutBe64(record, std::bit_cast<std::uint64_t>(1.0));
  PutVarint(record, -3);
  PutVarint(record, -10);
  record.push_back('\1');
  PutBe64(record, std::bit_cast<std::uint64_t>(2.0));
  std::vector<RefSample> got;
  ASSERT_TRUE(DecodeSamples(record, got).ok());
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1].ref, 17U);
  EXPECT_EQ(got[1].t, Timestamp{4990});
  EXPECT_EQ(got[1].v, 2.0);
}

TEST(WalRecordTest, EveryCutOfEveryKindIsAnErrorOrShorter) {
  std::vector<std::string> records{SeriesRecord(7, Labels::Of({{"a", "b"}, {"c", "d"}}))};
  SampleRecordWriter writer;
  writer.Append(1, 2, 3);
  writer.Append(4, 5, 6);
  records.emplace_back(writer.record());
  for (std::string record : records) {
    for (std::size_t size = 1; size < record.size(); ++size) {
      const std::string_view cut(record.data(), size);
      std::vector<RefSample> samples;
      if (TypeOfRecord(cut) == RecordType::kSamples) {
        const bool ok = DecodeSamples(cut, samples).ok();
        EXPECT_TRUE(!ok || samples.size() < 2U);
      } else {
        SeriesRecordReader reader(cut);
        while (reader.Next()) {
        }
        EXPECT_EQ(reader.status().ok(), size == 1);
      }
    }
  }
  EXPECT_EQ(TypeOfRecord(""), RecordType::kUnknown);
  EXPECT_EQ(TypeOfRecord("\x0e"), RecordType::kUnknown);
}

}  // namespace
}  // namespace sonde::tsdb
