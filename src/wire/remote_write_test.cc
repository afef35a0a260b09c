#include "wire/remote_write.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/compress.h"
#include "base/random.h"
#include "wire/protobuf.h"

namespace sonde::wire {
namespace {

// Everything that a reader finds, as text.
std::vector<std::string> Dump(std::string_view request) {
  std::vector<std::string> out;
  WriteRequestReader reader(request);
  LabelDecoder decoder;
  while (true) {
    const auto more = reader.NextBatch();
    if (!more) {
      out.push_back("error: " + more.error().message());
      return out;
    }
    if (!*more) return out;
    for (const TimeSeriesView& series : reader.series()) {
      const LabelFault fault = decoder.Decode(series.labels);
      std::string line =
          fault == LabelFault::kNone ? decoder.labels().ToString() : std::string(ToString(fault));
      for (const FloatSample& s : reader.samples(series)) {
        line += " " + std::to_string(s.t.ms) + "=" + std::to_string(s.v);
      }
      for (const std::string_view exemplar : reader.exemplars(series)) {
        const auto decoded = DecodeExemplar(exemplar);
        line += decoded ? " exemplar " + decoded->labels.ToString() : " bad exemplar";
      }
      for (const std::string_view histogram : reader.histograms(series)) {
        const auto decoded = DecodeHistogram(histogram);
        line +=
            decoded ? (decoded->is_float ? " float histogram" : " histogram") : " bad histogram";
      }
      out.push_back(line);
    }
    for (const std::string_view metadata : reader.metadata()) {
      const auto decoded = DecodeMetadata(metadata);
      out.push_back(decoded ? "metadata " + decoded->family + " " +
                                  std::string(ToString(decoded->metadata.type)) + " " +
                                  decoded->metadata.help + " " + decoded->metadata.unit
                            : "bad metadata");
    }
  }
}

Histogram SampleHistogram() {
  return {.reset_hint = ResetHint::kNotReset,
          .schema = 3,
          .zero_threshold = 0.001,
          .zero_count = 2,
          .count = 21,
          .sum = 18.4,
          .positive_spans = {{-2, 2}, {1, 2}},
          .negative_spans = {{0, 2}},
          .positive_deltas = {1, 1, -1, 0},
          .negative_deltas = {1000000, -999999},
          .custom_values = {}};
}

FloatHistogram SampleFloatHistogram() {
  return {.reset_hint = ResetHint::kGauge,
          .schema = kCustomBucketsSchema,
          .zero_threshold = 0,
          .zero_count = 0,
          .count = 7.5,
          .sum = -1,
          .positive_spans = {{0, 3}},
          .negative_spans = {},
          .positive_counts = {1, 2, 4.5},
          .negative_counts = {},
          .custom_values = {0.1, 5, 10}};
}

std::string FullRequest() {
  std::string request;
  WriteRequestWriter writer(request);
  writer.BeginSeries(Labels::Of({{"__name__", "up"}, {"job", "a"}}));
  writer.Sample({1700000000000}, 1);
  writer.Sample({-5}, 2.5);
  writer.AddExemplar({Labels::Of({{"trace", "x"}}), 3, Timestamp{7}});
  writer.BeginSeries(Labels::Of({{"__name__", "latency"}}));
  writer.AddHistogram({9}, SampleHistogram());
  writer.AddHistogram({10}, SampleFloatHistogram());
  writer.AddMetadata("up", {MetricType::kGauge, "Is it up?", "bool"});
  writer.Finish();
  return request;
}

TEST(RemoteWriteTest, ReadsWhatItWrites) {
  EXPECT_EQ(Dump(FullRequest()),
            (std::vector<std::string>{
                "up{job=\"a\"} 1700000000000=1.000000 -5=2.500000 exemplar {trace=\"x\"}",
                "latency histogram float histogram", "metadata up gauge Is it up? bool"}));
}

TEST(RemoteWriteTest, HistogramsRoundTrip) {
  std::string request;
  WriteRequestWriter writer(request);
  writer.BeginSeries(Labels::Of({{"__name__", "h"}}));
  writer.AddHistogram({9}, SampleHistogram());
  writer.AddHistogram({10}, SampleFloatHistogram());
  writer.Finish();
  WriteRequestReader reader(request);
  ASSERT_TRUE(*reader.NextBatch());
  const auto histograms = reader.histograms(reader.series()[0]);
  ASSERT_EQ(histograms.size(), 2U);
  const auto integer = DecodeHistogram(histograms[0]);
  ASSERT_TRUE(integer);
  EXPECT_FALSE(integer->is_float);
  EXPECT_EQ(integer->t.ms, 9);
  EXPECT_EQ(integer->integer, SampleHistogram());
  const auto floating = DecodeHistogram(histograms[1]);
  ASSERT_TRUE(floating);
  EXPECT_TRUE(floating->is_float);
  EXPECT_EQ(floating->floating, SampleFloatHistogram());
}

TEST(RemoteWriteTest, RepeatedScalarsMayBeUnpacked) {
  std::string message;
  ProtoWriter writer(message);
  writer.Sint64(12, 5);
  writer.Sint64(12, -3);
  writer.Double(13, 1.5);
  writer.Double(16, 0.25);
  writer.Bytes(99, "unknown");
  const auto decoded = DecodeHistogram(message);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->integer.positive_deltas, (std::vector<std::int64_t>{5, -3}));
  EXPECT_EQ(decoded->integer.custom_values, (std::vector<double>{0.25}));
}

TEST(RemoteWriteTest, FieldsMayComeInAnyOrder) {
  std::string label_a;
  ProtoWriter(label_a).Bytes(2, "1");
  ProtoWriter(label_a).Bytes(1, "a");
  std::string label_name;
  ProtoWriter(label_name).Bytes(1, "__name__");
  ProtoWriter(label_name).Bytes(2, "up");
  std::string sample;
  ProtoWriter(sample).Int64(2, 5);  // A zero value is not written by proto3.
  std::string series;
  ProtoWriter(series).Bytes(2, sample);
  ProtoWriter(series).Bytes(1, label_name);
  ProtoWriter(series).Uint64(9, 17);
  ProtoWriter(series).Bytes(2, sample);
  ProtoWriter(series).Bytes(1, label_a);
  std::string request;
  ProtoWriter(request).Bytes(15, "unknown");
  ProtoWriter(request).Bytes(1, series);
  ProtoWriter(request).Bytes(1, series);
  EXPECT_EQ(Dump(request), (std::vector<std::string>{"up{a=\"1\"} 5=0.000000 5=0.000000",
                                                     "up{a=\"1\"} 5=0.000000 5=0.000000"}));
}

TEST(RemoteWriteTest, LongSeriesAreReadInParts) {
  constexpr std::size_t kSamples = 3 * WriteRequestReader::kBatchSamples + 7;
  std::string sample;
  ProtoWriter(sample).Double(1, 1);
  ProtoWriter(sample).Int64(2, 5);
  std::string label;
  ProtoWriter(label).Bytes(1, "__name__");
  ProtoWriter(label).Bytes(2, "up");
  for (const bool labels_first : {true, false}) {
    std::string series;
    if (labels_first) ProtoWriter(series).Bytes(1, label);
    for (std::size_t i = 0; i < kSamples; ++i)
      ProtoWriter(series).Bytes(2, sample);
    if (!labels_first) ProtoWriter(series).Bytes(1, label);
    std::string request;
    ProtoWriter(request).Bytes(1, series);
    WriteRequestReader reader(request);
    LabelDecoder decoder;
    std::size_t samples = 0;
    std::size_t parts = 0;
    while (*reader.NextBatch()) {
      for (const TimeSeriesView& part : reader.series()) {
        ASSERT_EQ(decoder.Decode(part.labels), LabelFault::kNone);
        EXPECT_EQ(decoder.labels().ToString(), "up");
        samples += part.samples;
        ++parts;
      }
    }
    EXPECT_EQ(samples, kSamples);
    EXPECT_EQ(parts, 4U);
  }
}

TEST(RemoteWriteTest, ManySeriesComeInBatches) {
  std::string request;
  WriteRequestWriter writer(request);
  for (int i = 0; i < 2000; ++i) {
    writer.BeginSeries(Labels::Of({{"__name__", "up"}, {"i", std::to_string(i)}}));
    writer.Sample({i}, i);
  }
  writer.Finish();
  const auto lines = Dump(request);
  ASSERT_EQ(lines.size(), 2000U);
  EXPECT_EQ(lines[1234], "up{i=\"1234\"} 1234=1234.000000");
}

TEST(RemoteWriteTest, LabelFaultsAreTold) {
  const auto fault = [](std::vector<std::pair<std::string, std::string>> pairs) {
    std::string encoded;
    for (const auto& [name, value] : pairs) {
      std::string label;
      ProtoWriter(label).Bytes(1, name);
      ProtoWriter(label).Bytes(2, value);
      ProtoWriter(encoded).Bytes(1, label);
    }
    LabelDecoder decoder;
    return decoder.Decode(encoded);
  };
  EXPECT_EQ(fault({{"b", "2"}, {"__name__", "x.y"}, {"a b", ""}}), LabelFault::kNone);
  EXPECT_EQ(fault({}), LabelFault::kNoName);
  EXPECT_EQ(fault({{"a", "b"}}), LabelFault::kNoName);
  EXPECT_EQ(fault({{"__name__", ""}}), LabelFault::kNoName);
  EXPECT_EQ(fault({{"__name__", "x"}, {"", "b"}}), LabelFault::kInvalidName);
  EXPECT_EQ(fault({{"__name__", "x"}, {"\xff", "b"}}), LabelFault::kInvalidName);
  EXPECT_EQ(fault({{"__name__", "x"}, {"a", "\xff"}}), LabelFault::kInvalidValue);
  EXPECT_EQ(fault({{"a", "1"}, {"__name__", "x"}, {"a", "1"}}), LabelFault::kDuplicate);
  LabelDecoder decoder;
  EXPECT_EQ(decoder.Decode("\x0a\x05zzz"), LabelFault::kMalformed);
  EXPECT_EQ(decoder.Decode("\x0a\x02zz"), LabelFault::kMalformed);
}

TEST(RemoteWriteTest, EveryCutIsAnErrorOrAPrefix) {
  const std::string request = FullRequest();
  for (std::size_t size = 0; size < request.size(); ++size) {
    // On the heap and exactly as long as the cut, so that a sanitizer sees every byte read too
    // many.
    const std::string cut = request.substr(0, size);
    const auto lines = Dump(std::string_view(cut));
    for (const std::string& line : lines)
      EXPECT_FALSE(line.empty());
  }
  EXPECT_EQ(Dump(request.substr(0, request.size() - 1)),
            (std::vector<std::string>{
                "error: malformed WriteRequest: in the message that begins at byte " +
                std::to_string(request.rfind("\x1a", request.find("Is it up?")))}));
}

TEST(RemoteWriteTest, DamageNeverCrashes) {
  const std::string request = FullRequest();
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = request;
    for (std::uint64_t n = rng.Below(4) + 1; n > 0; --n) {
      damaged[rng.Below(damaged.size())] = static_cast<char>(rng.Next());
    }
    Dump(damaged);
  }
}

TEST(RemoteWriteTest, TellsVersionsByContentType) {
  EXPECT_EQ(*RemoteWriteVersionOf(""), RemoteWriteVersion::k1);
  EXPECT_EQ(*RemoteWriteVersionOf("application/x-protobuf"), RemoteWriteVersion::k1);
  EXPECT_EQ(*RemoteWriteVersionOf("application/x-protobuf;proto=prometheus.WriteRequest"),
            RemoteWriteVersion::k1);
  EXPECT_EQ(*RemoteWriteVersionOf("application/x-protobuf; proto=io.prometheus.write.v2.Request"),
            RemoteWriteVersion::k2);
  EXPECT_FALSE(RemoteWriteVersionOf("application/json"));
  EXPECT_FALSE(RemoteWriteVersionOf("application/x-protobuf;proto=other"));
  EXPECT_FALSE(RemoteWriteVersionOf("application/x-protobuf;proto"));
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The bytes of a document's ```hex block; comments run to the end of the line.
std::string ReadHexBlock(const std::string& document) {
  const std::string text = ReadFile(document);
  const std::size_t start = text.find("```hex\n") + 7;
  std::string digits;
  bool comment = false;
  for (const char c : text.substr(start, text.find("```", start) - start)) {
    if (c == '#') comment = true;
    if (c == '\n') comment = false;
    if (!comment && c != ' ' && c != '\n') digits.push_back(c);
  }
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(RemoteWriteTest, TheDocumentsExampleIsRight) {
  EXPECT_EQ(Dump(ReadHexBlock("docs/formats/remote_write.md")),
            (std::vector<std::string>{"up{job=\"a\"} 1700000000000=1.000000"}));
}

// Two requests as Debian's Prometheus 2.42 sends them, scraping itself.
TEST(RemoteWriteTest, ReadsWhatPrometheusSends) {
  std::string raw;
  ASSERT_TRUE(
      SnappyDecompress(ReadFile("tests/wire/prometheus-2.42-samples.snappy"), 1 << 20, raw));
  const auto samples = Dump(raw);
  ASSERT_EQ(samples.size(), 500U);
  EXPECT_EQ(std::ranges::count_if(samples,
                                  [](const std::string& line) { return line.starts_with("up{"); }),
            1);
  for (const std::string& line : samples) {
    EXPECT_NE(line.find("cluster=\"test\""), std::string::npos) << line;
    EXPECT_NE(line.find("job=\"self\""), std::string::npos) << line;
  }
  ASSERT_TRUE(
      SnappyDecompress(ReadFile("tests/wire/prometheus-2.42-metadata.snappy"), 1 << 20, raw));
  const auto metadata = Dump(raw);
  ASSERT_EQ(metadata.size(), 191U);
  EXPECT_EQ(
      std::ranges::count(
          metadata, "metadata go_goroutines gauge Number of goroutines that currently exist. "),
      1);
}

TEST(ProtobufTest, VarintsHaveABound) {
  std::uint64_t value = 0;
  const auto read = [&](std::string_view bytes) {
    const char* p = ReadProtoVarint(bytes.data(), bytes.data() + bytes.size(), value);
    return p == nullptr ? -1 : static_cast<int>(p - bytes.data());
  };
  EXPECT_EQ(read("\x7f"), 1);
  EXPECT_EQ(value, 127U);
  EXPECT_EQ(read("\x80\x01"), 2);
  EXPECT_EQ(value, 128U);
  EXPECT_EQ(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 10);
  EXPECT_EQ(value, ~std::uint64_t{0});
  EXPECT_EQ(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), -1);
  EXPECT_EQ(read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1);
  EXPECT_EQ(read("\x80"), -1);
  EXPECT_EQ(read(""), -1);
}

TEST(ProtobufTest, WrongTypesAndGroupsAreErrors) {
  std::string message;
  ProtoWriter(message).Uint64(1, 5);
  ProtoReader in(message);
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.Bytes(), "");
  EXPECT_FALSE(in.ok());
  EXPECT_FALSE(in.Next());
  ProtoReader group("\x0b\x0c");
  EXPECT_FALSE(group.Next());
  EXPECT_FALSE(group.ok());
  ProtoReader zero(std::string_view("\x00\x00", 2));
  EXPECT_FALSE(zero.Next());
  EXPECT_FALSE(zero.ok());
}

}  // namespace
}  // namespace sonde::wire
