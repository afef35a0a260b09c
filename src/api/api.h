#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/envelope.h"
#include "api/query_service.h"
#include "api/rules_service.h"
#include "api/sonde_routes.h"
#include "api/status.h"
#include "api/targets_service.h"
#include "base/regex.h"
#include "base/thread_pool.h"
#include "instrument/registry.h"
#include "net/http_server.h"
#include "remote/write_receiver.h"
#include "scrape/scraper.h"
#include "storage/storage.h"

// Every HTTP path of the server but the gateway's: Prometheus's API below /api/v1, health,
// lifecycle, /metrics, and the web page for all that is left.

namespace sonde::api {

struct ApiOptions {
  std::string route_prefix;        ///< "" or "/sonde": in front of every path.
  std::string cors_origin = ".*";  ///< Anchored pattern of Origin headers that may call.
  bool enable_lifecycle = false;
  bool enable_remote_write = true;
  std::uint64_t max_form_bytes = 10 << 20;
  std::uint64_t max_write_bytes = 64ULL << 20;  ///< Compressed.
};

/// What the handlers ask once the store is open. All references must outlive the Api, or its
/// Detach.
struct ApiBackends {
  const storage::Queryable& store;
  const promql::Evaluator& evaluator;
  remote::WriteReceiver& write_receiver;
  const scrape::Scraper& scraper;
  MetadataSource metadata;
  RuleGroupsSource rule_groups = {};
};

/// What it can ask at any time.
struct ApiContext {
  ThreadPool& query_workers;
  ThreadPool& ingest_workers;
  const Clock& clock;
  instrument::Registry& registry;
  StatusSources status;
  QueryOptions query;
  std::function<Status()> reload;
  std::function<void()> quit;              ///< Asks the process to end.
  std::function<std::string()> host_page;  ///< For /metrics/host; empty: none.
  std::function<std::string()> gpu_page;   ///< For /metrics/gpu; empty: none.
  std::function<void(net::HttpRequest&, net::HttpResponse&, std::string_view path)>
      page;  ///< The web UI.
  std::vector<SondeRoute> sonde_routes = {};
};

/// Routes requests. Thread-safe. Until Attach is called everything that needs the store answers
/// 503.
class Api {
 public:
  /// kInvalid for a cors_origin that is no pattern.
  static Result<std::unique_ptr<Api>> Make(ApiOptions options, ApiContext context);
  ~Api();

  /// The server is ready. At most once.
  void Attach(const ApiBackends& backends);
  /// It is about to stop: everything that needs the store answers 503 again. Requests under way go
  /// on.
  void Detach();

  /// The handler for net::HttpServer.
  void Handle(net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response);

 private:
  struct Backend;
  struct Call;
  using Handler = Answer (Api::*)(Call&);
  struct Route;

  Api(ApiOptions options, ApiContext context, Regex cors_origin);

  static std::span<const Route> Routes();
  void Dispatch(Call& call, const Route& route);
  const SondeRoute* FindSondeRoute(std::string_view path, std::string_view& path_value) const;
  void DispatchSonde(Call& call, const SondeRoute& route);
  /// Checks the method, and that the store is open if need be; reads the parameters. False: it has
  /// been answered.
  bool Begin(Call& call, bool allowed, bool needs_store) const;
  void AddCorsHeaders(const net::HttpRequest& request, net::HttpResponse& response) const;

  Answer Query(Call& call);
  Answer QueryRange(Call& call);
  Answer QueryExemplars(Call& call);
  Answer FormatQuery(Call& call);
  Answer ParseQuery(Call& call);
  Answer Series(Call& call);
  Answer LabelNames(Call& call);
  Answer LabelValues(Call& call);
  Answer Metadata(Call& call);
  Answer Targets(Call& call);
  Answer TargetMetadata(Call& call);
  Answer RelabelSteps(Call& call);
  Answer ScrapePools(Call& call);
  Answer ScrapePoolConfig(Call& call);
  Answer Rules(Call& call);
  Answer Alerts(Call& call);
  Answer Alertmanagers(Call& call);
  Answer BuildInfo(Call& call);
  Answer RuntimeInfo(Call& call);
  Answer ConfigYaml(Call& call);
  Answer Flags(Call& call);
  Answer Tsdb(Call& call);
  Answer TsdbBlocks(Call& call);
  Answer WalReplay(Call& call);
  Answer Write(Call& call);
  Answer Healthy(Call& call);
  Answer Ready(Call& call);
  Answer Reload(Call& call);
  Answer Quit(Call& call);
  Answer SelfMetrics(Call& call);
  Answer HostMetrics(Call& call);
  Answer GpuMetrics(Call& call);

  const ApiOptions options_;
  const ApiContext context_;
  const Regex cors_origin_;
  std::unique_ptr<Backend> backend_;  // Written once, by Attach.
  std::atomic<Backend*> attached_{nullptr};
};

}  // namespace sonde::api
