#include "api/result_json.h"

#include <cmath>
#include <limits>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/number.h"

namespace sonde::api {
namespace {

struct Bucket {
  double lower;
  double upper;
  int rule;  // 0 (l,u], 1 [l,u), 2 (l,u), 3 [l,u]
  double count;
};

// Upper bound of exponential bucket `index`: 2^(index * 2^-schema), exact for the powers of two.
double ExponentialBound(std::int32_t index, std::int32_t schema) {
  if (schema <= 0) {
    const std::int64_t exponent = static_cast<std::int64_t>(index) << -schema;
    if (exponent > 1024) return std::numeric_limits<double>::infinity();
    // The last regular bucket ends at the largest float, the next one at infinity.
    if (exponent == 1024) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(exponent));
  }
  const std::int32_t steps = 1 << schema;
  std::int32_t exponent = index >> schema;
  const std::int32_t fraction = index & (steps - 1);
  if (exponent == 1024 && fraction == 0) return std::numeric_limits<double>::max();
  if (exponent >= 1024) return std::numeric_limits<double>::infinity();
  return std::ldexp(std::exp2(static_cast<double>(fraction) / steps), exponent);
}

template <class Visit>
void ForEachBucket(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts,
                   Visit visit) {
  std::int32_t index = 0;
  std::size_t at = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length && at < counts.size(); ++i) {
      visit(index++, counts[at++]);
    }
  }
}

std::vector<Bucket> Buckets(const FloatHistogram& h) {
  std::vector<Bucket> buckets;
  if (h.schema == kCustomBucketsSchema) {
    ForEachBucket(h.positive_spans, h.positive_counts, [&](std::int32_t index, double count) {
      constexpr double kInf = std::numeric_limits<double>::infinity();
      const auto i = static_cast<std::size_t>(index);
      const double lower = index > 0 ? h.custom_values[i - 1] : -kInf;
      const double upper = i < h.custom_values.size() ? h.custom_values[i] : kInf;
      buckets.push_back({lower, upper, index == 0 ? 3 : 0, count});
    });
    return buckets;
  }
  ForEachBucket(h.negative_spans, h.negative_counts, [&](std::int32_t index, double count) {
    buckets.insert(buckets.begin(), {-ExponentialBound(index, h.schema),
                                     -ExponentialBound(index - 1, h.schema), 1, count});
  });
  if (h.zero_count != 0) buckets.push_back({-h.zero_threshold, h.zero_threshold, 3, h.zero_count});
  ForEachBucket(h.positive_spans, h.positive_counts, [&](std::int32_t index, double count) {
    buckets.push_back(
        {ExponentialBound(index - 1, h.schema), ExponentialBound(index, h.schema), 0, count});
  });
  return buckets;
}

void AppendQuotedFloat(std::string& out, double v) {
  out.push_back('"');
  AppendFloatApi(out, v);
  out.push_back('"');
}

void AppendFloatPoint(std::string& out, Timestamp t, double v) {
  out.push_back('[');
  AppendTimestamp(out, t);
  out.push_back(',');
  AppendQuotedFloat(out, v);
  out.push_back(']');
}

void AppendHistogramPoint(std::string& out, const promql::SamplePoint& point) {
  out.push_back('[');
  AppendTimestamp(out, point.t);
  out.push_back(',');
  AppendHistogram(out, *point.histogram);
  out.push_back(']');
}

void AppendVector(std::string& out, const promql::VectorResult& vector) {
  out.push_back('[');
  bool first = true;
  for (const promql::ResultSeries& series : vector.series) {
    if (series.points.empty()) continue;
    if (!first) out.push_back(',');
    first = false;
    out += R"({"metric":)";
    AppendLabels(out, series.labels);
    const promql::SamplePoint& point = series.points.front();
    if (point.histogram != nullptr) {
      out += R"(,"histogram":)";
      AppendHistogramPoint(out, point);
    } else {
      out += R"(,"value":)";
      AppendFloatPoint(out, point.t, point.v);
    }
    out.push_back('}');
  }
  out.push_back(']');
}

// Writes the points of one kind as a list under `name`; nothing if there are none.
template <class Append>
void AppendPoints(std::string& out, std::string_view name,
                  const std::vector<promql::SamplePoint>& points, bool histograms, Append append) {
  bool first = true;
  for (const promql::SamplePoint& point : points) {
    if ((point.histogram != nullptr) != histograms) continue;
    if (first) {
      out += ",\"";
      out += name;
      out += "\":[";
    } else {
      out.push_back(',');
    }
    first = false;
    append(point);
  }
  if (!first) out.push_back(']');
}

void AppendMatrix(std::string& out, const promql::MatrixResult& matrix) {
  out.push_back('[');
  bool first = true;
  for (const promql::ResultSeries& series : matrix.series) {
    if (!first) out.push_back(',');
    first = false;
    out += R"({"metric":)";
    AppendLabels(out, series.labels);
    AppendPoints(out, "values", series.points, false, [&](const promql::SamplePoint& point) {
      AppendFloatPoint(out, point.t, point.v);
    });
    AppendPoints(out, "histograms", series.points, true,
                 [&](const promql::SamplePoint& point) { AppendHistogramPoint(out, point); });
    out.push_back('}');
  }
  out.push_back(']');
}

void AppendStatistics(std::string& out, const promql::QueryStatistics& s) {
  out += R"(,"stats":)";
  JsonWriter json(out);
  json.BeginObject().Key("timings").BeginObject();
  const double inner = s.eval_seconds;
  json.Key("evalTotalTime").Double(s.prepare_seconds + inner + s.sort_seconds);
  json.Key("resultSortTime").Double(s.sort_seconds);
  json.Key("queryPreparationTime").Double(s.prepare_seconds);
  json.Key("innerEvalTime").Double(inner);
  json.Key("execQueueTime").Double(s.queue_seconds);
  json.Key("execTotalTime").Double(s.queue_seconds + s.prepare_seconds + inner + s.sort_seconds);
  json.EndObject().Key("samples").BeginObject();
  json.Key("totalQueryableSamples").Uint(s.samples_read).Key("peakSamples").Uint(s.peak_samples);
  json.EndObject().EndObject();
}

}  // namespace

void AppendTimestamp(std::string& out, Timestamp t) {
  std::int64_t ms = t.ms;
  if (ms < 0) out.push_back('-');
  const std::int64_t seconds = ms / 1000;
  AppendInt(out, seconds < 0 ? -seconds : seconds);
  ms %= 1000;
  if (ms == 0) return;
  const auto fraction = static_cast<unsigned>(ms < 0 ? -ms : ms);
  out.push_back('.');
  out.push_back(static_cast<char>('0' + fraction / 100));
  out.push_back(static_cast<char>('0' + fraction / 10 % 10));
  out.push_back(static_cast<char>('0' + fraction % 10));
}

void AppendLabels(std::string& out, LabelsView labels) {
  out.push_back('{');
  bool first = true;
  for (const LabelView label : labels) {
    if (!first) out.push_back(',');
    first = false;
    AppendJsonString(out, label.name);
    out.push_back(':');
    AppendJsonString(out, label.value);
  }
  out.push_back('}');
}

void AppendHistogram(std::string& out, const FloatHistogram& histogram) {
  out += R"({"count":)";
  AppendQuotedFloat(out, histogram.count);
  out += R"(,"sum":)";
  AppendQuotedFloat(out, histogram.sum);
  bool first = true;
  for (const Bucket& bucket : Buckets(histogram)) {
    if (bucket.count == 0) continue;
    out += first ? R"(,"buckets":[)" : ",";
    first = false;
    out.push_back('[');
    AppendInt(out, bucket.rule);
    for (const double v : {bucket.lower, bucket.upper, bucket.count}) {
      out.push_back(',');
      AppendQuotedFloat(out, v);
    }
    out.push_back(']');
  }
  if (!first) out.push_back(']');
  out.push_back('}');
}

std::string QueryData(const promql::QueryResult& result, StatsMode stats) {
  std::string out;
  if (const auto* scalar = std::get_if<promql::ScalarResult>(&result.value)) {
    out += R"({"resultType":"scalar","result":)";
    AppendFloatPoint(out, scalar->t, scalar->v);
  } else if (const auto* text = std::get_if<promql::StringResult>(&result.value)) {
    out += R"({"resultType":"string","result":[)";
    AppendTimestamp(out, text->t);
    out.push_back(',');
    AppendJsonString(out, text->v);
    out.push_back(']');
  } else if (const auto* vector = std::get_if<promql::VectorResult>(&result.value)) {
    out += R"({"resultType":"vector","result":)";
    AppendVector(out, *vector);
  } else {
    out += R"({"resultType":"matrix","result":)";
    AppendMatrix(out, std::get<promql::MatrixResult>(result.value));
  }
  if (stats != StatsMode::kNone) AppendStatistics(out, result.statistics);
  out.push_back('}');
  return out;
}

}  // namespace sonde::api
