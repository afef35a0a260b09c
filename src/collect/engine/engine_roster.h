#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "collect/engine/identify.h"
#include "collect/options.h"

namespace sonde::collect {

/// An engine that Sonde knows of.
struct FoundEngine {
  std::string url;          ///< Base URL, without a slash at its end.
  EngineIdentity identity;  ///< As it last said; empty if it was never seen.
  bool configured = false;  ///< By the user; else found on a well-known port.
  bool up = false;          ///< It answered in the last round.
  bool operator==(const FoundEngine&) const = default;

  /// host:port, as Prometheus's `instance`.
  std::string instance() const;
};

/// Which addresses are looked at when, and which engines came out. No I/O, no clock: what happens
/// and when is told. Not thread-safe.
///
/// Configured addresses are asked in every round and stay in the list for ever. A well-known local
/// port is asked in every round while nobody listens there (nobody is disturbed); a server that is
/// no engine is asked less and less often, up to every 10 minutes. A found engine that is gone for
/// 10 minutes leaves the list.
class EngineRoster {
 public:
  explicit EngineRoster(const EngineFinderOptions& options);

  /// The base URLs to be probed now.
  std::vector<std::string> Due(Timestamp now) const;
  /// An engine that was up a moment ago and need not say again who it is: a look at its health will
  /// do. Asking more costs: some servers break off what they are streaming when they are asked for
  /// their models.
  bool IsIdentified(const std::string& url, Timestamp now) const;
  /// It answered that it is well.
  void RecordHealthy(const std::string& url, Timestamp now);
  /// What probing `url` gave.
  void Record(const std::string& url, const ProbeResult& result, Timestamp now);

  /// Those that are configured or were found, by URL.
  std::vector<FoundEngine> engines() const;

 private:
  struct Address {
    bool configured = false;
    bool known = false;  // An engine was seen here.
    bool up = false;
    Timestamp last_seen;
    Timestamp next_probe;
    Timestamp identified;
    Duration patience{0};  // How long a server that is no engine is left alone.
    EngineIdentity identity;
  };

  const Duration interval_;
  std::map<std::string, Address> addresses_;
};

/// Ports of 127.0.0.1 where engines listen unless told otherwise.
std::vector<std::uint16_t> WellKnownEnginePorts();

}  // namespace sonde::collect
