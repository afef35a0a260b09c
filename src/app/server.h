#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/api.h"
#include "app/alertmanager_wiring.h"
#include "app/engine_wiring.h"
#include "app/probe_wiring.h"
#include "app/rule_wiring.h"
#include "app/serve_options.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "collect/engine/vocabulary_mapper.h"
#include "collect/gpu/gpu_collector.h"
#include "collect/host/host_collector.h"
#include "config/config.h"
#include "discovery/discoverer.h"
#include "gateway/gateway.h"
#include "insight/blind_spot_watch.h"
#include "insight/progress_watch.h"
#include "instrument/registry.h"
#include "model/alert.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "promql/engine.h"
#include "remote/write_receiver.h"
#include "scrape/scraper.h"
#include "tsdb/database.h"
#include "webui/web_ui.h"

namespace sonde::app {

/// The whole of `sonde serve`: everything that runs, constructed here in the order in which it is
/// declared, and destroyed in reverse. Members of one that refer to another come after it.
///
/// Start once; Stop is idempotent. Reload may be called by any thread. Nothing here has logic of
/// its own.
class Server {
 public:
  /// Checks options and configuration, opens the listening sockets, replays the store and starts
  /// everything. When it returns the server is ready. While the log is replayed the API answers 503
  /// and tells how far it is.
  ///
  /// `quit` is called, on a loop thread, when somebody asks the process to end through the API.
  static Result<std::unique_ptr<Server>> Start(ServeOptions options, LogSink& sink,
                                               std::function<void()> quit);
  ~Server();

  /// Reads the configuration file again. After an error everything goes on as it was. What only a
  /// start can change (host and own page, engines to look for, mapping files, addresses) stays; a
  /// warning names it.
  Status Reload() EXCLUDES(reload_mutex_);
  void Stop();

  std::uint16_t web_port() const { return web_servers_.front()->port(); }
  std::uint16_t gateway_port() const { return gateway_ == nullptr ? 0 : gateway_->port(); }
  const Logger& logger() const { return logger_; }

 private:
  Server(ServeOptions options, LogSink& sink, LogLevel level, std::function<void()> quit);

  Status StartAll();
  Status Configure();
  Status ReadShippedPrices();
  Status CompileMapper(const config::Config& config);
  Status StartApi();
  Status OpenStore(const config::Config& config);
  Status StartSources(const config::Config& config);
  Status StartProbes(const config::Config& config);
  Status StartRules(const config::Config& config);
  Status StartAlerting();
  void TakeAlerts(std::vector<Alert> alerts);
  insight::ProgressHooks MakeProgressHooks();
  void AddInternalTargets(const config::Config& config);
  void ApplyScrapeConfig(const config::Config& config);

  Result<std::shared_ptr<const config::Config>> LoadConfig();
  std::shared_ptr<const config::Config> config() const EXCLUDES(config_mutex_);
  gateway::GatewayOptions GatewayOptionsOf(const config::Config& config) const;
  api::ApiContext MakeApiContext();
  std::vector<api::SondeRoute> MakeSondeRoutes();
  api::StatusSources MakeStatusSources();
  api::RuntimeStatus Runtime() const EXCLUDES(config_mutex_);
  api::TsdbStatus StoreStatus(std::size_t limit) const;

  // What everything stands on.
  const ServeOptions options_;
  SystemClock clock_;
  PosixEnv env_;
  const Logger logger_;
  const Timestamp started_;
  const std::function<void()> quit_;
  instrument::Registry registry_;
  net::LoopGroup loops_;
  ThreadPool ingest_workers_;
  ThreadPool query_workers_;

  // The configuration in effect.
  Mutex reload_mutex_;  // Held during a reload.
  mutable Mutex config_mutex_;
  std::shared_ptr<const config::Config> config_ GUARDED_BY(config_mutex_);
  bool reload_ok_ GUARDED_BY(config_mutex_) = true;
  Timestamp config_loaded_ GUARDED_BY(config_mutex_);

  std::vector<gateway::PriceOptions> shipped_prices_;  // Of packs/; since the start.

  // The way of the data.
  std::unique_ptr<collect::VocabularyMapper> mapper_;
  tsdb::ReplayProgress replay_;
  std::unique_ptr<tsdb::Database> database_;
  std::unique_ptr<promql::Evaluator> evaluator_;
  std::unique_ptr<remote::WriteReceiver> write_receiver_;
  std::unique_ptr<scrape::Scraper> scraper_;
  std::unique_ptr<discovery::Discoverer> discoverer_;
  std::unique_ptr<collect::HostCollector> host_;
  std::unique_ptr<collect::GpuCollector> gpu_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::atomic<gateway::Gateway*> running_gateway_{nullptr};  // For the API, which is there before.
  std::unique_ptr<EngineWiring> engines_;
  std::unique_ptr<insight::ProgressWatch> progress_;
  std::unique_ptr<ProbeWiring> probes_;
  std::unique_ptr<insight::BlindSpotWatch> blind_spots_;
  std::unique_ptr<RuleWiring> rules_;

  std::unique_ptr<AlertmanagerWiring> alerting_;

  // What others see.
  std::unique_ptr<webui::WebUi> web_ui_;
  std::unique_ptr<api::Api> api_;
  std::vector<std::unique_ptr<net::HttpServer>> web_servers_;
  std::atomic<bool> stopped_{false};
};

}  // namespace sonde::app
