#include "promql/promqltest/compare.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/number.h"
#include "base/quote.h"
#include "promql/histogram_math.h"
#include "promql/numerics.h"

namespace sonde::promql {
namespace {

constexpr double kEpsilon = 1e-6;
constexpr std::size_t kMaxLines = 20;
constexpr std::size_t kMaxPoints = 40;

Error Mismatch(std::string message) {
  return Error(ErrorKind::kInvalid, std::move(message));
}

bool CountsMatch(const std::vector<double>& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, [](double x, double y) { return AlmostEqual(x, y, kEpsilon); });
}

// Compares as the reference: without empty buckets, and with the reset hint only if the script
// names one.
bool HistogramsMatch(const DescribedValue& expected, const FloatHistogram& actual) {
  FloatHistogram want = *expected.histogram;
  FloatHistogram have = actual;
  Compact(want);
  Compact(have);
  if (expected.has_reset_hint && want.reset_hint != have.reset_hint) return false;
  return want.schema == have.schema && AlmostEqual(want.count, have.count, kEpsilon) &&
         AlmostEqual(want.sum, have.sum, kEpsilon) && want.custom_values == have.custom_values &&
         want.zero_threshold == have.zero_threshold &&
         AlmostEqual(want.zero_count, have.zero_count, kEpsilon) &&
         want.positive_spans == have.positive_spans && want.negative_spans == have.negative_spans &&
         CountsMatch(want.positive_counts, have.positive_counts) &&
         CountsMatch(want.negative_counts, have.negative_counts);
}

std::string Describe(const DescribedValue& value) {
  if (value.omitted) return "_";
  return value.histogram ? FormatHistogram(*value.histogram) : FormatFloatG(value.v);
}

std::string Describe(const SamplePoint& point) {
  return point.histogram ? FormatHistogram(*point.histogram) : FormatFloatG(point.v);
}

bool PointMatches(const DescribedValue& expected, const SamplePoint& actual) {
  if (expected.histogram.has_value() != (actual.histogram != nullptr)) return false;
  if (expected.histogram) return HistogramsMatch(expected, *actual.histogram);
  return AlmostEqual(expected.v, actual.v, kEpsilon);
}

const ExpectedSeries* FindExpected(const EvalCommand& eval, const Labels& labels) {
  const auto found = std::ranges::find(eval.expected, labels, &ExpectedSeries::labels);
  return found == eval.expected.end() ? nullptr : &*found;
}

Status CheckAllFound(const EvalCommand& eval, const std::vector<ResultSeries>& series) {
  for (const ExpectedSeries& expected : eval.expected) {
    if (std::ranges::find(series, expected.labels, &ResultSeries::labels) != series.end()) continue;
    return Mismatch(fmt::format("expected metric {} not found", expected.labels.ToString()));
  }
  return OkStatus();
}

Status CompareVector(const EvalCommand& eval, const VectorResult& vector) {
  if (eval.expected_scalar) return Mismatch("expected scalar result, but got a vector");
  for (std::size_t i = 0; i < vector.series.size(); ++i) {
    const ResultSeries& series = vector.series[i];
    const std::string name = series.labels.ToString();
    const ExpectedSeries* expected = FindExpected(eval, series.labels);
    if (expected == nullptr) return Mismatch("unexpected metric " + name + " in result");
    if (eval.ordered && expected->position != i + 1) {
      return Mismatch(fmt::format("expected metric {} at position {} but was at {}", name,
                                  expected->position, i + 1));
    }
    const DescribedValue& want = expected->values[0];
    if (series.points.size() != 1 || !PointMatches(want, series.points[0])) {
      const std::string have = series.points.empty() ? "nothing" : Describe(series.points[0]);
      return Mismatch(fmt::format("expected {} for {} but got {}", Describe(want), name, have));
    }
  }
  return CheckAllFound(eval, vector.series);
}

Status CompareSeries(const EvalCommand& eval, const ExpectedSeries& expected,
                     const ResultSeries& actual) {
  const std::string name = actual.labels.ToString();
  std::size_t next = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const DescribedValue& want = expected.values[i];
    const Timestamp t = eval.start + eval.step * static_cast<std::int64_t>(i);
    if (t > eval.end) {
      return Mismatch(fmt::format(
          "expected {} points for {}, but query time range cannot return this many points",
          expected.values.size(), name));
    }
    if (want.omitted) continue;
    if (next == actual.points.size()) {
      return Mismatch(fmt::format("expected {} at {} ms for {} but there is no more point",
                                  Describe(want), t.ms, name));
    }
    const SamplePoint& have = actual.points[next++];
    if (have.t != t || !PointMatches(want, have)) {
      return Mismatch(fmt::format("expected {} at {} ms for {} but got {} at {} ms", Describe(want),
                                  t.ms, name, Describe(have), have.t.ms));
    }
  }
  if (next == actual.points.size()) return OkStatus();
  return Mismatch(
      fmt::format("expected {} points for {} but got {}", next, name, actual.points.size()));
}

Status CompareMatrix(const EvalCommand& eval, const MatrixResult& matrix) {
  if (eval.ordered) return Mismatch("expected ordered result, but query returned a matrix");
  if (eval.expected_scalar) return Mismatch("expected scalar result, but got a matrix");
  TRY(CheckSorted(matrix));
  for (const ResultSeries& series : matrix.series) {
    const ExpectedSeries* expected = FindExpected(eval, series.labels);
    if (expected == nullptr) {
      return Mismatch("unexpected metric " + series.labels.ToString() + " in result");
    }
    TRY(CompareSeries(eval, *expected, series));
  }
  return CheckAllFound(eval, matrix.series);
}

// Each expectation is met by a note, and each note meets an expectation. Scripts write notes as the
// API shows them.
Status CompareNotes(std::span<const Expectation> expected, std::span<const std::string> texts,
                    std::string_view kind) {
  if (expected.empty()) return OkStatus();
  std::vector<std::string> actual;
  for (const std::string& text : texts) {
    actual.push_back(fmt::format("PromQL {}: {}", kind == "warn" ? "warning" : "info", text));
  }
  if (actual.empty()) return Mismatch(fmt::format("expected {} annotations but none came", kind));
  for (const Expectation& expectation : expected) {
    const bool met = std::ranges::any_of(
        actual, [&](const std::string& note) { return expectation.Matches(note); });
    if (met) continue;
    return Mismatch(fmt::format("expected {} annotation matching {} but got {}", kind,
                                QuoteGo(expectation.text), actual));
  }
  for (const std::string& note : actual) {
    const bool wanted = std::ranges::any_of(
        expected, [&](const Expectation& expectation) { return expectation.Matches(note); });
    if (!wanted) return Mismatch(fmt::format("unexpected {} annotation {}", kind, QuoteGo(note)));
  }
  return OkStatus();
}

template <class T, class F>
void DescribePoints(const std::vector<T>& points, std::string& out, F describe) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == kMaxPoints) {
      out += fmt::format(" … ({} more)", points.size() - i);
      return;
    }
    out.push_back(' ');
    out += describe(points[i]);
  }
}

std::string DescribeSeries(const std::vector<ResultSeries>& all, bool with_times) {
  if (all.empty()) return "    (nothing)\n";
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == kMaxLines) return out + fmt::format("    … ({} more series)\n", all.size() - i);
    out += "    " + all[i].labels.ToString();
    DescribePoints(all[i].points, out, [&](const SamplePoint& point) {
      return with_times ? fmt::format("{} @[{}]", Describe(point), point.t.ms) : Describe(point);
    });
    out.push_back('\n');
  }
  return out;
}

}  // namespace

Status CheckSorted(const MatrixResult& matrix) {
  for (std::size_t i = 1; i < matrix.series.size(); ++i) {
    const Labels& before = matrix.series[i - 1].labels;
    const Labels& after = matrix.series[i].labels;
    if (before <= after) continue;
    return Mismatch(
        fmt::format("the series of a matrix must be sorted by labels, but {} stands before {}",
                    before.ToString(), after.ToString()));
  }
  return OkStatus();
}

Status CompareResult(const EvalCommand& eval, const QueryResult& result) {
  if (const auto* vector = std::get_if<VectorResult>(&result.value)) {
    return CompareVector(eval, *vector);
  }
  if (const auto* matrix = std::get_if<MatrixResult>(&result.value)) {
    return CompareMatrix(eval, *matrix);
  }
  if (const auto* scalar = std::get_if<ScalarResult>(&result.value)) {
    if (!eval.expected_scalar) return Mismatch("expected a vector or matrix, but got a scalar");
    if (AlmostEqual(*eval.expected_scalar, scalar->v, kEpsilon)) return OkStatus();
    return Mismatch(fmt::format("expected scalar {} but got {}",
                                FormatFloatG(*eval.expected_scalar), FormatFloatG(scalar->v)));
  }
  const std::string& string = std::get<StringResult>(result.value).v;
  if (eval.expected_string.value_or("") == string) return OkStatus();
  return Mismatch(fmt::format("expected string {} but got {}",
                              QuoteGo(eval.expected_string.value_or("")), QuoteGo(string)));
}

Status CompareAnnotations(const EvalCommand& eval, std::string_view query,
                          const Annotations& annotations) {
  const auto& [warnings, infos] = annotations;
  if (eval.warns && warnings.empty()) return Mismatch("expected warnings but got none");
  if (eval.informs && infos.empty()) return Mismatch("expected info annotations but got none");
  if (eval.no_warnings && !warnings.empty()) {
    return Mismatch(fmt::format("unexpected warnings {} of query {}", warnings, query));
  }
  if (eval.no_infos && !infos.empty()) {
    return Mismatch(fmt::format("unexpected info annotations {} of query {}", infos, query));
  }
  TRY(CompareNotes(eval.warnings, warnings, "warn"));
  return CompareNotes(eval.infos, infos, "info");
}

Status CompareFailure(const EvalCommand& eval, std::string_view error) {
  if (!eval.fails) return Mismatch(fmt::format("the query failed: {}", error));
  if (!eval.failure || eval.failure->Matches(error)) return OkStatus();
  return Mismatch(fmt::format("expected error {} {} but got {}",
                              eval.failure->regex ? "matching" : "equal to",
                              QuoteGo(eval.failure->text), QuoteGo(error)));
}

std::string DescribeExpected(const EvalCommand& eval) {
  if (eval.fails) return "    an error\n";
  if (eval.expected_scalar) return fmt::format("    {}\n", FormatFloatG(*eval.expected_scalar));
  if (eval.expected_string) return fmt::format("    {}\n", QuoteGo(*eval.expected_string));
  if (eval.expected.empty()) return "    (nothing)\n";
  std::string out;
  for (std::size_t i = 0; i < eval.expected.size(); ++i) {
    if (i == kMaxLines) {
      return out + fmt::format("    … ({} more series)\n", eval.expected.size() - i);
    }
    out += "    " + eval.expected[i].labels.ToString();
    DescribePoints(eval.expected[i].values, out,
                   [](const DescribedValue& value) { return Describe(value); });
    out.push_back('\n');
  }
  return out;
}

std::string DescribeResult(const QueryResult& result) {
  if (const auto* vector = std::get_if<VectorResult>(&result.value)) {
    return DescribeSeries(vector->series, false);
  }
  if (const auto* matrix = std::get_if<MatrixResult>(&result.value)) {
    return DescribeSeries(matrix->series, true);
  }
  if (const auto* scalar = std::get_if<ScalarResult>(&result.value)) {
    return fmt::format("    {}\n", FormatFloatG(scalar->v));
  }
  return fmt::format("    {}\n", QuoteGo(std::get<StringResult>(result.value).v));
}

}  // namespace sonde::promql
