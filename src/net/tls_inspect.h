#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/event_loop.h"
#include "net/tls.h"

// Looks at the certificates of a TLS server without trusting it: for probes of their expiry.

namespace sonde::net {

/// What a server presented, and what is wrong with it.
struct TlsInspection {
  Timestamp earliest_not_after;  ///< Of all certificates that it sent.
  Timestamp leaf_not_before;
  Timestamp leaf_not_after;
  std::string
      chain_problem;  ///< Why the chain is not trusted ("certificate has expired"); empty: it is.
  std::string name_problem;  ///< The certificate is for other names; empty: it fits.
  std::string version;       ///< "TLSv1.3"
};

/// Connects, shakes hands, and hangs up. `context`: a client's that was made with
/// insecure_skip_verify, so that a handshake with a bad certificate is not broken off; its roots
/// judge the chain. `server_name`: what is asked for and what the certificate must be for, unless
/// the context has a name of its own. Errors: those of connecting; kInvalid if there is no
/// handshake.
Result<TlsInspection> InspectTls(Fiber& fiber, const std::string& host, std::uint16_t port,
                                 const TlsContext& context, const std::string& server_name,
                                 Duration timeout);

}  // namespace sonde::net
