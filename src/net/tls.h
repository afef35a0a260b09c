#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace sonde::net {

/// How a server proves who it is, and whom it lets in. Paths are PEM files.
struct TlsServerOptions {
  std::string certificate_file = {};
  std::string key_file = {};
  std::string client_ca_file = {};  ///< Empty: clients need no certificate.
  bool require_client_certificate = false;
  std::string min_version = "TLS12";  ///< TLS10 … TLS13.
  std::string max_version = {};       ///< Empty: the newest.
  std::vector<std::string> cipher_suites =
      {};  ///< IANA names (TLS 1.2 and older); empty: the library's choice.
  std::vector<std::string> curve_preferences = {};  ///< CurveP256, CurveP384, CurveP521, X25519.
  /// If not empty, a client's certificate must carry one of these as DNS name, address, e-mail or
  /// URI.
  std::vector<std::string> client_allowed_sans = {};

  bool operator==(const TlsServerOptions&) const = default;
};

/// How a client checks the server, and proves who it is.
struct TlsClientOptions {
  std::string ca_file = {};           ///< Empty: the system's.
  std::string ca_pem = {};            ///< Inline instead of a file.
  std::string certificate_file = {};  ///< Empty: none.
  std::string key_file = {};
  std::string server_name = {};  ///< Empty: the URL's host.
  bool insecure_skip_verify = false;
  std::string min_version = {};
  std::string max_version = {};

  bool operator==(const TlsClientOptions&) const = default;
};

/// A loaded TLS configuration. Immutable, thread-safe.
class TlsContext {
 public:
  struct Impl;
  explicit TlsContext(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  /// kInvalid or kNotFound if a file is missing, is not PEM, or key and certificate do not fit.
  static Result<std::shared_ptr<const TlsContext>> Server(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsContext>> Client(const TlsClientOptions& options);

  Impl& impl() const { return *impl_; }  ///< For net/ itself.

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace sonde::net
