#include "api/query_service.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "api/params.h"
#include "promql/parser.h"

namespace sonde::api {
namespace {

constexpr std::array<double, 12> kSecondsBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                0.05,   0.1,   0.5,    1,     5,    30};
constexpr std::size_t kMaxAnnotations = 10;

// The API shows ten of each kind and says how many it left out.
std::vector<std::string> Shown(std::string_view prefix, const std::vector<std::string>& texts,
                               std::string_view kind) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(texts.size(), kMaxAnnotations); ++i) {
    shown.push_back(std::string(prefix) + texts[i]);
  }
  if (texts.size() > kMaxAnnotations) {
    shown.push_back(std::to_string(texts.size() - kMaxAnnotations) + " more " + std::string(kind) +
                    " annotations omitted");
  }
  return shown;
}

// Cuts the result to `limit` series; true if something was cut.
bool Truncate(promql::QueryResult& result, std::size_t limit) {
  const auto cut = [&](std::vector<promql::ResultSeries>& series) {
    if (series.size() <= limit) return false;
    series.resize(limit);
    return true;
  };
  if (auto* vector = std::get_if<promql::VectorResult>(&result.value)) return cut(vector->series);
  if (auto* matrix = std::get_if<promql::MatrixResult>(&result.value)) return cut(matrix->series);
  return false;
}

Error EndBeforeStart() {
  return InvalidParameter(
      "end", Error(ErrorKind::kInvalid, "end timestamp must not be before start time"));
}

double Seconds(std::int64_t nanos) {
  return static_cast<double>(nanos) / 1e9;
}

}  // namespace

QueryService::QueryService(const promql::Evaluator& evaluator, const storage::Queryable& store,
                           ThreadPool& workers, const Clock& clock, instrument::Registry& registry,
                           QueryOptions options)
    : evaluator_(evaluator),
      store_(store),
      workers_(workers),
      clock_(clock),
      options_(options),
      instant_seconds_(registry.GetHistogram("sonde_query_duration_seconds",
                                             "Time from asking to answer of queries.",
                                             kSecondsBounds, {{"type", "instant"}})),
      range_seconds_(registry.GetHistogram("sonde_query_duration_seconds",
                                           "Time from asking to answer of queries.", kSecondsBounds,
                                           {{"type", "range"}})),
      samples_(registry.GetCounter("prometheus_engine_query_samples_total",
                                   "Samples that queries have read.")),
      failures_(
          registry.GetCounter("sonde_query_failures_total", "Queries that ended with an error.")),
      refused_(registry.GetCounter("sonde_query_refused_total",
                                   "Queries refused because too many waited.")) {
  registry.AddCallback(
      "prometheus_engine_queries", "Queries being evaluated or waiting for a worker.",
      instrument::FamilyType::kGauge,
      [this] { return static_cast<double>(running_.load(std::memory_order_relaxed)); });
}

Result<QueryRequest> QueryService::CommonParameters(const net::Query& parameters) const {
  QueryRequest request;
  request.text = parameters.Get("query");
  request.eval = options_.eval;
  request.limit = TRY(LimitParam(parameters));
  if (const std::string_view text = parameters.Get("timeout"); !text.empty()) {
    auto timeout = ParseDurationParam(text);
    if (!timeout) return InvalidParameter("timeout", timeout.error());
    // A client may ask for less time than the server allows, not for more.
    request.eval.timeout = std::min(*timeout, options_.eval.timeout);
  }
  if (const std::string_view text = parameters.Get("lookback_delta"); !text.empty()) {
    auto lookback = ParseDurationParam(text);
    if (!lookback)
      return Error(ErrorKind::kInvalid,
                   "error parsing lookback delta duration: " + lookback.error().message());
    if (lookback->count() > 0) request.eval.lookback = *lookback;
  }
  if (const std::string_view stats = parameters.Get("stats"); !stats.empty()) {
    request.stats = stats == "all" ? StatsMode::kAll : StatsMode::kTimings;
  }
  return request;
}

Answer QueryService::Instant(net::Fiber& fiber, net::HttpResponse& response,
                             const net::Query& parameters) {
  auto request = CommonParameters(parameters);
  if (!request) return Answer::Failure(request.error());
  const auto time = TimeParam(parameters, "time", clock_.Now());
  if (!time) return Answer::Failure(time.error());
  request->range = {*time, *time, Duration(0)};
  return Run(fiber, response, *request, true);
}

Answer QueryService::Range(net::Fiber& fiber, net::HttpResponse& response,
                           const net::Query& parameters) {
  auto request = CommonParameters(parameters);
  if (!request) return Answer::Failure(request.error());
  for (const std::string_view name : {"start", "end", "step"}) {
    if (parameters.Get(name).empty()) {
      const std::string what = name == "step" ? "cannot parse \"\" to a valid duration"
                                              : "cannot parse \"\" to a valid timestamp";
      return Answer::Failure(InvalidParameter(name, Error(ErrorKind::kInvalid, what)));
    }
  }
  const auto start = ParseTime(parameters.Get("start"));
  if (!start) return Answer::Failure(InvalidParameter("start", start.error()));
  const auto end = ParseTime(parameters.Get("end"));
  if (!end) return Answer::Failure(InvalidParameter("end", end.error()));
  if (*end < *start) return Answer::Failure(EndBeforeStart());
  const auto step = ParseDurationParam(parameters.Get("step"));
  if (!step) return Answer::Failure(InvalidParameter("step", step.error()));
  if (step->count() <= 0) {
    return Answer::Failure(
        InvalidParameter("step", Error(ErrorKind::kInvalid,
                                       "zero or negative query resolution step widths are not "
                                       "accepted. Try a positive integer")));
  }
  // Without overflow even for the smallest and largest instants.
  const auto span = static_cast<std::uint64_t>(end->ms) - static_cast<std::uint64_t>(start->ms);
  if (span / static_cast<std::uint64_t>(step->count()) >
      static_cast<std::uint64_t>(options_.max_points)) {
    return Answer::Failure(Error(
        ErrorKind::kInvalid,
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
        "resolution (?step=XX)"));
  }
  request->range = {*start, *end, *step};
  return Run(fiber, response, *request, false);
}

Answer QueryService::Run(net::Fiber& fiber, net::HttpResponse& response,
                         const QueryRequest& request, bool instant) {
  if (workers_.queued() >= options_.max_queued) {
    refused_.Add();
    return Answer::Failure({503, "unavailable"}, "too many queries are waiting (query.max-queued)");
  }
  promql::CancelFlag cancel;
  response.OnDisconnect([&cancel] { cancel.Cancel(); });
  const std::int64_t asked_at = clock_.MonotonicNanos();
  running_.fetch_add(1, std::memory_order_relaxed);
  Answer answer = fiber.Await(workers_, [&] { return Evaluate(request, asked_at, cancel); });
  running_.fetch_sub(1, std::memory_order_relaxed);
  response.OnDisconnect({});  // `cancel` is about to go.
  const double seconds = Seconds(clock_.MonotonicNanos() - asked_at);
  (instant ? instant_seconds_ : range_seconds_).Observe(seconds);
  if (answer.status != 200) failures_.Add();
  return answer;
}

Answer QueryService::Evaluate(const QueryRequest& request, std::int64_t queued_at,
                              const promql::CancelFlag& cancel) {
  const double queued = Seconds(clock_.MonotonicNanos() - queued_at);
  if (queued * 1000 >= static_cast<double>(request.eval.timeout.count())) {
    return Answer::Failure({503, "timeout"}, "query timed out in query queue");
  }
  const auto expr = promql::ParseExpr(request.text, options_.parser);
  if (!expr)
    return Answer::Failure({400, "bad_data"}, InvalidParameter("query", expr.error()).message());
  if (!request.range.instant()) {
    const promql::ValueType type = promql::TypeOf(**expr);
    if (type != promql::ValueType::kScalar && type != promql::ValueType::kVector) {
      return Answer::Failure({400, "bad_data"},
                             "invalid parameter \"query\": invalid expression type \"" +
                                 std::string(Describe(type)) +
                                 "\" for range query, must be Scalar or instant Vector");
    }
  }
  auto result = evaluator_.Evaluate(**expr, request.range, store_, request.eval, &cancel);
  if (!result)
    return Answer::Failure(DescribeQueryError(result.error().kind()), result.error().message());
  samples_.Add(static_cast<double>(result->statistics.samples_read));
  result->statistics.queue_seconds = queued;
  std::vector<std::string> warnings =
      Shown("PromQL warning: ", result->annotations.warnings, "warning");
  const std::vector<std::string> infos = Shown("PromQL info: ", result->annotations.infos, "info");
  if (request.limit > 0 && Truncate(*result, request.limit)) {
    warnings.emplace_back("results truncated due to limit");
  }
  return Answer::Success(QueryData(*result, request.stats), warnings, infos);
}

}  // namespace sonde::api
