#include "wire/exposition_lint.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/exposition_parser.h"
#include "wire/exposition_writer.h"

namespace sonde::wire {
namespace {

using testing::HasSubstr;

std::string Report(std::string_view page, bool openmetrics) {
  std::string report;
  const int status = CheckMetrics(page, openmetrics, report);
  EXPECT_EQ(status, report.empty() ? 0 : 1);
  return report;
}
std::string Text(std::string_view page) {
  return Report(page, false);
}
std::string OpenMetrics(std::string_view page) {
  return Report(page, true);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

constexpr std::string_view kGood =
    "# HELP http_requests_total All requests.\n"
    "# TYPE http_requests_total counter\n"
    "http_requests_total{code=\"200\"} 17 1700000000000\n"
    "http_requests_total{code=\"500\"} 0\n"
    "# HELP latency_seconds How long.\n"
    "# TYPE latency_seconds histogram\n"
    "latency_seconds_bucket{le=\"0.1\"} 1\n"
    "latency_seconds_bucket{le=\"+Inf\"} 2\n"
    "latency_seconds_sum 3\n"
    "latency_seconds_count 2\n"
    "# HELP rpc_seconds How long.\n"
    "# TYPE rpc_seconds summary\n"
    "rpc_seconds{quantile=\"0.5\"} NaN\n"
    "rpc_seconds{quantile=\"0.9\"} 2\n"
    "rpc_seconds_sum 3\n"
    "rpc_seconds_count 2\n"
    "# a comment\n"
    "\n";

TEST(ExpositionLintTest, GoodPagesAreClean) {
  EXPECT_EQ(Text(kGood), "");
  EXPECT_EQ(Text(""), "");
  EXPECT_EQ(OpenMetrics("# EOF"), "");
  EXPECT_EQ(OpenMetrics("# EOF\n"), "");
}

// What promtool says, with a line and a column.
TEST(ExpositionLintTest, NamesAreLintedAsPromtoolDoes) {
  EXPECT_EQ(Text("x_total 1\n"), "1:1: x_total: no help text\n");
  EXPECT_EQ(Text("# HELP x h\n# TYPE x counter\nx 1\n"),
            "1:1: x: counter metrics should have \"_total\" suffix\n");
  EXPECT_EQ(Text("# HELP x_total h\n# TYPE x_total gauge\nx_total 1\n"),
            "1:1: x_total: non-counter metrics should not have \"_total\" suffix\n");
  EXPECT_EQ(Text("# HELP x_milliseconds h\nx_milliseconds 1\n"),
            "1:1: x_milliseconds: use base unit \"seconds\" instead of \"milliseconds\"\n");
  EXPECT_EQ(Text("# HELP x_hours h\nx_hours 1\n"),
            "1:1: x_hours: use base unit \"seconds\" instead of \"hours\"\n");
  EXPECT_EQ(Text("# HELP x_bucket h\n# TYPE x_bucket gauge\nx_bucket 1\n"),
            "1:1: x_bucket: non-histogram metrics should not have \"_bucket\" suffix\n");
  EXPECT_EQ(
      Text("# HELP x_count h\n# TYPE x_count gauge\nx_count 1\n"),
      "1:1: x_count: non-histogram and non-summary metrics should not have \"_count\" suffix\n");
  EXPECT_EQ(Text("# HELP x h\n# TYPE x gauge\nx{le=\"1\",quantile=\"1\"} 1\n"),
            "1:1: x: non-histogram metrics should not have \"le\" label\n"
            "1:1: x: non-summary metrics should not have \"quantile\" label\n");
  EXPECT_EQ(Text("# HELP x_gauge_y h\n# TYPE x_gauge_y gauge\nx_gauge_y 1\n"),
            "1:1: x_gauge_y: metric name should not include type 'gauge'\n");
  EXPECT_EQ(Text("# HELP a:x h\na:x 1\n"), "1:1: a:x: metric names should not contain ':'\n");
  EXPECT_EQ(Text("# HELP fooBar h\nfooBar{aB=\"1\"} 1\n"),
            "1:1: fooBar: metric names should be written in 'snake_case' not 'camelCase'\n"
            "1:1: fooBar: label names should be written in 'snake_case' not 'camelCase'\n");
  EXPECT_EQ(Text("# HELP x_ms h\nx_ms 1\n"),
            "1:1: x_ms: metric names should not contain abbreviated units\n");
  EXPECT_EQ(Text("# HELP x h\nx 1\nx 2\n"), "3:1: x: metric not unique\n");
  // A family without samples is none.
  EXPECT_EQ(Text("# TYPE x_ms counter\n"), "");
}

TEST(ExpositionLintTest, TextSyntaxIsStrict) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"# HELP a h\na 1", "2:4: the last line does not end with a line feed\n"},
      {"# HELP a h\na{b=\"\\x\"} 1\n",
       "2:6: invalid escape sequence \"\\\\x\" in a label value: only \\\\, \\\" and \\n are "
       "defined\n"},
      {"# HELP a h\na{b=\"1\" c=\"2\"} 1\n",
       "2:9: expected \",\" or \"}\" after the label value, got \"c=\\\"2\\\"}\"\n"},
      {"# HELP a h\na{b=\"1\",b=\"2\"} 1\n", "2:1: the label \"b\" stands twice in one series\n"},
      {"# HELP a h\na{__name__=\"1\"} 1\n", "2:3: the label name \"__name__\" is reserved\n"},
      {"# HELP a \\z\na 1\n",
       "1:10: a: invalid escape sequence in the help text: only \\\\ and \\n are defined\n"},
      {"# HELP a h\n# HELP a i\na 1\n", "2:1: a: second HELP line\n"},
      {"# HELP a h\n# TYPE a gauge\n# TYPE a gauge\na 1\n", "3:1: a: second TYPE line\n"},
      {"# HELP a h\na 1\n# TYPE a gauge\n", "3:1: a: TYPE line after samples of the metric\n"},
      {"# HELP a h\n# TYPE a  gauge\na 1\n",
       "2:10: a: expected counter, gauge, histogram, summary or untyped, got \" gauge\"\n"},
      {"# HELP a h\n# TYPE a info\na 1\n",
       "2:10: a: expected counter, gauge, histogram, summary or untyped, got \"info\"\n"},
      {"# HELP a h\na x\n", "2:3: a: expected a number, got \"x\"\n"},
      {"# HELP a h\na\n", "2:2: a: expected a number, got the end of the line\n"},
      {"# HELP a h\na 1 x\n", "2:5: a: expected a timestamp in milliseconds, got \"x\"\n"},
      {"# HELP a h\na 1 1 1\n",
       "2:7: a: expected the end of the line after the timestamp, got \"1\"\n"},
      {"# TYPE # gauge\n", "1:8: expected a metric name, got \"#\"\n"},
      {"# HELP a.b gauge\n", "1:9: expected a space after the metric name, got \".b\"\n"},
      {"a-b 1\n", "1:2: expected a space or \"{\" after the metric name, got \"-b\"\n"},
  };
  for (const auto& [page, report] : cases)
    EXPECT_EQ(Text(page), report) << page;
}

TEST(ExpositionLintTest, FamiliesMustBeWhole) {
  const std::string histogram = "# HELP h h\n# TYPE h histogram\n";
  EXPECT_EQ(Text(histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"),
            "3:1: h: histogram without a bucket le=\"+Inf\"\n");
  EXPECT_EQ(Text(histogram + "h_bucket{le=\"+Inf\"} 1\n"),
            "3:1: h: histogram without _count\n3:1: h: histogram without _sum\n");
  EXPECT_EQ(Text(histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"),
            "3:1: h: _count and the bucket le=\"+Inf\" differ\n");
  EXPECT_EQ(Text(histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
            "4:1: h: bucket counts are cumulative and must not fall\n");
  EXPECT_EQ(Text(histogram + "h_bucket{le=\"+Inf\"} 1\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"),
            "3:1: h: histogram without a bucket le=\"+Inf\"\n4:1: h: buckets must stand in "
            "increasing order of \"le\"\n");
  EXPECT_EQ(Text(histogram + "h_bucket 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
            "3:1: h: a histogram bucket needs a number in the label \"le\"\n");
  EXPECT_EQ(Text(histogram + "h 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"),
            "3:1: h: a histogram has only _bucket, _sum and _count samples\n");
  const std::string summary = "# HELP s h\n# TYPE s summary\n";
  EXPECT_EQ(Text(summary + "s 1\ns_sum 1\ns_count 1\n"),
            "3:1: s: a summary sample needs a number from 0 to 1 in the label \"quantile\"\n");
  EXPECT_EQ(Text(summary + "s{quantile=\"0.5\"} 1\n"),
            "3:1: s: summary without _count\n3:1: s: summary without _sum\n");
  EXPECT_EQ(Text("# HELP c_total h\n# TYPE c_total counter\nc_total -1\n"),
            "3:1: c_total: a counter must not be negative or NaN\n");
  EXPECT_EQ(Text("# HELP a h\n# HELP b h\na 1\nb 1\n"),
            "3:1: a: all lines of a metric must stand together\n4:1: b: all lines of a metric must "
            "stand together\n");
}

TEST(ExpositionLintTest, FindingsAreBounded) {
  std::string page;
  for (int i = 0; i < 5000; ++i)
    page += "junk\n";
  EXPECT_EQ(LintExposition(page, ExpositionFormat::kText, 10).size(), 10U);
}

// Our own cases, in the shape of tests/wire/openmetrics.txt: a verdict, a name, the page.
struct Vector {
  bool good;
  std::string name;
  std::string page;
};

std::vector<Vector> ReadVectors(const std::filesystem::path& path) {
  std::vector<Vector> vectors;
  std::ifstream in(path, std::ios::binary);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("=== good ") || line.starts_with("=== bad ")) {
      const bool good = line[4] == 'g';
      vectors.push_back({good, line.substr(good ? 9 : 8), ""});
    } else if (!vectors.empty()) {
      vectors.back().page += line + "\n";
    }
  }
  return vectors;
}

TEST(ExpositionLintTest, OwnOpenMetricsVectors) {
  const auto vectors = ReadVectors("tests/wire/openmetrics.txt");
  ASSERT_GT(vectors.size(), 100U);
  for (const Vector& v : vectors) {
    EXPECT_EQ(OpenMetrics(v.page).empty(), v.good) << v.name << ":\n"
                                                   << v.page << OpenMetrics(v.page);
  }
}

TEST(ExpositionLintTest, OpenMetricsProjectsVectors) {
  const std::filesystem::path dir = "../shared/conformance/openmetrics";
  if (!std::filesystem::exists(dir)) GTEST_SKIP() << dir << " is not there";
  int good = 0;
  int bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (!entry.is_directory()) continue;
    const bool should_parse =
        ReadFile(entry.path() / "test.json").find("\"shouldParse\": true") != std::string::npos;
    const std::string page = ReadFile(entry.path() / "metrics");
    EXPECT_EQ(OpenMetrics(page).empty(), should_parse) << entry.path() << "\n"
                                                       << page << OpenMetrics(page);
    ++(should_parse ? good : bad);
  }
  EXPECT_EQ(good, 35);
  EXPECT_EQ(bad, 134);
}

TEST(ExpositionLintTest, PromtoolsSampleIsClean) {
  const std::filesystem::path path = "../shared/conformance/promtool/metrics-test.prom";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  EXPECT_EQ(Text(ReadFile(path)), "");
}

TEST(ExpositionLintTest, OpenMetricsFindingsNameTheirPlace) {
  EXPECT_EQ(OpenMetrics("# TYPE a counter\na_total 1\na_total{b=\"c\"} x\n# EOF\n"),
            "3:16: a: expected a value, got \"x\"\n");
  EXPECT_EQ(OpenMetrics("a 1\n"), "2:1: the page does not end with \"# EOF\"\n");
  EXPECT_EQ(OpenMetrics(""), "1:1: the page does not end with \"# EOF\"\n");
  EXPECT_EQ(OpenMetrics("a 1"), "1:4: the page does not end with \"# EOF\"\n");
}

// A page that our own writer makes is clean, and what is clean can be scraped.
TEST(ExpositionLintTest, OurOwnPagesAreClean) {
  for (const ScrapeProtocol protocol :
       {ScrapeProtocol::kPrometheusText0_0_4, ScrapeProtocol::kOpenMetricsText1_0_0}) {
    std::string page;
    ExpositionWriter writer({protocol, NameEscaping::kUnderscores}, page);
    writer.BeginFamily(
        {.name = "requests_total", .help = "All.\n\"\\", .type = MetricType::kCounter});
    writer.Sample({{"code", "\"\\\n"}}, 1);
    writer.BeginFamily({.name = "latency_seconds",
                        .help = "h",
                        .type = MetricType::kHistogram,
                        .unit = "seconds"});
    const double bounds[] = {0.5, 1};
    const std::uint64_t counts[] = {3, 2, 1};
    const LabelView first[] = {{"a", "1"}};
    const LabelView second[] = {{"a", "2"}};
    writer.Histogram(first, bounds, counts, 4.5);
    writer.Histogram(second, bounds, counts, 4.5);
    writer.Created(second, Timestamp{1500});
    writer.Finish();
    EXPECT_EQ(Report(page, FormatOf(protocol) == ExpositionFormat::kOpenMetrics), "") << page;
  }
}

}  // namespace
}  // namespace sonde::wire
