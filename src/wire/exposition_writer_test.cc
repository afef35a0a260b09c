#include "wire/exposition_writer.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/exposition_parser.h"

namespace sonde::wire {
namespace {

constexpr ServedFormat kText{ScrapeProtocol::kPrometheusText0_0_4, NameEscaping::kUnderscores};
constexpr ServedFormat kUtf8Text{ScrapeProtocol::kPrometheusText1_0_0, NameEscaping::kAllowUtf8};
constexpr ServedFormat kOpenMetrics{ScrapeProtocol::kOpenMetricsText1_0_0,
                                    NameEscaping::kAllowUtf8};

const Exemplar& TraceExemplar() {
  static const Exemplar exemplar{Labels::Of({{"trace_id", "ab\"c"}}), 0.7, Timestamp{1500}};
  return exemplar;
}

std::string WriteAll(const ServedFormat& format) {
  std::string page;
  ExpositionWriter writer(format, page);
  writer.BeginFamily({.name = "requests_total",
                      .help = "All \"requests\".\nEver\\.",
                      .type = MetricType::kCounter});
  writer.Sample({{"code", "200"}, {"empty", ""}}, 17, {.exemplar = &TraceExemplar()});
  writer.Sample({{"code", "a\"b\\c\nd"}}, 0.5, {.timestamp = Timestamp{-1520879607789}});
  const LabelView code[] = {{"code", "200"}};
  writer.Created(code, Timestamp{1000});
  writer.BeginFamily(
      {.name = "size_bytes", .help = "Size.", .type = MetricType::kGauge, .unit = "bytes"});
  writer.Sample({}, std::nan(""));
  writer.BeginFamily({.name = "latency_seconds",
                      .help = "Latency.",
                      .type = MetricType::kHistogram,
                      .unit = "seconds"});
  const double bounds[] = {0.5, 1};
  const std::uint64_t counts[] = {3, 2, 1};
  const Exemplar* exemplars[] = {nullptr, &TraceExemplar(), nullptr};
  writer.Histogram(code, bounds, counts, 4.5, exemplars);
  writer.BeginFamily({.name = "queue", .type = MetricType::kGaugeHistogram});
  writer.Histogram({}, bounds, counts, -4.5);
  writer.BeginFamily({.name = "rpc_seconds", .type = MetricType::kSummary});
  const QuantileValue quantiles[] = {{0.5, 1}, {1, 2.5}};
  writer.Summary({}, quantiles, 7, 3);
  writer.BeginFamily({.name = "build_info", .type = MetricType::kInfo});
  writer.Sample({{"version", "1"}}, 1);
  writer.BeginFamily({.name = "http.\"load", .type = MetricType::kUnknown});
  writer.Sample({}, 1);
  writer.Sample({{"k\xE6\xB7\xB1", "v"}}, HUGE_VAL, {.timestamp = Timestamp{1002}});
  writer.Finish();
  return page;
}

TEST(ExpositionWriterTest, WritesText) {
  EXPECT_EQ(WriteAll(kText), R"(# HELP requests_total All "requests".\nEver\\.
# TYPE requests_total counter
requests_total{code="200"} 17
requests_total{code="a\"b\\c\nd"} 0.5 -1520879607789
# HELP size_bytes Size.
# TYPE size_bytes gauge
size_bytes NaN
# HELP latency_seconds Latency.
# TYPE latency_seconds histogram
latency_seconds_bucket{code="200",le="0.5"} 3
latency_seconds_bucket{code="200",le="1"} 5
latency_seconds_bucket{code="200",le="+Inf"} 6
latency_seconds_sum{code="200"} 4.5
latency_seconds_count{code="200"} 6
# TYPE queue histogram
queue_bucket{le="0.5"} 3
queue_bucket{le="1"} 5
queue_bucket{le="+Inf"} 6
queue_sum -4.5
queue_count 6
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 1
rpc_seconds{quantile="1"} 2.5
rpc_seconds_sum 7
rpc_seconds_count 3
# TYPE build_info gauge
build_info{version="1"} 1
# TYPE http__load untyped
http__load 1
http__load{k_="v"} +Inf 1002
)");
}

TEST(ExpositionWriterTest, WritesOpenMetrics) {
  EXPECT_EQ(WriteAll(kOpenMetrics), R"om(# TYPE requests counter
# HELP requests All \"requests\".\nEver\\.
requests_total{code="200"} 17.0 # {trace_id="ab\"c"} 0.7 1.5
requests_total{code="a\"b\\c\nd"} 0.5 -1520879607.789
requests_created{code="200"} 1
# TYPE size_bytes gauge
# UNIT size_bytes bytes
# HELP size_bytes Size.
size_bytes NaN
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
# HELP latency_seconds Latency.
latency_seconds_bucket{code="200",le="0.5"} 3
latency_seconds_bucket{code="200",le="1.0"} 5 # {trace_id="ab\"c"} 0.7 1.5
latency_seconds_bucket{code="200",le="+Inf"} 6
latency_seconds_sum{code="200"} 4.5
latency_seconds_count{code="200"} 6
# TYPE queue gaugehistogram
queue_bucket{le="0.5"} 3
queue_bucket{le="1.0"} 5
queue_bucket{le="+Inf"} 6
queue_gsum -4.5
queue_gcount 6
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 1.0
rpc_seconds{quantile="1.0"} 2.5
rpc_seconds_sum 7.0
rpc_seconds_count 3
# TYPE build info
build_info{version="1"} 1.0
# TYPE "http.\"load" unknown
{"http.\"load"} 1.0
{"http.\"load","k深"="v"} +Inf 1.002
# EOF
)om");
}

TEST(ExpositionWriterTest, CountersWithoutTotalGetItInOpenMetricsOnly) {
  for (const ServedFormat& format : {kText, kOpenMetrics}) {
    std::string page;
    ExpositionWriter writer(format, page);
    writer.BeginFamily({.name = "odd", .type = MetricType::kCounter});
    writer.Sample({}, 1);
    EXPECT_EQ(page, format.protocol == kText.protocol ? "# TYPE odd counter\nodd 1\n"
                                                      : "# TYPE odd counter\nodd_total 1.0\n");
  }
}

TEST(ExpositionWriterTest, LongExemplarsAreLeftOut) {
  const Exemplar exemplar{Labels::Of({{"a", std::string(128, 'x')}}), 1, {}};
  std::string page;
  ExpositionWriter writer(kOpenMetrics, page);
  writer.BeginFamily({.name = "a_total", .type = MetricType::kCounter});
  writer.Sample({}, 1, {.exemplar = &exemplar});
  EXPECT_EQ(page, "# TYPE a counter\na_total 1.0\n");
}

std::string RandomText(Rng& rng, bool name) {
  static constexpr const char* kPieces[] = {"a", "B", "_", "9", "\\", "\"",           "\n",   "{",
                                            "}", " ", "#", "=", ",",  "\xE6\xB7\xB1", "+Inf", "."};
  std::string text = name ? "n" : "";
  for (std::uint64_t n = rng.Next() % 8; n > 0; --n)
    text += kPieces[rng.Next() % std::size(kPieces)];
  return text;
}

struct Written {
  Labels labels;
  double value;
  std::optional<Timestamp> t;
};

// What is written is read back, whatever is in names and values.
TEST(ExpositionWriterTest, WhatIsWrittenIsReadBack) {
  Rng rng(1);
  for (int round = 0; round < 500; ++round) {
    for (const ServedFormat& format : {kUtf8Text, kOpenMetrics}) {
      std::string page;
      std::vector<Written> written;
      std::vector<std::string> helps;
      ExpositionWriter writer(format, page);
      for (std::uint64_t families = rng.Next() % 4 + 1; families > 0; --families) {
        const std::string name = RandomText(rng, true);
        helps.push_back("h" + RandomText(rng, false));
        writer.BeginFamily({.name = name, .help = helps.back(), .type = MetricType::kGauge});
        for (std::uint64_t samples = rng.Next() % 4; samples > 0; --samples) {
          LabelsBuilder builder;
          for (std::uint64_t n = rng.Next() % 4; n > 0; --n)
            builder.Set(RandomText(rng, true), RandomText(rng, false));
          std::vector<LabelView> labels;
          const Labels own = builder.Build();
          for (const LabelView label : own)
            labels.push_back(label);
          builder.Set(kMetricName, name);
          const double value =
              std::ldexp(static_cast<double>(rng.Next()), static_cast<int>(rng.Next() % 200) - 100);
          std::optional<Timestamp> t;
          if (rng.Next() % 2 == 0)
            t = Timestamp{static_cast<std::int64_t>(rng.Next() % 4000000000000ULL)};
          writer.Sample(labels, value, {.timestamp = t});
          written.push_back({builder.Build(), value, t});
        }
      }
      writer.Finish();

      ExpositionParser parser(page, FormatOf(format.protocol));
      std::size_t samples = 0;
      std::size_t help = 0;
      for (EntryKind kind = parser.Next(); kind != EntryKind::kEnd; kind = parser.Next()) {
        ASSERT_NE(kind, EntryKind::kInvalid) << parser.error().message() << "\n" << page;
        if (kind == EntryKind::kHelp && format.protocol == kOpenMetrics.protocol) {
          EXPECT_EQ(parser.text(), helps[help++]);
        }
        if (kind != EntryKind::kSample) continue;
        ASSERT_LT(samples, written.size());
        const auto labels = parser.Labels();
        ASSERT_TRUE(labels) << labels.error().message() << "\n" << page;
        EXPECT_EQ(Labels(*labels), written[samples].labels);
        EXPECT_EQ(parser.value(), written[samples].value);
        EXPECT_EQ(parser.timestamp(), written[samples].t);
        ++samples;
      }
      EXPECT_EQ(samples, written.size());
    }
  }
}

TEST(ExpositionWriterTest, WritesSeriesForFederation) {
  std::string page;
  ExpositionWriter writer(kText, page);
  writer.BeginFamily({.name = "up", .type = MetricType::kUnknown});
  writer.Series(Labels::Of({{"__name__", "up"}, {"job", "a"}}), 1, Timestamp{5});
  writer.Finish();
  EXPECT_EQ(page, "# TYPE up untyped\nup{job=\"a\"} 1 5\n");
}

}  // namespace
}  // namespace sonde::wire
