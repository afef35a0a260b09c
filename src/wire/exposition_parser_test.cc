#include "wire/exposition_parser.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/number.h"
#include "base/quote.h"
#include "model/sample.h"

namespace sonde::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kText = ExpositionFormat::kText;
constexpr auto kOm = ExpositionFormat::kOpenMetrics;

std::string DumpSample(ExpositionParser& parser) {
  std::string out(parser.series());
  out += " | ";
  auto labels = parser.Labels();
  if (!labels) return "error " + labels.error().message();
  for (const LabelView label : *labels) {
    out.append(label.name).append("=").append(label.value).append(" ");
  }
  out += "| ";
  AppendFloatG(out, parser.value());
  if (const auto t = parser.timestamp()) out += " @" + std::to_string(t->ms);
  if (parser.has_exemplar()) {
    const Exemplar exemplar = parser.exemplar();
    out += " # " + exemplar.labels.ToString() + " " + FormatFloatG(exemplar.value);
    if (exemplar.timestamp) out += " @" + std::to_string(exemplar.timestamp->ms);
  }
  return out;
}

// Every entry of a page as one line.
std::vector<std::string> Dump(std::string_view page, ExpositionFormat format,
                              ExpositionParserOptions options = {}) {
  std::vector<std::string> lines;
  ExpositionParser parser(page, format, options);
  while (true) {
    const EntryKind kind = parser.Next();
    const std::string family(parser.family());
    switch (kind) {
      case EntryKind::kHelp:
        lines.push_back("help " + family + " " + std::string(parser.text()));
        break;
      case EntryKind::kType:
        lines.push_back("type " + family + " " + std::string(ToString(parser.type())));
        break;
      case EntryKind::kUnit:
        lines.push_back("unit " + family + " " + std::string(parser.text()));
        break;
      case EntryKind::kComment:
        lines.push_back("comment " + std::string(parser.text()));
        break;
      case EntryKind::kSample:
        lines.push_back(DumpSample(parser));
        if (lines.back().starts_with("error")) return lines;
        break;
      case EntryKind::kEnd:
        return lines;
      case EntryKind::kInvalid:
        EXPECT_EQ(parser.Next(), EntryKind::kInvalid);
        lines.push_back("error " + parser.error().message());
        return lines;
    }
  }
}

std::string LastLine(std::string_view page, ExpositionFormat format) {
  const auto lines = Dump(page, format);
  return lines.empty() ? "" : lines.back();
}

double ValueOf(std::string_view number) {
  const std::string page = "a " + std::string(number) + "\n";
  ExpositionParser parser(page, kText);
  EXPECT_EQ(parser.Next(), EntryKind::kSample) << page;
  return parser.value();
}

TEST(ExpositionParserTest, ReadsTheTextFormat) {
  EXPECT_THAT(
      Dump("# HELP up Is it up?\\nA \\\\ and a \\\"quote\\\".\n"
           "# \tTYPE up gauge\n"
           "# a comment\n"
           "#HELP no space\n"
           "\n"
           "up 1\n"
           "  up\t2\t1700000000000  \n"
           "up{job=\"a\"} 3\n"
           "up{job=\"a\",}4 5",
           kText),
      ElementsAre("help up Is it up?\nA \\ and a \\\"quote\\\".", "type up gauge",
                  "comment # a comment", "comment #HELP no space", "up | __name__=up | 1",
                  "up | __name__=up | 2 @1700000000000", "up{job=\"a\"} | __name__=up job=a | 3",
                  "up{job=\"a\",} | __name__=up job=a | 4 @5"));
}

TEST(ExpositionParserTest, SeriesMayBeWrittenInManyWays) {
  EXPECT_THAT(
      Dump("a{ c=\"1\", b=\"2\"} 1\n"
           "a { c = \"1\" , b = \"2\" , } 1\n"
           "a{c=\"1\" b=\"2\"} 1\n"
           "a{} 1\n"
           "a{ } 1\n"
           "a{b=\"\"} 1\n"
           "a{b=\"x=\"} 1\n"
           "a{b=\"} 5\"} 1\n"
           "a{b=\"two\nlines\"} 1\n"
           "a{b=\"tricky} 5\nfoo\"} 1\n"
           "a{b=\"\\\"\\\\\\n\\x\"} 1\n"
           "a{b=\"\\\\\"} 1\n"
           "{\"a.b\",\"c d\"=\"e\"} 1\n"
           "{c=\"e\",\"a\\\"b\"} 1\n"
           "_:a1{_1=\"\xE6\xB7\xB1\"} 1\n"
           "a{b=\"nul\\0 byte\"} 1\n",
           kText),
      ElementsAre("a{ c=\"1\", b=\"2\"} | __name__=a b=2 c=1 | 1",
                  "a { c = \"1\" , b = \"2\" , } | __name__=a b=2 c=1 | 1",
                  "a{c=\"1\" b=\"2\"} | __name__=a b=2 c=1 | 1", "a{} | __name__=a | 1",
                  "a{ } | __name__=a | 1", "a{b=\"\"} | __name__=a | 1",
                  "a{b=\"x=\"} | __name__=a b=x= | 1", "a{b=\"} 5\"} | __name__=a b=} 5 | 1",
                  "a{b=\"two\nlines\"} | __name__=a b=two\nlines | 1",
                  "a{b=\"tricky} 5\nfoo\"} | __name__=a b=tricky} 5\nfoo | 1",
                  "a{b=\"\\\"\\\\\\n\\x\"} | __name__=a b=\"\\\n\\x | 1",
                  "a{b=\"\\\\\"} | __name__=a b=\\ | 1",
                  "{\"a.b\",\"c d\"=\"e\"} | __name__=a.b c d=e | 1",
                  "{c=\"e\",\"a\\\"b\"} | __name__=a\"b c=e | 1",
                  "_:a1{_1=\"\xE6\xB7\xB1\"} | _1=\xE6\xB7\xB1 __name__=_:a1 | 1",
                  "a{b=\"nul\\0 byte\"} | __name__=a b=nul\\0 byte | 1"));
}

TEST(ExpositionParserTest, NulBytesAreAllowedInsideQuotesAndHelp) {
  using std::string_literals::operator""s;
  EXPECT_THAT(Dump("# HELP a b\0c\na{b=\"c\0\"} 1\n"s, kText),
              ElementsAre("help a b\0c"s, "a{b=\"c\0\"} | __name__=a b=c\0 | 1"s));
  EXPECT_EQ(LastLine("a\0 1\n"s, kText),
            "error 1:2: expected a space or \"{\" after the metric name, got \"\\x00\"");
}

TEST(ExpositionParserTest, NormalizesBucketBoundsAndQuantiles) {
  EXPECT_THAT(Dump("a_bucket{le=\"1\"} 1\n"
                   "# TYPE a histogram\n"
                   "a_bucket{le=\"1\"} 1\n"
                   "a_bucket{le=\"1e3\"} 1\n"
                   "a_bucket{le=\"0.00001\"} 1\n"
                   "a_bucket{le=\"+Inf\"} 1\n"
                   "a_bucket{le=\"junk\"} 1\n"
                   "a_bucket{quantile=\"1\"} 1\n"
                   "# TYPE a summary\n"
                   "a{quantile=\"0\"} 1\n",
                   kText),
              ElementsAre("a_bucket{le=\"1\"} | __name__=a_bucket le=1 | 1", "type a histogram",
                          "a_bucket{le=\"1\"} | __name__=a_bucket le=1.0 | 1",
                          "a_bucket{le=\"1e3\"} | __name__=a_bucket le=1000.0 | 1",
                          "a_bucket{le=\"0.00001\"} | __name__=a_bucket le=1e-05 | 1",
                          "a_bucket{le=\"+Inf\"} | __name__=a_bucket le=+Inf | 1",
                          "a_bucket{le=\"junk\"} | __name__=a_bucket le=junk | 1",
                          "a_bucket{quantile=\"1\"} | __name__=a_bucket quantile=1 | 1",
                          "type a summary", "a{quantile=\"0\"} | __name__=a quantile=0.0 | 1"));
}

TEST(ExpositionParserTest, ReadsEveryNumberThatGoReads) {
  EXPECT_EQ(ValueOf("0"), 0);
  EXPECT_TRUE(std::signbit(ValueOf("-0")));
  EXPECT_EQ(ValueOf("42"), 42);
  EXPECT_EQ(ValueOf("+42"), 42);
  EXPECT_EQ(ValueOf("-42.5"), -42.5);
  EXPECT_EQ(ValueOf(".5"), 0.5);
  EXPECT_EQ(ValueOf("5."), 5);
  EXPECT_EQ(ValueOf("1e3"), 1000);
  EXPECT_EQ(ValueOf("1E+3"), 1000);
  EXPECT_EQ(ValueOf("8.3835e-05"), 8.3835e-05);
  EXPECT_EQ(ValueOf("7.424100000000001e-05"), 7.424100000000001e-05);
  EXPECT_EQ(ValueOf("0.013300656000000001"), 0.013300656000000001);
  EXPECT_EQ(ValueOf("9007199254740993"), 9007199254740992.0);
  EXPECT_EQ(ValueOf("18446744073709551615"), 18446744073709551615.0);
  EXPECT_EQ(ValueOf("123456789012345678901234567890"), 123456789012345678901234567890.0);
  EXPECT_EQ(ValueOf("0000000000000000000000000000000000000000001"), 1);
  EXPECT_EQ(ValueOf("1.7976931348623157e308"), 1.7976931348623157e308);
  EXPECT_EQ(ValueOf("5e-324"), 5e-324);
  EXPECT_EQ(ValueOf("1e-999"), 0);
  EXPECT_EQ(ValueOf("Inf"), HUGE_VAL);
  EXPECT_EQ(ValueOf("+inf"), HUGE_VAL);
  EXPECT_EQ(ValueOf("-infinity"), -HUGE_VAL);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(ValueOf("nAn")), kNormalNanBits);
  for (const char* bad : {"true", "1_2", "0x1p-3", "0x1", "1e", "1e+", "--1", "-", ".", "1e999",
                          "1,5", "nan(1)", "1\r"}) {
    EXPECT_THAT(LastLine("a " + std::string(bad) + "\n", kText),
                HasSubstr("error 1:3: expected a number, got"))
        << bad;
  }
}

TEST(ExpositionParserTest, PlainDecimalsAreRoundedAsTheLongWayDoes) {
  std::uint64_t state = 88172645463325252ULL;
  const auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  };
  for (int i = 0; i < 20000; ++i) {
    std::string number = std::to_string(next() % (1ULL << (next() % 60 + 1)));
    if (next() % 2 != 0) number.insert(next() % (number.size() + 1), ".");
    if (next() % 3 == 0) number += "e" + std::to_string(static_cast<int>(next() % 60) - 30);
    EXPECT_EQ(ValueOf(number), *ParseFloat(number)) << number;
  }
}

TEST(ExpositionParserTest, TextErrorsNameLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"a", "1:2: expected a number, got the end of the page"},
      {"b 1\na\n", "2:2: expected a number, got the end of the line"},
      {"a{b='c'} 1\n", "1:5: expected a label value in double quotes, got \"'c'}\""},
      {"a{b=\n", "1:5: expected a label value in double quotes, got the end of the line"},
      {"a{\xff=\"foo\"} 1\n", "1:3: expected a label name, got \"\\xff=\\\"foo\\\"}\""},
      {"a{b=\"x\xff\"} 1\n", "1:7: the label value is not valid UTF-8"},
      {"{\"a\", \"b = \"c\"}", "1:13: expected \"=\" after the label name, got \"c\\\"}\""},
      {"something{problem=\"",
       "1:20: the label value that begins with \"\\\"\" is not closed before the end of the page"},
      {"empty{=\"\"} 0", "1:7: expected a label name, got \"=\\\"\\\"}\""},
      {"{A}0", "1:3: expected \"=\" after the label name, got \"}0\""},
      {"{\"\"} 0", "1:2: a name must not be empty"},
      {"a{b=\"1\",,c=\"2\"} 0", "1:9: expected a label name, got \",c=\\\"2\\\"}\""},
      {"a{,} 0", "1:3: expected a label name, got \",}\""},
      {"foo 0 1_2\n",
       "1:7: expected a timestamp in milliseconds or the end of the line after the value, got "
       "\"1_2\""},
      {"foo 0 99999999999999999999\n",
       "1:7: expected a timestamp in milliseconds or the end of the line after the value, got "
       "\"99999999999999999999\""},
      {"foo 0 1 2\n", "1:9: expected the end of the line after the timestamp, got \"2\""},
      {"{a=\"ok\"} 1", "1:1: the series has no metric name"},
      {"a{\"b\"} 1", "1:3: the series has two metric names"},
      {"# TYPE #\n", "1:8: expected a metric name, got \"#\""},
      {"# HELP \n", "1:8: expected a metric name, got the end of the line"},
      {"# TYPE a\n", "1:9: expected counter, gauge, histogram, summary or untyped, got \"\""},
      {"# TYPE a info\n",
       "1:10: expected counter, gauge, histogram, summary or untyped, got \"info\""},
      {"# HELP a \xff\n", "1:10: the help text is not valid UTF-8"},
      {"9 1\n", "1:1: expected a metric name, got \"9\""},
      {"a-b 1\n", "1:2: expected a space or \"{\" after the metric name, got \"-b\""},
      {"x 1\n  a{b=\"1\",b=\"2\"} 1\n", "2:3: the label \"b\" stands twice in one series"},
      {"a{__name__=\"b\"} 1\n", "1:1: the label \"__name__\" stands twice in one series"},
      {"foo 5 bar=\"x\"} 7\n",
       "1:7: expected a timestamp in milliseconds or the end of the line after the value, got "
       "\"bar=\\\"x\\\"}\""},
      {"a{b=\"c\"} 5 # {x=\"y\"} 3\n",
       "1:12: expected a timestamp in milliseconds or the end of the line after the value, got "
       "\"#\""},
      {"a 1\r\n", "1:3: expected a number, got \"1\\r\""},
      {"\r\n",
       "1:1: expected a metric name, got a carriage return (lines end with a line feed alone)"},
  };
  for (const auto& [page, message] : cases)
    EXPECT_EQ(LastLine(page, kText), "error " + message) << page;
}

TEST(ExpositionParserTest, ReadsOpenMetrics) {
  EXPECT_THAT(
      Dump("# HELP a escape \\ \\n \\\\ \\\" \\x\n"
           "# UNIT a_seconds seconds\n"
           "# UNIT nounit \n"
           "# TYPE a counter\n"
           "a_total 17.0 1520879607.789 # {id=\"x\"} 5\n"
           "a_total{b=\"c\"} 1 # {} 2 -1.5\n"
           "a_total{b=\"# {\"} 1 1e3 # {a=\"\\\"\",\"b.c\"=\"d\"} 2 1.001\n"
           "a_total{b=\"c\",} 1 12345678901234567890\n"
           "# TYPE i info\n"
           "i_info{v=\"1\"} 1\n"
           "# TYPE s stateset\n"
           "# TYPE g gaugehistogram\n"
           "# TYPE \"u.v\" unknown\n"
           "{\"u.v\",l=\"w\"} 1\n"
           "# EOF\n",
           kOm),
      ElementsAre("help a escape \\ \n \\ \" \\x", "unit a_seconds seconds", "unit nounit ",
                  "type a counter", "a_total | __name__=a_total | 17 @1520879607789 # {id=\"x\"} 5",
                  "a_total{b=\"c\"} | __name__=a_total b=c | 1 # {} 2 @-1500",
                  "a_total{b=\"# {\"} | __name__=a_total b=# { | 1 @1000000 # {a=\"\\\"\", "
                  "\"b.c\"=\"d\"} 2 @1001",
                  "a_total{b=\"c\",} | __name__=a_total b=c | 1 @9223372036854775807",
                  "type i info", "i_info{v=\"1\"} | __name__=i_info v=1 | 1", "type s stateset",
                  "type g gaugehistogram", "type u.v unknown",
                  "{\"u.v\",l=\"w\"} | __name__=u.v l=w | 1"));
  EXPECT_THAT(Dump("# EOF", kOm), ElementsAre());
}

TEST(ExpositionParserTest, OpenMetricsErrorsNameLineAndColumn) {
  const std::string eof = "expected \"# EOF\" before the end of the page";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "1:1: " + eof},
      {"metric 1", "1:9: " + eof},
      {"metric 1\n", "2:1: " + eof},
      {"metric_total 1 # {aa=\"bb\"} 4", "1:29: " + eof},
      {"\n# EOF\n", "1:1: expected a metric name, got the end of the line"},
      {" a 1\n# EOF\n", "1:1: expected a metric name, got \" a\""},
      {"# TYPE u untyped\n# EOF\n",
       "1:10: expected counter, gauge, histogram, gaugehistogram, summary, info, stateset or "
       "unknown, got \"untyped\""},
      {"# TYPE c counter \n# EOF\n",
       "1:10: expected counter, gauge, histogram, gaugehistogram, summary, info, stateset or "
       "unknown, got \"counter \""},
      {"#  TYPE c counter\n# EOF\n",
       "1:1: expected \"# HELP \", \"# TYPE \", \"# UNIT \" or \"# EOF\", got \"#  TYPE c "
       "counter\""},
      {"# TYPE m\n# EOF\n",
       "1:9: expected one space and a text after the metric name, got the end of the line"},
      {"# UNIT metricsuffix suffix\n# EOF\n",
       "1:21: expected a unit that \"metricsuffix\" ends with, got \"suffix\""},
      {"# UNIT suffix suffix\n# EOF\n",
       "1:15: expected a unit that \"suffix\" ends with, got \"suffix\""},
      {"a\t1\n# EOF\n", "1:2: expected one space and a value after the series, got \"\\t1\""},
      {"a 1\t2\n# EOF\n",
       "1:4: expected a timestamp, an exemplar (\" # {…} value\") or the end of the line, got "
       "\"\\t2\""},
      {"a 1 2 \n# EOF\n",
       "1:6: expected an exemplar (\" # {…} value\") or the end of the line, got \" \""},
      {"a 1 \n# EOF\n",
       "1:4: expected a timestamp, an exemplar (\" # {…} value\") or the end of the line, got \" "
       "\""},
      {"a 1 2 #\n# EOF\n", "1:7: expected \"# {\" and the labels of an exemplar, got \"#\""},
      {"a 1 1z\n# EOF\n", "1:5: expected a timestamp in seconds, got \"1z\""},
      {"a 1 NaN\n# EOF\n", "1:5: expected a timestamp in seconds, got \"NaN\""},
      {"# EOF\na 1", "2:1: expected nothing after \"# EOF\", got \"a\""},
      {"# EOF\n\n", "2:1: expected nothing after \"# EOF\", got the end of the line"},
      {"# EOFa 1",
       "1:1: expected \"# HELP \", \"# TYPE \", \"# UNIT \" or \"# EOF\", got \"# EOFa 1\""},
      {"a{b=\"c\"d=\"e\"} 1\n# EOF\n",
       "1:8: expected \",\" or \"}\" after the label value, got \"d=\\\"e\\\"}\""},
      {"a{b=\"c\", d=\"e\"} 1\n# EOF\n", "1:9: expected a label name, got \" d=\\\"e\\\"}\""},
      {"a{b=\"c\"}1\n# EOF\n", "1:9: expected one space and a value after the series, got \"1\""},
      {"a_total 1 # {aa=bb}\n# EOF\n",
       "1:17: expected a label value in double quotes, got \"bb}\""},
      {"a_total 1 # {aa=\"bb\"}\n# EOF\n",
       "1:22: expected one space and a value after the labels of the exemplar, got the end of the "
       "line"},
      {"a_total 1 # {\"bb\"} 1\n# EOF\n", "1:18: expected \"=\" after the label name, got \"}\""},
      {"a_total 1 # {aa=\"bb\"} true\n# EOF\n", "1:23: expected a number, got \"true\""},
      {"a_total 1 # {aa=\"bb\"} 4 Inf\n# EOF\n",
       "1:25: expected a timestamp in seconds, got \"Inf\""},
      {"a_total 1 # {aa=\"bb\"} 4 5 6\n# EOF\n", "1:26: expected the end of the line, got \" 6\""},
  };
  for (const auto& [page, message] : cases)
    EXPECT_EQ(LastLine(page, kOm), "error " + message) << page;
}

std::vector<std::optional<std::int64_t>> StartTimes(std::string_view page, bool skip) {
  std::vector<std::optional<std::int64_t>> starts;
  ExpositionParser parser(page, kOm, {.skip_created = skip});
  for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
    if (kind == EntryKind::kInvalid) {
      ADD_FAILURE() << parser.error().message();
      break;
    }
    if (kind != EntryKind::kSample) continue;
    const auto start = parser.start_timestamp();
    starts.push_back(start ? std::optional(start->ms) : std::nullopt);
    EXPECT_TRUE(parser.Labels());
  }
  return starts;
}

TEST(ExpositionParserTest, CreatedLinesGiveStartTimestamps) {
  constexpr std::string_view kPage =
      "# TYPE foo counter\n"
      "foo_total 17.0\n"
      "foo_created 1.5\n"
      "foo_total{a=\"b\"} 17.0\n"
      "foo_created{a=\"b\"} 2.5\n"
      "foo_total{a=\"none\"} 1\n"
      "# TYPE bar summary\n"
      "bar_count{x=\"1\"} 17.0\n"
      "bar{x=\"1\",quantile=\"0.95\"} 123.7\n"
      "bar_created{x=\"1\"} 3\n"
      "bar_sum{x=\"1\"} 4\n"
      "# TYPE baz histogram\n"
      "baz_created 4\n"
      "baz_bucket{le=\"+Inf\"} 17\n"
      "baz_count 17\n"
      "# TYPE fizz_created gauge\n"
      "fizz_created 17.0\n"
      "# EOF\n";
  const auto none = std::nullopt;
  EXPECT_THAT(StartTimes(kPage, true),
              ElementsAre(1500, 2500, none, 3000, 3000, 3000, 4000, 4000, none));
  EXPECT_EQ(StartTimes(kPage, false).size(), 13U);
}

TEST(ExpositionParserTest, TellsSamplesOfAFamily) {
  EXPECT_TRUE(IsSampleOfFamily("a_bucket", "a", MetricType::kHistogram));
  EXPECT_TRUE(IsSampleOfFamily("a_total", "a", MetricType::kCounter));
  EXPECT_TRUE(IsSampleOfFamily("a_total", "a_total", MetricType::kCounter));
  EXPECT_TRUE(IsSampleOfFamily("a", "a", MetricType::kUnknown));
  EXPECT_FALSE(IsSampleOfFamily("a_bucket", "a", MetricType::kSummary));
  EXPECT_FALSE(IsSampleOfFamily("a_total", "a", MetricType::kGauge));
  EXPECT_FALSE(IsSampleOfFamily("ab", "a", MetricType::kCounter));
}

TEST(ExpositionParserTest, IsUsableForPageAfterPage) {
  ExpositionParser parser("a 1 2", kText);
  EXPECT_EQ(parser.Next(), EntryKind::kSample);
  EXPECT_EQ(parser.Next(), EntryKind::kEnd);
  parser.Reset("b\n", kText);
  EXPECT_EQ(parser.Next(), EntryKind::kInvalid);
  EXPECT_EQ(parser.error_column(), 2U);
  parser.Reset("c 2\n# EOF\n", kOm);
  EXPECT_EQ(parser.Next(), EntryKind::kSample);
  EXPECT_EQ(parser.series(), "c");
  EXPECT_FALSE(parser.timestamp());
  EXPECT_EQ(parser.Next(), EntryKind::kEnd);
}

// However long the line, the message can be logged.
TEST(ExpositionParserTest, ErrorsAreShort) {
  const std::string junk(1'000'000, 'x');
  for (const std::string& page :
       {"# TYPE a " + junk + "\n", "a " + junk + "\n",
        "a{" + junk + "=\"1\"," + junk + "=\"1\"} 1\n", "a{b=" + junk + "\n",
        "a 1 1 " + junk + "\n", "# UNIT a " + junk + "\n# EOF\n", "# UNIT " + junk + " b\n# EOF\n",
        "# " + junk + "\n# EOF\n"}) {
    EXPECT_LT(LastLine(page, page.ends_with("EOF\n") ? kOm : kText).size(), 300U);
  }
}

TEST(ExpositionParserTest, TheDocumentsExampleIsRight) {
  std::ifstream in("docs/formats/exposition.md", std::ios::binary);
  const std::string document((std::istreambuf_iterator<char>(in)),
                             std::istreambuf_iterator<char>());
  const std::size_t start = document.find("```\n", document.find("## Worked example")) + 4;
  const std::string page = document.substr(start, document.find("```", start) - start);
  // Each sample as a row of the document's table.
  ExpositionParser parser(page, kText);
  int rows = 0;
  for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
    ASSERT_NE(kind, EntryKind::kInvalid) << parser.error().message();
    if (kind != EntryKind::kSample) continue;
    const auto t = parser.timestamp();
    const std::string row = "| `" + std::string(parser.series()) + "` | `" +
                            parser.Labels()->ToString() + "` | " + FormatFloatG(parser.value()) +
                            " | " + (t ? std::to_string(t->ms) + " |" : "|");
    EXPECT_NE(document.find(row), std::string::npos) << row;
    ++rows;
  }
  EXPECT_EQ(rows, 2);
}

TEST(ExpositionParserTest, ReadsOtherProjectsPages) {
  const std::filesystem::path dir = "../shared/conformance/textparse";
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  const auto count = [&](const char* name, ExpositionFormat format) {
    std::ifstream in(dir / name, std::ios::binary);
    const std::string page((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::size_t samples = 0;
    ExpositionParser parser(page, format);
    for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
      if (kind == EntryKind::kInvalid) {
        ADD_FAILURE() << name << ": " << parser.error().message();
        return samples;
      }
      if (kind != EntryKind::kSample) continue;
      ++samples;
      EXPECT_TRUE(parser.Labels()) << parser.series();
    }
    return samples;
  };
  EXPECT_EQ(count("alltypes.237mfs.prom.txt", kText), 1857U);
  EXPECT_EQ(count("alltypes.237mfs.nometa.prom.txt", kText), 1857U);
  EXPECT_EQ(count("alltypes.5mfs.om.txt", kOm), 53U);
}

}  // namespace
}  // namespace sonde::wire
