#include "app/alertmanager_wiring.h"

#include <algorithm>
#include <utility>

#include "app/version.h"
#include "base/random.h"

namespace sonde::app {
namespace {

/// The longest sleep: a wall clock that is set must not stop the pipeline.
constexpr Duration kMaxSleep{1'000};

}  // namespace

AlertmanagerWiring::AlertmanagerWiring(Context context)
    : context_(std::move(context)), started_(context_.clock.Now()) {}

AlertmanagerWiring::~AlertmanagerWiring() {
  Stop();
}

Result<config::AlertmanagerConfig> AlertmanagerWiring::LoadConfig() const {
  if (config_file_.empty()) {
    config::AlertmanagerConfig config;
    config.options = alerting::Options::ListOnly();
    return config;
  }
  auto config = config::LoadAlertmanagerFile(context_.env, config_file_);
  if (!config) return config;
  for (const std::string& warning : config->warnings)
    context_.logger.Warn("alertmanager configuration", {{"warning", warning}});
  return config;
}

Status AlertmanagerWiring::Start(const std::string& config_file, const std::string& data_dir,
                                 const std::string& external_url) {
  config_file_ = config_file;
  auto config = TRY(LoadConfig());
  alerting::AlertmanagerSettings settings;
  settings.data_dir = data_dir;
  sender_ = std::make_unique<alerting::HttpSender>(
      alerting::HttpSender::Context{.loops = context_.loops,
                                    .pool = context_.pool,
                                    .env = context_.env,
                                    .clock = context_.clock,
                                    .registry = context_.registry,
                                    .external_url = external_url,
                                    .user_agent = "Sonde/" + BuildInfo().version});
  alertmanager_ =
      TRY(alerting::Alertmanager::Open(std::move(config.options), settings,
                                       {.clock = context_.clock,
                                        .env = context_.env,
                                        .logger = context_.logger,
                                        .send =
                                            [this](const alerting::Notification& notification,
                                                   std::function<void(alerting::SendResult)> done) {
                                              sender_->Send(notification, std::move(done));
                                            },
                                        .wake =
                                            [this] {
                                              MutexLock lock(mutex_);
                                              wake_ = true;
                                              woken_.NotifyOne();
                                            },
                                        .seed = SystemSeed()}));
  {
    MutexLock lock(mutex_);
    config_yaml_ = config.original;
  }
  thread_ = std::thread([this] { Run(); });
  running_.store(alertmanager_.get(), std::memory_order_release);  // Readers see it complete.
  return OkStatus();
}

void AlertmanagerWiring::Run() {
  while (true) {
    const Timestamp next = alertmanager_->Tick();
    const Duration wait = std::clamp(next - context_.clock.Now(), Duration(0), kMaxSleep);
    MutexLock lock(mutex_);
    if (!wake_ && !stopping_ && wait.count() > 0) woken_.WaitFor(mutex_, wait);
    wake_ = false;
    if (stopping_) return;
  }
}

Status AlertmanagerWiring::Reload() {
  if (alertmanager() == nullptr) return OkStatus();
  auto config = TRY(LoadConfig());
  alertmanager_->Reload(std::move(config.options));
  MutexLock lock(mutex_);
  config_yaml_ = config.original;
  return OkStatus();
}

void AlertmanagerWiring::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    woken_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
  sender_.reset();
}

std::vector<api::SondeRoute> AlertmanagerWiring::Routes() {
  return AlertmanagerRoutes({.alertmanager = [this] { return alertmanager(); },
                             .config_yaml =
                                 [this] {
                                   MutexLock lock(mutex_);
                                   return config_yaml_;
                                 },
                             .clock = context_.clock,
                             .started = started_});
}

}  // namespace sonde::app
