#include "net/tls_inspect.h"

#include <utility>

#include "net/reactor.h"
#include "net/resolver.h"
#include "net/transport.h"

namespace sonde::net {
namespace {

Result<std::unique_ptr<Transport>> ConnectToAny(Fiber& fiber, const std::string& host,
                                                std::uint16_t port, std::int64_t deadline) {
  const auto addresses = TRY(fiber.state().loop.resolver().Resolve(fiber, host, port, deadline));
  for (std::size_t i = 0;; ++i) {
    auto transport = Transport::Connect(fiber, addresses[i], deadline);
    if (transport || i + 1 == addresses.size() ||
        transport.error().kind() == ErrorKind::kCancelled) {
      return transport;
    }
  }
}

}  // namespace

Result<TlsInspection> InspectTls(Fiber& fiber, const std::string& host, std::uint16_t port,
                                 const TlsContext& context, const std::string& server_name,
                                 Duration timeout) {
  const std::int64_t deadline = DeadlineAfter(timeout);
  const auto transport = TRY(ConnectToAny(fiber, host, port, deadline));
  TRY(transport->StartTls(fiber, context, server_name, deadline));
  return transport->tls()->InspectPeer(server_name);
}

}  // namespace sonde::net
