#include "app/server.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

#include <unistd.h>

#include "api/self_metrics.h"
#include "app/blind_spot_routes.h"
#include "app/features.h"
#include "app/feedback_routes.h"
#include "app/gateway_routes.h"
#include "app/insight_routes.h"
#include "app/mapping_files.h"
#include "app/packs.h"
#include "app/process.h"
#include "app/server_options.h"
#include "app/version.h"
#include "base/duration.h"
#include "config/price_file.h"
#include "tsdb/block_meta.h"

namespace sonde::app {
namespace {

// Without a file: this machine, Sonde itself and the engines that are found, each 15 s (engines: 5
// s).
constexpr std::string_view kDefaultConfig = "global: {scrape_interval: 15s}\n";

std::size_t Cores() {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::vector<api::NamedCount> Counts(const std::vector<tsdb::NamedCount>& counts) {
  std::vector<api::NamedCount> out;
  out.reserve(counts.size());
  for (const tsdb::NamedCount& count : counts)
    out.push_back({count.name, count.count});
  return out;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServeOptions options, LogSink& sink,
                                              std::function<void()> quit) {
  const LogLevel level = TRY(ParseLogLevel(options.log_level));
  std::unique_ptr<Server> server(new Server(std::move(options), sink, level, std::move(quit)));
  if (Status status = server->StartAll(); !status) {
    server->Stop();
    return std::move(status).error();
  }
  return server;
}

Server::Server(ServeOptions options, LogSink& sink, LogLevel level, std::function<void()> quit)
    : options_(std::move(options)),
      logger_(sink, clock_, level,
              options_.log_format == "json" ? LogFormat::kJson : LogFormat::kLogfmt),
      started_(clock_.Now()),
      quit_(std::move(quit)),
      ingest_workers_(Cores(), "work"),
      query_workers_(
          std::min<std::size_t>(options_.max_concurrency, std::max<std::size_t>(2, Cores())),
          "query") {}

Server::~Server() {
  Stop();
}

Status Server::StartAll() {
  const api::BuildStatus build = BuildInfo();
  logger_.Info("starting Sonde", {{"version", build.version}, {"revision", build.revision}});
  for (const std::string& flag : options_.ignored_flags) {
    logger_.Warn("this flag of Prometheus has no effect here", {{"flag", "--" + flag}});
  }
  for (const std::string& feature : UnknownFeatures(options_.features)) {
    logger_.Warn("unknown feature in --enable-feature", {{"feature", feature}});
  }
  TRY(Configure());
  const auto loaded = config();
  TRY(StartApi());
  TRY(OpenStore(*loaded));
  TRY(StartSources(*loaded));
  TRY(StartProbes(*loaded));
  TRY(StartAlerting());
  TRY(StartRules(*loaded));
  api_->Attach({*database_, *evaluator_, *write_receiver_, *scraper_,
                [this](std::string_view metric) {
                  std::vector<api::StoredMetadata> all;
                  for (tsdb::MetadataTable::Entry& entry : database_->metadata(metric, 0)) {
                    all.push_back({std::move(entry.metric), std::move(entry.variants)});
                  }
                  return all;
                },
                [this] { return rules_->groups(); }});
  const Duration took(clock_.Now().ms - started_.ms);
  logger_.Info("ready", {{"web", "http://" + options_.web_listen_addresses.front()},
                         {"gateway", gateway_ == nullptr
                                         ? "off"
                                         : "http://" + GatewayOptionsOf(*loaded).listen_address},
                         {"after", took}});
  return OkStatus();
}

// -------------------------------------------------------------------------------------------
// configuration

Result<std::shared_ptr<const config::Config>> Server::LoadConfig() {
  const config::LoadOptions load{.environment = EnvironmentVariable};
  auto config = options_.config_file.empty() ? config::Parse(env_, kDefaultConfig, "", load)
                                             : config::Load(env_, options_.config_file, load);
  if (!config) return config;
  for (const std::string& warning : (*config)->warnings) {
    logger_.Warn("configuration", {{"warning", warning}});
  }
  return config;
}

std::shared_ptr<const config::Config> Server::config() const {
  MutexLock lock(config_mutex_);
  return config_;
}

Status Server::Configure() {
  for (const std::string& engine : options_.engines) {
    if (auto url = net::Url::Parse(engine); !url) return std::move(url).error().Wrap("--engine");
  }
  auto loaded = TRY(LoadConfig());
  {
    MutexLock lock(config_mutex_);
    config_ = loaded;
    config_loaded_ = clock_.Now();
  }
  TRY(ReadShippedPrices());
  TRY(CompileMapper(*loaded));
  if (options_.host && loaded->sonde.host.enabled) {
    host_ = TRY(collect::HostCollector::Make(loaded->sonde.host_collector, clock_, logger_));
  }
  if (options_.host && loaded->sonde.gpu.enabled) {
    gpu_ = std::make_unique<collect::GpuCollector>(loaded->sonde.gpu_collector, clock_, logger_);
  }
  return OkStatus();
}

Status Server::ReadShippedPrices() {
  for (const EmbeddedFile& file : PacksFiles()) {
    if (!file.path.starts_with("prices/")) continue;
    auto prices = TRY(config::ParsePriceFile(file.contents, file.path));
    shipped_prices_.insert(shipped_prices_.end(), prices.begin(), prices.end());
  }
  return OkStatus();
}

Status Server::CompileMapper(const config::Config& config) {
  std::vector<collect::MappingFile> files = TRY(LoadMappings(env_, config.sonde.mapping_files));
  mapper_ =
      TRY(collect::VocabularyMapper::Compile(std::move(files), config.sonde.vocabulary_prefix));
  return OkStatus();
}

gateway::GatewayOptions Server::GatewayOptionsOf(const config::Config& config) const {
  gateway::GatewayOptions options = config.sonde.gateway;
  if (!options_.gateway_listen_address.empty())
    options.listen_address = options_.gateway_listen_address;
  options.prices = config.sonde.prices.WithShipped(shipped_prices_);
  return options;
}

Status Server::Reload() {
  MutexLock reload_lock(reload_mutex_);
  const auto before = config();
  Status status = [&]() -> Status {
    const auto loaded = TRY(LoadConfig());
    LoadedRules rules;
    if (rules_ != nullptr) rules = TRY(rules_->Load(*loaded));
    if (engines_ != nullptr) TRY(engines_->Reload(GatewayOptionsOf(*loaded), loaded->scrape));
    if (alerting_ != nullptr) TRY(alerting_->Reload());
    ApplyScrapeConfig(*loaded);
    if (rules_ != nullptr) TRY(rules_->Apply(std::move(rules), *loaded));
    const auto warn_if = [&](bool changed, const char* what) {
      if (changed) logger_.Warn("this change needs a restart", {{"section", what}});
    };
    warn_if(loaded->sonde.vocabulary_prefix != before->sonde.vocabulary_prefix,
            "sonde.vocabulary.prefix");
    warn_if(loaded->sonde.mapping_files != before->sonde.mapping_files, "sonde.mappings");
    warn_if(loaded->sonde.engines.urls != before->sonde.engines.urls, "sonde.engines.targets");
    warn_if(loaded->sonde.progress != before->sonde.progress, "sonde.progress");
    warn_if(loaded->sonde.host.enabled != before->sonde.host.enabled ||
                loaded->sonde.host.interval != before->sonde.host.interval,
            "sonde.host");
    warn_if(loaded->sonde.gpu.enabled != before->sonde.gpu.enabled ||
                loaded->sonde.gpu.interval != before->sonde.gpu.interval,
            "sonde.gpu");
    warn_if(GatewayOptionsOf(*loaded).listen_address != GatewayOptionsOf(*before).listen_address,
            "sonde.gateway.listen_address");
    warn_if(loaded->sonde.probes != before->sonde.probes, "sonde.probes");
    warn_if(loaded->storage.retention != before->storage.retention, "storage.tsdb.retention.time");
    MutexLock lock(config_mutex_);
    config_ = loaded;
    config_loaded_ = clock_.Now();
    return OkStatus();
  }();
  MutexLock lock(config_mutex_);
  reload_ok_ = status.ok();
  if (status) {
    logger_.Info("configuration reloaded", {{"file", options_.config_file}});
  } else {
    logger_.Error("configuration not reloaded; the old one stays in effect",
                  {{"err", status.error()}});
  }
  return status;
}

// -----------------------------------------------------------------------------------------------------
// API

Status Server::StartApi() {
  const std::string external_prefix = PathOf(options_.external_url);
  const std::string route_prefix =
      options_.route_prefix.empty() ? external_prefix : PathOf(options_.route_prefix);
  web_ui_ = std::make_unique<webui::WebUi>(webui::DistFiles(), external_prefix);
  alerting_ = std::make_unique<AlertmanagerWiring>(
      AlertmanagerWiring::Context{.loops = loops_,
                                  .pool = ingest_workers_,
                                  .env = env_,
                                  .clock = clock_,
                                  .logger = logger_.With("alerting"),
                                  .registry = registry_});

  const api::BuildStatus build = BuildInfo();
  api::AddProcessMetrics(registry_, build.version, build.revision);
  registry_.AddCallback("sonde_config_last_reload_successful",
                        "1 if the last reload of the configuration worked.",
                        instrument::FamilyType::kGauge, [this] {
                          MutexLock lock(config_mutex_);
                          return reload_ok_ ? 1.0 : 0.0;
                        });

  api::ApiOptions api_options;
  api_options.route_prefix = route_prefix;
  api_options.cors_origin = options_.cors_origin;
  api_options.enable_lifecycle = options_.enable_lifecycle;
  api_options.enable_remote_write = options_.enable_remote_write;
  api::ApiContext context = MakeApiContext();
  context.query = TRY(QueryOptionsOf(options_, *config()));
  api_ = TRY(api::Api::Make(std::move(api_options), std::move(context)));

  net::HttpServerOptions server_options;
  server_options.max_connections = options_.max_connections;
  auto idle = ParseDuration(options_.read_timeout);
  if (!idle) return std::move(idle).error().Wrap("--web.read-timeout");
  server_options.idle_timeout = *idle;
  for (const std::string& text : options_.web_listen_addresses) {
    auto address = net::ListenAddress::Parse(text);
    if (!address) return std::move(address).error().Wrap("--web.listen-address");
    auto server = std::make_unique<net::HttpServer>(
        loops_, server_options,
        [this](net::Fiber& fiber, net::HttpRequest& request, net::HttpResponse& response) {
          api_->Handle(fiber, request, response);
        },
        logger_.With("web"), registry_, "web");
    TRY(server->Start(*address));
    web_servers_.push_back(std::move(server));
  }
  return OkStatus();
}

api::ApiContext Server::MakeApiContext() {
  api::ApiContext context{
      .query_workers = query_workers_,
      .ingest_workers = ingest_workers_,
      .clock = clock_,
      .registry = registry_,
      .status = MakeStatusSources(),
      .query = {},
      .reload = [this] { return Reload(); },
      .quit = quit_,
      .host_page = {},
      .gpu_page = {},
      .page = [this](net::HttpRequest& request, net::HttpResponse& response,
                     std::string_view path) { web_ui_->Serve(request, response, path); }};
  context.sonde_routes = MakeSondeRoutes();
  if (host_ != nullptr) context.host_page = [this] { return host_->Collect(); };
  if (gpu_ != nullptr) context.gpu_page = [this] { return gpu_->Collect(); };
  return context;
}

Status Server::StartAlerting() {
  std::string url = options_.external_url.empty()
                        ? "http://" + HostName() + ":" + std::to_string(web_port())
                        : options_.external_url;
  while (url.ends_with('/'))
    url.pop_back();
  return alerting_->Start(options_.alertmanager_file, options_.storage_path + "/alerting", url);
}

std::vector<api::SondeRoute> Server::MakeSondeRoutes() {
  std::vector<api::SondeRoute> all;
  const auto add = [&](std::vector<api::SondeRoute> routes) {
    std::ranges::move(routes, std::back_inserter(all));
  };
  add(GatewayRoutes([this] { return running_gateway_.load(); }, logger_.With("gateway")));
  all.push_back(FeedbackRoute([this] { return running_gateway_.load(); }));
  add(alerting_->Routes());
  add(BlindSpotRoutes([this] { return blind_spots_.get(); }));
  add(InsightRoutes({.progress =
                         [this] {
                           return progress_ == nullptr ? std::vector<insight::EngineProgress>()
                                                       : progress_->engines();
                         },
                     .store = [this]() -> const storage::Queryable& { return *database_; },
                     .evaluator = [this]() -> const promql::Evaluator& { return *evaluator_; },
                     .prefix = config()->sonde.vocabulary_prefix,
                     .clock = clock_}));
  return all;
}

api::StatusSources Server::MakeStatusSources() {
  api::StatusSources status;
  status.build = BuildInfo();
  status.flags = options_.flags;
  status.runtime = [this] { return Runtime(); };
  status.config_yaml = [this] { return config()->yaml; };
  status.tsdb = [this](std::size_t limit) { return StoreStatus(limit); };
  status.block_metas = [this] {
    std::vector<std::string> metas;
    for (const tsdb::BlockMeta& block : database_->blocks())
      metas.push_back(tsdb::FormatBlockMeta(block));
    return metas;
  };
  status.wal_replay = [this] {
    return api::WalReplayStatus{replay_.min, replay_.max, replay_.current};
  };
  return status;
}

api::RuntimeStatus Server::Runtime() const {
  api::RuntimeStatus runtime;
  runtime.start_time = started_;
  runtime.server_time = clock_.Now();
  std::error_code ignored;
  runtime.working_directory = std::filesystem::current_path(ignored).string();
  runtime.hostname = HostName();
  for (std::filesystem::directory_iterator it("/proc/self/task", ignored), end; it != end;
       it.increment(ignored)) {
    ++runtime.threads;
  }
  const auto loaded = config();
  const std::string configured = loaded->storage.retention
                                     ? FormatDuration(*loaded->storage.retention)
                                     : std::string(kDefaultRetention);
  runtime.storage_retention =
      options_.retention_time.empty() ? configured : options_.retention_time;
  MutexLock lock(config_mutex_);
  runtime.reload_success = reload_ok_;
  runtime.last_config_time = config_loaded_;
  return runtime;
}

api::TsdbStatus Server::StoreStatus(std::size_t limit) const {
  const tsdb::HeadStats head = database_->head_stats();
  const tsdb::Cardinality cardinality = database_->cardinality(limit);
  api::TsdbStatus status;
  status.series = head.series;
  status.label_pairs = cardinality.label_pairs;
  status.chunks = head.chunks;
  status.min_time = head.min_time;
  status.max_time = head.max_time;
  status.series_by_metric = Counts(cardinality.series_by_metric);
  status.values_by_label = Counts(cardinality.values_by_label);
  status.memory_by_label = Counts(cardinality.bytes_by_label);
  status.series_by_label_pair = Counts(cardinality.series_by_pair);
  return status;
}

// ---------------------------------------------------------------------------------------- the way
// of the data

Status Server::OpenStore(const config::Config& config) {
  tsdb::Options store = TRY(StoreOptions(options_, config));
  database_ = TRY(tsdb::Database::Open(env_, clock_, logger_.With("tsdb"), registry_,
                                       std::move(store), &replay_));
  database_->Start();
  evaluator_ = promql::NewEvaluator(clock_);
  write_receiver_ = std::make_unique<remote::WriteReceiver>(
      *database_, clock_, registry_, remote::WriteReceiverOptions{}, mapper_.get());
  return OkStatus();
}

Status Server::StartSources(const config::Config& config) {
  scraper_ = std::make_unique<scrape::Scraper>(
      scrape::ScraperContext{.store = *database_,
                             .clock = clock_,
                             .env = env_,
                             .pool = ingest_workers_,
                             .loops = loops_,
                             .registry = registry_,
                             .logger = logger_.With("scrape"),
                             .mapper = mapper_.get(),
                             .user_agent = "Sonde/" + BuildInfo().version,
                             .host_name = HostName()},
      scrape::ScraperOptions{
          .max_body_bytes = config.sonde.max_body_bytes,
          .max_bodies_in_memory_bytes = config.sonde.max_bodies_in_memory_bytes});
  discoverer_ = std::make_unique<discovery::Discoverer>(
      discovery::Discoverer::Context{.env = env_,
                                     .clock = clock_,
                                     .pool = ingest_workers_,
                                     .loops = loops_,
                                     .registry = registry_,
                                     .logger = logger_.With("discovery"),
                                     .parse_yaml = config::ParseTargetGroupsYaml,
                                     .user_agent = "Sonde/" + BuildInfo().version},
      [this](const std::string& job, std::vector<discovery::TargetGroup> groups) {
        scraper_->SetTargets(job, std::move(groups));
      });
  if (gpu_ != nullptr) gpu_->Start();
  AddInternalTargets(config);
  ApplyScrapeConfig(config);
  scraper_->Start();
  discoverer_->Start();

  const gateway::GatewayOptions gateway_options = GatewayOptionsOf(config);
  if (options_.gateway) {
    gateway_ = TRY(gateway::Gateway::Create(loops_, gateway_options, clock_, logger_, registry_));
    TRY(gateway_->Start());
    running_gateway_.store(gateway_.get());
  }
  EngineWiring::Options wiring;
  wiring.finder = config.sonde.engines;
  wiring.finder.autodetect = wiring.finder.autodetect && options_.engine_autodetect;
  wiring.finder.urls.insert(wiring.finder.urls.end(), options_.engines.begin(),
                            options_.engines.end());
  for (const auto& server : web_servers_)
    wiring.finder.skip_ports.push_back(server->port());
  if (gateway_ != nullptr) wiring.finder.skip_ports.push_back(gateway_->port());
  wiring.scrape_interval = config.sonde.engine_scrape_interval;
  wiring.gateway = gateway_options;
  wiring.configured_jobs = config.scrape;
  engines_ = std::make_unique<EngineWiring>(std::move(wiring), loops_, *scraper_, gateway_.get(),
                                            clock_, logger_, registry_);
  engines_->Start();
  if (config.sonde.progress.enabled) {
    progress_ = std::make_unique<insight::ProgressWatch>(
        config.sonde.progress, config.sonde.vocabulary_prefix, *database_, *evaluator_, clock_,
        logger_, registry_, MakeProgressHooks());
    progress_->Start();
  }
  return OkStatus();
}

Status Server::StartProbes(const config::Config& config) {
  probes_ = TRY(ProbeWiring::Make(config.sonde.probes,
                                  {.loops = loops_,
                                   .pool = ingest_workers_,
                                   .env = env_,
                                   .clock = clock_,
                                   .logger = logger_,
                                   .registry = registry_,
                                   .store = *database_,
                                   .evaluator = *evaluator_,
                                   .scraper = *scraper_,
                                   .engines = [this] { return engines_->engines(); },
                                   .gateway = gateway_.get(),
                                   .gateway_address = GatewayOptionsOf(config).listen_address,
                                   .gateway_tls = config.sonde.gateway.tls.has_value(),
                                   .vocabulary_prefix = config.sonde.vocabulary_prefix,
                                   .config = [this] { return this->config(); }}));
  probes_->Start();
  insight::BlindSpotWatch::Sources sources;
  sources.engines = [this] {
    std::vector<insight::BlindSpotFacts::Engine> engines;
    for (const collect::FoundEngine& engine : engines_->engines()) {
      engines.push_back({engine.url, engine.instance(), engine.identity.engine, engine.up,
                         engine.identity.serves_api, !engine.identity.metrics_path.empty()});
    }
    return engines;
  };
  sources.gateway_on = gateway_ != nullptr;
  sources.host_name = HostName();
  blind_spots_ = std::make_unique<insight::BlindSpotWatch>(
      BlindSpotOptionsOf(config.sonde.gateway.slo), config.sonde.vocabulary_prefix, *database_,
      *evaluator_, clock_, logger_, registry_, std::move(sources));
  blind_spots_->Start();
  return OkStatus();
}

insight::ProgressHooks Server::MakeProgressHooks() {
  insight::ProgressHooks hooks;
  hooks.canary = std::bind_front(&EngineWiring::SendCanary, engines_.get());
  if (gateway_ == nullptr) return hooks;
  // An engine that is no upstream of the gateway is none of its business: kNotFound.
  hooks.restarted = [this](const std::string& instance, Timestamp began) {
    (void)gateway_->SawRestart(instance, began);
  };
  hooks.sleeps = [this](const std::string& instance, bool asleep) {
    (void)(asleep ? gateway_->SawSleep(instance) : gateway_->SawAwake(instance));
  };
  return hooks;
}

void Server::AddInternalTargets(const config::Config& config) {
  const std::string host_name = HostName();
  if (host_ != nullptr) {
    scraper_->AddInternal({.options = InternalJob("node", config.sonde.host.interval),
                           .address = host_name,
                           .labels = {},
                           .format = wire::ExpositionFormat::kText,
                           .render = [this] { return host_->Collect(); }});
  }
  if (gpu_ != nullptr) {
    scrape::ScrapeOptions job = InternalJob("gpu", config.sonde.gpu.interval);
    job.map_to_vocabulary = false;  // The page has the vocabulary's names.
    scraper_->AddInternal({.options = std::move(job),
                           .address = host_name,
                           .labels = {},
                           .format = wire::ExpositionFormat::kText,
                           .render = [this] { return gpu_->Collect(); }});
  }
  if (options_.self && config.sonde.self.enabled) {
    scrape::ScrapeOptions job = InternalJob("sonde", config.sonde.self.interval);
    job.honor_labels = true;  // What is said of an engine or an upstream has its `instance`.
    scraper_->AddInternal({.options = std::move(job),
                           .address = host_name + ":" + std::to_string(web_port()),
                           .labels = {},
                           .format = wire::ExpositionFormat::kText,
                           .render = [this] { return api::SelfMetricsPage(registry_, {}); }});
  }
}

void Server::TakeAlerts(std::vector<Alert> alerts) {
  // As the reference's notifier: external labels where the alert has none of that name.
  const auto loaded = config();
  for (Alert& alert : alerts) {
    LabelsBuilder labels(alert.labels);
    for (const LabelView label : loaded->global.external_labels) {
      if (labels.Get(label.name).empty()) labels.Set(label.name, label.value);
    }
    alert.labels = labels.Build();
  }
  alerting::Alertmanager* const alertmanager = alerting_->alertmanager();
  if (alertmanager == nullptr) return;  // Stopping.
  if (const Status status = alertmanager->Put(alerts); !status) {
    logger_.Warn("an alert of a rule was not taken", {{"err", status.error()}});
  }
}

Status Server::StartRules(const config::Config& config) {
  rules::RunnerOptions options =
      TRY(RuleRunnerOptions(options_, "http://" + HostName() + ":" + std::to_string(web_port())));
  const api::QueryOptions query = TRY(QueryOptionsOf(options_, config));
  rules_ = std::make_unique<RuleWiring>(
      RuleWiring::Context{.env = env_,
                          .store = *database_,
                          .evaluator = *evaluator_,
                          .clock = clock_,
                          .logger = logger_,
                          .registry = registry_,
                          .eval = query.eval,
                          .parser = query.parser,
                          .packs = options_.rule_packs,
                          .options = std::move(options),
                          .alerts = std::bind_front(&Server::TakeAlerts, this)});
  LoadedRules loaded = TRY(rules_->Load(config));
  TRY(rules_->Apply(std::move(loaded), config));
  rules_->Start();
  return OkStatus();
}

void Server::ApplyScrapeConfig(const config::Config& config) {
  std::vector<discovery::JobDiscovery> jobs;
  for (const auto& job : config.scrape)
    jobs.push_back({job->job_name, job->discovery, job->fingerprint});
  scraper_->ApplyConfig(config.scrape, config.global.external_labels);
  discoverer_->Apply(std::move(jobs));
}

void Server::Stop() {
  if (stopped_.exchange(true)) return;
  logger_.Info("stopping", {});
  // In the order of the data's path: first what lets new work in.
  if (api_ != nullptr) api_->Detach();
  if (progress_ != nullptr) progress_->Stop();
  if (blind_spots_ != nullptr) blind_spots_->Stop();
  if (probes_ != nullptr) probes_->Stop();
  if (rules_ != nullptr) rules_->Stop();
  if (alerting_ != nullptr) alerting_->Stop();
  if (engines_ != nullptr) engines_->Stop();
  if (gateway_ != nullptr) gateway_->Stop();
  if (discoverer_ != nullptr) discoverer_->Stop();
  if (scraper_ != nullptr) scraper_->Stop();
  for (const auto& server : web_servers_)
    server->Stop();
  loops_.Stop();
  ingest_workers_.Stop();
  query_workers_.Stop();
  if (gpu_ != nullptr) gpu_->Stop();
  if (database_ != nullptr) database_->Stop();
  logger_.Info("stopped", {});
}

}  // namespace sonde::app
