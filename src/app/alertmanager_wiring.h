#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "alerting/alertmanager.h"
#include "alerting/http_sender.h"
#include "app/alertmanager_routes.h"
#include "base/mutex.h"
#include "base/result.h"
#include "config/alertmanager_file.h"

namespace sonde::app {

/// The alerting pipeline of a process: its configuration file, its thread and its sender. Start
/// once; Stop is idempotent. Thread-safe.
class AlertmanagerWiring {
 public:
  struct Context {
    net::LoopGroup& loops;
    ThreadPool& pool;
    Env& env;
    const Clock& clock;
    Logger logger;
    instrument::Registry& registry;
  };
  explicit AlertmanagerWiring(Context context);
  ~AlertmanagerWiring();

  /// `config_file` empty: alerts are only listed. `data_dir` keeps silences and what was sent.
  Status Start(const std::string& config_file, const std::string& data_dir,
               const std::string& external_url) EXCLUDES(mutex_);
  /// Reads the file again; after an error everything goes on as it was.
  Status Reload() EXCLUDES(mutex_);
  void Stop() EXCLUDES(mutex_);

  /// For /api/v2; may be called before Start.
  std::vector<api::SondeRoute> Routes();
  /// Where rules send to. Null before Start.
  alerting::Alertmanager* alertmanager() { return running_.load(std::memory_order_acquire); }

 private:
  Result<config::AlertmanagerConfig> LoadConfig() const;
  void Run() EXCLUDES(mutex_);

  const Context context_;
  const Timestamp started_;
  std::string config_file_;  // Written once, by Start.

  mutable Mutex mutex_;
  CondVar woken_;
  bool wake_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::string config_yaml_ GUARDED_BY(mutex_);

  std::unique_ptr<alerting::Alertmanager> alertmanager_;
  std::unique_ptr<alerting::HttpSender> sender_;  // Goes first: its completions need the former.
  std::atomic<alerting::Alertmanager*> running_{nullptr};
  std::thread thread_;
};

}  // namespace sonde::app
