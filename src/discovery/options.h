#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discovery/target_group.h"
#include "net/tls.h"

// What service discovery can be told, and how Sonde identifies itself to the HTTP servers that it
// asks (targets too: scrape/options.h uses the same struct). Plain values with good defaults;
// config/ fills them.

namespace sonde::discovery {

/// How to reach an HTTP server: who we are, TLS, proxy, extra headers. Fields named *_file are read
/// again when they are used, so that a rotated secret needs no reload. Never logged or shown as it
/// is: it holds secrets.
struct HttpAccessOptions {
  struct BasicAuth {
    std::string username;
    std::string username_file;
    std::string password;
    std::string password_file;
    bool operator==(const BasicAuth&) const = default;
  };
  /// `Authorization: <type> <credentials>`.
  struct Authorization {
    std::string type = "Bearer";
    std::string credentials;
    std::string credentials_file;
    bool operator==(const Authorization&) const = default;
  };
  /// One header; each member of the lists becomes a field of its own.
  struct Header {
    std::string name;
    std::vector<std::string> values;
    std::vector<std::string> secrets;
    std::vector<std::string> files;
    bool operator==(const Header&) const = default;
  };

  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  net::TlsClientOptions tls;
  bool follow_redirects = true;
  std::string http_proxy;   ///< The proxy's URL for http servers; empty: none.
  std::string https_proxy;  ///< For https servers.
  std::string
      no_proxy;  ///< Comma-separated hosts, domains, addresses, networks that are asked directly.
  bool loopback_is_direct = false;  ///< This machine is never asked through a proxy.
  std::vector<Header> headers;
};

/// Targets from files, which may change at any time.
struct FileDiscoveryOptions {
  std::vector<std::string> patterns;  ///< Paths; `*` only in the last part. .json, .yml or .yaml.
  Duration refresh_interval{300'000};
};

/// Targets from an HTTP endpoint that answers with the JSON form.
struct HttpDiscoveryOptions {
  std::string url;
  Duration refresh_interval{60'000};
  HttpAccessOptions access;
};

/// Where one job's targets come from.
struct DiscoveryOptions {
  std::vector<TargetGroup> static_groups;
  std::vector<FileDiscoveryOptions> files;
  std::vector<HttpDiscoveryOptions> http;
};

}  // namespace sonde::discovery
