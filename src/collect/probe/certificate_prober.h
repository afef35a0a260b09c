#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "collect/probe/fiber_crew.h"
#include "collect/probe/options.h"
#include "instrument/registry.h"
#include "net/event_loop.h"
#include "net/tls.h"

namespace sonde::collect {

/// An https address that the configuration names.
struct CertificateTarget {
  std::string url;                   ///< "https://host:port"; a path does not matter.
  std::string kind;                  ///< "scrape", "upstream", "canary", "account", "configured".
  net::TlsClientOptions trust = {};  ///< Whose roots its user trusts.
};

/// `https` targets by host and port, the first of each address; what is no https URL is left out.
std::vector<CertificateTarget> DistinctCertificateTargets(std::vector<CertificateTarget> targets);

/// Looks at the certificates of all https addresses that are configured, on a slow schedule; a new
/// address within a minute.
///
/// Exposes blackbox_exporter's `probe_ssl_earliest_cert_expiry`, and what is wrong as
/// `sonde_certificate_problem{problem="expired|not_yet_valid|name|chain|handshake|connect|timeout|settings"}`
/// (docs/probes.md). Thread-safe; Start once, Stop is idempotent. References outlive it.
class CertificateProber {
 public:
  /// Called on the pool, before each round.
  using Targets = std::function<std::vector<CertificateTarget>()>;

  struct Context {
    net::EventLoop& loop;
    ThreadPool& pool;  ///< Where roots are loaded.
    const Clock& clock;
    Logger logger;
    instrument::Registry& registry;
  };

  CertificateProber(const CertificateOptions& options, Targets targets, const Context& context);
  ~CertificateProber();

  void Start();
  void Stop();

 private:
  /// What is known of an address.
  struct State {
    std::string kind;
    Timestamp last_try;
    std::optional<Timestamp> expiry;
    std::vector<std::string> problems;  ///< Label values.
  };
  struct Board {
    Mutex mutex;
    std::map<std::string, State> states GUARDED_BY(mutex);  // By host:port.
  };

  void Run(net::Fiber& fiber);
  Status Round(net::Fiber& fiber);
  void Look(net::Fiber& fiber, const CertificateTarget& target);

  const CertificateOptions options_;
  const Targets targets_;
  const Context context_;
  const std::shared_ptr<Board> board_;
  FiberCrew crew_;  // Last: its fibers use the others.
};

}  // namespace sonde::collect
