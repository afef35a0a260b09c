#include "gateway/gateway.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/quote.h"
#include "gateway/metrics.h"
#include "gateway/prober.h"
#include "gateway/proxy.h"
#include "gateway/upstream.h"
#include "net/http_server.h"

namespace sonde::gateway {
namespace {

/// The settings in force. Shared with the registry's callback, which may be read after the gateway
/// has gone.
class SettingsHolder {
 public:
  std::shared_ptr<const Settings> Get() const {
    MutexLock lock(mutex_);
    return settings_;
  }
  void Set(std::shared_ptr<const Settings> settings) {
    MutexLock lock(mutex_);
    settings_.swap(settings);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Settings> settings_ GUARDED_BY(mutex_);
};

/// What the server needs to know; the rest is per request.
Result<net::HttpServerOptions> ServerOptions(const GatewayOptions& options) {
  net::HttpServerOptions server;
  server.max_connections = options.max_connections;
  server.write_timeout = options.write_timeout;
  server.compress = false;  // Bytes pass through as they are.
  if (options.tls) server.tls = TRY(net::TlsContext::Server(*options.tls));
  return server;
}

}  // namespace

struct Gateway::Impl {
  Impl(net::LoopGroup& loop_group, const GatewayOptions& options, const Clock& system_clock,
       const Logger& parent_logger, instrument::Registry& metric_registry)
      : loops(loop_group),
        clock(system_clock),
        logger(parent_logger.With("gateway")),
        registry(metric_registry),
        listen_address(options.listen_address),
        metrics(metric_registry, options.vocabulary_prefix, options.max_models, system_clock),
        proxy([holder = holder] { return holder->Get(); }, metrics, system_clock, logger) {}

  Result<std::shared_ptr<const Settings>> MakeSettings(const GatewayOptions& options);
  void UpdateProbers() REQUIRES(mutex);
  Result<std::shared_ptr<Upstream>> UpstreamNamed(std::string_view instance) const;

  struct Prober {
    std::shared_ptr<Upstream> upstream;
    ProbeOptions options;
    net::FiberHandle fiber;
  };

  net::LoopGroup& loops;
  const Clock& clock;
  const Logger logger;
  instrument::Registry& registry;
  const std::string listen_address;
  const std::shared_ptr<SettingsHolder> holder = std::make_shared<SettingsHolder>();
  GatewayMetrics metrics;
  Proxy proxy;
  std::unique_ptr<net::HttpServer> server;

  Mutex mutex;  // Held by Start, Reload and Stop.
  bool running GUARDED_BY(mutex) = false;
  bool stopped GUARDED_BY(mutex) = false;
  std::vector<Prober> probers GUARDED_BY(mutex);
  std::vector<net::FiberHandle> retired GUARDED_BY(mutex);  // Cancelled, and perhaps not done yet.
};

Result<std::shared_ptr<const Settings>> Gateway::Impl::MakeSettings(const GatewayOptions& options) {
  auto settings = std::make_shared<Settings>();
  settings->options = options;
  const auto current = holder->Get();
  std::set<std::string> names;
  for (const UpstreamOptions& wanted : options.upstreams) {
    std::shared_ptr<Upstream> upstream;
    // Limits of time live in an upstream's client: if they change, it begins anew.
    const bool same_limits = current != nullptr &&
                             current->options.connect_timeout == options.connect_timeout &&
                             current->options.response_timeout == options.response_timeout &&
                             current->options.idle_timeout == options.idle_timeout &&
                             current->options.upstream_keep_alive == options.upstream_keep_alive;
    if (same_limits) {
      const auto& old = current->upstreams;
      const auto it =
          std::ranges::find_if(old, [&](const auto& u) { return u->options() == wanted; });
      if (it != old.end()) upstream = *it;
    }
    if (upstream == nullptr) upstream = TRY(Upstream::Create(wanted, options, registry));
    if (!names.insert(upstream->name()).second) {
      return Error(ErrorKind::kInvalid,
                   "gateway: two upstreams are called " + QuoteGo(upstream->name()));
    }
    settings->upstreams.push_back(std::move(upstream));
  }
  return std::shared_ptr<const Settings>(std::move(settings));
}

void Gateway::Impl::UpdateProbers() {
  const auto settings = holder->Get();
  ProbeOptions options;
  options.interval = settings->options.probe_interval;
  options.timeout = settings->options.probe_timeout;
  std::vector<net::FiberHandle> leaving;
  std::erase_if(probers, [&](const Prober& prober) {
    const bool stays =
        prober.options == options &&
        std::ranges::find(settings->upstreams, prober.upstream) != settings->upstreams.end();
    if (stays) return false;
    prober.fiber.Cancel();
    leaving.push_back(prober.fiber);
    return true;
  });
  std::erase_if(retired, [](const net::FiberHandle& fiber) { return fiber.done(); });
  retired.insert(retired.end(), leaving.begin(), leaving.end());
  for (const auto& upstream : settings->upstreams) {
    if (std::ranges::any_of(probers, [&](const Prober& p) { return p.upstream == upstream; }))
      continue;
    net::FiberHandle fiber =
        loops.Next().Spawn([upstream, options, &clock_ref = clock, log = logger](net::Fiber& f) {
          KeepProbing(f, *upstream, options, clock_ref, log);
        });
    probers.push_back({upstream, options, std::move(fiber)});
  }
}

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Gateway::~Gateway() {
  Stop();
}

Result<std::unique_ptr<Gateway>> Gateway::Create(net::LoopGroup& loops,
                                                 const GatewayOptions& options, const Clock& clock,
                                                 const Logger& logger,
                                                 instrument::Registry& registry) {
  TRY(net::ListenAddress::Parse(options.listen_address));
  auto server_options = TRY(ServerOptions(options));
  auto impl = std::make_unique<Impl>(loops, options, clock, logger, registry);
  impl->holder->Set(TRY(impl->MakeSettings(options)));
  TRY(impl->metrics.Configure(options.slo, options.prices, options.feedback));
  impl->server = std::make_unique<net::HttpServer>(
      loops, std::move(server_options),
      [proxy = &impl->proxy](net::Fiber& fiber, net::HttpRequest& request,
                             net::HttpResponse& response) {
        proxy->Handle(fiber, request, response);
      },
      impl->logger, registry, "gateway");
  registry.AddCollector(options.vocabulary_prefix + "upstream_up", "1 while the upstream answers.",
                        instrument::FamilyType::kGauge,
                        [holder = impl->holder](std::vector<instrument::Point>& points) {
                          for (const auto& upstream : holder->Get()->upstreams) {
                            instrument::Point point;
                            point.labels = {{"source", "gateway"}, {"instance", upstream->name()}};
                            point.value = upstream->health.up() ? 1 : 0;
                            points.push_back(std::move(point));
                          }
                        });
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

Status Gateway::Start() {
  MutexLock lock(impl_->mutex);
  const auto address = TRY(net::ListenAddress::Parse(impl_->listen_address));
  TRY(impl_->server->Start(address));
  impl_->running = true;
  impl_->UpdateProbers();
  impl_->logger.Info("gateway listens", {{"address", impl_->listen_address},
                                         {"upstreams", impl_->holder->Get()->upstreams.size()}});
  return OkStatus();
}

std::uint16_t Gateway::port() const {
  return impl_->server->port();
}

Status Gateway::Reload(const GatewayOptions& options) {
  MutexLock lock(impl_->mutex);
  auto settings = TRY(impl_->MakeSettings(options));
  TRY(impl_->metrics.Configure(options.slo, options.prices, options.feedback));
  impl_->holder->Set(std::move(settings));
  if (impl_->running && !impl_->stopped) impl_->UpdateProbers();
  return OkStatus();
}

std::vector<UpstreamStatus> Gateway::Upstreams() const {
  std::vector<UpstreamStatus> all;
  for (const auto& upstream : impl_->holder->Get()->upstreams) {
    UpstreamStatus status;
    status.name = upstream->name();
    status.url = upstream->options().url;
    status.up = upstream->health.up();
    status.ejected = upstream->health.ejected();
    status.outstanding = upstream->outstanding();
    status.models = upstream->models()->ids;
    status.last_error = upstream->health.last_error();
    all.push_back(std::move(status));
  }
  return all;
}

Result<FeedbackReceipt> Gateway::GiveFeedback(const Feedback& feedback) {
  return impl_->metrics.GiveFeedback(feedback);
}

Result<std::shared_ptr<Upstream>> Gateway::Impl::UpstreamNamed(std::string_view instance) const {
  for (const auto& upstream : holder->Get()->upstreams) {
    if (upstream->name() == instance) return upstream;
  }
  return Error(ErrorKind::kNotFound, "gateway: no upstream is called " + QuoteGo(instance));
}

Status Gateway::SawRestart(std::string_view instance, Timestamp began) {
  const std::int64_t began_nanos =
      impl_->clock.MonotonicNanos() - (impl_->clock.Now() - began).count() * 1'000'000;
  const auto upstream = TRY(impl_->UpstreamNamed(instance));
  if (!upstream->cold_start.SawRestart(began_nanos)) return OkStatus();
  // One event, also where one upstream has several models.
  const auto models = upstream->models();
  impl_->metrics.Model(models->ids.empty() ? std::string_view() : models->ids.front(), true)
      .CountUntimedColdStart(instance, ColdStartKind::kRestart);
  return OkStatus();
}

Status Gateway::SawSleep(std::string_view instance) {
  TRY(impl_->UpstreamNamed(instance))->cold_start.SawSleep();
  return OkStatus();
}

Status Gateway::SawAwake(std::string_view instance) {
  TRY(impl_->UpstreamNamed(instance))->cold_start.SawAwake(impl_->clock.MonotonicNanos());
  return OkStatus();
}

void Gateway::Stop(Duration grace) {
  std::vector<net::FiberHandle> fibers;
  {
    MutexLock lock(impl_->mutex);
    if (impl_->stopped) return;
    impl_->stopped = true;
    fibers.swap(impl_->retired);
    for (const Impl::Prober& prober : impl_->probers) {
      prober.fiber.Cancel();
      fibers.push_back(prober.fiber);
    }
    impl_->probers.clear();
  }
  impl_->server->Stop(grace);
  for (const net::FiberHandle& fiber : fibers) {
    fiber.Join();
  }
}

}  // namespace sonde::gateway
