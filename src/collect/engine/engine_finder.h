#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "collect/engine/engine_roster.h"
#include "collect/options.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace sonde::collect {

/// Finds inference engines: those that are configured, and those that answer on well-known ports of
/// this machine.
///
/// app/ turns the list into scrape targets (where identity.metrics_path is set) and gateway
/// upstreams (where identity.serves_api is). Thread-safe. Start once; Stop is idempotent and waits
/// for the round that runs. Exposes `sonde_engine_up{url,engine}`.
class EngineFinder {
 public:
  /// Called after a round that changed the list (engines, their models, up or down), on the loop's
  /// thread; must return soon.
  using OnChange = std::function<void(const std::vector<FoundEngine>&)>;

  /// All references must outlive it.
  EngineFinder(const EngineFinderOptions& options, net::EventLoop& loop, net::HttpClient& client,
               const Clock& clock, const Logger& logger, instrument::Registry& registry);
  ~EngineFinder();
  EngineFinder(const EngineFinder&) = delete;
  EngineFinder& operator=(const EngineFinder&) = delete;

  void Start(OnChange on_change);
  void Stop();

  /// The list after the last round.
  std::vector<FoundEngine> engines() const;

 private:
  /// The list as others see it; the registry's reader holds it too.
  class List {
   public:
    std::vector<FoundEngine> Get() const EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      return engines_;
    }
    void Set(std::vector<FoundEngine> engines) EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      engines_ = std::move(engines);
    }

   private:
    mutable Mutex mutex_;
    std::vector<FoundEngine> engines_ GUARDED_BY(mutex_);
  };

  void Run(net::Fiber& fiber);
  void Round(net::Fiber& fiber);
  void Publish();

  const EngineFinderOptions options_;
  net::EventLoop& loop_;
  net::HttpClient& client_;
  const Clock& clock_;
  const Logger logger_;
  EngineRoster roster_;  // Used by the fiber only.
  const std::shared_ptr<List> list_;
  OnChange on_change_;
  std::optional<net::FiberHandle> fiber_;
};

}  // namespace sonde::collect
