#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/number.h"
#include "promql/parser.h"
#include "promql/printer.h"
#include "promql/promqltest/generator.h"
#include "promql/promqltest/runner.h"

// Two evaluators on one generated case.

namespace sonde::promql {
namespace {

// Numbers as results are compared: bit by bit, but all NaN are one, and so are the zeros; if the
// order of additions is free, up to rounding.
bool SameValue(double a, double b, bool order_free) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  if (!order_free || std::isinf(a) || std::isinf(b)) return false;
  return std::fabs(a - b) <= 1e-6 * std::max({1.0, std::fabs(a), std::fabs(b)});
}

std::string Describe(const std::vector<ResultSeries>& all) {
  std::string out;
  for (const ResultSeries& series : all) {
    out += "    " + series.labels.ToString();
    for (const SamplePoint& point : series.points) {
      out += fmt::format(" {}@{}", FormatFloatG(point.v), point.t.ms);
    }
    out += "\n";
  }
  return out;
}

bool SameSeries(const ResultSeries& a, const ResultSeries& b, bool order_free) {
  return a.labels == b.labels &&
         std::ranges::equal(a.points, b.points, [&](const SamplePoint& x, const SamplePoint& y) {
           return x.t == y.t && SameValue(x.v, y.v, order_free);
         });
}

std::vector<ResultSeries> SeriesOf(const QueryResult& result) {
  std::vector<ResultSeries> series;
  if (const auto* scalar = std::get_if<ScalarResult>(&result.value)) {
    series.push_back({Labels(), {{scalar->t, scalar->v, nullptr}}});
  } else if (const auto* vector = std::get_if<VectorResult>(&result.value)) {
    series = vector->series;
  } else if (const auto* matrix = std::get_if<MatrixResult>(&result.value)) {
    series = matrix->series;
  }
  return series;
}

std::string CompareResults(const QueryResult& want, const QueryResult& have, bool order_free,
                           bool compare_notes) {
  if (want.value.index() != have.value.index()) return "another type of result\n";
  std::vector<ResultSeries> expected = SeriesOf(want);
  std::vector<ResultSeries> actual = SeriesOf(have);
  // The order of an instant vector is that of its evaluation, which a group's first member decides.
  const auto less = [](const ResultSeries& a, const ResultSeries& b) {
    return a.labels < b.labels;
  };
  std::ranges::stable_sort(expected, less);
  std::ranges::stable_sort(actual, less);
  const bool same = std::ranges::equal(
      expected, actual,
      [&](const ResultSeries& a, const ResultSeries& b) { return SameSeries(a, b, order_free); });
  if (!same) return "  expected:\n" + Describe(expected) + "  actual:\n" + Describe(actual);
  if (!compare_notes) return "";
  const auto joined = [](const std::vector<std::string>& notes) {
    std::string text;
    for (const std::string& note : notes) {
      text += "    " + note + "\n";
    }
    return text;
  };
  const std::string expected_notes =
      joined(want.annotations.warnings) + joined(want.annotations.infos);
  const std::string actual_notes =
      joined(have.annotations.warnings) + joined(have.annotations.infos);
  if (expected_notes == actual_notes) return "";
  return "  expected notes:\n" + expected_notes + "  actual notes:\n" + actual_notes;
}

// Which series an error names depends on the order in which they are looked at.
std::string_view WithoutSeries(std::string_view message) {
  return message.substr(0, message.find('{'));
}

bool HasSubquery(const Expr& expr) {
  return Print(expr).find(':') != std::string::npos;
}

void CollectParts(const Expr& expr, std::vector<const Expr*>& parts) {
  parts.push_back(&expr);
  if (const auto* binary = If<BinaryExpr>(expr)) {
    CollectParts(*binary->lhs, parts);
    CollectParts(*binary->rhs, parts);
  } else if (const auto* call = If<CallExpr>(expr)) {
    for (const ExprPtr& argument : call->arguments) {
      CollectParts(*argument, parts);
    }
  } else if (const auto* aggregate = If<AggregateExpr>(expr)) {
    CollectParts(*aggregate->expr, parts);
    if (aggregate->parameter) CollectParts(*aggregate->parameter, parts);
  } else if (const auto* unary = If<UnaryExpr>(expr)) {
    CollectParts(*unary->expr, parts);
  } else if (const auto* paren = If<ParenExpr>(expr)) {
    CollectParts(*paren->expr, parts);
  }
}

// True if a subquery's windows leave points between them, which the planned evaluator evaluates and
// the naive one does not: notes and errors may come from there, values may not. `step` is the one
// that the expression is evaluated with.
bool HasGaps(const Expr& expr, Duration step, const EvalOptions& options) {
  const auto in = [&](const Expr& part) { return HasGaps(part, step, options); };
  if (const auto* subquery = If<SubqueryExpr>(expr)) {
    if (subquery->range.value < step) return true;
    const Duration own = subquery->step.value;
    return HasGaps(*subquery->expr, own.count() != 0 ? own : options.default_subquery_step,
                   options);
  }
  if (const auto* binary = If<BinaryExpr>(expr)) return in(*binary->lhs) || in(*binary->rhs);
  if (const auto* call = If<CallExpr>(expr)) {
    return std::ranges::any_of(call->arguments, [&](const ExprPtr& part) { return in(*part); });
  }
  if (const auto* aggregate = If<AggregateExpr>(expr)) {
    return in(*aggregate->expr) || (aggregate->parameter && in(*aggregate->parameter));
  }
  if (const auto* unary = If<UnaryExpr>(expr)) return in(*unary->expr);
  if (const auto* paren = If<ParenExpr>(expr)) return in(*paren->expr);
  return false;
}

bool MentionsQueryContext(const Expr& expr) {
  const std::string text = Print(expr);
  constexpr std::string_view kCalls[] = {"start()", "end()", "range()", "step()"};
  return std::ranges::any_of(
      kCalls, [&](std::string_view call) { return text.find(call) != std::string::npos; });
}

// Errors of one kind, whatever value they name.
bool SameKindOfError(std::string_view a, std::string_view b) {
  constexpr std::string_view kDigits = "0123456789";
  return a.substr(0, a.find_first_of(kDigits)) == b.substr(0, b.find_first_of(kDigits));
}

// True if a part of the query gives this error at one of the steps. One evaluator goes step by
// step, the other operator by operator, so of several errors they meet another one first.
bool IsErrorOfPart(const Evaluator& evaluator, const Expr& expr, const GeneratedSetting& setting,
                   const MemoryStore& store, std::string_view message) {
  // What a subquery evaluates lies at times of its own.
  if (HasSubquery(expr)) return true;
  std::vector<const Expr*> parts;
  CollectParts(expr, parts);
  const QueryRange& range = setting.range;
  for (const Expr* part : parts) {
    if (TypeOf(*part) == ValueType::kString || TypeOf(*part) == ValueType::kMatrix) continue;
    // With the query's own start, end and step, which functions and durations may ask for.
    const auto whole = evaluator.Evaluate(*part, range, store, setting.options, nullptr);
    if (!whole && WithoutSeries(whole.error().message()) == WithoutSeries(message)) return true;
    for (Timestamp t = range.start; t <= range.end;
         t += range.instant() ? Duration(1) : range.step) {
      // A range that begins here keeps step().
      for (const QueryRange& from_here :
           {QueryRange{t, t, Duration(0)}, QueryRange{t, t + range.step, range.step}}) {
        const auto result = evaluator.Evaluate(*part, from_here, store, setting.options, nullptr);
        if (!result && WithoutSeries(result.error().message()) == WithoutSeries(message)) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace

std::string CompareEvaluators(std::span<const std::uint8_t> bytes, const Evaluator& oracle,
                              const Evaluator& subject) {
  // Half of the bytes decide about the query and its setting, half about the data.
  Choices query_choices(bytes.subspan(0, bytes.size() / 2));
  Choices data_choices(bytes.subspan(bytes.size() / 2));
  GeneratedSetting setting = GenerateSetting(query_choices);
  const GeneratedQuery query = GenerateQuery(query_choices);
  setting.options.query = query.text;
  const auto expr = ParseExpr(query.text, ScriptParserOptions());
  if (!expr) return fmt::format("{}\n  does not parse: {}\n", query.text, expr.error().message());
  MemoryStore store;
  GenerateData(data_choices, query.order_free, store);
  const auto want = oracle.Evaluate(**expr, setting.range, store, setting.options, nullptr);
  const auto have = subject.Evaluate(**expr, setting.range, store, setting.options, nullptr);
  const bool gaps = HasGaps(**expr, setting.range.step, setting.options);
  std::string difference;
  if (want && have) {
    difference = CompareResults(*want, *have, query.order_free, !gaps);
  } else if (!have) {
    const std::string& message = have.error().message();
    bool same = gaps;
    if (!want && !same) {
      // A part by itself has another start, end and step.
      const bool known = MentionsQueryContext(**expr)
                             ? SameKindOfError(want.error().message(), message)
                             : want.error().message() == message;
      same = known || IsErrorOfPart(oracle, **expr, setting, store, message);
    }
    if (!same) {
      difference = fmt::format("  expected {}\n  actual error: {}\n",
                               want ? "a result" : "error: " + want.error().message(), message);
    }
  } else {
    difference = "  expected error: " + want.error().message() + "\n";
  }
  if (difference.empty()) return "";
  return fmt::format(
      "{}\n  from {} to {} step {} ms, lookback {} ms, delayed names {}, starts {}\n{}", query.text,
      setting.range.start.ms, setting.range.end.ms, setting.range.step.count(),
      setting.options.lookback.count(), setting.options.delayed_name_removal,
      setting.options.use_start_timestamps, difference);
}

}  // namespace sonde::promql
