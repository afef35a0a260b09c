#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/envelope.h"
#include "api/result_json.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "promql/engine.h"
#include "storage/storage.h"

namespace sonde::api {

struct QueryOptions {
  promql::ParserOptions parser;
  promql::EvalOptions eval;
  std::size_t max_queued = 1000;     ///< Queries that wait for a worker; more are refused.
  std::int64_t max_points = 11'000;  ///< Steps of a range query.
};

/// One query as asked for through the API, parameters already checked.
struct QueryRequest {
  std::string text;
  promql::QueryRange range;
  promql::EvalOptions eval;
  std::size_t limit = 0;  ///< Series in the answer; 0: all.
  StatsMode stats = StatsMode::kNone;
};

/// Evaluates queries on the query workers, with limits, cancellation and statistics. Thread-safe.
class QueryService {
 public:
  /// All references must outlive it.
  QueryService(const promql::Evaluator& evaluator, const storage::Queryable& store,
               ThreadPool& workers, const Clock& clock, instrument::Registry& registry,
               QueryOptions options);

  /// Handlers of /api/v1/query and /api/v1/query_range; `parameters` hold URL and form.
  Answer Instant(net::Fiber& fiber, net::HttpResponse& response, const net::Query& parameters);
  Answer Range(net::Fiber& fiber, net::HttpResponse& response, const net::Query& parameters);

  const QueryOptions& options() const { return options_; }

 private:
  Result<QueryRequest> CommonParameters(const net::Query& parameters) const;
  Answer Run(net::Fiber& fiber, net::HttpResponse& response, const QueryRequest& request,
             bool instant);
  Answer Evaluate(const QueryRequest& request, std::int64_t queued_at,
                  const promql::CancelFlag& cancel);

  const promql::Evaluator& evaluator_;
  const storage::Queryable& store_;
  ThreadPool& workers_;
  const Clock& clock_;
  const QueryOptions options_;
  std::atomic<int> running_{0};
  instrument::Histogram& instant_seconds_;
  instrument::Histogram& range_seconds_;
  instrument::Counter& samples_;
  instrument::Counter& failures_;
  instrument::Counter& refused_;
};

}  // namespace sonde::api
