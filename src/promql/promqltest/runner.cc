#include "promql/promqltest/runner.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "promql/promqltest/compare.h"
#include "promql/promqltest/custom_buckets.h"
#include "promql/promqltest/memory_store.h"
#include "promql/promqltest/rewrite.h"
#include "promql/promqltest/script.h"

namespace sonde::promql {
namespace {

constexpr std::uint64_t kMaxScriptBytes = 64 << 20;

bool MentionsQueryContext(std::string_view query) {
  constexpr std::string_view kCalls[] = {"start()", "end()", "range()", "step()"};
  return std::ranges::any_of(
      kCalls, [&](std::string_view call) { return query.find(call) != std::string_view::npos; });
}

// True if a selector of the query finds native histograms in the store.
bool SelectsHistograms(const Expr& root, const MemoryStore& store) {
  const Expr* at = &root;
  while (const auto* binary = If<BinaryExpr>(*at)) {
    if (SelectsHistograms(*binary->rhs, store)) return true;
    at = binary->lhs.get();
  }
  switch (at->kind) {
    case ExprKind::kVectorSelector:
      return store.HasHistograms(As<VectorSelector>(*at).matchers);
    case ExprKind::kMatrixSelector:
      return store.HasHistograms(As<MatrixSelector>(*at).selector->matchers);
    case ExprKind::kSubquery:
      return SelectsHistograms(*As<SubqueryExpr>(*at).expr, store);
    case ExprKind::kCall:
      return std::ranges::any_of(As<CallExpr>(*at).arguments, [&](const ExprPtr& argument) {
        return SelectsHistograms(*argument, store);
      });
    case ExprKind::kAggregate:
      return SelectsHistograms(*As<AggregateExpr>(*at).expr, store);
    case ExprKind::kUnary:
      return SelectsHistograms(*As<UnaryExpr>(*at).expr, store);
    case ExprKind::kParen:
      return SelectsHistograms(*As<ParenExpr>(*at).expr, store);
    default:
      return false;
  }
}

/// Runs the commands of one script, one after the other, on a store of its own.
class ScriptRunner {
 public:
  ScriptRunner(std::string_view name, const Evaluator& evaluator, const Report& report)
      : name_(name), evaluator_(evaluator), report_(report) {}

  ScriptSummary Run(std::string_view text);

 private:
  // Why a case failed: in which run, what differs, and what came if anything did.
  struct Failure {
    std::string run;
    std::string difference;
    std::string actual;
  };

  Status Load(const LoadCommand& load);
  Status LoadAll(const std::vector<LoadedSeries>& series, Duration step);
  void RunCase(const EvalCommand& eval);
  std::optional<Failure> RunRange(const EvalCommand& eval) const;
  std::optional<Failure> RunInstant(const EvalCommand& eval) const;
  std::optional<Failure> RunInstantAt(const EvalCommand& eval, const std::string& query,
                                      Timestamp at) const;
  std::optional<Failure> RunAroundInstant(const EvalCommand& eval, const std::string& query,
                                          Timestamp at, bool scalar) const;
  Result<QueryResult> Evaluate(const std::string& query, const QueryRange& range) const;
  bool UsesHistograms(const EvalCommand& eval) const;

  std::string_view name_;
  const Evaluator& evaluator_;
  const Report& report_;
  MemoryStore store_;
  ScriptSummary summary_;
};

ScriptSummary ScriptRunner::Run(std::string_view text) {
  const auto fail = [&](std::string_view message) {
    report_(fmt::format("FAIL {}: {}\n", name_, message));
    ++summary_.failed;
    return summary_;
  };
  const auto commands = ParseScript(text);
  if (!commands) return fail(commands.error().message());
  for (const Command& command : *commands) {
    if (std::holds_alternative<ClearCommand>(command)) {
      store_.Clear();
    } else if (const auto* load = std::get_if<LoadCommand>(&command)) {
      const Status loaded = Load(*load);
      if (!loaded) return fail("load: " + loaded.error().message());
    } else {
      RunCase(std::get<EvalCommand>(command));
    }
  }
  return summary_;
}

Status ScriptRunner::Load(const LoadCommand& load) {
  // If a load names a series twice, the later line counts.
  std::map<Labels, const LoadedSeries*> latest;
  for (const LoadedSeries& series : load.series) {
    latest[series.labels] = &series;
  }
  std::vector<LoadedSeries> unique;
  unique.reserve(latest.size());
  for (const auto& [labels, series] : latest) {
    unique.push_back(*series);
  }
  TRY(LoadAll(unique, load.step));
  if (!load.with_custom_buckets) return OkStatus();
  const std::vector<LoadedSeries> native = TRY(ToCustomBuckets(unique));
  return LoadAll(native, load.step);
}

Status ScriptRunner::LoadAll(const std::vector<LoadedSeries>& all, Duration step) {
  for (const LoadedSeries& series : all) {
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const DescribedValue& value = series.values[i];
      if (value.omitted) continue;
      const Timestamp t = Timestamp{} + step * static_cast<std::int64_t>(i);
      const bool has_start = !series.starts.empty() && series.starts[i];
      const Timestamp start = has_start ? t + *series.starts[i] : Timestamp{};
      const storage::AppendError error =
          value.histogram ? store_.Append(series.labels, t, *value.histogram, start)
                          : store_.Append(series.labels, t, value.v, start);
      if (error == storage::AppendError::kNone) continue;
      return Error(ErrorKind::kInvalid, fmt::format("{} at {} ms: {}", series.labels.ToString(),
                                                    t.ms, storage::ToString(error)));
    }
  }
  return OkStatus();
}

void ScriptRunner::RunCase(const EvalCommand& eval) {
  const auto failure = eval.is_range ? RunRange(eval) : RunInstant(eval);
  if (!failure) {
    ++summary_.passed;
    return;
  }
  ++summary_.failed;
  const bool histograms = UsesHistograms(eval);
  if (histograms) ++summary_.failed_with_histograms;
  std::string text = fmt::format("FAIL {}:{}: {}{}\n  {}\n  run: {}\n  expected:\n{}", name_,
                                 eval.line, eval.query, histograms ? " (native histograms)" : "",
                                 failure->difference, failure->run, DescribeExpected(eval));
  if (!failure->actual.empty()) text += "  actual:\n" + failure->actual;
  report_(text);
}

bool ScriptRunner::UsesHistograms(const EvalCommand& eval) const {
  for (const ExpectedSeries& series : eval.expected) {
    for (const DescribedValue& value : series.values) {
      if (value.histogram) return true;
    }
  }
  const auto expr = ParseExpr(eval.query, ScriptParserOptions());
  return expr && SelectsHistograms(**expr, store_);
}

Result<QueryResult> ScriptRunner::Evaluate(const std::string& query,
                                           const QueryRange& range) const {
  const ExprPtr expr = TRY(ParseExpr(query, ScriptParserOptions()));
  EvalOptions options = ScriptEvalOptions();
  options.query = query;
  return evaluator_.Evaluate(*expr, range, store_, options, nullptr);
}

std::optional<ScriptRunner::Failure> ScriptRunner::RunRange(const EvalCommand& eval) const {
  const std::string run = fmt::format("range from {} to {} step {} ms: {}", eval.start.ms,
                                      eval.end.ms, eval.step.count(), eval.query);
  const auto result = Evaluate(eval.query, {eval.start, eval.end, eval.step});
  if (!result || eval.fails) {
    const Status expected = result ? Error(ErrorKind::kInvalid, "expected an error but got none")
                                   : CompareFailure(eval, result.error().message());
    if (expected) return std::nullopt;
    return Failure{run, expected.error().message(), result ? DescribeResult(*result) : ""};
  }
  Status same = CompareAnnotations(eval, eval.query, result->annotations);
  if (same) same = CompareResult(eval, *result);
  if (same) return std::nullopt;
  return Failure{run, same.error().message(), DescribeResult(*result)};
}

// An instant query is run as it is, and pinned to its time at other times.
std::optional<ScriptRunner::Failure> ScriptRunner::RunInstant(const EvalCommand& eval) const {
  if (auto failure = RunInstantAt(eval, eval.query, eval.at)) return failure;
  const auto expr = ParseExpr(eval.query, ScriptParserOptions());
  if (!expr) return Failure{eval.query, expr.error().message(), ""};
  const auto pinned = PinToTime(**expr, eval.at);
  if (!pinned) return std::nullopt;
  const std::int64_t ms = eval.at.ms;
  std::vector<std::int64_t> times{-10 * ms, 0, ms / 5, ms, 10 * ms};
  if (ms == 0) times = {-1000, 0, 1000};
  for (const std::int64_t time : times) {
    if (auto failure = RunInstantAt(eval, *pinned, {time})) return failure;
  }
  return std::nullopt;
}

std::optional<ScriptRunner::Failure> ScriptRunner::RunInstantAt(const EvalCommand& eval,
                                                                const std::string& query,
                                                                Timestamp at) const {
  const std::string run = fmt::format("instant at {} ms: {}", at.ms, query);
  const auto result = Evaluate(query, {at, at, Duration(0)});
  if (!result || eval.fails) {
    const Status expected = result ? Error(ErrorKind::kInvalid, "expected an error but got none")
                                   : CompareFailure(eval, result.error().message());
    if (expected) return std::nullopt;
    return Failure{run, expected.error().message(), result ? DescribeResult(*result) : ""};
  }
  Status same = CompareAnnotations(eval, query, result->annotations);
  if (same) same = CompareResult(eval, *result);
  if (!same) return Failure{run, same.error().message(), DescribeResult(*result)};
  const bool has_range_form = !eval.expects_range_vector && !eval.expected_string;
  if (!has_range_form || MentionsQueryContext(query)) return std::nullopt;
  return RunAroundInstant(eval, query, at, std::holds_alternative<ScalarResult>(result->value));
}

// The same query as a range query around its time must give the same in the middle.
std::optional<ScriptRunner::Failure> ScriptRunner::RunAroundInstant(const EvalCommand& eval,
                                                                    const std::string& query,
                                                                    Timestamp at,
                                                                    bool scalar) const {
  constexpr Duration kMinute{60'000};
  const std::string run = fmt::format("range around {} ms: {}", at.ms, query);
  const auto range = Evaluate(query, {at - kMinute, at + kMinute, kMinute});
  if (!range) return Failure{run, range.error().message(), ""};
  if (eval.ordered) return std::nullopt;  // A range query sorts its series by labels.
  const auto* matrix = std::get_if<MatrixResult>(&range->value);
  if (matrix == nullptr) return Failure{run, "a range query must give a matrix", ""};
  Status same = CheckSorted(*matrix);
  if (!same) return Failure{run, same.error().message(), DescribeResult(*range)};
  QueryResult middle;
  VectorResult vector;
  for (const ResultSeries& series : matrix->series) {
    const auto point = std::ranges::find(series.points, at, &SamplePoint::t);
    if (point != series.points.end()) vector.series.push_back({series.labels, {*point}});
  }
  if (scalar && vector.series.size() == 1) {
    middle.value = ScalarResult{at, vector.series[0].points[0].v};
  } else {
    middle.value = std::move(vector);
  }
  same = CompareResult(eval, middle);
  if (same) return std::nullopt;
  return Failure{run, same.error().message(), DescribeResult(middle)};
}

}  // namespace

ParserOptions ScriptParserOptions() {
  ParserOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.binop_fill_modifiers = true;
  return options;
}

EvalOptions ScriptEvalOptions() {
  EvalOptions options;
  options.max_samples = 10'000;
  options.timeout = Duration(100'000);
  options.delayed_name_removal = true;
  options.use_start_timestamps = true;
  return options;
}

ScriptSummary RunScript(std::string_view name, std::string_view text, const Evaluator& evaluator,
                        const Report& report) {
  return ScriptRunner(name, evaluator, report).Run(text);
}

int RunPromqlTests(Env& env, std::span<const std::string> files, const Evaluator& evaluator,
                   const Report& report) {
  ScriptSummary total;
  for (const std::string& file : files) {
    const auto text = env.ReadFile(file, kMaxScriptBytes);
    if (!text) {
      report(fmt::format("FAIL {}\n", text.error().message()));
      ++total.failed;
      continue;
    }
    const ScriptSummary summary = RunScript(file, *text, evaluator, report);
    total.passed += summary.passed;
    total.failed += summary.failed;
    total.failed_with_histograms += summary.failed_with_histograms;
  }
  if (total.failed_with_histograms > 0) {
    report(fmt::format("{} of the failed cases use native histograms\n",
                       total.failed_with_histograms));
  }
  report(fmt::format("{} passed, {} failed\n", total.passed, total.failed));
  return total.failed == 0 ? 0 : 1;
}

}  // namespace sonde::promql
