#include "tsdb/xor_chunk.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "model/sample.h"

namespace sonde::tsdb {
namespace {

struct Columns {
  std::vector<Timestamp> times;
  std::vector<double> values;
};

Result<Columns> Decode(std::string_view chunk, ChunkEncoding encoding = ChunkEncoding::kXor) {
  Columns columns;
  columns.times.resize(ChunkSampleCount(chunk));
  columns.values.resize(ChunkSampleCount(chunk));
  TRY(DecodeChunk(encoding, chunk, chunk.size(), columns.times.data(), columns.values.data()));
  return columns;
}

std::string Encode(const std::vector<FloatSample>& samples) {
  XorChunkBuilder builder;
  for (const FloatSample& s : samples) {
    builder.Append(s.t, s.v);
  }
  return std::string(builder.bytes());
}

void ExpectRoundTrip(const std::vector<FloatSample>& samples) {
  const auto columns = Decode(Encode(samples));
  ASSERT_TRUE(columns.ok()) << columns.error().message();
  ASSERT_EQ(columns->times.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(columns->times[i], samples[i].t) << i;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(columns->values[i]),
              std::bit_cast<std::uint64_t>(samples[i].v))
        << i;
  }
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  return hex;
}

// The worked example of docs/formats/chunks.md.
TEST(XorChunkTest, WorkedExample) {
  EXPECT_EQ(Hex(Encode({{{1000}, 1}, {{2000}, 1}, {{3000}, 2}, {{4001}, 2}})),
            "0004"              // four samples
            "d00f"              // 1000
            "3ff0000000000000"  // 1.0
            "e807"              // +1000
            // 0: same value. 0 11 00001 001011 11111111111: steady, new window. 10 00000000000001 0
            "3097ffe00040");
}

TEST(XorChunkTest, EveryRangeOfTheTimeEncodingRoundTrips) {
  std::vector<FloatSample> samples{{{0}, 1}, {{1000}, 1}};
  std::int64_t delta = 1000;
  for (const std::int64_t change :
       {0LL, 1LL, -1LL, 8192LL, -8191LL, 8193LL, -8192LL, 65536LL, -65535LL, 65537LL, -65536LL,
        524288LL, -524287LL, 524289LL, -524288LL, 1LL << 40, -(1LL << 40)}) {
    // Times must go up; start each change from a large enough step.
    delta = std::max<std::int64_t>(delta, 600'000 - change);
    samples.push_back({samples.back().t + Duration(delta), 1});
    delta += change;
    samples.push_back({samples.back().t + Duration(delta), 1});
  }
  ExpectRoundTrip(samples);
}

TEST(XorChunkTest, SpecialValuesKeepEveryBit) {
  const double inf = std::numeric_limits<double>::infinity();
  ExpectRoundTrip({{{-5}, StaleNan()},
                   {{0}, std::bit_cast<double>(kNormalNanBits)},
                   {{1}, inf},
                   {{2}, -inf},
                   {{3}, 0.0},
                   {{4}, -0.0},
                   {{5}, std::numeric_limits<double>::denorm_min()},
                   {{6}, std::bit_cast<double>(~std::uint64_t{0})},
                   {{7}, std::bit_cast<double>(std::uint64_t{1})},
                   {{8}, StaleNan()}});
  ExpectRoundTrip({{Timestamp::Min(), 1}, {{0}, 2}, {Timestamp::Max(), 3}});
}

TEST(XorChunkTest, RandomChunksRoundTrip) {
  Rng rng(42);
  for (int round = 0; round < 500; ++round) {
    std::vector<FloatSample> samples;
    Timestamp t{static_cast<std::int64_t>(rng.Next() >> 20)};
    double v = rng.Uniform();
    const std::uint64_t kind = rng.Below(4);
    const std::uint64_t count = 1 + rng.Below(300);
    for (std::uint64_t i = 0; i < count; ++i) {
      t += Duration(1 + static_cast<std::int64_t>(rng.Next() >> (20 + rng.Below(40))));
      if (kind == 0) v += static_cast<double>(rng.Below(10));
      if (kind == 1) v = rng.Uniform();
      if (kind == 2) v = std::bit_cast<double>(rng.Next());
      samples.push_back({t, v});
    }
    ExpectRoundTrip(samples);
  }
}

TEST(XorChunkTest, EveryCutIsAnError) {
  const std::string chunk =
      Encode({{{1000}, 1}, {{2000}, 1.5}, {{3007}, 2.25}, {{900'000}, 1e300}});
  for (std::size_t size = 2; size + 1 < chunk.size(); ++size) {
    EXPECT_FALSE(Decode(std::string_view(chunk).substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(Decode(chunk).ok());
  EXPECT_EQ(Decode("")->times.size(), 0U);
}

TEST(XorChunkTest, DecodingFromALargerBufferEqualsDecodingACopy) {
  const std::string chunk = Encode({{{1000}, 1}, {{2000}, 1.5}, {{3007}, 2.25}});
  const std::string padded = chunk + std::string(kDecodeSlackBytes, '\xFF');
  std::vector<Timestamp> times(3);
  std::vector<double> values(3);
  ASSERT_TRUE(DecodeChunk(ChunkEncoding::kXor, std::string_view(padded).substr(0, chunk.size()),
                          padded.size(), times.data(), values.data())
                  .ok());
  EXPECT_EQ(times[2], Timestamp{3007});
  EXPECT_EQ(values[2], 2.25);
}

TEST(XorChunkTest, HistogramChunksAreRecognisedNotRead) {
  const auto columns = Decode(std::string("\0\1x", 3), ChunkEncoding::kHistogram);
  ASSERT_FALSE(columns.ok());
  EXPECT_EQ(columns.error().kind(), ErrorKind::kInvalid);
  EXPECT_TRUE(IsHistogramEncoding(ChunkEncoding::kFloatHistogramSt));
  EXPECT_FALSE(IsHistogramEncoding(ChunkEncoding::kXor2));
}

/// Writes bits given as text, to build XOR2 chunks by hand from the format's description.
class BitWriter {
 public:
  explicit BitWriter(std::string bytes) : bytes_(std::move(bytes)) {}
  BitWriter& operator<<(std::string_view bits) {
    for (const char c : bits) {
      if (used_ % 8 == 0) bytes_.push_back('\0');
      if (c == '1') bytes_.back() = static_cast<char>(bytes_.back() | (0x80 >> (used_ % 8)));
      ++used_;
    }
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  unsigned used_ = 0;
};

TEST(XorChunkTest, Xor2WithoutStartTimestamps) {
  // Ten samples; the header byte 0 says: no start timestamps. First: t = 1 (varint 2), v = 1.0.
  BitWriter w(std::string("\x00\x09\x00\x02\x3f\xf0\x00\x00\x00\x00\x00\x00", 12));
  w << "00001010"  // second: +10 (uvarint)
    << "0"         //   same value
    << "0"         // third: steady, same
    << "10"
    << "1"
    << "00001"
    << "001011"
    << "11111111111"  // fourth: steady, 2.0
    << "11111"        // fifth: steady, stale marker
    << "0"            // sixth: the value before the marker
    << "110"
    << "0000000000101"
    << "0"  // seventh: +15, same
    << "1110"
    << "11111111111111111011"
    << "111"  // eighth: +10, stale marker
    << "11110"
    << "0000000000000000000000000000000000000000000000000000000000000001"
    << "10"
    << "11111111111";  // ninth: +11, 1.0 in the old window
  const auto columns = Decode(w.bytes(), ChunkEncoding::kXor2);
  ASSERT_TRUE(columns.ok()) << columns.error().message();
  const std::vector<std::int64_t> times{1, 11, 21, 31, 41, 51, 66, 76, 87};
  const std::vector<double> values{1, 1, 1, 2, StaleNan(), 2, 2, StaleNan(), 1};
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(columns->times[i].ms, times[i]) << i;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(columns->values[i]),
              std::bit_cast<std::uint64_t>(values[i]))
        << i;
  }
}

TEST(XorChunkTest, Xor2ReadsOverStartTimestamps) {
  // Header 0x82: the first sample has a start timestamp, which changes from sample 2 on.
  BitWriter w(std::string("\x00\x04\x82\x02\x3f\xf0\x00\x00\x00\x00\x00\x00\x02", 13));
  w << "00001010"
    << "0"  // +10, same
    << "0"
    << "10"
    << "011"  // steady, same; varbit of 3 bits
    << "0"
    << "0"  // steady, same; varbit 0
      ;
  const auto columns = Decode(w.bytes(), ChunkEncoding::kXor2);
  ASSERT_TRUE(columns.ok()) << columns.error().message();
  EXPECT_EQ(columns->times[3].ms, 31);
  EXPECT_EQ(columns->values[3], 1);
}

TEST(XorChunkTest, RandomBytesNeverReadOutside) {
  Rng rng(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(2 + rng.Below(40), '\0');
    for (char& c : bytes) {
      c = static_cast<char>(rng.Next());
    }
    bytes[0] = '\0';
    // The sanitizers are the judge; either outcome is fine.
    (void)Decode(bytes).ok();
    (void)Decode(bytes, ChunkEncoding::kXor2).ok();
  }
}

}  // namespace
}  // namespace sonde::tsdb
