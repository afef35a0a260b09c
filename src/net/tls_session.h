#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/reactor.h"
#include "net/tls.h"
#include "net/tls_inspect.h"

// TLS over a non-blocking descriptor. Only net/ includes this file.

namespace sonde::net {

/// What one attempt to move bytes gave, before anybody waits.
struct IoAttempt {
  enum class Kind : unsigned char {
    kMoved,      ///< `bytes` of them.
    kEnd,        ///< The peer will send nothing more.
    kNeedRead,   ///< Nothing now; try again when the descriptor is readable.
    kNeedWrite,  ///< Nothing now; try again when the descriptor is writable.
    kFailed,     ///< `error` says why.
  };
  Kind kind = Kind::kFailed;
  std::size_t bytes = 0;
  std::string error;
};

/// One side of a TLS connection. Not thread-safe; after an error it must be dropped.
class TlsSession {
 public:
  /// `source` must outlive it. `server_name`: what a client expects the server to be, and asks for.
  TlsSession(const TlsContext& context, IoSource& source, std::string_view server_name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// kMoved once it is done.
  IoAttempt Handshake();
  IoAttempt Read(char* to, std::size_t size);
  IoAttempt Write(std::string_view bytes);
  /// Bytes that have been received but not read yet; the descriptor will not become readable for
  /// them.
  bool HasPending() const;
  /// After the handshake: what the server's certificates say, and whether they are for `expected`
  /// (or the context's own server_name). See
  /// InspectTls.
  Result<TlsInspection> InspectPeer(const std::string& expected) const;
  /// Tells the peer that nothing more will come; at best, as nobody waits for it.
  void SendClose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sonde::net
