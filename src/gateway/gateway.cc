#include "gateway/gateway.h"

#include <algorithm>
#include <map>
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

constexpr Duration kMaxTtl{10LL * 365 * 86'400'000};

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
        serves_tls(options.tls.has_value()),
        metrics(metric_registry, options.vocabulary_prefix, options.max_models, system_clock),
        proxy([holder = holder] { return holder->Get(); }, metrics, metric_registry, system_clock,
              logger) {}

  Result<std::shared_ptr<const Settings>> MakeSettings(const GatewayOptions& options)
      REQUIRES(mutex);
  std::shared_ptr<Upstream> Find(std::string_view name) const;
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
  const bool serves_tls;
  const std::shared_ptr<SettingsHolder> holder = std::make_shared<SettingsHolder>();
  GatewayMetrics metrics;
  Proxy proxy;
  std::unique_ptr<net::HttpServer> server;

  Mutex mutex;  // Held by Start, Reload and Stop.
  bool running GUARDED_BY(mutex) = false;
  bool stopped GUARDED_BY(mutex) = false;
  std::vector<Prober> probers GUARDED_BY(mutex);
  std::vector<net::FiberHandle> retired GUARDED_BY(mutex);  // Cancelled, and perhaps not done yet.
  struct Override {
    double weight;
    std::int64_t until;
  };
  // By the upstream's name, so that one that leaves and comes back still has it.
  std::map<std::string, Override, std::less<>> overrides GUARDED_BY(mutex);
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
                             current->options.health == options.health &&
                             current->options.upstream_keep_alive == options.upstream_keep_alive;
    if (same_limits) {
      const auto& old = current->upstreams;
      const auto it = std::ranges::find_if(old, [&](const auto& u) {
        return u->options() == wanted && u->tls_files == TlsFilesState(wanted.tls);
      });
      if (it != old.end()) upstream = *it;
    }
    if (upstream == nullptr) upstream = TRY(Upstream::Create(wanted, options, registry));
    if (!names.insert(upstream->name()).second) {
      return Error(ErrorKind::kInvalid,
                   "gateway: two upstreams are called " + QuoteGo(upstream->name()));
    }
    if (const auto own = overrides.find(upstream->name()); own != overrides.end()) {
      upstream->OverrideWeight(own->second.weight, own->second.until);
    }
    settings->upstreams.push_back(std::move(upstream));
  }
  settings->keys = KeyTable(options.access.keys);
  settings->options.access.keys.clear();  // They are in the table.
  return std::shared_ptr<const Settings>(std::move(settings));
}

std::shared_ptr<Upstream> Gateway::Impl::Find(std::string_view name) const {
  for (const auto& upstream : holder->Get()->upstreams) {
    if (upstream->name() == name) return upstream;
  }
  return nullptr;
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
  {
    MutexLock lock(impl->mutex);
    impl->holder->Set(TRY(impl->MakeSettings(options)));
  }
  TRY(impl->metrics.Configure(options.slo, options.prices, options.feedback));
  impl->proxy.Configure(options);
  impl->server = std::make_unique<net::HttpServer>(
      loops, std::move(server_options),
      [proxy = &impl->proxy](net::Fiber& fiber, net::HttpRequest& request,
                             net::HttpResponse& response) {
        proxy->Handle(fiber, request, response);
      },
      impl->logger, registry, "gateway");
  const auto per_upstream = [&](const std::string& name, std::string_view help, auto value,
                                instrument::FamilyType type = instrument::FamilyType::kGauge) {
    registry.AddCollector(
        name, help, type, [holder = impl->holder, value](std::vector<instrument::Point>& points) {
          for (const auto& upstream : holder->Get()->upstreams) {
            instrument::Point point;
            point.labels = {{"source", "gateway"}, {"instance", upstream->name()}};
            point.value = value(*upstream);
            points.push_back(std::move(point));
          }
        });
  };
  per_upstream(options.vocabulary_prefix + "upstream_up", "1 while the upstream answers.",
               [](const Upstream& upstream) { return upstream.health.up() ? 1.0 : 0.0; });
  per_upstream("sonde_gateway_upstream_ejected", "1 while the upstream gets no requests.",
               [](const Upstream& upstream) { return upstream.health.ejected() ? 1.0 : 0.0; });
  per_upstream("sonde_gateway_upstream_silent",
               "1 while the upstream takes connections and does not answer probes.",
               [](const Upstream& upstream) { return upstream.health.silent() ? 1.0 : 0.0; });
  per_upstream(
      "sonde_gateway_upstream_tokens_total", "Tokens of streams that came back from the upstream.",
      [](const Upstream& upstream) { return static_cast<double>(upstream.tokens_returned()); },
      instrument::FamilyType::kCounter);
  per_upstream("sonde_gateway_upstream_weight",
               "The upstream's share of the requests; less than its weight while it returns.",
               [&clock](const Upstream& upstream) {
                 const std::int64_t now = clock.MonotonicNanos();
                 return upstream.weight(now) * upstream.health.Share(now);
               });
  per_upstream(
      "sonde_gateway_upstream_running", "Requests that the upstream is answering.",
      [](const Upstream& upstream) { return static_cast<double>(upstream.outstanding()); });
  per_upstream(
      "sonde_gateway_upstream_outstanding_tokens",
      "Tokens that are expected of its running requests yet; an estimate.",
      [](const Upstream& upstream) { return static_cast<double>(upstream.outstanding_tokens()); });
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
  std::shared_ptr<const net::TlsContext> tls;
  if (impl_->serves_tls && options.tls) tls = TRY(net::TlsContext::Server(*options.tls));
  auto settings = TRY(impl_->MakeSettings(options));
  TRY(impl_->metrics.Configure(options.slo, options.prices, options.feedback));
  impl_->proxy.Configure(options);
  impl_->holder->Set(std::move(settings));
  if (tls != nullptr) impl_->server->SetTls(std::move(tls));
  if (impl_->serves_tls != options.tls.has_value()) {
    impl_->logger.Warn("this change needs a restart",
                       {{"section", "sonde.gateway.tls_server_config"}});
  }
  if (impl_->running && !impl_->stopped) impl_->UpdateProbers();
  return OkStatus();
}

std::vector<UpstreamStatus> Gateway::Upstreams() const {
  std::vector<UpstreamStatus> all;
  const std::int64_t now = impl_->clock.MonotonicNanos();
  for (const auto& upstream : impl_->holder->Get()->upstreams) {
    UpstreamStatus status;
    status.name = upstream->name();
    status.url = upstream->options().url;
    status.up = upstream->health.up();
    status.ejected = upstream->health.ejected();
    status.outstanding = upstream->outstanding();
    status.outstanding_tokens = upstream->outstanding_tokens();
    status.configured_weight = upstream->options().weight;
    status.weight = upstream->weight(now);
    status.overridden = upstream->weight_overridden(now);
    status.share = upstream->health.Share(now);
    if (const std::int64_t until = upstream->weight_override_until();
        status.overridden && until != Upstream::kForEver) {
      status.override_left = Duration((until - now) / 1'000'000);
    }
    status.models = upstream->models()->ids;
    status.last_error = upstream->health.last_error();
    all.push_back(std::move(status));
  }
  return all;
}

Status Gateway::SetWeight(std::string_view upstream, double weight, std::optional<Duration> ttl) {
  if (!(weight >= 0 && weight <= kMaxWeight)) {
    return Error(ErrorKind::kInvalid, "weight must be from 0 to 1000000");
  }
  if (ttl && (*ttl <= Duration(0) || *ttl > kMaxTtl)) {
    return Error(ErrorKind::kInvalid, "ttl must be longer than 0 and at most 10 years");
  }
  MutexLock lock(impl_->mutex);
  const auto found = impl_->Find(upstream);
  if (found == nullptr) {
    return Error(ErrorKind::kNotFound, "the gateway has no upstream " + QuoteGo(upstream));
  }
  const std::int64_t now = impl_->clock.MonotonicNanos();
  const std::int64_t until = ttl ? now + ttl->count() * 1'000'000 : Upstream::kForEver;
  std::erase_if(impl_->overrides, [&](const auto& pair) { return pair.second.until <= now; });
  impl_->overrides[std::string(upstream)] = {weight, until};
  found->OverrideWeight(weight, until);
  return OkStatus();
}

Status Gateway::ClearWeight(std::string_view upstream) {
  MutexLock lock(impl_->mutex);
  const auto found = impl_->Find(upstream);
  if (found == nullptr) {
    return Error(ErrorKind::kNotFound, "the gateway has no upstream " + QuoteGo(upstream));
  }
  if (const auto it = impl_->overrides.find(upstream); it != impl_->overrides.end()) {
    impl_->overrides.erase(it);
  }
  found->ClearWeight();
  return OkStatus();
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
