#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/compress.h"
#include "base/duration.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/random.h"
#include "base/regex.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "base/utf8.h"

namespace sonde {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <void (*F)(std::string&, double)>
std::string Format(double v) {
  std::string out;
  F(out, v);
  return out;
}

TEST(ResultTest, TryReturnsTheError) {
  const auto fails = []() -> Result<int> { return Error(ErrorKind::kIo, "disk"); };
  const auto caller = [&]() -> Status {
    const int value = TRY(fails());
    return value > 0 ? OkStatus() : OkStatus();
  };
  const Status status = caller();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::kIo);
  EXPECT_EQ(Error(status.error()).Wrap("wal").message(), "wal: disk");
  EXPECT_EQ(fails().value_or(7), 7);
}

// Expected values: Go 1.19 strconv.FormatFloat.
TEST(NumberTest, FormatsAsGo) {
  EXPECT_EQ(Format<AppendFloatF>(1e23), "100000000000000000000000");
  EXPECT_EQ(Format<AppendFloatF>(0.1), "0.1");
  EXPECT_EQ(Format<AppendFloatF>(-1.5e-7), "-0.00000015");
  EXPECT_EQ(Format<AppendFloatF>(123456789), "123456789");
  EXPECT_EQ(Format<AppendFloatF>(-0.0), "-0");
  EXPECT_EQ(Format<AppendFloatF>(kInf), "+Inf");
  EXPECT_EQ(Format<AppendFloatE>(1), "1e+00");
  EXPECT_EQ(Format<AppendFloatE>(123.456), "1.23456e+02");
  EXPECT_EQ(Format<AppendFloatG>(100000), "100000");
  EXPECT_EQ(Format<AppendFloatG>(123456), "123456");
  EXPECT_EQ(Format<AppendFloatG>(1e6), "1e+06");
  EXPECT_EQ(Format<AppendFloatG>(1234567.5), "1.2345675e+06");
  EXPECT_EQ(Format<AppendFloatG>(1e20), "1e+20");
  EXPECT_EQ(Format<AppendFloatG>(1e21), "1e+21");
  EXPECT_EQ(Format<AppendFloatG>(0.00001), "1e-05");
  EXPECT_EQ(Format<AppendFloatApi>(1e-7), "1e-07");
  EXPECT_EQ(Format<AppendFloatApi>(1e-6), "0.000001");
  EXPECT_EQ(Format<AppendFloatApi>(1e21), "1e+21");
  EXPECT_EQ(Format<AppendFloatApi>(123456789.125), "123456789.125");
  EXPECT_EQ(Format<AppendFloatApi>(std::nan("")), "NaN");
  EXPECT_EQ(Format<AppendFloatOpenMetrics>(1), "1.0");
  EXPECT_EQ(Format<AppendFloatOpenMetrics>(1000), "1000.0");
  EXPECT_EQ(Format<AppendFloatOpenMetrics>(1e6), "1e+06");
  EXPECT_EQ(Format<AppendFloatOpenMetrics>(2.5), "2.5");
  EXPECT_EQ(Format<AppendFloatOpenMetrics>(kInf), "+Inf");
}

TEST(NumberTest, FormatThenParseIsTheSame) {
  Rng rng(7);
  for (int i = 0; i < 100000; ++i) {
    const double v = std::bit_cast<double>(rng.Next());
    if (std::isnan(v)) continue;
    EXPECT_EQ(ParseFloat(Format<AppendFloatF>(v)), v);
    EXPECT_EQ(ParseFloat(Format<AppendFloatE>(v)), v);
    EXPECT_EQ(ParseFloat(Format<AppendFloatApi>(v)), v);
  }
}

TEST(NumberTest, ParsesAsGo) {
  EXPECT_EQ(ParseFloat("+1.5"), 1.5);
  EXPECT_EQ(ParseFloat("0x1p-2"), 0.25);
  EXPECT_EQ(ParseFloat("-0X1.8P1"), -3);
  EXPECT_EQ(ParseFloat("1_000.5"), 1000.5);
  EXPECT_EQ(ParseFloat("iNf"), kInf);
  EXPECT_EQ(ParseFloat("-Infinity"), -kInf);
  EXPECT_TRUE(std::isnan(*ParseFloat("nan")));
  EXPECT_EQ(ParseFloat(".5"), 0.5);
  EXPECT_EQ(ParseFloat("5."), 5);
  EXPECT_EQ(ParseFloat("1e-400"), 0);
  for (const char* bad :
       {"", "+", "1e400", "0x1", "_1", "1_", "1__0", "1 ", " 1", "1e", "--1", "e5", "0x", "1f"}) {
    EXPECT_EQ(ParseFloat(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseInt("-12"), -12);
  EXPECT_EQ(ParseInt("+12"), 12);
  EXPECT_EQ(ParseInt("+-1"), std::nullopt);
  EXPECT_EQ(ParseInt("9223372036854775808"), std::nullopt);
}

TEST(DurationTest, RoundTrips) {
  const auto expect = [](std::string_view text, std::int64_t ms) {
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->count(), ms) << text;
    EXPECT_EQ(FormatDuration(*parsed), text);
  };
  expect("0s", 0);
  expect("250ms", 250);
  expect("1h30m", 5400000);
  expect("1d", 86400000);
  expect("1w", 604800000);
  expect("8d", 691200000);
  expect("1y", 31536000000);
  expect("1m500ms", 60500);
  EXPECT_EQ(ParseDuration("0")->count(), 0);
  EXPECT_EQ(ParseDuration("1y1w1d1h1m1s1ms")->count(),
            31536000000 + 604800000 + 86400000 + 3661001);
  for (const char* bad : {"", "1", "1.5h", "m", "1m1h", "1h1h", "-1h", "1x", "400y", "1 h"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
}

TEST(QuoteTest, AsGo) {
  EXPECT_EQ(QuoteGo("a\"b\\c\n\t\x01é世\xff"), R"("a\"b\\c\n\t\x01é世\xff")");
  EXPECT_EQ(QuoteGo("\u200b"), R"("\u200b")");
  EXPECT_EQ(UnescapeGo(R"(a\nb\x41\u4e16\U0001F600\101\")", '"'), "a\nbA世😀A\"");
  EXPECT_EQ(UnescapeGo(R"(\')", '\''), "'");
  for (const char* bad : {R"(\')", R"(\q)", R"(\x4)", R"(\ud800)", R"(\400)", "\\", "a\nb"}) {
    EXPECT_EQ(UnescapeGo(bad, '"'), std::nullopt) << bad;
  }
}

TEST(Utf8Test, RejectsWhatUnicodeRejects) {
  EXPECT_TRUE(IsValidUtf8("plain ASCII, long enough for the fast path"));
  EXPECT_TRUE(IsValidUtf8("é世😀"));
  for (const char* bad :
       {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE4\xB8", "\x80", "abcdefgh\xFF"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
  }
}

TEST(HashTest, KnownVectors) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), 0xE3069283U);
  EXPECT_EQ(Xxh64(""), 0xEF46DB3751D8E999ULL);    // xxHash specification
  EXPECT_EQ(Fnv64a("a"), 0xaf63dc4c8601ec8cULL);  // FNV reference
  EXPECT_EQ(Sha256Hex("abc"),                     // FIPS 180-2
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Md5Low64(""), 0xe9800998ecf8427eULL);  // RFC 1321: d41d8cd98f00b204e9800998ecf8427e
}

TEST(BytesTest, VarintsRoundTripAndNeverReadPastTheEnd) {
  std::string bytes;
  for (const std::int64_t v :
       {0L, -1L, 63L, -64L, 64L, 1L << 40, std::numeric_limits<long>::min()}) {
    bytes.clear();
    PutVarint(bytes, v);
    EXPECT_EQ(ByteReader(bytes).Varint(), v);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      ByteReader reader(std::string_view(bytes).substr(0, cut));
      reader.Varint();
      EXPECT_FALSE(reader.ok());
    }
  }
  ByteReader overlong("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02");
  overlong.Uvarint();
  EXPECT_FALSE(overlong.ok());
  ByteReader huge(std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01 rest"));
  EXPECT_EQ(huge.UvarintString(), "");
  EXPECT_FALSE(huge.ok());
}

TEST(CompressTest, RoundTripsAndBoundsTheOutput) {
  std::string raw(300000, 'x');
  for (std::size_t i = 0; i < raw.size(); i += 7) {
    raw[i] = static_cast<char>(i);
  }
  const auto round_trip = [&](auto compress, auto decompress) {
    std::string packed;
    compress(raw, packed);
    std::string out;
    ASSERT_TRUE(decompress(packed, raw.size(), out).ok());
    EXPECT_EQ(out, raw);
    const Status too_large = decompress(packed, raw.size() - 1, out);
    ASSERT_FALSE(too_large.ok());
    EXPECT_EQ(too_large.error().kind(), ErrorKind::kLimit);
    const Status cut =
        decompress(std::string_view(packed).substr(0, packed.size() / 2), raw.size(), out);
    ASSERT_FALSE(cut.ok());
    EXPECT_EQ(cut.error().kind(), ErrorKind::kCorruption);
  };
  round_trip([](auto in, auto& out) { SnappyCompress(in, out); }, SnappyDecompress);
  round_trip([](auto in, auto& out) { ZstdCompress(in, out); }, ZstdDecompress);
  round_trip([](auto in, auto& out) { GzipCompress(in, out); }, GzipDecompress);
}

TEST(CompressTest, StreamsComeOutPieceByPiece) {
  for (const Encoding encoding : {Encoding::kGzip, Encoding::kDeflate, Encoding::kZstd}) {
    const auto compressor = NewCompressor(encoding);
    const auto decompressor = NewDecompressor(encoding);
    std::string seen;
    for (const char* piece : {"data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"}) {
      std::string packed;
      ASSERT_TRUE(compressor->Push(piece, false, packed).ok());
      std::string out;
      ASSERT_TRUE(decompressor->Push(packed, false, out).ok());
      EXPECT_EQ(out, piece);  // Nothing waits in a buffer.
      seen += out;
    }
    std::string packed;
    ASSERT_TRUE(compressor->Push("", true, packed).ok());
    ASSERT_TRUE(decompressor->Push(packed, true, seen).ok());
    EXPECT_EQ(seen, "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
  }
}

TEST(JsonTest, WritesAndReads) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Key("a\"b").Int(-1).Key("list").BeginArray().Bool(true).Null().Double(0.5);
  json.Double(kInf)
      .String("x\n\xff<")
      .EndArray()
      .Key("empty")
      .BeginObject()
      .EndObject()
      .EndObject();
  EXPECT_EQ(text,
            "{\"a\\\"b\":-1,\"list\":[true,null,0.5,null,\"x\\n\xEF\xBF\xBD<\"],\"empty\":{}}");
  const auto document = JsonDocument::Parse(text);
  ASSERT_TRUE(document.ok());
  const JsonView root = document->root();
  EXPECT_EQ(root["a\"b"].integer(), -1);
  EXPECT_EQ(root["list"].size(), 5U);
  EXPECT_EQ(root["list"].at(2).number(), 0.5);
  EXPECT_FALSE(root["missing"]["deeper"].at(3).exists());
  EXPECT_FALSE(root["list"].at(2).integer().has_value());
}

TEST(JsonTest, BadInputIsAnErrorWithItsPlace) {
  EXPECT_EQ(JsonDocument::Parse("{\"a\":}").error().kind(), ErrorKind::kInvalid);
  EXPECT_NE(JsonDocument::Parse("{\"a\":}").error().message().find("byte 5"), std::string::npos);
  EXPECT_FALSE(JsonDocument::Parse(std::string(100000, '[')).ok());
  EXPECT_FALSE(JsonDocument::Parse("").ok());
}

TEST(RegexTest, AnchoredAndDotall) {
  const auto matches = [](std::string_view pattern, std::string_view subject) {
    const auto regex = Regex::Compile(pattern);
    EXPECT_TRUE(regex.ok()) << pattern;
    return regex.ok() && regex->Matches(subject);
  };
  EXPECT_TRUE(matches("a.c", "a\nc"));
  EXPECT_FALSE(matches("b", "abc"));
  EXPECT_TRUE(matches("foo|bar", "bar"));
  EXPECT_FALSE(matches("foo|bar", "foobar"));
  EXPECT_TRUE(matches("node(1|2)x", "node2x"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "x"));
  EXPECT_TRUE(matches(".*", ""));
  EXPECT_FALSE(matches(".+", ""));
  EXPECT_TRUE(matches("app-.*", "app-"));
  EXPECT_FALSE(matches("app-.+", "app-"));
  EXPECT_TRUE(matches(".*mid.*", "a mid b"));
  EXPECT_TRUE(matches(".*\\.log", "x.log"));
  EXPECT_TRUE(matches("a|b.*", "bzz"));
  EXPECT_TRUE(matches("(?i:abc)", "ABC"));
  EXPECT_TRUE(matches("(?<n>x)y", "xy"));
  EXPECT_TRUE(matches("ab?c", "ac"));
  EXPECT_FALSE(Regex::Compile("a(").ok());
  EXPECT_FALSE(Regex::Compile("\\C").ok());
  EXPECT_FALSE(Regex::Compile("a{1001}").ok());
}

TEST(RegexTest, FindsLiteralsAndPrefixes) {
  EXPECT_EQ(Regex::Compile("b|a(1|2)|b")->literals(), (std::vector<std::string>{"a1", "a2", "b"}));
  EXPECT_EQ(Regex::Compile("a\\.b")->literals(), std::vector<std::string>{"a.b"});
  EXPECT_TRUE(Regex::Compile("a.b")->literals().empty());
  EXPECT_EQ(Regex::Compile("app-[0-9]+")->prefix(), "app-");
  EXPECT_EQ(Regex::Compile("abc*")->prefix(), "ab");
  EXPECT_EQ(Regex::Compile("ab|c.*")->prefix(), "");
  EXPECT_EQ(Regex::Compile("x[]|a]y|c")->prefix(), "");
  EXPECT_EQ(Regex::Compile("x[^]|a]y")->prefix(), "x");
  EXPECT_EQ(Regex::Compile("a[[:alpha:]|]b")->prefix(), "a");
  EXPECT_EQ(Regex::Compile("aé*")->prefix(), "a");
  EXPECT_EQ(Regex::Compile("(?i)abc")->prefix(), "");
}

// The quick shapes must agree with the automaton.
TEST(RegexTest, ShapesAgreeWithTheAutomaton) {
  const std::vector<std::string> patterns{"a.*",        ".*a", ".*a.*", "a.+", "ab|ba",
                                          "(a|b)(a|b)", "a",   ".+",    ".*",  "b.*a"};
  const std::vector<std::string> subjects{"", "a", "b", "ab", "ba", "aa", "bab", "aba", "bb"};
  for (const std::string& pattern : patterns) {
    const auto quick = Regex::Compile(pattern);
    const auto slow = Regex::Compile("(?:" + pattern + ")(?:)[^\\x00]{0}");  // Too odd for a shape.
    ASSERT_TRUE(quick.ok() && slow.ok());
    for (const std::string& subject : subjects) {
      EXPECT_EQ(quick->Matches(subject), slow->Matches(subject)) << pattern << " on " << subject;
    }
  }
}

TEST(RegexTest, ExpandsAsGo) {
  const auto expand = [](std::string_view pattern, std::string_view subject,
                         std::string_view replacement) {
    return Regex::Compile(pattern)->Expand(subject, replacement);
  };
  EXPECT_EQ(expand("(.*):(\\d+)", "host:9100", "$1-${2}x$$"), "host-9100x$");
  EXPECT_EQ(expand("(?P<h>.*):.*", "host:1", "${h}/$h/$hx"), "host/host/");
  EXPECT_EQ(expand("a", "b", "x"), std::nullopt);
  EXPECT_EQ(expand("a", "a", "$1|${x|$"), "|${x|$");
}

TEST(LogTest, LogfmtAndJson) {
  MemorySink sink;
  ManualClock clock({1700000000123});
  Logger(sink, clock)
      .With("wal")
      .Info("opened the log", {{"segments", 3}, {"took", Duration(1500)}, {"dir", "a b"}});
  EXPECT_EQ(sink.text(),
            "time=2023-11-14T22:13:20.123Z level=INFO msg=\"opened the log\" component=wal "
            "segments=3 took=1s500ms "
            "dir=\"a b\"\n");
  MemorySink json;
  Logger(json, clock, LogLevel::kWarn, LogFormat::kJson).Info("dropped");
  Logger(json, clock, LogLevel::kWarn, LogFormat::kJson)
      .Error("kept", {{"error", Error(ErrorKind::kIo, "x\"")}});
  EXPECT_EQ(json.text(),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"ERROR\",\"msg\":\"kept\",\"error\":"
            "\"x\\\"\"}\n");
}

TEST(ThreadPoolTest, RunsEverythingQueuedBeforeStop) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(2, "test");
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(pool.Submit([&] { ++ran; }));
    }
    pool.Stop();
    EXPECT_FALSE(pool.Submit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace sonde
