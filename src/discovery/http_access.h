#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/env.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "base/time.h"
#include "discovery/options.h"
#include "instrument/registry.h"
#include "net/http_client.h"

namespace sonde::discovery {

/// True if `no_proxy` (as in the environment variable of that name) says that host:port is asked
/// directly: `*`, a host, a domain with all below it (`.x.org`: only below), an address, a network
/// in CIDR form, each with an optional port.
bool IsDirect(std::string_view no_proxy, std::string_view host, std::uint16_t port);

/// What HttpAccess needs of the process. References outlive it.
struct HttpAccessContext {
  Env& env;
  const Clock& clock;
  ThreadPool& pool;  ///< Where files are read.
  instrument::Registry& registry;
  std::string client_name;  ///< The label `client` of its metrics.
  std::string user_agent;
  Duration idle_timeout{300'000};
};

/// Asks HTTP servers under one set of HttpAccessOptions: adds the credentials and headers, goes
/// through the right proxy, and notices when a file with a secret or a certificate has changed.
///
/// Thread-safe; a call works on its fiber's loop.
class HttpAccess {
 public:
  HttpAccess(HttpAccessOptions options, HttpAccessContext context);
  ~HttpAccess();

  /// Sends a GET and returns when the header is there; the whole exchange, body included, is
  /// bounded by `timeout`. Errors: kInvalid or kNotFound for a file that cannot be used, else those
  /// of net::HttpClient.
  Result<std::unique_ptr<net::HttpClientResponse>> Get(net::Fiber& fiber,
                                                       net::HttpClientRequest request,
                                                       Duration timeout) EXCLUDES(mutex_);

 private:
  enum Route : std::size_t { kDirect, kThroughHttpProxy, kThroughHttpsProxy, kRoutes };

  /// What the files say, as of one moment.
  struct Secrets {
    net::Headers headers;
    std::uint64_t tls_fingerprint = 0;
  };

  Result<std::shared_ptr<const Secrets>> CurrentSecrets(net::Fiber& fiber) EXCLUDES(mutex_);
  Result<std::shared_ptr<const Secrets>> ReadSecrets() const;
  Result<std::string> ReadSecret(const std::string& file, std::string_view what) const;
  Result<std::shared_ptr<net::HttpClient>> ClientFor(const net::Url& url,
                                                     std::uint64_t tls_fingerprint)
      EXCLUDES(mutex_);
  Route RouteOf(const net::Url& url) const;

  const HttpAccessOptions options_;
  const HttpAccessContext context_;
  const bool has_files_;

  mutable Mutex mutex_;
  std::shared_ptr<const Secrets> secrets_ GUARDED_BY(mutex_);
  std::int64_t read_at_nanos_ GUARDED_BY(mutex_) = 0;
  std::uint64_t tls_fingerprint_ GUARDED_BY(mutex_) = 0;
  std::array<std::shared_ptr<net::HttpClient>, kRoutes> clients_ GUARDED_BY(mutex_);
};

}  // namespace sonde::discovery
